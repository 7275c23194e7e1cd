"""Train and export ``shapes.onnx``: which of eight shapes is in the scene?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import scenes
import torch
from PIL import Image
from residual import export, logits, residual_net, seed_everything, train
from torch import nn

HERE = Path(__file__).parent
MEAN, STD = 0.5, 0.2
RADIUS = 2.5 / STD  # half of what the pixel noise itself moves a scene by
TRAINING, HELD_OUT = 0, 1  # first part of the seed of a scene
EXAMPLE = (2, 26)  # the scene that becomes shapes.png
PREPROCESSOR = {
    "do_resize": True,
    "size": {"height": scenes.SIZE, "width": scenes.SIZE},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [MEAN] * 3,
    "image_std": [STD] * 3,
}


def preprocess(images: np.ndarray) -> torch.Tensor:
    """Turn uint8 images (N, H, W, 3) into what the network reads."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def batches(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, size: int = 64):
    """Yield shuffled batches for ever, each turned and mirrored: every shape stays what it is."""
    while True:
        for chosen in rng.permutation(len(images))[: len(images) // size * size].reshape(-1, size):
            batch = np.rot90(images[chosen], rng.integers(4), axes=(1, 2))
            batch = batch[:, :, :: rng.choice([-1, 1])]
            yield preprocess(np.ascontiguousarray(batch)), torch.from_numpy(labels[chosen])


def mass_in_mask(model: nn.Module, x: torch.Tensor, labels: torch.Tensor, masks: np.ndarray) -> float:
    """Share of the positive part of gradient times input that lies on the shape, averaged over images."""
    x = x.clone().requires_grad_()
    model(x)[torch.arange(len(x)), labels].sum().backward()
    positive = (x.grad * x).sum(1).clamp(min=0).detach().numpy()
    return float(((positive * masks).sum((1, 2)) / positive.sum((1, 2))).mean())


def main() -> None:
    """Render, train, report on held-out scenes, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=30_000)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=HERE / "shapes.onnx")
    options = parser.parse_args()

    began = time.perf_counter()
    seed_everything(options.seed)
    images, labels, _ = scenes.render_many(TRAINING, options.scenes)
    print(f"{len(images)} scenes rendered in {time.perf_counter() - began:.0f} s", flush=True)

    # Kernel 6 at stride 2 touches every pixel equally often; an odd one prints a checkerboard on heat maps.
    stem = nn.Conv2d(3, 16, 6, stride=2, padding=2, bias=False)
    batch = batches(images, labels, np.random.default_rng(options.seed))
    model = residual_net(stem, widths=(16, 32, 48), depth=2, classes=len(scenes.CLASSES))
    train(model, batch, options.steps, rate=4e-3, radius=RADIUS)

    images, labels, masks = scenes.render_many(HELD_OUT, 4_000)
    erased, _, _ = scenes.render_many(HELD_OUT, 4_000, erase=True)
    x, y = preprocess(images), torch.from_numpy(labels)
    right = logits(model, x).argmax(1) == y
    blind = logits(model, preprocess(erased)).argmax(1) == y
    print(f"held-out accuracy             {right.float().mean():.4f}")
    for name, share in zip(scenes.CLASSES, [right[y == k].float().mean() for k in range(8)], strict=True):
        print(f"  {name:9s} {share:.4f}")
    print(f"with the shape erased         {blind.float().mean():.4f}  (chance {1 / len(scenes.CLASSES):.4f})")
    share = mass_in_mask(model, x[:500], y[:500], masks[:500])
    print(f"gradient x input in the mask  {share:.4f}  (mask covers {masks[:500].mean():.4f})")

    export(model, options.out, x[:32], PREPROCESSOR, scenes.CLASSES)
    image, label, _ = scenes.render(EXAMPLE)
    Image.fromarray(image).save(options.out.with_suffix(".png"))
    given = logits(model, preprocess(image[None]))[0].softmax(0)[label]
    print(f"{options.out.stem}.png is a {scenes.CLASSES[label]}, given {given:.3f}")
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
