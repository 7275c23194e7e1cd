"""Operators that move values, as PyTorch has them."""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch_table import TORCH, operator
from torch_windows import padded


@operator
def Split(a, x, sizes=None):
    sizes = sizes or a.get("split") or math.ceil(x.shape[a["axis"]] / a["outputs"])
    return torch.split(x, sizes, a["axis"])


@operator
def Slice(a, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends = starts or a["starts"], ends or a["ends"]
    axes = axes or a.get("axes") or range(len(starts))
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        stop = None if step < 0 and end < -x.shape[axis] else end
        places = list(range(x.shape[axis]))[start:stop:step]  # PyTorch has no negative steps
        x = x.index_select(axis, torch.tensor(places))
    return x


@operator
def Gather(a, x, indices):
    axis, places = a.get("axis", 0) % x.ndim, torch.tensor(indices)
    found = x.index_select(axis, places.reshape(-1) % x.shape[axis])
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


@operator
def Reshape(a, x, shape):
    sizes = [x.shape[i] if n == 0 and not a.get("allowzero") else n for i, n in enumerate(shape)]
    return x.reshape(sizes)


@operator
def Squeeze(a, x, axes=None):
    axes = axes or a.get("axes")
    return x.squeeze(axes) if axes else x.squeeze()


@operator
def Unsqueeze(a, x, axes=None):
    axes = np.ravel(a["axes"] if axes is None else axes)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator
def Pad(a, x, pads=None, value=None, axes=None):
    pads = pads or a["pads"]
    each = dict.fromkeys(range(x.ndim), (0, 0))
    named = [axis % x.ndim for axis in axes or range(x.ndim)]
    each.update(zip(named, zip(pads[: len(named)], pads[len(named) :], strict=True), strict=True))
    if (mode := a.get("mode", "constant")) != "constant":
        lead = (None,) * (3 - x.ndim)  # PyTorch wants samples and channels, and pads neither
        last = itertools.chain(*reversed(list(each.values())[2 - len(lead) :]))
        mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
        return F.pad(x[lead], list(last), mode=mode)[(0,) * len(lead)]
    return padded(x, list(each.values()), float(a.get("value", 0) if value is None else value))


@operator
def Expand(a, x, shape):
    return x.expand(torch.broadcast_shapes(x.shape, tuple(np.ravel(shape).tolist())))


@operator
def SpaceToDepth(a, x):
    b, (n, c, h, w) = a["blocksize"], x.shape
    return torch.einsum("nchawb->nabchw", x.reshape(n, c, h // b, b, w // b, b)).reshape(
        n, -1, h // b, w // b
    )


@operator
def DepthToSpace(a, x):
    if a["mode"] == "CRD":
        return F.pixel_shuffle(x, a["blocksize"])
    n, c, h, w = x.shape
    b = a["blocksize"]
    return F.pixel_shuffle(x.reshape(n, b * b, c // b**2, h, w).transpose(1, 2).reshape(x.shape), b)


@operator
def GatherElements(a, x, indices):
    axis = a.get("axis", 0) % x.ndim
    return x.gather(axis, torch.tensor(indices) % x.shape[axis])


@operator
def GatherND(a, x, indices):
    batch, places = a.get("batch_dims", 0), torch.tensor(indices)
    if batch:
        return torch.stack([GatherND({}, row, of.tolist()) for row, of in zip(x, places, strict=True)])
    return x[tuple(places.movedim(-1, 0))]


@operator
def ScatterElements(a, x, indices, updates):
    axis = a.get("axis", 0) % x.ndim
    places = torch.tensor(indices) % x.shape[axis]
    return (x.scatter_add if a.get("reduction") == "add" else x.scatter)(axis, places, updates)


@operator
def ScatterND(a, x, indices, updates):
    places = tuple(torch.tensor(indices).movedim(-1, 0))
    return x.index_put(places, updates, accumulate=a.get("reduction") == "add")


@operator
def ReverseSequence(a, x, lengths):
    x = x.transpose(0, 1) if a["time_axis"] else x  # steps, samples
    turned = [torch.cat([x[:n, i].flip(0), x[n:, i]]) for i, n in enumerate(lengths)]
    z = torch.stack(turned, 1)
    return z.transpose(0, 1) if a["time_axis"] else z


@operator
def Compress(a, x, condition):
    axis, chosen = a.get("axis"), torch.nonzero(condition).flatten()
    return x.flatten()[chosen] if axis is None else x.index_select(axis, chosen)


@operator
def CenterCropPad(a, x, shape):
    axes = a.get("axes") or range(x.ndim)
    for axis, size in zip(axes, shape, strict=True):
        more = size - x.shape[axis]
        before = abs(more) // 2
        if more < 0:
            x = x.narrow(axis, before, size)
        else:
            sizes = list(x.shape)
            sizes[axis] = before
            front = x.new_zeros(sizes)
            sizes[axis] = more - before
            x = torch.cat([front, x, x.new_zeros(sizes)], axis)
    return x


TORCH.update(
    Scatter=ScatterElements,
    Tile=lambda a, x, repeats: x.tile(repeats),
    Where=lambda a, condition, x, y: torch.where(condition != 0, x, y),
)
