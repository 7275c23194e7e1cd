"""ONNX operators as PyTorch has them: the oracle of forward passes and gradients.

Each function takes a node's attributes and its operands in the node's order, float64 tensors and
integer lists, None where one is absent, and returns the outputs.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Operator = Callable[..., Any]
ELEMENTARY = (
    *("Abs", "Sqrt", "Erf", "Sin", "Tan", "Asin", "Atan", "Sinh", "Asinh", "Atanh", "Exp", "Log"),
    *("Reciprocal", "Cos", "Acos", "Cosh", "Acosh", "Sign", "Round", "Floor", "Ceil"),
)
TORCH: dict[str, Operator] = {
    "Relu": lambda a, x: F.relu(x),
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a["alpha"]),
    "PRelu": lambda a, x, w: F.prelu(x, w.flatten()),
    "Elu": lambda a, x: F.elu(x, a["alpha"]),
    "Celu": lambda a, x: F.celu(x, a["alpha"]),
    "Selu": lambda a, x: a["gamma"] * F.elu(x, a["alpha"]),
    "ThresholdedRelu": lambda a, x: F.threshold(x, a["alpha"], 0),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "HardSigmoid": lambda a, x: F.hardtanh(a["alpha"] * x + a["beta"], 0, 1),
    "Tanh": lambda a, x: torch.tanh(x),
    "Softplus": lambda a, x: F.softplus(x),
    **{
        name: (lambda function: lambda a, x: function(x))(getattr(torch, name.lower())) for name in ELEMENTARY
    },
    "Shrink": lambda a, x: torch.where(
        x > a["lambd"], x - a["bias"], torch.where(x < -a["lambd"], x + a["bias"], 0 * x)
    ),
    "Pow": lambda a, x, e: x ** (torch.tensor(e) if isinstance(e, int | list) else e),
    "Softsign": lambda a, x: F.softsign(x),
    "HardSwish": lambda a, x: F.hardswish(x),
    "Swish": lambda a, x: x * torch.sigmoid(a["alpha"] * x),
    "Mish": lambda a, x: F.mish(x),
    "Gelu": lambda a, x: F.gelu(x, approximate=a["approximate"]),
    "Add": lambda a, x, y: x + y,
    "Sum": lambda a, *x: sum(x),
    "Sub": lambda a, x, y: x - y,
    "ai.onnx.ml.Scaler": lambda a, x: (x - torch.tensor(a["offset"])) * torch.tensor(a["scale"]),
    "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: x / y,
    "Neg": lambda a, x: -x,
    "MatMul": lambda a, x, y: x @ y,
    "Einsum": lambda a, *x: torch.einsum(a["equation"], *x),
    "BatchNormalization": lambda a, x, w, b, mean, var: F.batch_norm(x, mean, var, w, b, eps=a["epsilon"]),
    "GlobalMaxPool": lambda a, x: getattr(F, f"adaptive_max_pool{x.ndim - 2}d")(x, 1),
    "GlobalAveragePool": lambda a, x: getattr(F, f"adaptive_avg_pool{x.ndim - 2}d")(x, 1),
    "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Transpose": lambda a, x: x.permute(a.get("perm") or list(range(x.ndim))[::-1]),
    "Flatten": lambda a, x: x.reshape(math.prod(x.shape[: a["axis"]]), -1),
}


def operator(function: Operator) -> Operator:
    """Declare the function as the ONNX operator of its name."""
    TORCH[function.__name__] = function
    return function


@operator
def Softmax(a, x):
    axis = a["axis"]
    return (
        torch.softmax(x, axis) if a["opset"] > 12 else torch.softmax(x.flatten(axis), axis).reshape(x.shape)
    )


@operator
def LogSoftmax(a, x):
    return Softmax(a, x).log()


@operator
def LayerNormalization(a, x, w, b=None):
    return F.layer_norm(x, x.shape[a["axis"] :], w, b, a["epsilon"])


@operator
def InstanceNormalization(a, x, w, b):
    return F.instance_norm(x, weight=w, bias=b, eps=a["epsilon"])


@operator
def GroupNormalization(a, x, w, b):
    w, b = (each.repeat_interleave(x.shape[1] // len(each)) for each in (w, b))  # by group before opset 21
    return F.group_norm(x, a["num_groups"], w, b, a["epsilon"])


@operator
def MeanVarianceNormalization(a, x):
    return (x - x.mean(a["axes"], keepdim=True)) / (x.std(a["axes"], correction=0, keepdim=True) + 1e-9)


@operator
def LpNormalization(a, x):
    return F.normalize(x, p=a["p"], dim=a["axis"], eps=0)


@operator
def LRN(a, x):
    """By its definition: PyTorch's own takes another window where the size is even."""
    before = (a["size"] - 1) // 2
    padded = F.pad(x * x, [0, 0] * (x.ndim - 2) + [before, a["size"] - 1 - before])
    around = sum(padded[:, k : k + x.shape[1]] for k in range(a["size"]))
    return x / (a["bias"] + a["alpha"] / a["size"] * around) ** a["beta"]


def SkipLayerNormalization(a, x, skip, w, b=None, added=0):
    return F.layer_norm(x + skip + added, x.shape[-1:], w, b, a["epsilon"])


def SkipSimplifiedLayerNormalization(a, x, skip, w, added=0):
    return F.rms_norm(x + skip + added, x.shape[-1:], w, a.get("epsilon", 1e-12))


for function in (SkipLayerNormalization, SkipSimplifiedLayerNormalization):
    TORCH[f"com.microsoft.{function.__name__}"] = function


@operator
def RMSNormalization(a, x, w):
    return F.rms_norm(x, x.shape[a["axis"] :], w, a["epsilon"])


@operator
def Clip(a, x, low=None, high=None):
    low = a.get("min", -math.inf) if low is None else float(low)
    high = a.get("max", math.inf) if high is None else float(high)
    return F.hardtanh(x, low, high)


@operator
def Gemm(a, x, w, b=None):
    x, w = x.T if a["transA"] else x, w.T if a["transB"] else w
    return a["alpha"] * (x @ w) + (0 if b is None else a["beta"] * b)


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
    cells = torch.ones_like(x)

    def pool(x):
        x = padded(x, pads)
        if set(where["dilation"]) == {1}:
            mean = getattr(F, f"avg_pool{rank}d")
            return mean(x, kernel, where["stride"], ceil_mode=bool(a.get("ceil_mode")))
        ones = x.new_ones(x.shape[1], 1, *kernel) / math.prod(kernel)
        return getattr(F, f"conv{rank}d")(x, ones, groups=x.shape[1], **where)

    return pool(x) if a["count_include_pad"] else pool(x) / pool(cells)


@operator
def CumSum(a, x, axis):
    axis = axis if isinstance(axis, int) else axis[0]
    turn = lambda x: x.flip(axis) if a["reverse"] else x  # noqa: E731
    z = torch.cumsum(turn(x), axis)
    return turn(z - turn(x) if a["exclusive"] else z)


@operator
def Trilu(a, x, k=0):
    return (torch.triu if a["upper"] else torch.tril)(x, k)


def reduced(function: Callable[..., Tensor]) -> Operator:
    def reduce(a, x, axes=None):
        axes = a.get("axes") if axes is None else axes
        if not axes and a.get("noop_with_empty_axes"):
            return x
        return function(x, axes or list(range(x.ndim)), keepdim=bool(a["keepdims"]))

    return reduce


def normed(p: float) -> Callable[..., Tensor]:
    return lambda x, axes, keepdim: torch.linalg.vector_norm(x, p, axes, keepdim)


def multiplied(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim)
    return x


TORCH.update(
    ReduceSum=reduced(torch.sum),
    ReduceMean=reduced(torch.mean),
    ReduceMax=reduced(torch.amax),
    ReduceMin=reduced(torch.amin),
    ReduceL1=reduced(normed(1)),
    ReduceL2=reduced(normed(2)),
    ReduceLogSumExp=reduced(torch.logsumexp),
    ReduceLogSum=reduced(lambda x, axes, keepdim: torch.sum(x, axes, keepdim).log()),
    ReduceProd=reduced(multiplied),
    ReduceSumSquare=reduced(lambda x, axes, keepdim: torch.sum(x * x, axes, keepdim)),
    GlobalLpPool=lambda a, x: normed(a["p"])(x, list(range(2, x.ndim)), True),
    Max=lambda a, *x: functools.reduce(torch.maximum, x),
    Min=lambda a, *x: functools.reduce(torch.minimum, x),
)


@operator
def LpPool(a, x):
    mean = AveragePool(a | {"count_include_pad": 1, "ceil_mode": a.get("ceil_mode")}, x.abs() ** a["p"])
    return (mean * math.prod(a["kernel_shape"])) ** (1 / a["p"])


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
    sizes = [x.shape[i] if n == 0 and not a["allowzero"] else n for i, n in enumerate(shape)]
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
        last = list(itertools.chain(*reversed(list(each.values())[2:])))
        mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
        return F.pad(x, last, mode=mode)
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


TORCH.update(
    Tile=lambda a, x, repeats: x.tile(repeats),
    Where=lambda a, condition, x, y: torch.where(condition != 0, x, y),
)


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
def GridSample(a, x, grid):
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a["mode"], a["mode"])
    return F.grid_sample(x, grid, mode, a["padding_mode"], bool(a["align_corners"]))


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


TORCH["Scatter"] = ScatterElements
