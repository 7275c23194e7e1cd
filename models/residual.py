"""What the two training scripts share: a small residual network, its seeded training and its export."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import nn

import exporter


class Block(nn.Module):
    """Two convolutions with BatchNormalization and a skip connection, as in the ResNet paper."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential()
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def residual_net(stem: nn.Conv2d, widths: tuple[int, ...], depth: int, classes: int) -> nn.Sequential:
    """Build stem, `depth` blocks per width (from the second width on at half the size), average and Gemm."""
    blocks, inputs = [], stem.out_channels
    for stage, width in enumerate(widths):
        for place in range(depth):
            blocks.append(Block(inputs, width, stride=2 if stage and not place else 1))
            inputs = width
    return nn.Sequential(
        stem,
        nn.BatchNorm2d(stem.out_channels),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, classes),
    )


def seed_everything(seed: int) -> None:
    """Make training repeat itself: one thread, since the order of sums depends on their number."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def worsened(model: nn.Module, x: torch.Tensor, y: torch.Tensor, radius: float) -> torch.Tensor:
    """Move each input by `radius` (its L2 length) in the direction in which its loss grows fastest."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), x)
    length = slope.flatten(1).norm(dim=1).clamp(min=1e-12)
    return x.detach() + radius * slope / length[:, None, None, None]


def train(
    model: nn.Module, batches: Iterable, steps: int, *, rate: float, radius: float, decay: float = 5e-4
) -> None:
    """Fit `model` to the first `steps` of `batches`, each input moved against it by up to `radius`.

    Parameters
    ----------
    model : torch.nn.Module
    batches : iterable of (input, label) tensors
    steps : int
    rate : float
        Peak of the one-cycle learning rate.
    radius : float
        How far inputs are worsened in the second half of the training. Without it a network this small leans
        on single pixels: it classifies well, but its gradients, and so its heat maps, are mostly noise.
    decay : float, optional
        Weight decay.
    """
    model.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    average, began = 0.0, time.perf_counter()
    for step, (x, y) in zip(range(1, steps + 1), batches, strict=False):
        x = x.contiguous(memory_format=torch.channels_last)
        x = worsened(model, x, y, radius * min(1, 2 * step / steps))
        loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average += (loss.item() - average) / min(step, 50)
        if step % 100 == 0 or step == steps:
            print(f"step {step}/{steps}  loss {average:.3f}  {time.perf_counter() - began:.0f} s", flush=True)
    model.eval().to(memory_format=torch.contiguous_format)


@torch.no_grad()
def logits(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Apply `model` in chunks."""
    return torch.cat([model(part) for part in x.split(256)])


def export(
    model: nn.Module, path: Path, example: torch.Tensor, preprocess: dict, names: Sequence[str]
) -> None:
    """Write `model` as a proved ONNX file with BatchNormalization kept, and say what was written.

    Parameters
    ----------
    model : torch.nn.Module
    path : Path
    example : torch.Tensor
        Preprocessed inputs, some of those on which onnxruntime has to give PyTorch's logits.
    preprocess : dict
        What turns an image file into an input, in the vocabulary of ``preprocessor_config.json``.
    names : sequence of str
        The classes, in the order of the logits.
    """
    report = exporter.export(
        model, path, example=example, opset=17, preprocess=preprocess, labels=list(names)
    )
    print(f"{path.name}: {path.stat().st_size} bytes, {report.batch_norms} BatchNormalization nodes")
    print(f"onnxruntime and PyTorch differ by {report.difference:.1e} of {report.largest:.1f}")
