"""How much of a map lies on the shape that decides, for every method and preset, on the shipped network.

    python benchmarks/localisation.py

Scenes that the network never saw, each with the mask of its shape (models/scenes.py), and two numbers
(Arras et al. 2022): relevance mass accuracy, the share of positive relevance that is inside the mask; and
relevance rank accuracy, the share of the K pixels of most relevance that are, K the pixels of the mask.
Over the scenes that the network classifies rightly, the first 200 of them for methods that walk several
times, the first 100 for those that ask for scores alone. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from maps import Way, maps_of, named

from explainer import Explainer

MODELS = Path(__file__).resolve().parent.parent / "models"
sys.path.append(str(MODELS))
HELD_OUT = 1  # the dataset number that models/train_shapes.py keeps for this
SEVERAL_WALKS, NO_WALK = 200, 100


def mass_accuracy(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Σ R⁺ inside / Σ R⁺, one number per map (N, H, W); 0 where nothing is positive."""
    positive = np.maximum(maps, 0)
    whole = positive.sum((1, 2))
    shares: np.ndarray = (positive * masks).sum((1, 2)) / np.where(whole > 0, whole, 1)
    return shares


def rank_accuracy(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The share of the K pixels of most relevance that are inside, K the pixels inside; per map (N, H, W)."""
    shares = []
    for values, mask in zip(maps, masks, strict=True):
        top = np.argsort(-values, axis=None, kind="stable")[: mask.sum()]
        shares.append(float(mask.reshape(-1)[top].mean()))
    return np.array(shares)


def scenes_for(explainer: Explainer, count: int) -> int:
    """How many scenes a method can have in a few minutes."""
    method = explainer.method
    return count if method.single else min(count, SEVERAL_WALKS if method.walks else NO_WALK)


def spread(values: np.ndarray) -> str:
    """Mean, and 10th to 90th percentile, as cells of a table."""
    low, high = np.percentile(values, [10, 90])
    return f"{values.mean():.2f} | {low:.2f} to {high:.2f}"


def row(name: str, maps: np.ndarray, masks: np.ndarray, conserved: np.ndarray) -> tuple[float, str]:
    """A row of the table, and what it is sorted by."""
    masks = masks[: len(maps)]
    mass, rank = mass_accuracy(maps, masks), rank_accuracy(maps, masks)
    kept = f"{np.median(conserved):.2f}" if np.isfinite(conserved).any() else ""
    return mass.mean(), f"| {name} | {spread(mass)} | {spread(rank)} | {kept} | {len(maps)} |"


def scenes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pictures that the network classifies rightly as it takes them, their classes and their masks."""
    import scenes

    images, labels, masks = scenes.render_many(HELD_OUT, count)
    explainer = Explainer(MODELS / "shapes.onnx", method="gradient")
    how = explainer.preprocess
    assert how is not None  # the shipped file says how its pictures are made
    mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (how.mean, how.std))
    x = (images.transpose(0, 3, 1, 2).astype(np.float32) * how.scale - mean) / std
    right = explainer.explain(x).target == labels
    return x[right], labels[right], masks[right]


def measured(ways: Sequence[Way], x: np.ndarray, masks: np.ndarray) -> list[tuple[float, str]]:
    """A row for each way of explaining, and one for chance."""
    chance = np.random.default_rng(0).standard_normal(masks.shape)
    rows = [row("random", chance, masks, np.array([np.nan]))]
    for way in ways:
        explainer = way.explainer(MODELS / "shapes.onnx")
        maps, conserved = maps_of(explainer, x[: scenes_for(explainer, len(x))])
        rows.append(row(f"`{way.name}`", maps, masks, conserved))
        print(".", end="", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument(
        "names", nargs="*", help="methods, presets and .toml files of rules; without any, all"
    )
    options = parser.parse_args()
    x, _, masks = scenes(options.scenes)
    rows = measured(named(options.names), x, masks)
    print(f"{len(x)} of {options.scenes} scenes classified rightly; the mask covers {masks.mean():.1%}\n")
    print("| map | mass | 10th to 90th percentile | rank | 10th to 90th percentile | conserved | scenes |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for _, line in sorted(rows, key=lambda entry: -entry[0]):
        print(line)


if __name__ == "__main__":
    main()
