"""FullGrad: what the input, every layer and every constant have of the score, laid on the input's places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..composites import Composite
from ..errors import TargetError
from ..inputs.feeds import Batch
from ..layers.kinds import MOVEMENT
from ..model.graph import Graph
from ..model.told import Axes
from ..plain.checks import is_one_of
from ..plan import Plan, looking, make_plan
from ..targets import Anchor, Target
from ..tensor import Array, ReduceSum, Value, total
from ..tensor.resampling import UPSAMPLING
from ..walk.runs import Run
from ..walk.walker import Walkers
from .base import Method, Progress
from .cam import placed
from .question import Question, axes_of_feeds
from .terms import CONSTANTS, LAYERS, MAP, POSTPROCESSING, STARTED, Terms, has_places, postprocessed
from .trace import Trace

# Kinds of layers whose inputs FullGrad+ looks at.
READERS = frozenset({"convolution", "dense", "normalization", "recurrent"})


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


def crossed(plan: Plan) -> tuple[str, ...]:
    """Inputs of layers that every path from the target to the inputs passes, but the model's own, also moved.

    So a model of pictures with channels last, or in patches, has the same map as without the Transpose.
    """
    moved = set(plan.sources)
    for step in reversed(plan.steps):
        if step.layer.kind == MOVEMENT and moved.issuperset(step.layer.inputs):
            moved.add(step.layer.output)
    reading: dict[str, set[str]] = {}
    for step in plan.steps:
        for name in step.layer.inputs:
            reading.setdefault(name, set()).add(step.layer.kind.name)
    found, pending = [], {plan.anchor.tensor}
    for step in plan.steps:
        output = step.layer.output
        is_read = output not in moved and not READERS.isdisjoint(reading.get(output, ()))
        if is_read and pending == {output}:
            found.append(output)
        pending = (pending - {output}) | set(step.layer.inputs)
    return tuple(found)
