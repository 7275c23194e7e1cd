"""What an example node is, and how one is written: `add` with its operands and attributes."""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from building import NEWEST, one_node, rng

from explainer.layers import REGISTRY, Kind, Layer
from explainer.model.graph import Graph


@dataclass(frozen=True, eq=False)
class Example:
    """One node: a tuple of sizes is an activation, an array a constant, None an absent operand.

    `batch` says that the first axis is a batch from input to output. `through` are operators in front of the
    node, which keep its input where the node's own function is defined.
    """

    operator: str
    operands: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    opset: int = NEWEST
    batch: bool = True
    through: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = [f"{key}={value}" for key, value in self.attributes.items()]
        shown += [f"through {' '.join(self.through)}"] * bool(self.through)
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
        model = one_node(self.operator, inputs, constants, outputs, self.attributes, opset, self.batch)
        for place, operator in enumerate(self.through):
            node = onnx.helper.make_node(
                operator, [model.graph.node[-1].input[0]], [f"t{place}"], name=f"t{place}"
            )
            model.graph.node.insert(place, node)
            model.graph.node[-1].input[0] = f"t{place}"
        return model

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
        for place, operator in enumerate(self.through):
            feeds = {f"t{place}": THROUGH[operator](next(iter(feeds.values())))}
        bound = []
        for index in range(self.outputs):
            layer = REGISTRY[self.operator].of(graph.nodes[-1], graph, index)
            bound.append(layer.bind(layer.read(feeds), None, layer.prepare(values)))
        return bound


def _brief(operand: Any) -> str:
    if isinstance(operand, tuple):
        return "x " + "-".join(map(str, operand))
    if operand is None or operand.dtype.kind == "i":
        return str(None if operand is None else operand.tolist())
    return f"c {operand:g}" if operand.ndim == 0 else "c " + "-".join(map(str, operand.shape))


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


THROUGH: dict[str, Any] = {
    "Softsign": lambda x: x / (1 + abs(x)),
    "Exp": np.exp,
}
EXAMPLES: list[Example] = []
# Their samples are on axis 1, where none are explained: tests/layers/test_recurrent.py has whole nets.
# ONNX infers no shape behind a SimplifiedLayerNormalization or an ImageScaler, which are onnxruntime's: see
# tests/layers/test_fused_norms.py and test_old_opsets.py.
# Of whole numbers layers are given what these stand for: see tests/canonizers/test_quantised.py.
IN_NETS = frozenset(
    {
        *("GRU", "ImageScaler", "LSTM", "RNN", "SimplifiedLayerNormalization"),
        *("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"),
    }
)


def add(
    operator: str,
    *operands: Any,
    outputs: int = 1,
    opset: int = NEWEST,
    batch: bool = True,
    through: tuple[str, ...] = (),
    **attributes,
):
    EXAMPLES.append(Example(operator, operands, attributes, outputs, opset, batch, through))


X1, X2, X3 = (2, 3, 9), (2, 4, 7, 6), (2, 2, 4, 3, 5)
