"""FullGrad: what the input, every layer and every constant have of the score, laid on the input's places."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..composites import Composite
from ..errors import TargetError
from ..inputs.feeds import Batch
from ..layers import Bound
from ..model.axes import Axes, axes_of, followed_samples
from ..model.graph import Graph
from ..plain.checks import is_one_of
from ..plan import Plan, Step, looking, make_plan
from ..rules import Handed, Relevance
from ..targets import Anchor, Target
from ..tensor import Abs, Array, ReduceSum, Value, finite, largest, smallest, total
from ..tensor.resampling import UPSAMPLING, enlarged
from ..walk.runs import Run
from ..walk.walker import Walkers
from .base import Method, Progress
from .cam import placed
from .places import Grid, places_of
from .question import Question, axes_of_feeds
from .trace import Trace

POSTPROCESSING = ("rescale", "absolute", "raw")
# What is gathered beside relevance; no tensor of a file is called so.
MAP, CONSTANTS, LAYERS, STARTED = "\0map", "\0constants", "\0layers", "\0started"
# Kinds of layers whose inputs FullGrad+ looks at.
READERS = frozenset({"convolution", "dense", "normalization", "recurrent"})


def postprocessed(x: Value, how: str) -> Value:
    """ψ of one layer's term: |x| brought to [0, 1] in each sample, |x|, or x."""
    if how == "raw":
        return x
    size = Abs(x)
    if how == "absolute":
        return size
    size = size - smallest(size)
    return size / (largest(size) + 1e-6)


@dataclass(frozen=True)
class FullGrad(Method):
    """Σ_c ψ(x·∂f/∂x) + Σ_layers Σ_c ψ(b·∂f/∂b), b a layer's constants. Srinivas & Fleuret 2019, eqs. 6-8.

    f(x) = Σ x·∂f/∂x + Σ b·∂f/∂b, over all constants: biases, BatchNormalization's, a class token, and what
    the tangent of a curved map leaves, Clip's bound; `Explanation.delta` is what they miss of it. Under a
    composite of relevance it is the relevance of the input, and the share of every layer's constants.

    The map has one channel. What a layer's constants have is laid on the input where its values lie: that of
    dense layers behind the last places is in the sum alone, as in the paper.

    Parameters
    ----------
    postprocess : str
        ψ. "rescale" is the paper's, |x| brought to [0, 1] in every layer; "absolute" |x|; "raw" x itself,
        which keeps sums: those of the map are the sum of what has a place.
    upsampling : str
        "bilinear", the paper's, or "nearest".
    """

    composite: ClassVar[str] = "gradient"
    keeps: ClassVar[bool] = True
    layered: ClassVar[bool] = False
    postprocess: str = "rescale"
    upsampling: str = "bilinear"

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, known in (("postprocess", POSTPROCESSING), ("upsampling", UPSAMPLING)):
            value = getattr(self, option)
            self.require(is_one_of(value, known), f"{option} is {value!r}; there is: {', '.join(known)}")

    def plan(
        self,
        graph: Graph,
        composite: Composite,
        anchor: Anchor,
        keep: Collection[str] | str = (),
        conditioned: Collection[str] = (),
    ) -> Plan:
        plan = make_plan(graph, composite, anchor, keep, conditioned)
        tensors = set(plan.tensors)
        layers = tuple(name for name in plan.keep.values() if name in tensors) or crossed(plan)
        terms = Terms(self.postprocess, self.upsampling, layers if self.layered else ())
        plan = looking(plan, frozenset("xz")) if plan.gradient else plan
        return replace(plan, gathers=terms)

    def answer(
        self, walkers: Walkers, given: Batch, targets: Sequence[Target], progress: Progress | None = None
    ) -> list[Run]:
        for target in targets:
            if target.start == "clrp":
                raise TargetError(
                    "start: 'clrp' leaves out what speaks against, and FullGrad adds all up; take 'margin'"
                )
        runs, plan = [], walkers.one.plan
        for run, target in zip(walkers.one(given.feeds, targets), targets, strict=True):
            copies = len(run.start) // given.samples
            feeds = {name: np.repeat(x, copies, axis=0) for name, x in given.feeds.items()}
            maps, whole = self.maps(walkers, run, feeds, given.layout)
            laid = np.sum([total(value, len(run.start)) for value in maps.values()], axis=0)
            sums = self.postprocess == "raw"
            placeless = whole + run.relevance[LAYERS] - laid if sums else None
            # Under conditions something is held back, which is not missed.
            delta = None if target.conditions else whole - (run.relevance[STARTED] if plan.steps else whole)
            runs.append(replace(run, relevance={**run.relevance, **maps}, delta=delta, placeless=placeless))
        return runs

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        maps, _ = self.maps(question.walkers, question.walked(), question.whole, question.told)
        return maps

    def maps(
        self, walkers: Walkers, run: Run, feeds: Mapping[str, Array], layout: str
    ) -> tuple[dict[str, Array], Array]:
        """The maps of the inputs, and what their own terms and all constants' sum to, (N,)."""
        plan = walkers.one.plan
        axes = axes_of_feeds(plan.graph, feeds, layout)
        terms = {name: own_term(plan, feeds[name], run.relevance[name]) for name in plan.sources}
        own = np.sum([total(term, len(run.start)) for term in terms.values()], axis=0)
        whole = np.asarray(own + run.relevance[CONSTANTS])
        return self.laid(terms, axes, run.relevance.get(MAP)), whole

    def laid(self, terms: Mapping[str, Value], axes: Mapping[str, Axes], others: Value) -> dict[str, Value]:
        """The map of every input: its own term, and of the first with places what layers have."""
        found: dict[str, Value] = {}
        for name, term in terms.items():
            term, its = postprocessed(term, self.postprocess), axes[name]
            if not has_places(its):
                found[name] = term
                continue
            own = term if its.channel is None else ReduceSum(term, np.array([its.channel]))
            if others is not None and others.ndim == 2 + len(its.places):
                own = own + placed(others, term, its, self.upsampling)
                others = None
            found[name] = own
        return found

    def emit(self, trace: Trace) -> dict[str, Value]:
        relevance, plan = trace.walk(), trace.plan
        axes = axes_of_feeds(plan.graph, trace.examples, trace.layout)
        terms = {name: own_term(plan, x, relevance[name]) for name, x in trace.inputs.items()}
        return {**relevance, **self.laid(terms, axes, relevance.get(MAP))}


@dataclass(frozen=True)
class FullGradPlus(FullGrad):
    """FullGrad, and Σ_layers Σ_c ψ(x_l·∂f/∂x_l), x_l the input of a layer. Mehri et al. 2024, 2025.

    The layers are those that all paths from the target to the input pass through, as blocks of a transformer
    and of a residual net; `keep` names others. Gradients are LibraGrad's by default.
    """

    composite: ClassVar[str] = "libragrad"
    layered: ClassVar[bool] = True
    postprocess: str = "raw"


def own_term(plan: Plan, x: Value, answer: Value) -> Value:
    """x·∂f/∂x, or the relevance of x."""
    return x * answer if plan.gradient else answer


def has_places(axes: Axes) -> bool:
    """Whether an input has places, and it is told which they are."""
    return bool(axes.places) and not axes.is_open and not axes.beside


def crossed(plan: Plan) -> tuple[str, ...]:
    """Inputs of layers that every path from the target to the inputs passes."""
    reading: dict[str, set[str]] = {}
    for step in plan.steps:
        for name in step.layer.inputs:
            reading.setdefault(name, set()).add(step.layer.kind.name)
    found, pending = [], {plan.anchor.tensor}
    for step in plan.steps:
        output = step.layer.output
        if pending == {output} and not READERS.isdisjoint(reading.get(output, ())):
            found.append(output)
        pending = (pending - {output}) | set(step.layer.inputs)
    return tuple(found)


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
