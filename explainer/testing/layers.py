"""Whether a layer is what its operator computes, and its transpose the transpose of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..compiler import compile
from ..compiler.examples import Examples
from ..doors.explainer import Explainer
from ..errors import ExplainerError, UnsupportedError, shown
from ..layers import REGISTRY, Bound, Layer, supported
from ..model.graph import Graph, ModelLike, Node
from ..model.runtime import PathLike, Runtime
from ..recipe import Recipe
from ..tensor import Array
from .comparing import require
from .dense import flat, like
from .maps import ROUNDING, check_adjoint, check_derivative, check_forward, check_weights, smooth

ExampleLike: TypeAlias = "ModelLike | tuple[ModelLike, Mapping[str, Array]]"

# What says how a model is run.
RUNNING = frozenset({"providers", "threads"})


class Met(NamedTuple):
    """One output of a node in an example, at the example's own values.

    Attributes
    ----------
    layer : Layer
    x : Value
        What it reads there, in float32.
    parameters : dict of letter -> array
    z : array
        What onnxruntime makes of it.
    """

    layer: Layer
    x: Any
    parameters: dict[str, Array]
    z: Array

    def __str__(self) -> str:
        output = list(self.layer.node.outputs).index(self.layer.output)
        return f"{self.layer.node}" + (f", output {output}" if output else "")

    def bound(self, dtype: Any = np.float64) -> Bound:
        """The layer with these values in a type."""
        parameters = {letter: _cast(value, dtype) for letter, value in self.parameters.items()}
        return self.layer.bind(like(_cast(flat(self.x), dtype), self.x), None, parameters)


def _cast(value: Array, dtype: Any) -> Array:
    return value.astype(dtype) if value.dtype.kind == "f" else value


def check_layer(
    layer: str | type[Layer],
    *examples: ExampleLike,
    tolerance: float = ROUNDING,
    compiled: bool = True,
    custom_ops: Sequence[PathLike] = (),
    **how: Any,
) -> None:
    """Prove a layer on example models that have its operator in them.

    For every node of the operator: `forward` is what onnxruntime computes, the transpose is the adjoint
    and what finite differences say, what constants take is accounted for, and rules that change weights
    reach them all. For every example: the whole relevance of its output, and its gradient, are explained
    in float64, every step audited, and compiled, the result compared with NumPy's.

    Parameters
    ----------
    layer : str or type of Layer
        The operator, ``com.example.MyScale``; or the class, for all that it is registered for.
    *examples : model, or (model, dict of input name -> array)
        A path, bytes or an onnx.ModelProto, as small as can be, together with all attributes that
        matter; without arrays the inputs are drawn from a normal distribution.
    tolerance : float
        How far float32 may be from onnxruntime's, relative to the largest value.
    compiled : bool
        Whether the examples are compiled too.
    custom_ops
        See `Explainer`.
    **how
        Composite, rules and all else that both `Explainer` and `compile` take; ε = 1e-3 by default, where
        the composite takes one.

    Raises
    ------
    AssertionError
        What does not hold, at which node.
    ExplainerError
        An example cannot be read or run.
    TypeError
        Something asks for a value while it is recorded: at the line where it stands.
    """
    operators = _operators(layer)
    require(bool(examples), f"{', '.join(sorted(operators))}: give an example model or more")
    for example in examples:
        model, feeds = example if isinstance(example, tuple) else (example, None)
        graph = Graph.load(model, Runtime(custom_ops=custom_ops))
        feeds = Examples.of(graph, None).feeds(2) if feeds is None else dict(feeds)
        found = list(met(graph, feeds, [node for node in graph.nodes if node.operator in operators]))
        require(bool(found), f"{graph.title}: no node is {' or '.join(sorted(operators))}")
        for one in found:
            try:
                check_forward(one.bound(np.float32), one.z, tolerance)
                check_adjoint(one.bound())
                check_weights(one.bound())
                check_derivative(smooth(one.bound()))
            except AssertionError as error:
                raise AssertionError(f"{one}: {error}") from None
            except ExplainerError as error:
                raise AssertionError(f"{one}: {error}") from error
        opened = {"custom_ops": custom_ops}
        check_model(graph, model, feeds, compiled, opened | stabilised(how))
        check_model(graph, model, feeds, compiled, opened | {"method": "gradient"} | _running(how))


def stabilised(how: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with an ε far above rounding, where none is said and the composite takes one."""
    with_eps = {"eps": 1e-3, **how}
    recipe = {name: value for name, value in with_eps.items() if name not in RUNNING}
    try:
        Recipe.of(recipe).made(lambda: None)
    except ExplainerError:  # whatever else is wrong is said where it is used
        return dict(how)
    return with_eps


def _running(how: Mapping[str, Any]) -> dict[str, Any]:
    """What of some settings says how the model is run, and not how it is explained."""
    return {name: value for name, value in how.items() if name in RUNNING}


def _operators(layer: str | type[Layer]) -> set[str]:
    known = supported()
    if isinstance(layer, str):
        require(layer in known, f"{layer}: no layer is registered for this operator")
        return {layer}
    require(
        isinstance(layer, type), f"{shown(layer):.80} is neither an operator's name nor a class of layers"
    )
    operators = {name for name, entry in known.items() if entry is layer}
    require(bool(operators), f"{layer.__qualname__}: register it for an operator first")
    return operators


def _layer(node: Node, graph: Graph, output: int) -> Layer:
    """The layer of a node, or why it has none."""
    operator = node.acts_as or node.operator
    if operator not in REGISTRY:
        near = get_close_matches(operator, REGISTRY)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise AssertionError(f"{node}: the operator {operator!r} has no layer{hint}")
    try:
        return REGISTRY[operator].of(node, graph, output)
    except UnsupportedError as error:
        raise AssertionError(f"{node}: {error}") from error


def met(graph: Graph, feeds: Mapping[str, Array], nodes: Sequence[Node]) -> Iterator[Met]:
    """The layers of some nodes that depend on the input, with the values of one forward pass."""
    layers = [
        _layer(node, graph, index)
        for node in nodes
        for index, output in enumerate(node.outputs)
        if output in graph.carrying
    ]
    names = {name for layer in layers for name in (layer.output, *layer.inputs, *layer.operands.values())}
    names |= {name for layer in layers for member in layer.node.members for name in member.inputs if name}
    computed = [name for name in names if not graph.is_constant(name) and name not in feeds]
    values = {**feeds, **graph.session(computed).run(graph.typed(feeds))} if computed else dict(feeds)
    values |= {name: graph.constant(name) for name in names if graph.is_constant(name)}
    for layer in layers:
        yield Met(layer, layer.read(values), layer.prepare(values), values[layer.output])


def check_model(
    graph: Graph, model: ModelLike, feeds: Mapping[str, Array], compiled: bool, how: Mapping[str, Any]
) -> None:
    """A model is explained whole, in float64, where the walk checks itself step by step; and compiled.

    Raises
    ------
    AssertionError
    """
    outputs = [name for name in graph.outputs if name in graph.carrying]
    require(bool(outputs), f"{graph.title}: no output depends on the values of an input")
    try:
        Explainer(model, dtype="float64", **how).explain(dict(feeds), target=outputs[0])
        if compiled:
            compile(model, target=outputs[0], **how)
    except ExplainerError as error:
        raise AssertionError(f"{graph.title}: {error}") from error
