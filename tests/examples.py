"""Example nodes of every registered operator: what layers are tested on, and what must compile.

An operator that is registered without an example here fails the suite.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from building import NEWEST, one_node, rng
from versions import before

from explainer.layers import REGISTRY, Kind, Layer
from explainer.model.graph import Graph


@dataclass(frozen=True, eq=False)
class Example:
    """One node: a tuple of sizes is an activation, an array a constant, None an absent operand.

    `batch` says that the first axis is a batch from input to output.
    """

    operator: str
    operands: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    opset: int = NEWEST
    batch: bool = True

    def __str__(self) -> str:
        shown = [f"{key}={value}" for key, value in self.attributes.items()]
        return (
            f"{self.operator}({', '.join(map(_brief, self.operands))}) {' '.join(shown)} opset {self.opset}"
        )

    @property
    def kind(self) -> Kind:
        """The kind of the layer that this example's node is."""
        return self.layers()[0].kind

    def names(self) -> list[str]:
        return [f"{'x' if isinstance(o, tuple) else 'c'}{i}" for i, o in enumerate(self.operands)]

    def model(self) -> onnx.ModelProto:
        operands = dict(zip(self.names(), self.operands, strict=True))
        arrays = {k: np.zeros(o, np.float32) if isinstance(o, tuple) else o for k, o in operands.items()}
        inputs = [None if array is None else (name, array) for name, array in arrays.items()]
        constants = {name: array for name, array in arrays.items() if name[0] == "c" and array is not None}
        outputs = [f"y{index}" for index in range(self.outputs)]
        opset = self.opset
        return one_node(self.operator, inputs, constants, outputs, self.attributes, opset, self.batch)

    def feeds(self, samples: int | None = None, dtype: Any = np.float32) -> dict[str, np.ndarray]:
        """Seeded inputs, each example its own."""
        random = rng(zlib.crc32(str(self).encode()), samples or 0)
        shapes = {n: o for n, o in zip(self.names(), self.operands, strict=True) if isinstance(o, tuple)}
        if samples is not None:
            shapes = {name: (samples, *shape[1:]) for name, shape in shapes.items()}
        return {name: random.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}

    def layers(self, dtype: Any = np.float64) -> list[Layer]:
        """The node's layers, one per output, bound to the example's input."""
        graph = Graph.load(self.model())
        feeds = self.feeds(dtype=dtype)
        values = {name: graph.constant(name) for name in graph.initializers}
        values = {n: v.astype(dtype) if v.dtype.kind == "f" else v for n, v in values.items()}
        bound = []
        for index in range(self.outputs):
            layer = REGISTRY[self.operator].of(graph.nodes[0], graph, index)
            bound.append(layer.bind(layer.read(feeds), None, layer.prepare(values)))
        return bound


def _brief(operand: Any) -> str:
    if isinstance(operand, tuple):
        return "x " + "-".join(map(str, operand))
    if operand is None or operand.dtype.kind == "i":
        return str(None if operand is None else operand.tolist())
    return "c " + "-".join(map(str, operand.shape))


def W(*shape: int) -> np.ndarray:
    """Seeded constants."""
    return rng(*shape, 1).standard_normal(shape).astype(np.float32)


def V(*shape: int) -> np.ndarray:
    """Seeded positive constants."""
    return np.abs(W(*shape)) + np.float32(0.5)


def I(*values: int) -> np.ndarray:  # noqa: E743
    """Axes and sizes."""
    return np.array(values, dtype=np.int64)


def F(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)


EXAMPLES: list[Example] = []
# Their samples are on axis 1, where none are explained: tests/layers/test_recurrent.py has whole nets.
IN_NETS = frozenset({"GRU", "LSTM", "RNN"})


def add(
    operator: str, *operands: Any, outputs: int = 1, opset: int = NEWEST, batch: bool = True, **attributes
):
    EXAMPLES.append(Example(operator, operands, attributes, outputs, opset, batch))


X1, X2, X3 = (2, 3, 9), (2, 4, 7, 6), (2, 2, 4, 3, 5)

add("Conv", X1, W(4, 3, 3), W(4), strides=[2], pads=[1, 0])
add("Conv", X1, W(4, 3, 3), W(4), opset=7)
add("Conv", X2, W(3, 4, 3, 2), W(3), strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2])
add("Conv", X2, W(3, 4, 2, 2), W(3), strides=[3, 4])  # rows that no window reaches
add("Conv", X2, W(6, 2, 3, 3), None, group=2, pads=[1, 1, 1, 1])
add("Conv", X2, W(4, 1, 3, 3), W(4), group=4, strides=[2, 2], pads=[0, 1, 1, 0])
add("Conv", X2, W(8, 1, 2, 2), W(8), group=4)
add("Conv", X2, W(3, 4, 1, 1), W(3), strides=[2, 2])
for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    add("Conv", X2, W(3, 4, 2, 3), W(3), auto_pad=auto_pad, strides=[2, 3])
    add("MaxPool", X2, auto_pad=auto_pad, kernel_shape=[2, 3], strides=[2, 1])
    add("AveragePool", X2, auto_pad=auto_pad, kernel_shape=[3, 2], strides=[2, 1])
    add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), W(3), auto_pad=auto_pad, strides=[2, 3])
add("Conv", X3, W(3, 2, 2, 2, 3), W(3), strides=[1, 2, 1], pads=[0, 1, 0, 1, 0, 0])

add("ConvTranspose", (2, 3, 5), W(3, 2, 3), W(2), strides=[2], pads=[1, 0], output_padding=[1])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), W(3))
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 2), None, strides=[2, 3], dilations=[2, 1], pads=[1, 0, 2, 1])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(6), group=2, strides=[2, 2])
add("ConvTranspose", (2, 4, 3, 4), W(4, 1, 3, 3), W(4), group=4, strides=[2, 1], output_padding=[1, 0])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(3), strides=[2, 2], output_shape=[6, 8])
add("ConvTranspose", (2, 4, 3, 4), W(4, 3, 3, 3), W(3), strides=[2, 2], output_shape=[8, 9])
add("ConvTranspose", (2, 2, 2, 3, 2), W(2, 2, 2, 3, 2), W(2), strides=[1, 2, 2], pads=[0, 1, 0, 1, 0, 1])

add("Gemm", (3, 4), W(4, 5), W(5))
add("Gemm", (3, 4), W(5, 4), W(5), transB=1, alpha=0.5, beta=-2.0)
add("Gemm", (3, 4), W(4, 5))
add("Gemm", (3, 4), W(4, 5), W(1, 5), alpha=2.0, opset=7)
add("Gemm", (3, 4), W(4, 5), W(3, 1), beta=3.0, batch=False)
add("Gemm", (4, 3), W(4, 5), W(3, 5), transA=1, batch=False)
add("Gemm", (4, 3), W(5, 4), F(0.7), transA=1, transB=1, batch=False)

add("MatMul", (3, 4), W(4, 5))
add("MatMul", (2, 3, 4), W(4, 5))
add("MatMul", (2, 1, 3, 4), W(5, 4, 2))
add("MatMul", W(5, 4), (2, 4, 3))
add("MatMul", W(3, 5, 4), (2, 1, 4, 3))
add("MatMul", (2, 3, 4), (2, 4, 3))
add("MatMul", (2, 3, 2, 4), (2, 3, 4, 2))
add("MatMul", (2, 1, 3, 4), (5, 4, 2))
add("MatMul", (3, 4), (3, 4, 2), batch=False)
add("MatMul", (4,), (4, 4, 3), batch=False)
add("MatMul", (4, 3, 4), (4,), batch=False)
add("MatMul", (4,), (4, 3), batch=False)
add("MatMul", (4,), (4,), batch=False)

for opset in (7, 9, 14, NEWEST):
    add("BatchNormalization", X2, W(4), W(4), W(4), V(4), epsilon=1e-3, opset=opset)
add("BatchNormalization", (3, 4), W(4), W(4), W(4), V(4))
add("BatchNormalization", X1, W(3), W(3), W(3), V(3))

add("Relu", X2)
add("LeakyRelu", X2)
add("LeakyRelu", X2, alpha=0.3)
add("PRelu", X2, W(4, 1, 1))
add("PRelu", X2, W(1), opset=9)
add("Clip", X2, opset=7, min=-0.5, max=0.6)
add("Clip", X2, opset=7, min=0.1)
add("Clip", X2, F(-0.5), F(0.6), opset=11)
add("Clip", X2, F(-0.5))
add("Clip", X2, None, F(0.4))
add("Clip", X2)
for operator in ("Elu", "Celu", "Selu", "ThresholdedRelu"):
    add(operator, X2)
    add(operator, X2, alpha=0.4)
add("Selu", X2, gamma=1.5)
add("HardSigmoid", X2)
add("HardSigmoid", X2, alpha=0.5, beta=0.3)
for operator in ("Softmax", "LogSoftmax"):
    add(operator, X2)
    add(operator, X2, axis=1)
    add(operator, X2, axis=2, opset=11)
for axis, sizes in ((-1, (6,)), (2, (7, 6))):
    add("LayerNormalization", X2, W(*sizes), W(*sizes), axis=axis)
    add("LayerNormalization", X2, W(*sizes), axis=axis, epsilon=0.1)
    if not before("onnx", "1.19"):
        add("RMSNormalization", X2, W(*sizes), axis=axis, opset=23)
add("InstanceNormalization", X2, W(4), W(4))
add("InstanceNormalization", X1, W(3), W(3), epsilon=0.1)
add("GroupNormalization", X2, W(4), W(4), num_groups=2)
add("GroupNormalization", X1, W(3), W(3), num_groups=1, epsilon=0.1)
add("MeanVarianceNormalization", X2, axes=[2, 3])
add("MeanVarianceNormalization", X2, axes=[1, -1])
if not before("onnx", "1.19"):
    add("Swish", X2, opset=24)
    add("Swish", X2, alpha=1.702, opset=24)
for operator in ("Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Gelu"):
    add(operator, X2)
add("Gelu", X2, approximate="tanh")

add("MaxPool", X1, kernel_shape=[3], strides=[2], pads=[1, 1])
add("MaxPool", X2, kernel_shape=[3, 2], strides=[1, 1], opset=7)
add("MaxPool", X2, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], dilations=[1, 2])
add("MaxPool", X3, kernel_shape=[2, 3, 2], strides=[2, 1, 2])
for ceil_mode in (0, 1):
    add("MaxPool", X2, kernel_shape=[2, 2], strides=[2, 3], ceil_mode=ceil_mode)
    add("MaxPool", X2, kernel_shape=[3, 3], strides=[3, 2], ceil_mode=ceil_mode, pads=[1, 0, 1, 1])
    for inside in (0, 1):
        more = {"ceil_mode": ceil_mode, "count_include_pad": inside}
        add("AveragePool", X2, kernel_shape=[2, 2], strides=[2, 3], **more)
        add("AveragePool", X2, kernel_shape=[3, 3], strides=[3, 2], pads=[1, 0, 1, 1], **more)
        add("AveragePool", X1, kernel_shape=[3], strides=[2], pads=[1, 1], **more)
add("AveragePool", X2, kernel_shape=[3, 2], opset=7)
add("AveragePool", X2, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER", count_include_pad=1)
add("AveragePool", X2, kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 1, 1, 1])
add("AveragePool", X3, kernel_shape=[2, 3, 2], strides=[2, 1, 2], pads=[0, 1, 0, 1, 0, 1])
for shape in (X1, X2, X3):
    add("GlobalAveragePool", shape)
    add("GlobalMaxPool", shape)

for operator in ("ReduceMean", "ReduceSum"):
    old = 11 if operator == "ReduceSum" else 13
    add(operator, X2, axes=[2, 3], opset=old)
    add(operator, X2, axes=[-1, 1], keepdims=0, opset=old)
    add(operator, X2, I(2, -1))
    add(operator, X2, I(1), keepdims=0)
    add(operator, X2, keepdims=0, batch=False)
    add(operator, X2, I(), noop_with_empty_axes=1)

add("Add", X2, X2)
add("Add", X2, (2, 4, 1, 1))
add("Add", X2, W(4, 1, 1))
add("Add", W(4, 1, 1), X2, opset=7)
add("Add", (2, 4, 1, 1), W(7, 6))
add("Add", X2, F(1.5))
add("Sum", X2)
add("Sum", X2, (2, 1, 7, 1), (2, 4, 1, 6))
add("Sum", X2, W(4, 1, 1), X2, W(1, 7, 6))
add("Sub", X2, X2)
add("Sub", X2, (2, 4, 1, 1))
add("Sub", X2, W(4, 1, 1))
add("Sub", W(4, 1, 1), X2)
add("Mul", X2, W(4, 1, 1))
add("Mul", W(1, 6), X2)
add("Mul", (2, 4, 1, 1), W(7, 6))
add("Mul", (2, 3, 4), (2, 3, 4))
add("Mul", (2, 3, 1, 1), (2, 3, 2, 4))  # a gate
add("Mul", (4, 1), (4, 3, 1, 5), batch=False)
add("Div", X2, V(4, 1, 1))
add("Div", (2, 4, 1), V(6))
add("Neg", X2)

add("Concat", X2, (2, 2, 7, 6), axis=1)
add("Concat", X2, X2, (2, 4, 7, 1), axis=-1)
add("Concat", (2, 3), W(2, 2), (2, 1), W(2, 1), axis=1, batch=False)
add("Concat", (2, 3), W(1, 3), axis=0, batch=False)
add("Split", X2, outputs=2, axis=1, opset=11)
add("Split", X2, outputs=2, axis=1, split=[1, 3], opset=11)
add("Split", X2, I(2, 4, 1), outputs=3, axis=-2)
add("Split", X2, outputs=2, axis=1, opset=13)
add("Split", X2, outputs=3, axis=2, num_outputs=3)  # 3 + 3 + 1
add("Slice", X2, starts=[1, 0], ends=[3, -2], axes=[1, 3], opset=9)
add("Slice", X2, starts=[0, 1], ends=[2, 9], opset=7, batch=False)
add("Slice", X2, I(1), I(9), I(-1), I(2))
add("Slice", X2, I(-1), I(-99), I(2), I(-1))
add("Slice", X2, I(5, 3), I(0, -99), I(3, 1), I(-2, -1), opset=10)
add("Slice", X2, I(0, 1), I(1, 3), batch=False)
add("Slice", X2, np.int32([1]), np.int32([3]), np.int32([1]))
add("Reshape", X2, I(0, -1))
add("Reshape", X2, I(-1, 2, 2, 42), opset=7)
add("Reshape", X2, I(8, 42), allowzero=1, batch=False)
for axis in (1, 2, -1, 0):
    add("Flatten", X2, axis=axis, batch=axis == 1)
add("Flatten", X2, opset=7)
add("Gather", X2, I(2, 1, 0), axis=1)
add("Gather", X2, I(0, -1, 0, 3), axis=-1, opset=11)
add("Gather", X2, np.array(1, dtype=np.int64), axis=2)
add("Gather", X2, np.array([[0, 1], [1, 3]], dtype=np.int32), axis=2)
add("Gather", X2, I(1, 0, 1), batch=False)
add("Squeeze", (2, 1, 3, 1), axes=[1, -1], opset=11)
add("Squeeze", (2, 1, 3, 1), I(-1))
add("Squeeze", (2, 1, 3, 1), batch=False)
add("Unsqueeze", (2, 3), axes=[1, 3], opset=11)
add("Unsqueeze", (2, 3), I(-1, 1))
add("Transpose", X2, perm=[0, 2, 3, 1])
add("Transpose", X2, perm=[3, 0, 1, 2], batch=False)
add("Transpose", X2, batch=False)
add("Pad", X2, pads=[0, 0, 1, 2, 0, 0, 0, 1], opset=7)
add("Pad", X2, pads=[0, 1, 0, 0, 0, 0, 0, 2], value=0.7, opset=10)
add("Pad", X2, I(0, 0, 1, 2, 0, 0, 0, 1))
add("Pad", X2, I(0, 1, 0, -2, 0, 0, -1, 2), F(-0.3))
add("Pad", X2, I(1, 2, 0, 1), None, I(-1, 1))
for mode in ("reflect", "edge", "wrap"):
    add("Pad", X2, I(0, 0, 1, 2, 0, 0, 2, 1), mode=mode)
add("Pad", X2, I(0, 0, 1, -2, 0, 0, 2, 1), mode="edge")
add("Expand", (2, 4, 1, 1), I(2, 4, 3, 5), batch=False)
add("Expand", (2, 1, 3), I(4, 1))
add("Tile", X2, I(1, 2, 1, 3))
add("Tile", X2, I(2, 1, 1, 1), batch=False)
MASK = W(4, 7, 6) > 0
add("Where", MASK, X2, X2)
add("Where", MASK, X2, (2, 4, 1, 1))
add("Where", MASK, X2, W(7, 6))
add("Where", MASK, F(0.5), X2)
for mode in ("DCR", "CRD"):
    add("DepthToSpace", (2, 8, 3, 2), blocksize=2, mode=mode)
add("SpaceToDepth", (2, 3, 4, 6), blocksize=2)
SCALES = np.array([1, 1, 1.5, 0.6], dtype=np.float32)
for rule in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"):
    for mode in ("nearest", "linear", "cubic"):
        add("Resize", X2, None, SCALES, mode=mode, coordinate_transformation_mode=rule)
for nearest in ("floor", "ceil", "round_prefer_ceil"):
    add("Resize", X2, None, None, I(2, 4, 9, 3), mode="nearest", nearest_mode=nearest, batch=False)
add("Resize", X2, None, None, I(9, 5), mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
add("Resize", X2, None, SCALES, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
add("Resize", X2, SCALES, mode="nearest", opset=10)
add("Upsample", X2, np.array([1, 1, 2, 3], dtype=np.float32), mode="nearest", opset=9)
add("Upsample", X2, scales=[1.0, 1.0, 2.0, 3.0], opset=7)
add("GatherElements", (3, 4), np.array([[0, -1, 0], [3, 1, 1]]), axis=1, batch=False)
add("GatherElements", (3, 4, 2), np.array([[[0, 2], [1, 1]]]), batch=False)
add("GatherND", X2, np.array([[0, 1], [1, -1], [0, 1]]), batch=False)
add("GatherND", X2, np.array([[[2], [0]], [[3], [3]]]), batch_dims=1, batch=False)
