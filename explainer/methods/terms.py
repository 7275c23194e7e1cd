"""What FullGrad gathers on a walk: what layers and constants have of the score, laid on an input's places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..layers import Bound
from ..model.axes import axes_of, followed_samples
from ..model.told import Axes
from ..plan import Plan, Step
from ..rules import Handed, Relevance
from ..tensor import Abs, Array, ReduceSum, Value, finite, largest, smallest, total
from ..tensor.resampling import enlarged
from .places import Grid, places_of

POSTPROCESSING = ("rescale", "absolute", "raw")
# What is gathered beside relevance; no tensor of a file is called so.
MAP, CONSTANTS, LAYERS, STARTED = "\0map", "\0constants", "\0layers", "\0started"


def postprocessed(x: Value, how: str) -> Value:
    """ψ of one layer's term: |x| brought to [0, 1] in each sample, |x|, or x."""
    if how == "raw":
        return x
    size = Abs(x)
    if how == "absolute":
        return size
    size = size - smallest(size)
    return size / (largest(size) + 1e-6)


def has_places(axes: Axes) -> bool:
    """Whether an input has places, and it is told which they are."""
    return bool(axes.places) and not axes.is_open and not axes.beside


@dataclass(frozen=True)
class Terms:
    """What is gathered on a walk: see `explainer.plan.steps.Gathers`.

    Attributes
    ----------
    postprocess, upsampling : str
        See `FullGrad`.
    layers : tuple of str
        Tensors whose own term is laid too.
    """

    postprocess: str
    upsampling: str
    layers: tuple[str, ...] = ()

    def __call__(
        self, plan: Plan, parameters: Callable[[Step], Mapping[str, Value]], samples: int | None
    ) -> Gathered:
        """What gathers on one walk."""
        return Gathered(self, plan, parameters, samples)


@dataclass(eq=False)
class Gathered:
    """The terms of one walk; its constants' are summed on arrays alone."""

    terms: Terms
    plan: Plan
    parameters: Callable[[Step], Mapping[str, Value]]
    samples: int | None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    found: list[tuple[str, Value]] = field(default_factory=list)
    kept: dict[str, Value] = field(default_factory=dict)
    constants: list[Array] = field(default_factory=list)
    layers: list[Array] = field(default_factory=list)
    started: list[Array] = field(default_factory=list)

    def __call__(self, step: Step, layer: Bound, R: Relevance, handed: Handed) -> None:
        """See `explainer.plan.steps.Gathering`."""
        output, gradient = step.layer.output, self.plan.gradient
        self.shapes[output] = R.factor.shape
        begins = step is self.plan.steps[0] and self.samples is not None
        own = None
        if begins or output in (*self.terms.layers, *self.plan.keep.values()):
            own = R.whole * layer(layer.x) if gradient else R.whole
        if begins:
            self.started.append(self._total(own, output))
        if output in self.plan.keep.values():
            self.kept[output] = own
        if output in self.terms.layers:
            self._add(step, own)
            if self.samples is not None:
                self.layers.append(self._total(own, output))
        for letter, name in step.kept if gradient else ():
            part = self._times_constant(layer, letter, R.whole)
            self.kept[name] = self.kept[name] + part if name in self.kept else part
        laid, rest = handed.constants()
        for part in laid:
            self._add(step, part)
        if self.samples is not None:
            self.constants += [self._total(part, output) for part in laid]
            self.constants += [total(part, self.samples) for part in rest]

    def _total(self, term: Value, tensor: str) -> Array:
        """Its sum for each sample, wherever the graph has the samples."""
        labels = followed_samples(self.plan.graph).get(tensor, (0,))
        axis = labels.index(0) if 0 in labels else 0
        return total(np.moveaxis(term, axis, 0) if axis else term, self.samples or 1)

    @staticmethod
    def _times_constant(layer: Bound, letter: str, s: Value) -> Value:
        """c·∂f/∂c where a constant lies."""
        if layer.bias is not None:
            return s * layer.layer.constant(letter, layer)
        return layer.layer.at_constant(letter, s * finite(layer(layer.x)), layer)

    def _add(self, step: Step, term: Value) -> None:
        """A term, its channels summed at once where a convolution says which they are."""
        term = postprocessed(term, self.terms.postprocess)
        if step.layer.kind == "convolution":
            term = ReduceSum(term, np.array([1]))
        self.found.append((step.layer.output, term))

    def result(self, arrived: Mapping[str, Value]) -> dict[str, Value]:
        """The map over places, and what constants have in all."""
        sums = {}
        if self.samples is not None:
            nothing = np.zeros(self.samples)
            found = {CONSTANTS: self.constants, LAYERS: self.layers, STARTED: self.started}
            sums = {name: sum(parts, nothing) for name, parts in found.items()}
        laid = self._laid(arrived)
        return {**self.kept, **sums, **({} if laid is None else {MAP: laid})}

    def _laid(self, arrived: Mapping[str, Value]) -> Value:
        """All terms with a place, on those of the first input that has some; None where there are none."""
        graph, shapes = self.plan.graph, {name: arrived[name].shape for name in self.plan.sources}
        axes = {name: axes_of(graph, name, shape) for name, shape in shapes.items()}
        axes = {name: its for name, its in axes.items() if has_places(its) and its.samples == 0}
        if not axes:
            return None
        first, its = next(iter(axes.items()))
        axes = {name: other for name, other in axes.items() if len(other.places) == len(its.places)}
        sizes = tuple(shapes[first][axis] for axis in its.places)
        places = places_of(self.plan, {**self.shapes, **shapes}, axes, self.parameters)
        grids: dict[str, Grid | None] = {}
        sums: dict[tuple[int, ...], Value] = {}
        for name, term in self.found:
            if name not in grids:
                grids[name] = Grid.of(places[name], self.shapes[name], sizes) if name in places else None
            grid = grids[name]
            if grid is not None and grid.is_small:
                part = grid.lay(term)
                sums[grid.sizes] = sums[grid.sizes] + part if grid.sizes in sums else part
        sharing = self.terms.postprocess == "raw"
        parts = [enlarged(part, sizes, self.terms.upsampling, sharing) for part in sums.values()]
        return sum(parts[1:], parts[0]) if parts else None
