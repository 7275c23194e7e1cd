"""What answers an explainer's questions: plans and walkers, by the backends that were chosen."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress

from .. import composites
from ..canonizers import is_quantised
from ..composites import Composite
from ..errors import TargetError, UnsupportedError
from ..methods import Method
from ..model.graph import Graph
from ..model.parts import Parts
from ..plain.recent import Recent
from ..plan import Plan, make_plan
from ..recipe.stopping import at_words
from ..targets import Anchor, Target, anchor_at_tensor, check_scored, conditioned_tensors
from ..walk.backends import Backends
from ..walk.chunks import Batches
from ..walk.forward import LayersForward, OutputForward, SessionForward
from ..walk.front import Front, Precise
from ..walk.gates import check_passable
from ..walk.in_front import check_samples
from ..walk.walker import NumpyWalker, Scorer, Walker, Walkers

# How many targets' plans and sessions an explainer holds: those asked for last. Another one is made again,
# in some 50 ms for a ResNet-50; each holds the runtime's memory for one forward pass.
KEPT = 16


def walker(by: Backends, plan: Plan, batches: Batches) -> NumpyWalker:
    """The walker of a plan, audited unless that was declined.

    Raises
    ------
    ModelError, NumericalError
    """
    forward = LayersForward if runs_in_numpy(by, plan.graph) else SessionForward
    return NumpyWalker(plan, forward(plan, by.dtype), batches, by.audit)


def runs_in_numpy(by: Backends, graph: Graph) -> bool:
    """Whether the forward pass is NumPy's: what rounds to whole numbers is onnxruntime's in every type."""
    return by.forward == "numpy" and not is_quantised(graph)


def walker_of_many(by: Backends, one: NumpyWalker) -> Walker:
    """The same, walking in onnxruntime; what that needs is loaded when it is first asked for."""
    from ..compiler.walker import OnnxWalker

    return OnnxWalker(one, must=by.engine == "onnxruntime")


class Prepared:
    """Plans and walkers of one model and method, each made when it is asked for. Thread-safe.

    Parameters
    ----------
    graph : Graph
    composite : Composite
    keep : collection of str, or "all"
    method : Method
    backends : Backends
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        keep: Collection[str] | str,
        method: Method,
        backends: Backends,
    ) -> None:
        self.graph, self.composite, self.keep = graph, composite, keep
        self.method, self.backends = method, backends
        self._plans: Recent[tuple[Anchor, tuple[str, ...]], Plan] = Recent(KEPT)
        self._walkers: Recent[tuple[Anchor, Plan | None], Walkers] = Recent(KEPT)
        self._lock = threading.Lock()
        self._batches = Batches(graph)

    def plan(self, anchor: Anchor, conditioned: tuple[str, ...] = ()) -> Plan:
        """The plan from an anchor; `conditioned` tensors stay visible in it.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError
        """
        with self._lock:
            return self._plans.get(
                (anchor, conditioned),
                lambda: self.method.plan(self.graph, self.composite, anchor, self.keep, conditioned),
            )

    def walkers(self, targets: Collection[Target]) -> dict[Anchor, Walkers]:
        """What answers for every anchor.

        All targets have the conditioned tensors of all in their plans: so they can share a walker.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError, ModelError
        """
        return {anchor: self._made(anchor, plan) for anchor, plan in self.plans(targets).items()}

    def plans(self, targets: Collection[Target]) -> dict[Anchor, Plan | None]:
        """The plan from every anchor, all that can be told of a walk by it checked; None where none walks.

        Raises
        ------
        TargetError, UnsupportedError, CompositeError, InputError
        """
        conditioned = conditioned_tensors(condition for target in targets for condition in target.conditions)
        if conditioned:
            self.method.require_keeping("conditions")
        plans: dict[Anchor, Plan | None] = {}
        for target in targets:
            plans[target.anchor] = plan = None
            if not self.method.walks:
                check_scored(target)
            if self.method.walks:
                plans[target.anchor] = plan = self.plan(target.anchor, conditioned)
                check_passable(plan, target.conditions)
                check_samples(self.graph, plan)
        return plans

    def front(self, parts: Parts) -> Front:
        """What computes the stops of a cut model, in the walk's number type as far as there are layers."""
        precise: dict[str, Precise] = {}
        for name in parts.computed if self.backends.forward == "numpy" else ():
            with suppress(UnsupportedError, TargetError):
                precise[name] = self._precise(parts.whole, name)
        return Front(parts, precise)

    def _precise(self, whole: Graph, name: str) -> Precise:
        """What computes a tensor by the layers' own bodies, from the rows of words where there are words.

        Raises
        ------
        UnsupportedError, TargetError
        """
        words = at_words(whole)
        graph = whole if words is None else words.rest
        plan = make_plan(graph, composites.get("gradient"), anchor_at_tensor(graph, name))
        forward, rows = LayersForward(plan, self.backends.dtype), Front(words, {}) if words else dict
        return lambda feeds: forward(rows(feeds)).activations[plan.anchor.tensor]

    def _made(self, anchor: Anchor, plan: Plan | None) -> Walkers:
        with self._lock:
            return self._walkers.get((anchor, plan), lambda: self._make(anchor, plan))

    def _make(self, anchor: Anchor, plan: Plan | None) -> Walkers:
        by, batches = self.backends, self._batches
        # A score is that of a sample alone, whatever else is asked at the same time.
        apart = Batches(self.graph, [anchor.tensor, anchor.output])
        if plan is None:
            in_numpy = runs_in_numpy(by, self.graph)
            forward = self._forward(anchor) if in_numpy else OutputForward(self.graph, anchor)
            return Walkers(lambda: Scorer(forward, apart), graph=self.graph, dtype=by.dtype, apart=apart)
        one = walker(by, plan, apart.walked(plan.sources))

        def scorer() -> Scorer:
            # Scores are those of the same forward pass, where that is not the file's own.
            in_numpy = runs_in_numpy(by, self.graph)
            forward = one.forward if in_numpy else OutputForward(self.graph, anchor)
            mixing = apart.mixing
            return Scorer(forward, batches if mixing is None or not mixing.is_sure else apart)

        return Walkers(scorer, one, lambda: walker_of_many(by, one), by.least, graph=self.graph, apart=apart)

    def check_forward(self, anchor: Anchor) -> None:
        """Refuse scores of a forward pass in NumPy, where that was asked for and a node has no layer.

        Raises
        ------
        UnsupportedError
        """
        if runs_in_numpy(self.backends, self.graph):
            self._layers(anchor)

    def _forward(self, anchor: Anchor) -> LayersForward:
        return LayersForward(self._layers(anchor), self.backends.dtype)

    def _layers(self, anchor: Anchor) -> Plan:
        """What a forward pass in NumPy needs, for scores alone: for every node a layer, whatever its rule."""
        try:
            return make_plan(self.graph, composites.get("gradient"), anchor)
        except UnsupportedError as error:
            raise UnsupportedError(
                "dtype 'float64' and forward 'numpy' run the model in NumPy, layer by layer; leave them out, "
                f"and onnxruntime runs the file as it is. {error}"
            ) from error
