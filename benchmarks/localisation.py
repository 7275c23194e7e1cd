"""How much of a map lies on the shape that decides: relevance mass accuracy on the shipped network.

    python benchmarks/localisation.py

Scenes that the network never saw, each with the mask of its shape (models/scenes.py). The number is
the share of positive relevance inside the mask (Arras et al. 2022, "relevance mass accuracy"), over
the scenes it classifies rightly. Needs the `test` extra, for the gradients.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from explainer import Explainer

MODELS = Path(__file__).resolve().parent.parent / "models"
sys.path.insert(0, str(MODELS))
HELD_OUT = 1  # the dataset number that models/train_shapes.py keeps for this


def mass_accuracy(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Σ R⁺ inside / Σ R⁺, one number per map; channels are summed first. maps (N, C, H, W)."""
    positive = np.maximum(maps.sum(1), 0)
    return (positive * masks).sum((1, 2)) / positive.sum((1, 2))


def gradients(path: Path, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """∂ logit / ∂ x by PyTorch, on the same weights."""
    import torch
    from residual import residual_net

    weights = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer
    }
    stem = weights["0.weight"]
    model = residual_net(
        torch.nn.Conv2d(stem.shape[1], stem.shape[0], stem.shape[2], stride=2, padding=2, bias=False),
        widths=(16, 32, 48),
        depth=2,
        classes=len(weights["11.bias"]),
    ).eval()
    missing = model.load_state_dict(weights, strict=False)
    assert all("num_batches" in name for name in missing.missing_keys), missing
    images = torch.from_numpy(x).requires_grad_()
    model(images)[torch.arange(len(x)), torch.from_numpy(labels)].sum().backward()
    return images.grad.numpy()


def main() -> None:
    """The command."""
    import scenes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=1000)
    options = parser.parse_args()
    images, labels, masks = scenes.render_many(HELD_OUT, options.scenes)
    path = MODELS / "shapes.onnx"
    explainer = Explainer(path)
    how = explainer.preprocess
    mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (how.mean, how.std))
    x = (images.transpose(0, 3, 1, 2).astype(np.float32) * how.scale - mean) / std
    explanation = explainer.explain(x)
    right = explanation.target == labels
    x, labels, masks = x[right], labels[right], masks[right]
    slope = gradients(path, x, labels)
    maps = {
        "random": np.random.default_rng(0).standard_normal(x.shape),
        "gradient": slope,
        "gradient x input": slope * x,
        "LRP epsilon": explanation.relevance[right],
    }
    print(f"{len(x)} of {options.scenes} scenes classified rightly; the mask covers {masks.mean():.1%}")
    print("share of positive relevance inside the mask: mean (10th to 90th percentile)")
    for name, values in maps.items():
        share = mass_accuracy(values, masks)
        low, high = np.percentile(share, [10, 90])
        print(f"  {name:18} {share.mean():.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
