"""What a node does: a map and its transpose, declared once for arrays and for symbols."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from ..errors import UnsupportedError
from ..graph import Graph, Node
from ..tensor import Bundle, Value

LayerType = TypeVar("LayerType", bound="type[Layer]")
REGISTRY: dict[str, type[Layer]] = {}


def register(*operators: str) -> Callable[[LayerType], LayerType]:
    """Declare the layer of one or more ONNX operators."""

    def declare(layer: LayerType) -> LayerType:
        REGISTRY.update(dict.fromkeys(operators, layer))
        return layer

    return declare


class Layer:
    """A node, or a group of nodes, seen as a map: z = layer(x), and its transpose.

    The plan holds stateless layers. `bind` returns a copy that knows this call's input, output
    and parameters; that copy is what a rule sees.

    Parameters
    ----------
    node : Node
    graph : Graph
    output : int
        Which of the node's outputs this map computes.

    Attributes
    ----------
    inputs : tuple of str
        The tensors that relevance is handed to.
    operands : dict of letter -> str
        The tensors of the parameters: constants, or values computed from shapes alone.
    x, z : Value
        Input (a Bundle where there are several) and recorded output, once bound.
    s : Value
        R / st(z), once a rule has divided: the audit reads it again.
    parameters : dict of letter -> Value
    signed : bool
        Whether the recorded output can be negative.

    Raises
    ------
    UnsupportedError
        The node is used in a way that no rule covers; the message is the reason alone.
    """

    kind: ClassVar[str]
    # What transpose() looks at: "x" (often its shape alone), "z".
    transpose_reads: ClassVar[frozenset[str]] = frozenset({"x"})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        self.node = node
        self.output = node.outputs[output]
        self.inputs = self.activation_inputs(graph)
        self.operands: dict[str, str] = {}
        self.parameters: dict[str, Value] = {}
        self.signed = True
        self.x: Value = None
        self.z: Value = None
        self.s: Value = None

    def activation_inputs(self, graph: Graph) -> tuple[str, ...]:
        """The inputs that relevance is handed to."""
        return tuple(name for name in self.node.inputs if name in graph.carrying)

    def take_operand(self, graph: Graph, letter: str, index: int, what: str) -> None:
        """Declare an input of the node as a parameter, where it is given."""
        name = self.node.operand(index)
        if name in graph.carrying:
            raise UnsupportedError(f"its {what} is computed from the input")
        if name:
            self.operands[letter] = name

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters, made from the tensors they are stored in."""
        return {letter: values[name] for letter, name in self.operands.items()}

    def bind(self, x: Value, z: Value, parameters: dict[str, Value]) -> Layer:
        """This layer with the values of one call."""
        bound = copy.copy(self)
        bound.x, bound.z, bound.parameters = x, z, parameters
        return bound

    def with_params(self, change: Callable[[Value], Value]) -> Layer:
        """The same map with changed weights: W⁺, say; it computes its output anew."""
        changed = {
            letter: change(value) if value.dtype.kind == "f" else value  # axes and sizes are no weights
            for letter, value in self.parameters.items()
        }
        return self.bind(self.x, None, changed)

    def without_bias(self) -> Layer:
        """The linear part of the map."""
        return self.bind(self.x, None, {k: v for k, v in self.parameters.items() if k != "b"})

    def __call__(self, x: Value) -> Value:
        """z: the recorded output for the bound input, computed for any other."""
        return self.z if self.z is not None and x is self.x else self.forward(x)

    def forward(self, x: Value) -> Value:
        """z = map(x), bias included."""
        raise NotImplementedError

    def transpose(self, s: Value) -> Value:
        """c = Aᵀ s, where A is the map's Jacobian at x; the bias has no part in it."""
        raise NotImplementedError

    @property
    def bias(self) -> Value:
        """The additive constant, as it broadcasts to z; None where there is none."""
        return None

    def bias_share(self, s: Value) -> Value:
        """What of s·z falls to constants instead of inputs, to be summed; None where nothing does."""
        return None if self.bias is None else s * self.bias

    def read(self, values: Mapping[str, Value]) -> Value:
        """The layer's input among the values of a call: a Bundle where there are several."""
        x = Bundle(values.get(name) for name in self.inputs)
        return x if len(x) > 1 else x[0]


def supported() -> dict[str, type[Layer]]:
    """Operator name -> layer, sorted by name."""
    return dict(sorted(REGISTRY.items()))


def attribute(node: Node, name: str) -> Any:
    """A node's attribute, None where neither the file nor the schema gives one."""
    return node.attributes.get(name)
