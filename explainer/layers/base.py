"""What a node does: a map and its transpose, declared once for arrays and for symbols."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from .. import plugins
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..tensor import Bundle, Value

LayerType = TypeVar("LayerType", bound="type[Layer]")
REGISTRY: dict[str, type[Layer]] = {}


def register(*operators: str) -> Callable[[LayerType], LayerType]:
    """Declare the layer of one or more ONNX operators."""

    def declare(layer: LayerType) -> LayerType:
        REGISTRY.update(dict.fromkeys(operators, layer))
        return layer

    return declare


@dataclass(frozen=True)
class Place:
    """Where a layer lies on the way from the input to the target.

    Attributes
    ----------
    first, last : bool
        Whether it is a convolution or dense layer reached from the input, or from the target,
        without passing another.
    at_input : bool
        Whether it reads the model's input itself, at most moved.
    ancestors : callable
        Name of a node -> the names of the nodes that it depends on, itself included.
    """

    first: bool = False
    last: bool = False
    at_input: bool = False
    ancestors: Callable[[str], frozenset[str]] = field(default=lambda name: frozenset(), compare=False)


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
    parameters : dict of letter -> Value
    signed : bool
        Whether the recorded output can be negative.
    nonnegative : bool
        Whether the input is known not to be negative, by the operators that made it.
    place : Place
        Where the layer lies between input and target, for composites.
    change : callable or None
        What `with_params` does to weights that no file names: the 1/n of a mean, the signs of a sum.
    divisions : list
        What a rule divided, for the audit.
    reference : Layer or None
        This layer bound to the values of a reference, for rules that compare with one.

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
        self.nonnegative = False
        self.place = Place()
        self.change: Callable[[Value], Value] | None = None
        self.divisions: list[Any] = []
        self.reference: Layer | None = None
        self.x: Value = None
        self.z: Value = None

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
        bound.x, bound.z, bound.parameters, bound.divisions = x, z, parameters, []
        return bound

    def with_params(self, change: Callable[[Value], Value]) -> Layer:
        """The same map with each weight, and the bias, changed: W⁺, say; it computes its output anew."""
        changed = {
            letter: change(value) if value.dtype.kind == "f" else value  # axes and sizes are no weights
            for letter, value in self.parameters.items()
        }
        layer, before = self.bind(self.x, None, changed), self.change
        layer.change = change if before is None else lambda w: change(before(w))
        return layer

    def implied(self, w: Value) -> Value:
        """A weight that the operator has of itself, after `with_params`."""
        return w if self.change is None else self.change(w)

    def without_bias(self) -> Layer:
        """The linear part of the map."""
        return self.bind(self.x, None, {k: v for k, v in self.parameters.items() if k != "b"})

    def __call__(self, x: Value) -> Value:
        """z: the recorded output for the bound input, computed for any other."""
        return self.z if self.z is not None and x is self.x else self.forward(x)

    def forward(self, x: Value) -> Value:
        """z = map(x), bias included."""
        raise NotImplementedError

    def averaged(self) -> Layer:
        """For max pooling: the average over the same windows; every other layer is its own."""
        return self

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
    """Operator name -> layer, sorted by name; those of installed plugins too."""
    plugins.load()
    return dict(sorted(REGISTRY.items()))


def attribute(node: Node, name: str) -> Any:
    """A node's attribute, None where neither the file nor the schema gives one."""
    return node.attributes.get(name)
