"""Whether a layer is what its operator computes, and its transpose the transpose of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..compiler import compile
from ..compiler.proof import Examples
from ..errors import ExplainerError
from ..explainer import Explainer
from ..layers import REGISTRY, Bound, Layer, supported
from ..model.graph import Graph, ModelLike, Node
from ..model.runtime import PathLike, Runtime
from ..tensor import Array
from .comparing import relative, require
from .dense import bends, bias_of, flat, like

ExampleLike: TypeAlias = "ModelLike | tuple[ModelLike, Mapping[str, Array]]"

# Of float32 sums in another order.
ROUNDING = 2e-6
# Of two float64 ways to one number.
EXACT = 1e-12
# The step of the central differences. They are off by h²/6·|f‴| for truncation, and by some rounding
# errors of the largest number over h.
STEP = 2.0**-15
# What of |f‴| is allowed for.
THIRD_DERIVATIVE = 6.25
# At how many inputs an edge is tried to be avoided.
TRIES = 20


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
    and what finite differences say, and what constants take is accounted for. For every example: the
    whole relevance of its output is explained in float64, every step audited, and compiled, the result
    compared with NumPy's.

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
        Composite, rules and all else that both `Explainer` and `compile` take; ε = 1e-3 by default.

    Raises
    ------
    AssertionError
        What does not hold, at which node.
    ExplainerError
        An example cannot be read or run.
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
                check_derivative(_smooth(one.bound()))
            except AssertionError as error:
                raise AssertionError(f"{one}: {error}") from None
        check_model(graph, model, feeds, compiled, {"custom_ops": custom_ops, "eps": 1e-3} | how)


def _operators(layer: str | type[Layer]) -> set[str]:
    known = supported()
    if isinstance(layer, str):
        require(layer in known, f"{layer}: no layer is registered for this operator")
        return {layer}
    operators = {name for name, entry in known.items() if entry is layer}
    require(bool(operators), f"{layer.__qualname__}: register it for an operator first")
    return operators


def met(graph: Graph, feeds: Mapping[str, Array], nodes: Sequence[Node]) -> Iterator[Met]:
    """The layers of some nodes that depend on the input, with the values of one forward pass."""
    layers = [
        REGISTRY[node.acts_as or node.operator].of(node, graph, index)
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


def check_forward(layer: Bound, z: Array, tolerance: float = ROUNDING) -> None:
    """A layer's forward is z, in the type of its input.

    Parameters
    ----------
    layer : Bound
    z : array
        What onnxruntime computes.
    tolerance : float
        Relative to the largest value.

    Raises
    ------
    AssertionError
    """
    ours = layer.forward(layer.x)
    dtype = flat(layer.x).dtype
    require(ours.shape == z.shape, f"forward has shape {ours.shape}, onnxruntime's output {z.shape}")
    require(ours.dtype == dtype, f"forward makes {ours.dtype} of {dtype}")
    gap = relative(ours, z)
    require(gap < tolerance, f"forward is off by {gap:.2g} of onnxruntime's largest value")


def check_adjoint(layer: Bound) -> None:
    """⟨A x, s⟩ = ⟨x, Aᵀs⟩, and what is missing to ⟨z, s⟩ is the constants' share.

    Of a product of n activations, whose degree is n, n·⟨z, s⟩ = ⟨x, Jᵀs⟩.

    An activation's transpose is its slope, of which this says nothing: see `check_derivative`.

    Parameters
    ----------
    layer : Bound
        In float64.

    Raises
    ------
    AssertionError
    """
    z = layer.forward(layer.x)
    s = _random(2).standard_normal(z.shape)
    c = layer.transpose(s)
    pairs = zip(c, layer.x, strict=True) if isinstance(layer.x, tuple) else [(c, layer.x)]
    for part, x in pairs:
        require(part.shape == x.shape, f"transpose has shape {part.shape}, its input {x.shape}")
        require(part.dtype == x.dtype, f"transpose makes {part.dtype} of {x.dtype}")
    if layer.kind == "activation":
        return
    there = float(flat(layer.x) @ flat(c))
    Ax = layer.degree * (z if bends(layer) else z - bias_of(layer))
    here = float(np.vdot(Ax, s))
    require(
        abs(here - there) <= EXACT * float(np.linalg.norm(Ax) * np.linalg.norm(s)),
        f"⟨A x, s⟩ is {here:.9g}, ⟨x, Aᵀs⟩ {there:.9g}: transpose is not the transpose of forward",
    )
    share = layer.bias_share(s)
    constants = 0.0 if share is None else float(np.sum(share))
    if layer.kind == "movement":  # what a constant was put in the place of
        whole, arrived = float(s.sum()), float(flat(c).sum())
        amount = float(abs(s).sum())
    else:
        whole, arrived = layer.degree * float(np.vdot(z, s)), there
        amount = float(np.linalg.norm(z) * np.linalg.norm(s)) + abs(constants)
    require(
        abs(whole - constants - arrived) <= EXACT * amount,
        f"of {whole:.9g} inputs are handed {arrived:.9g} and constants {constants:.9g}: bias, bias_share "
        "or degree is wrong",
    )


def check_derivative(layer: Bound, third: float = THIRD_DERIVATIVE) -> None:
    """The transpose is that of the Jacobian at x: what central differences say along random directions.

    Parameters
    ----------
    layer : Bound
        In float64, at an input within two steps (2⁻¹⁴) of which the map has no edge.
    third : float
        The largest third derivative that is allowed for.

    Raises
    ------
    AssertionError
    """
    x, z = flat(layer.x), layer.forward(layer.x)
    random = _random(4, z.size)
    error = STEP**2 / 6 * third + 8 * float(np.finfo(float).eps) * max(abs(x).max(), abs(z).max()) / STEP
    for _ in range(3):
        s = random.choice([-1.0, 1.0], z.shape)
        v = random.choice([-1.0, 1.0], x.size)
        wanted = float(np.vdot(s, _slope(layer, v, STEP)))
        found = float(flat(layer.transpose(s)) @ v)
        require(
            abs(found - wanted) < z.size * error,
            f"along a random direction the transpose says {found:.9g}, finite differences {wanted:.9g}",
        )


def _slope(layer: Bound, v: Array, h: float) -> Array:
    """(f(x + hv) − f(x − hv)) / 2h."""
    x = flat(layer.x)
    ahead, behind = (layer.forward(like(x + step * v, layer.x)) for step in (h, -h))
    return np.asarray((ahead - behind) / (2 * h))


def _smooth(layer: Bound) -> Bound:
    """The layer at an input near its own where it has no edge: there the slopes of two steps agree."""
    x, random = flat(layer.x), _random(5)
    spread = float(np.std(x)) or 1.0
    v = random.choice([-1.0, 1.0], x.size)
    for attempt in range(TRIES):
        noise = random.uniform(-0.01, 0.01, x.size) * spread if attempt else 0 * x
        here = layer.at(like(x + noise, layer.x))
        far, near = _slope(here, v, 2 * STEP), _slope(here, v, STEP / 2)
        if relative(far, near) <= 1e-6:
            return here
    raise AssertionError(f"forward has an edge near each of {TRIES} inputs: give values where it has none")


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


def _random(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
