"""What a node does: a map and its transpose, declared once for arrays and for symbols."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import NOTHING_KNOWN, Facts
from ..tensor import Bundle, Value
from .kinds import Kind
from .parameters import Change, Parameters


def _none(name: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class Place:
    """Where a layer lies on the way from the input to the target.

    Attributes
    ----------
    first, last : bool
        Whether it is a convolution or dense layer reached from the input, or from the target,
        without passing another.
    at_input : bool
        Whether it reads the model's input itself, at most moved and normalised.
    prepares : bool
        Whether it moves or normalises that input: there is no weight before it.
    ancestors : callable
        Name of a node -> the names of the nodes that it depends on, itself included.
    """

    first: bool = False
    last: bool = False
    at_input: bool = False
    prepares: bool = False
    ancestors: Callable[[str], frozenset[str]] = field(default=_none, compare=False)


class Layer:
    """A node, or a group of nodes, seen as a map. It holds no value of any call.

    The plan holds layers. `bind` gives a `Bound`: the layer with one call's input, output and
    parameters, which is what a rule sees. An operator declares `forward`, `transpose` and, where
    constants take a part of the relevance, `bias` or `bias_share`.

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
    signed : bool
        Whether the recorded output can be negative.
    nonnegative : bool
        Whether the input is known not to be negative, by the operators that made it.
    place : Place
        Where the layer lies between input and target, for composites.
    has_constants : bool
        Whether a layer that moves values also puts constants in their places.
    is_decided : bool
        Whether a parameter depends on the input by truth values: it is no bias then.

    Raises
    ------
    UnsupportedError
        The node is used in a way that no rule covers; the message is the reason alone.
    """

    kind: ClassVar[Kind]
    facts: ClassVar[Facts] = NOTHING_KNOWN
    # How many of its factors are activations: Σ x·Jᵀs = degree·z·s (Euler).
    degree: int = 1
    # The layer of the same operator where several of its operands are activations; None: this one.
    of_several: ClassVar[type[Layer] | None] = None
    # All others that `form` chooses among.
    forms: ClassVar[tuple[type[Layer], ...]] = ()
    # Parameters that are numbers and no weights: no rule changes a Resize's scales.
    measures: ClassVar[frozenset[str]] = frozenset()
    # The same where one of two activations is held constant (`Node.gate`).
    gated: ClassVar[type[Layer] | None] = None
    # Whether an x of −∞ is as good as none: what a mask makes, and a Softmax turns to 0.
    takes_minus_infinity: ClassVar[bool] = False
    # Whether it changes in steps, and its slope is 0 between them: no gradient passes.
    flat: ClassVar[bool] = False
    # What transpose() looks at: "x" (often its shape alone), "z".
    transpose_reads: ClassVar[frozenset[str]] = frozenset({"x"})

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        self.node = node
        self.output = node.outputs[output]
        self.inputs = self.activation_inputs(graph)
        self.operands: dict[str, str] = {}
        self.signed = True
        self.nonnegative = False
        self.has_constants = False
        self.is_decided = False
        self.place = Place()

    def having(self, **changes: Any) -> Layer:
        """A copy with other attributes."""
        other = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(other, name, value)
        return other

    def sealed(self) -> Layer:
        """The layer, closed against changes: `having` makes a changed copy."""
        return self.having(_sealed=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_sealed" in self.__dict__:
            raise AttributeError(f"{type(self).__name__}.{name} cannot be set: `having` makes a changed copy")
        super().__setattr__(name, value)

    @classmethod
    def of(cls, node: Node, graph: Graph, output: int = 0) -> Layer:
        """The layer of a node."""
        layer = cls.form(node, graph)(node, graph, output)
        layer.is_decided = not graph.led.isdisjoint(layer.operands.values())
        return layer

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        """The class of a node's layer: `of_several` where several of its operands are activations."""
        gate = None if node.gate is None else node.inputs[node.gate]
        if gate in graph.carrying and cls.gated is not None:
            return cls.gated
        several = sum(name in graph.carrying for name in node.inputs) > 1
        return cls.of_several if several and cls.of_several else cls

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

    def degree_at(self, at: Bound) -> int:
        """The degree at this x, whose sizes may say how many it multiplies."""
        return self.degree

    def prepare(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters, made from the tensors they are stored in."""
        return {letter: values[name] for letter, name in self.operands.items()}

    def amounts(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters of the amounts of what they are stored in: with them z is all that is added up."""
        return self.prepare(values)

    def read(self, values: Mapping[str, Value]) -> Value:
        """The layer's input among the values of a call: a Bundle where there are several."""
        x = Bundle(values.get(name) for name in self.inputs)
        return x if len(x) > 1 else x[0]

    def bind(self, x: Value, z: Value, parameters: Mapping[str, Value]) -> Bound:
        """This layer with the values of one call: its input, its recorded output or None, its parameters."""
        return Bound(self, x, z, Parameters(parameters))

    def forward(self, x: Value, p: Parameters) -> Value:
        """z = map(x), bias included."""
        raise self.lacking("forward(self, x, p)", "what the operator computes")

    def transpose(self, s: Value, at: Bound) -> Value:
        """c = Aᵀ s, where A is the map's Jacobian at `at.x`; the bias has no part in it."""
        raise self.lacking("transpose(self, s, at)", "what hands relevance and gradients back")

    def lacking(self, method: str, what: str) -> UnsupportedError:
        """What a layer's class does not say, and where it is told."""
        return UnsupportedError(
            f"{self.node}: its layer {type(self).__qualname__} has no {method}, {what}; see "
            "docs/adding-an-operator.md"
        )

    def bias(self, at: Bound) -> Value:
        """The additive constant, as it broadcasts to z; None where there is none."""
        return None

    def bias_share(self, s: Value, at: Bound) -> Value:
        """What of s·z falls to constants instead of inputs, to be summed; None where nothing does."""
        b = self.bias(at)
        return None if b is None else s * b

    def intercept_share(self, s: Value, at: Bound) -> Value:
        """What of s·z falls to z − Jx − b, which no input explains, to be summed; None where z is Jx + b."""
        return None

    def intercept(self, at: Bound) -> Value:
        """z − Jx − b itself, shaped like z; None where it is 0, or where only its share is known."""
        return None

    @property
    def constants(self) -> dict[str, str]:
        """Letter -> tensor of the constants that are added or put in a place, and so get relevance."""
        return {"b": self.operands["b"]} if "b" in self.operands else {}

    def constant(self, letter: str, at: Bound) -> Value:
        """What one of them adds to z, as it broadcasts to it."""
        return self.bias(at)

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        """`s` where one of them lies in z, its sign turned where it is taken away."""
        return s

    def held(self, at: Bound) -> Bound:
        """With what only scales its signal held constant at this x; every other layer is its own."""
        return at

    # m with Σ m·(x − x') = Σ s·(z − z'), x' and z' at `at.reference`: DeepLIFT's rescale rule for maps that
    # are neither linear nor of one value. Called with s and at; None where it is not known.
    multipliers: ClassVar[Callable[[Any, Value, Bound], Value] | None] = None

    def expanded(self, at: Bound) -> Bound:
        """Of what is divided by the values around: expanded where these are 0; every other layer, held."""
        return self.held(at)

    @property
    def keeps_maps(self) -> bool:
        """Whether a convolution's feature maps are still such behind it: what Grad-CAM looks at."""
        return self.kind.one_to_one

    @property
    def by_place(self) -> bool:
        """Whether each value is a function of what its inputs have at its own place, and of constants."""
        return self.kind.one_to_one

    @property
    def normalises(self) -> bool:
        """Whether it may be preprocessing: every value is one of x's, moved, or a function of it alone."""
        kind = self.kind
        return (kind.routes and not kind.shares) or (self.by_place and len(self.inputs) == 1)

    @property
    def rises_from(self) -> float:
        """The least x from which on each value only rises with x, or only falls; ∞ where it is not known."""
        kind = self.kind
        return -math.inf if kind.routes or (kind.one_to_one and kind.linear) else math.inf

    # Whether every value is a weighted mean of x's, by weights that sum to 1: by them all of R comes back.
    is_mean: ClassVar[bool] = False

    def only_scales(self, graph: Graph) -> bool:
        """Whether its weights, as they are, scale values and move them, and mix none with another."""
        return False

    def unbiased(self, p: Parameters) -> Parameters:
        """The parameters of the linear part."""
        return p.without("b")

    def averaged(self, at: Bound) -> Bound:
        """For max pooling: the average over the same windows; every other layer is its own."""
        return at


@dataclass(frozen=True, eq=False)
class Bound:
    """z = layer(x) at one call's input, and its transpose.

    Attributes
    ----------
    layer : Layer
    x : Value
        The input: a Bundle where there are several.
    z : Value
        The recorded output; None where it was not recorded, or where the parameters were changed.
    p : Parameters
    reference : Bound or None
        The same layer at the values of a reference, for rules that compare with one.
    """

    layer: Layer
    x: Value
    z: Value
    p: Parameters
    reference: Bound | None = None

    kind = property(lambda self: self.layer.kind)
    degree = property(lambda self: self.layer.degree_at(self))
    signed = property(lambda self: self.layer.signed)
    nonnegative = property(lambda self: self.layer.nonnegative)
    has_constants = property(lambda self: self.layer.has_constants)
    is_decided = property(lambda self: self.layer.is_decided)

    @property
    def node(self) -> Node:
        """The node, or the group of nodes."""
        return self.layer.node

    def at(self, x: Value, z: Value = None) -> Bound:
        """The same layer and parameters at another input."""
        return replace(self, x=x, z=z)

    def __call__(self, x: Value) -> Value:
        """z: the recorded output for the bound input, computed for any other."""
        return self.z if self.z is not None and x is self.x else self.forward(x)

    def forward(self, x: Value) -> Value:
        """z = map(x), bias included; computed, whether it was recorded or not."""
        return self.layer.forward(x, self.p)

    def transpose(self, s: Value) -> Value:
        """c = Aᵀ s, where A is the map's Jacobian at x; the bias has no part in it."""
        return self.layer.transpose(s, self)

    @property
    def bias(self) -> Value:
        """The additive constant, as it broadcasts to z; None where there is none."""
        return self.layer.bias(self)

    def bias_share(self, s: Value) -> Value:
        """What of s·z falls to constants instead of inputs, to be summed; None where nothing does."""
        return self.layer.bias_share(s, self)

    def intercept_share(self, s: Value) -> Value:
        """What of s·z falls to z − Jx − b, which no input explains, to be summed; None where z is Jx + b."""
        return self.layer.intercept_share(s, self)

    @property
    def intercept(self) -> Value:
        """z − Jx − b itself, shaped like z; None where it is 0, or where only its share is known."""
        return self.layer.intercept(self)

    def held(self) -> Bound:
        """With what only scales its signal held constant at this x; every other layer is its own."""
        return self.layer.held(self)

    def multipliers(self, s: Value) -> Value:
        """m with Σ m·(x − x') = Σ s·(z − z'), x' and z' those of the reference."""
        assert self.layer.multipliers is not None
        return self.layer.multipliers(s, self)

    def expanded(self) -> Bound:
        """Of what is divided by the values around: expanded where these are 0; every other layer, held."""
        return self.layer.expanded(self)

    def with_params(self, change: Change) -> Bound:
        """The same map with each weight, and the bias, changed: W⁺, say; it computes its output anew."""
        return replace(self, p=self.p.changed(change, self.layer.measures), z=None)

    def without_bias(self) -> Bound:
        """The linear part of the map."""
        return replace(self, p=self.layer.unbiased(self.p), z=None)

    def averaged(self) -> Bound:
        """For max pooling: the average over the same windows; every other layer is its own."""
        return self.layer.averaged(self)


def text_of(value: Any) -> str:
    """An attribute that is text: bytes, as the file has it, or what the schema's default is."""
    return value.decode() if isinstance(value, bytes) else str(value)


def attribute(node: Node, name: str) -> Any:
    """A node's attribute, None where neither the file nor the schema gives one."""
    return node.attributes.get(name)
