"""How far float32 explanations are from float64 ones, end to end: ours beside zennit's.

    python benchmarks/parity.py [--composite epsilon_plus] [--size 224] [--seeds 10] [resnet18 vgg16_bn …]

Float32 against float64 says less about an explainer than about LRP: where a pre-activation near zero
changes its sign in the float32 forward pass, R / z changes with it. So medians over seeds (new weights
and a new picture each) are reported, and nothing is asserted. Needs the `test` extra.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "parity")]

# ruff: noqa: E402 - the networks and the peers are the parity tests' own, found by the path above
import nets
import peers
import torch
import zennit.composites

import explainer
import exporter

# What zennit has under our names; ε it has as a rule alone.
COMPOSITES = {"epsilon": lambda: peers.epsilon(1e-6), **zennit.composites.COMPOSITES}
BOX = {"low": -3.0, "high": 3.0}


def errors(name: str, composite: str, seed: int, size: int, folder: Path) -> dict[str, float]:
    """The largest error of one seed, relative to the largest value."""
    model = (nets.vgg if "vgg" in name else nets.resnet)(name, seed, size)
    box = BOX if composite == "epsilon_gamma_box" else {}
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    path = folder / f"{name}.onnx"
    exporter.export(model, path, example=x)
    ours = {
        dtype: explainer.explain(
            path, x.numpy(), target=0, start="one", composite=(composite, box), dtype=dtype
        )
        for dtype in ("float32", "float64")
    }
    target = torch.tensor([0])
    zennit32, zennit64 = (
        peers.by_zennit(m, picture, target, COMPOSITES[composite](**box), peers.one)[0].numpy()
        for m, picture in ((model, x), (nets.double(model), x.double()))
    )
    return {
        "ours, float32": explainer.compare(ours["float32"], ours["float64"]).error,
        "zennit, float32": explainer.compare(zennit32, zennit64).error,
        "float64, ours to zennit": explainer.compare(ours["float64"], zennit64).error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=["resnet18", "resnet50"], metavar="NAME")
    parser.add_argument("--composite", choices=COMPOSITES, default="epsilon", metavar="NAME")
    parser.add_argument("--size", type=int, default=224, help="height and width of the picture")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    print(
        f"{options.composite}: largest error relative to the largest value, {options.seeds} seeds, "
        f"{options.size}x{options.size}"
    )
    print(f"{'network':10} {'float32 against float64':24} {'median':>8} {'quartiles':>19} {'worst':>8}")
    for name in options.names:
        with tempfile.TemporaryDirectory() as folder:
            rows = [
                errors(name, options.composite, seed, options.size, Path(folder))
                for seed in range(options.seeds)
            ]
        for what in rows[0]:
            values = np.array([row[what] for row in rows])
            low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
            print(
                f"{name:10} {what:24} {median:8.1e} {low:8.1e} – {high:8.1e} {values.max():8.1e}", flush=True
            )


if __name__ == "__main__":
    main()
