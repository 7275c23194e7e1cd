"""Operators with windows, as PyTorch has them."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_table import operator


def pads_of(a, sizes: Sequence[int], kernel: Sequence[int]) -> list[tuple[int, int]]:
    """(begin, end) of each spatial axis."""
    rank, mode = len(kernel), a.get("auto_pad", "NOTSET")
    if mode == "NOTSET" and a.get("pads"):
        return list(zip(a["pads"][:rank], a["pads"][rank:], strict=True))
    pads = []
    for size, k, stride in zip(sizes, kernel, a.get("strides") or [1] * rank, strict=True):  # undilated
        lack = max((math.ceil(size / stride) - 1) * stride + k - size, 0) if "SAME" in mode else 0
        pads.append((lack // 2, lack - lack // 2) if mode == "SAME_UPPER" else (lack - lack // 2, lack // 2))
    return pads


def padded(x: Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Pads of the last axes; negative ones cut."""
    return F.pad(x, list(itertools.chain(*reversed(pads))), value=value)


def window(a, rank: int) -> dict[str, Any]:
    ones = [1] * rank
    return {"stride": a.get("strides") or ones, "dilation": a.get("dilations") or ones}


@operator
def Conv(a, x, w, b=None):
    kernel = w.shape[2:]
    x = padded(x, pads_of(a, x.shape[2:], kernel))
    conv = getattr(F, f"conv{len(kernel)}d")
    return conv(x, w, b, groups=a["group"], **window(a, len(kernel)))


@operator
def ConvTranspose(a, x, w, b=None):
    rank = w.ndim - 2
    extra = a.get("output_padding") or [0] * rank
    where = window(a, rank)
    z = getattr(F, f"conv_transpose{rank}d")(x, w, b, groups=a["group"], **where)
    pads = pads_of(a, x.shape[2:], w.shape[2:])
    if "SAME" in a["auto_pad"] or a.get("output_shape"):
        wanted = a.get("output_shape") or [n * s for n, s in zip(x.shape[2:], where["stride"], strict=True)]
        pads = []
        for size, want in zip(z.shape[2:], wanted, strict=True):
            surplus = max(size - want, 0)
            small, large = surplus // 2, surplus - surplus // 2
            pads.append((small, large) if a["auto_pad"] == "SAME_UPPER" else (large, small))
        if a.get("output_shape"):
            extra = [max(want - size, 0) for size, want in zip(z.shape[2:], wanted, strict=True)]
    bias = 0 if b is None else b.reshape(-1, *[1] * rank)
    # What output padding adds lies outside of what the padding cuts, and gets the bias alone.
    return bias + padded(z - bias, [(-p, e - q) for (p, q), e in zip(pads, extra, strict=True)])


@operator
def MaxPool(a, x):
    kernel = a["kernel_shape"]
    x = padded(x, pads_of(a, x.shape[2:], kernel), -math.inf)
    pool = getattr(F, f"max_pool{len(kernel)}d")
    return pool(x, kernel, ceil_mode=bool(a.get("ceil_mode")), **window(a, len(kernel)))


@operator
def AveragePool(a, x):
    kernel = a["kernel_shape"]
    rank = len(kernel)
    pads, where = pads_of(a, x.shape[2:], kernel), window(a, rank)
    if set(where["dilation"]) == {1}:

        def pool(x):
            mean, up = getattr(F, f"avg_pool{rank}d"), bool(a.get("ceil_mode"))
            return mean(padded(x, pads), kernel, where["stride"], ceil_mode=up)

        return pool(x) if a["count_include_pad"] else pool(x) / pool(torch.ones_like(x))
    sizes = [n + begin + end for n, (begin, end) in zip(x.shape[2:], pads, strict=True)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, where["dilation"], strict=True)]
    lasts = [
        max(math.ceil((n - span) / stride) * stride + span - n, 0) if a.get("ceil_mode") else 0
        for n, span, stride in zip(sizes, spans, where["stride"], strict=True)
    ]

    def total(x, beside=0.0):
        """Of the cells in a window; what a last one of ceil_mode has beyond the padding is none."""
        x = padded(padded(x, pads, beside), [(0, last) for last in lasts])
        ones = x.new_ones(x.shape[1], 1, *kernel)
        return getattr(F, f"conv{rank}d")(x, ones, groups=x.shape[1], **where)

    return total(x) / total(torch.ones_like(x), float(a["count_include_pad"]))


@operator
def LpPool(a, x):
    mean = AveragePool(a | {"count_include_pad": 1, "ceil_mode": a.get("ceil_mode")}, x.abs() ** a["p"])
    return (mean * math.prod(a["kernel_shape"])) ** (1 / a["p"])


@operator
def MaxUnpool(a, x, places, shape=None):
    kernel, strides = a["kernel_shape"], a.get("strides") or [1] * len(a["kernel_shape"])
    sizes = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, kernel, strict=True)]
    shape = shape or [*x.shape[:2], *sizes]
    places = torch.tensor(places).flatten()
    # Of those that name one place the last one stays.
    last = {int(place): number for number, place in enumerate(places)}
    kept = torch.tensor(sorted(last.values()))
    return x.new_zeros(math.prod(shape)).index_put((places[kept],), x.flatten()[kept]).reshape(shape)


@operator
def Col2Im(a, x, image, block):
    def pair(values, otherwise):
        values = list(values or [otherwise] * len(block))
        return values if len(block) == 2 else [1 if otherwise else 0, *values]

    begins, ends = np.reshape(a.get("pads") or [0] * 2 * len(block), (2, -1))
    # PyTorch pads alike on either side: the image with its pads, cut out of it.
    full = [size + first + last for size, first, last in zip(image, begins, ends, strict=True)]
    lead = [1] * (2 - len(block))
    z = F.fold(x, [*lead, *full], [*lead, *block], pair(a.get("dilations"), 1), 0, pair(a.get("strides"), 1))
    z = z if len(block) == 2 else z.squeeze(2)
    return padded(z, list(zip(-begins, -ends, strict=True)))


@operator
def GridSample(a, x, grid):
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a["mode"], a["mode"])
    return F.grid_sample(x, grid, mode, a["padding_mode"], bool(a["align_corners"]))
