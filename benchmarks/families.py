"""Time of explaining each family of networks, in forward passes of onnxruntime; real sizes, seeded weights.

    python benchmarks/families.py                        # all that are installed
    python benchmarks/families.py --nets vit_b_16,lstm --runs 20

Each network is exported, explained by ε-LRP in NumPy (with the audit and without) and by its compiled file,
and its gradient compiled; every measurement in a process of its own, beside the same forward pass. Those of
timm and transformers need the extra `zoo`, and are left out without it.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from speed import child, clocked

PICTURE = {"input": (1, 3, 224, 224)}
VOCABULARY = 30522


def torchvision(name: str) -> Any:
    """One of torchvision's classifiers, or of its segmenters without what is no mask."""
    import exporter

    if not name.startswith("lraspp"):
        return exporter.build(name, weights="none", seed=0).model
    from torch import nn

    from exporter._torchvision import torchvision

    class Masks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = torchvision.models.get_model(name, weights=None, weights_backbone=None)

        def forward(self, x: Any) -> Any:
            return self.model(x)["out"]

    return Masks()


def timm(name: str) -> Any:
    """One of timm's."""
    import exporter

    return exporter.build(f"timm:{name}", weights="none", seed=0).model


def bert() -> Any:
    """BERT's base model with two classes."""
    from exporter._torchvision import torchvision  # transformers loads with it alone

    assert torchvision
    import transformers
    from torch import nn

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = transformers.BertForSequenceClassification(transformers.BertConfig())

        def forward(self, ids: Any) -> Any:
            return self.model(input_ids=ids).logits

    return Logits()


def lstm() -> Any:
    """Two layers in both directions over a hundred steps of forty numbers."""
    from torch import nn

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.LSTM(40, 128, 2, batch_first=True, bidirectional=True)
            self.classes = nn.Linear(256, 10)

        def forward(self, x: Any) -> Any:
            return self.classes(self.recurrent(x)[0][:, -1])

    return Last()


# Name -> what makes it, its inputs, the package it needs beside torchvision.
NETS: dict[str, tuple[Callable[[], Any], Mapping[str, Any], str]] = {
    **{
        name: (functools.partial(torchvision, name), PICTURE, "torchvision")
        for name in (
            *("resnet50", "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny"),
            *("vit_b_16", "swin_t", "swin_v2_t", "lraspp_mobilenet_v3_large"),
        )
    },
    **{
        name: (functools.partial(timm, name), PICTURE, "timm")
        for name in ("mobilevit_xxs", "levit_128s", "xcit_nano_12_p16_224", "mixer_s16_224")
    },
    "bert": (bert, {"ids": (1, 128)}, "transformers"),
    "lstm": (lstm, {"input": (1, 100, 40)}, "torchvision"),
}
COLUMNS: dict[str, dict[str, Any] | None] = {
    "onnxruntime forward": None,
    "epsilon": {},
    "epsilon, no audit": {"audit": False},
    "epsilon, compiled": {},
    "gradient, compiled": {"method": "gradient"},
}


def feeds(net: str) -> dict[str, np.ndarray]:
    """Noise, or words."""
    random = np.random.default_rng(0)
    return {
        name: random.integers(0, VOCABULARY, shape)
        if name == "ids"
        else random.standard_normal(shape).astype(np.float32)
        for name, shape in NETS[net][1].items()
    }


def export(folder: Path, net: str) -> dict[str, Any]:
    """In this process: the network with seeded weights as an ONNX file."""
    import torch

    torch.manual_seed(0)
    made = NETS[net][0]().eval()
    given = {name: torch.from_numpy(x) for name, x in feeds(net).items()}
    torch.onnx.export(
        made,
        tuple(given.values()),
        folder / f"{net}.onnx",
        dynamo=True,
        input_names=list(given),
        verbose=False,
        external_data=False,
    )
    return {}


def job(column: str, folder: Path, net: str) -> Callable[[], Any]:
    """What is timed."""
    import onnxruntime

    import explainer

    path, x, how = folder / f"{net}.onnx", feeds(net), COLUMNS[column]
    if how is None or column.endswith("compiled"):
        if how is not None:
            explainer.compile(path, path := folder / f"{net}-{column}.onnx", **how)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, x)
    made = explainer.Explainer(path, **how)
    return lambda: made.explain(x)


def table(folder: Path, nets: list[str], runs: int) -> None:
    """Print a row for each network."""
    print(f"{'':28} {'forward, ms':>12}  " + "  ".join(list(COLUMNS)[1:]), flush=True)
    for net in nets:
        if "error" in (done := child("export", str(folder), net, script=__file__)):
            print(f"{net:28} {done['error']}", flush=True)
            continue
        found = [child(column, str(folder), net, str(runs), script=__file__) for column in COLUMNS]
        unit = found[0].get("median", float("nan"))
        cells = [
            result.get("error") or f"{result['median'] / unit:.1f}".rjust(len(column))
            for column, result in list(zip(COLUMNS, found, strict=True))[1:]
        ]
        print(f"{net:28} {1000 * unit:12.1f}  " + "  ".join(cells), flush=True)


def main() -> None:
    """The command."""
    import json

    if sys.argv[1:2] == ["--child"]:
        column, place, net, *numbers = sys.argv[2:]
        folder = Path(place)
        answer = (
            export(folder, net)
            if column == "export"
            else clocked(functools.partial(job, column, folder, net), *map(int, numbers))
        )
        print(json.dumps(answer))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    nets = options.nets.split(",")
    if unknown := [net for net in nets if net not in NETS]:
        parser.error(f"no network {', '.join(unknown)}; there is {', '.join(NETS)}")
    for net in [net for net in nets if not find_spec(NETS[net][2])]:
        print(f"{net:28} left out: {NETS[net][2]} is not installed", flush=True)
        nets.remove(net)
    with tempfile.TemporaryDirectory() as name:
        table(Path(name), nets, options.runs)


if __name__ == "__main__":
    main()
