"""The model's tensors as symbols: those of its own run, and those of a copy of it inside the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from ..errors import UnsupportedError
from ..model.scopes import captured_names
from ..plan import Plan
from ..tensor import FLOAT32, Array, Cast, Recorder, Symbol, Value, cast_to


class Symbols(dict[str, Value]):
    """Tensor name -> Symbol, constants made when they are asked for.

    Whole numbers (axes, sizes) stay arrays: they shape the graph instead of flowing through it.

    Parameters
    ----------
    recorder : Recorder
    plan : Plan
    activations : dict of str -> array
        An example of each.
    names : dict of str -> str
        What the file calls a tensor, where that is not its own name.
    constants : Symbols, optional
        Where constants are looked up, if not here.

    Attributes
    ----------
    held : dict of tensor name -> str
        What the file calls the value that is read here: of another number type it is a cast.
    """

    def __init__(
        self,
        recorder: Recorder,
        plan: Plan,
        activations: Mapping[str, Array],
        names: Mapping[str, str] | None = None,
        constants: Symbols | None = None,
    ) -> None:
        super().__init__()
        self.recorder, self.plan, self.constants = recorder, plan, constants
        self.graph = graph = plan.graph
        self.held: dict[str, str] = {}
        carrying = plan.carrying
        # A mask, indices, or a zero point that every input has of its own: what is computed from held values.
        fed = graph.computed | {name for unit in graph.units.values() for name in unit.tensors}
        for name, value in activations.items():
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
                continue  # an output that is a list, a map or text: no walk reads it
            there = (names or {}).get(name, name)
            # Inputs may be whole numbers themselves (pixels).
            flows = value.dtype.kind == "f" or name in carrying
            self[name] = self._floating(there, value) if flows else value
            if not flows and name in fed:
                self[name] = Symbol(recorder, there, value)
            self.held[name] = self[name].name if flows else there

    def complete(self) -> None:
        """Add what quantised tensors stand for, and what is made again of that."""
        for name, unit in self.graph.units.items():
            if name in self.held:
                parameters = {one: Cast(self[one], to=FLOAT32) for one in unit.tensors}
                self[name] = unit.real(self[name], parameters)
                self.held[name] = self[name].name
        for step in self.plan.remade:
            x, parameters = step.layer.read(self), step.layer.prepare(self)
            self[step.layer.output] = made = step.layer.bind(x, None, parameters).forward(x)
            self.held[step.layer.output] = made.name

    def __missing__(self, name: str) -> Value:
        if self.constants is not None:
            return self.constants[name]
        value = self.graph.constant(name)
        if value.dtype.kind != "f":
            self[name] = value
        elif name in self.graph.arrays:  # no file holds it: it gets a name that is free there
            self[name] = self.recorder.constant(value.astype(np.float32, copy=False))
        else:
            self[name] = self._floating(name, value)
        return self[name]

    def _floating(self, name: str, value: Array) -> Value:
        symbol = Symbol(self.recorder, name, value)
        return symbol if value.dtype == np.float32 else Cast(symbol, to=FLOAT32)


def replay(
    proto: onnx.ModelProto,
    outer: Symbols,
    recorder: Recorder,
    points: Mapping[str, Symbol],
    examples: Mapping[str, Array],
) -> Symbols:
    """Copy the nodes of a model, to compute some of its tensors at other points.

    Parameters
    ----------
    proto : onnx.ModelProto
    outer : Symbols
        Of the model's own run: constants are shared with it.
    recorder : Recorder
        Takes the copies.
    points : dict of input name -> Symbol
        What is fed in place of the inputs.
    examples : dict of str -> array
        The tensors that are wanted, an example of each.

    Raises
    ------
    UnsupportedError
        A subgraph (If, Loop) would have to be copied.
    """
    types = {value.name: value.dtype for value in outer.graph.inputs}
    names = {name: cast_to(types[name], symbol).name for name, symbol in points.items()}
    needed = _ancestors(proto.graph.node, examples)
    for node in proto.graph.node:
        captured = captured_names(node)
        if names.keys().isdisjoint((*node.input, *captured)) or needed.isdisjoint(node.output):
            continue
        if captured or any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute):
            raise UnsupportedError(
                f"{node.op_type} {node.name!r}: a model with subgraphs cannot be asked again"
            )
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        with recorder.scoped("model"):
            names.update((name, recorder.fresh(name)) for name in node.output if name)
            copy.name = recorder.fresh(node.name or node.output[0])
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [names.get(name, name) for name in node.output]
        recorder.nodes.append(copy)
    wanted = {name: value for name, value in examples.items() if name not in points}
    copied = Symbols(recorder, outer.plan, wanted, names, outer)
    copied.update(points)
    with recorder.scoped("real"):
        copied.complete()
    return copied


def _ancestors(nodes: Sequence[onnx.NodeProto], wanted: Mapping[str, Array]) -> set[str]:
    needed = set(wanted)
    for node in reversed(nodes):
        if not needed.isdisjoint(node.output):
            needed.update((*node.input, *captured_names(node)))
    return needed
