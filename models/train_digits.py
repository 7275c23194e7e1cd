"""Train and export ``digits.onnx``: which of scikit-learn's handwritten digits is it?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from residual import export, logits, residual_net, seed_everything, train
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
HELD_OUT = 360  # of 1,797
EXAMPLE = 0  # which held-out digit becomes digit.png
PREPROCESSOR = {
    "do_grayscale": True,
    "do_resize": True,
    "size": {"height": 8, "width": 8},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": False,  # black stays 0, so that all relevance lies on the ink
}


def load(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Load the digits, shuffled, as grey levels of an image file: 0..16 becomes 0..255."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    grey = (digits.images[order] * 255 / 16).round().astype(np.uint8)
    return grey, digits.target[order].astype(np.int64)


def preprocess(images: np.ndarray) -> torch.Tensor:
    """Turn uint8 images (N, 8, 8) into what the network reads."""
    return torch.from_numpy(images)[:, None].float() / 255


def batches(x: torch.Tensor, y: torch.Tensor, size: int = 64):
    """Yield shuffled batches for ever, each digit moved by at most one pixel."""
    while True:
        for chosen in torch.randperm(len(x))[: len(x) // size * size].reshape(-1, size):
            padded = nn.functional.pad(x[chosen], (1, 1, 1, 1))
            top, left = torch.randint(3, (2,)).tolist()
            yield padded[:, :, top : top + 8, left : left + 8], y[chosen]


def main() -> None:
    """Train on all but the held-out digits, report on those, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--out", type=Path, default=HERE / "digits.onnx")
    options = parser.parse_args()

    began = time.perf_counter()
    seed_everything(options.seed)
    images, labels = load(options.seed)
    x, y = preprocess(images), torch.from_numpy(labels)
    held_x, held_y = x[:HELD_OUT], y[:HELD_OUT]

    stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
    model = residual_net(stem, widths=(16, 32), depth=1, classes=10)
    train(model, batches(x[HELD_OUT:], y[HELD_OUT:]), options.steps, rate=5e-3, radius=0.8)

    scores = logits(model, held_x)
    print(f"held-out accuracy {(scores.argmax(1) == held_y).float().mean():.4f} of {HELD_OUT}")
    export(model, options.out, held_x[:32], PREPROCESSOR, [str(digit) for digit in range(10)])
    Image.fromarray(images[EXAMPLE]).save(options.out.with_name("digit.png"))
    print(f"digit.png is a {labels[EXAMPLE]}, given {scores[EXAMPLE].softmax(0)[labels[EXAMPLE]]:.3f}")
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
