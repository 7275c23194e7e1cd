"""Scatters: values put, or added, at places of a base; what stands there otherwise is the base's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tensor
from ..errors import UnsupportedError
from ..model.graph import Graph, Node
from ..model.operators import Facts, as_all
from ..tensor import Value
from .base import Bound, Layer, attribute, text_of
from .kinds import SUM
from .movement import Joined
from .parameters import Parameters
from .registry import register


class Scatter(Joined):
    """z is an update where one is put, and the base everywhere else; places are a parameter."""

    places = (0, 2)
    facts = Facts(sign=as_all)

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        if graph.carrying.isdisjoint(node.inputs[place] for place in self.places):
            raise UnsupportedError(
                "its list of indices is computed from the input, and nothing else of it is"
            )
        reduction = attribute(node, "reduction") or "none"
        if text_of(reduction) not in ("none", "add"):
            raise UnsupportedError(f"reduction {text_of(reduction)!r}; only 'none' and 'add' are supported")
        self.inputs = tuple(node.inputs[i] for i in self.places if node.inputs[i] in graph.carrying)
        self.operands["indices"] = name = node.operand(1)
        meet = graph.is_constant(name) and self.meets(graph.constant(name))
        if meet and 2 in self.constant_places and self.reduction == "add":
            raise UnsupportedError(
                "its indices add two constants up in one place: let the file hold their sum"
            )
        if meet and self.reduction == "none":
            raise UnsupportedError(
                "its indices put two updates in one place, and ONNX does not say which stays"
            )

    @classmethod
    def form(cls, node: Node, graph: Graph) -> type[Layer]:
        """What is added up is a sum."""
        adds = text_of(attribute(node, "reduction") or "none") == "add"
        return cls.forms[0] if adds else cls

    reduction = "none"

    def put(self, base: Value, p: Parameters, updates: Value) -> Value:
        """The base with updates in their places, or added there."""
        raise NotImplementedError

    def picked(self, s: Value, p: Parameters) -> Value:
        """What stands in the places of the updates."""
        raise NotImplementedError

    def meets(self, indices: Any) -> bool:
        """Whether a place is named twice."""
        raise NotImplementedError

    def forward(self, x: Value, p: Parameters) -> Value:
        base, updates = self.operand_list(x, p)
        return self.put(base, p, updates)

    def parts(self, s: Value, at: Bound) -> tuple[Value, Value]:
        """What of s is the base's, and the updates'."""
        updates = self.picked(s, at.p)
        return self.put(s, at.p, updates * 0), updates

    def transpose(self, s: Value, at: Bound) -> Value:
        parts = zip(self.places, self.parts(s, at), strict=True)
        c = tensor.Bundle(part for place, part in parts if place not in self.constant_places)
        return c if isinstance(at.x, tensor.Bundle) else c[0]

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return self.parts(s, at)[self.places.index(int(letter))]

    def bias_share(self, s: Value, at: Bound) -> Value:
        if not self.constant_places:
            return None
        base, updates = self.parts(s, at)
        return base if 0 in self.constant_places else self.put(s * 0, at.p, updates)


class Adding(Scatter):
    """z is the base and what is added to it: shared by what each brought."""

    kind = SUM
    reduction = "add"

    def __init__(self, node: Node, graph: Graph, output: int = 0) -> None:
        super().__init__(node, graph, output)
        self.has_constants = False  # they are a bias

    @property
    def constants(self) -> dict[str, str]:
        # What is added lies in some places of z alone.
        return {str(place): self.operands[str(place)] for place in self.constant_places if place == 0}

    def terms(self, x: Value, p: Parameters) -> list[Value]:
        """Base and updates, the activations times the weight 1 that a sum has of itself."""
        both = zip(self.places, self.operand_list(x, p), strict=True)
        return [
            term
            if place in self.constant_places or p.change is None
            else term * p.implied(term.dtype.type(1))
            for place, term in both
        ]

    def forward(self, x: Value, p: Parameters) -> Value:
        base, updates = self.terms(x, p)
        return self.put(base, p, updates)

    def parts(self, s: Value, at: Bound) -> tuple[Value, Value]:
        weighted = s if at.p.change is None else s * at.p.implied(s.dtype.type(1))
        return weighted, self.picked(weighted, at.p)

    def bias(self, at: Bound) -> Value:
        if not self.constant_places:
            return None
        both = zip(self.places, self.operand_list(at.x, at.p), strict=True)
        base, updates = (term if place in self.constant_places else term * 0 for place, term in both)
        return self.put(base, at.p, updates)

    def bias_share(self, s: Value, at: Bound) -> Value:
        return Layer.bias_share(self, s, at)

    def at_constant(self, letter: str, s: Value, at: Bound) -> Value:
        return s

    def unbiased(self, p: Parameters) -> Parameters:
        values = {key: b * 0 if key in self.constants_of_all else b for key, b in p.items()}
        return Parameters(values, p.change)

    @property
    def constants_of_all(self) -> frozenset[str]:
        """The letters of the base and updates that are constant."""
        return frozenset(map(str, self.constant_places))


@register("ScatterElements")
class ScatterElements(Scatter):
    """One value for each index, along an axis."""

    def put(self, base: Value, p: Parameters, updates: Value) -> Value:
        axis, reduction = attribute(self.node, "axis"), self.reduction
        return tensor.ScatterElements(base, p["indices"], updates, axis=axis, reduction=reduction)

    def picked(self, s: Value, p: Parameters) -> Value:
        return tensor.GatherElements(s, p["indices"], axis=attribute(self.node, "axis"))

    def meets(self, indices: Any) -> bool:
        lines = np.sort(indices, axis=attribute(self.node, "axis"))
        return bool((np.diff(lines, axis=attribute(self.node, "axis")) == 0).any())


class AddingElements(ScatterElements, Adding):
    """Values added along an axis."""

    forms = ()


@register("ScatterND")
class ScatterND(Scatter):
    """One value, or slice, for each vector of indices."""

    def put(self, base: Value, p: Parameters, updates: Value) -> Value:
        return tensor.ScatterND(base, p["indices"], updates, reduction=self.reduction)

    def picked(self, s: Value, p: Parameters) -> Value:
        return tensor.GatherND(s, p["indices"])

    def meets(self, indices: Any) -> bool:
        vectors = indices.reshape(-1, indices.shape[-1])
        return len(np.unique(vectors, axis=0)) < len(vectors)


class AddingND(ScatterND, Adding):
    """Values added in their places."""

    forms = ()


ScatterElements.forms, ScatterND.forms = (AddingElements,), (AddingND,)


@register("Scatter")
class OldScatter(ScatterElements):
    """ScatterElements as it was called before opset 11, when nothing was added."""

    forms = ()
