"""ONNX operators as PyTorch has them: the oracle of forward passes and gradients.

Each function takes a node's attributes and its operands in the node's order, float64 tensors and
integer lists, None where one is absent, and returns the outputs.
"""

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
import torch_movements  # noqa: F401  # declares its operators
import torch_windows  # noqa: F401
from torch import Tensor
from torch_table import TORCH, Operator, operator

ELEMENTARY = (
    *("Abs", "Sqrt", "Erf", "Sin", "Tan", "Asin", "Atan", "Sinh", "Asinh", "Atanh", "Exp", "Log"),
    *("Reciprocal", "Cos", "Acos", "Cosh", "Acosh", "Sign", "Round", "Floor", "Ceil"),
)
TORCH |= {
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
    "Mean": lambda a, *x: sum(x) / len(x),
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
