"""What a method is: a way of asking a model, at one point or at many, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..composites import Composite
from ..errors import CompositeError, InputError, ModelError, TargetError
from ..inputs.feeds import Batch, as_text
from ..model.axes import axes_of
from ..model.graph import Graph
from ..plain.checks import check_held, is_whole
from ..plain.tables import html_table, text_table
from ..plan import Plan, make_plan
from ..rules import Stabilized, Zero
from ..targets import Anchor, Target
from ..tensor import Array, Value, total
from ..walk.runs import Run
from ..walk.walker import Walkers
from .asking import check_is_no_list, check_is_score, refused_when_changed
from .baselines import Baseline, is_baseline, origins_of
from .drawn import check_steady
from .question import Question, check_hold, refuse_whole_numbers
from .trace import Trace

# Called with what is done and what there is to do, in model runs.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Method:
    """A way of explaining, its options as fields: ``method(question, progress) -> {input: array}``.

    A subclass says all that concerns it alone: what it asks (`__call__`), by which plan it walks
    (`plan`), what it makes of a compiled file (`emit`), and what its maps are (`repeats`, `conserves`).

    Attributes
    ----------
    composite : str
        The composite of its walks; "" where the caller's is used.
    single : bool
        Whether it is one walk from the input itself, and `read` all that it makes of it.
    elsewhere : bool
        Whether it asks at other points than the input.
    keeps : bool
        Whether inner tensors have a relevance too, and conditions can be put on them.
    dialect : str
        The dialect that names what it does anyway, its own tool's; "" where none does.
    """

    composite: ClassVar[str] = "gradient"
    dialect: ClassVar[str] = ""
    single: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = False
    keeps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for option in fields(self):
            check_held(option.name, getattr(self, option.name))

    def __call__(self, question: Question, progress: Progress | None = None) -> dict[str, Array]:
        """The attributions of the inputs that are explained, or of some of them.

        Parameters
        ----------
        question : Question
        progress : callable, optional

        Returns
        -------
        dict of input name -> array (N, ...)
            As many axes as the input has; one channel may stand for all.
        """
        raise self.wrong("has no __call__(self, question, progress), which returns the attributions")

    @property
    def walks(self) -> bool:
        """Whether it walks at all, or only asks for scores: then any model will do."""
        return True

    def plan(
        self,
        graph: Graph,
        composite: Composite,
        anchor: Anchor,
        keep: Collection[str] | str = (),
        conditioned: Collection[str] = (),
    ) -> Plan:
        """The plan of its walks.

        Raises
        ------
        UnsupportedError, CompositeError, TargetError, InputError
            See `make_plan`; or rules of relevance where a gradient is needed.
        """
        plan = make_plan(graph, composite, anchor, keep, conditioned)
        if self.walks:
            require_gradients(plan)
        return plan

    def answer(
        self, walkers: Walkers, given: Batch, targets: Sequence[Target], progress: Progress | None = None
    ) -> list[Run]:
        """What it makes of one batch, for targets that have an anchor in common.

        Raises
        ------
        InputError, TargetError, ModelError, NumericalError
        """
        runs = []
        for target in targets:
            if not self.walks and target.start in ("clrp", "sglrp"):
                raise TargetError(
                    f"start: {target.start!r} contrasts walks, and this method has none; take 'probability' "
                    "or 'margin'"
                )
            if not self.walks:
                check_steady(walkers.graph, target.anchor)
                check_is_score(walkers.graph, target.anchor)
            question, run = Question.of(walkers, given, target)
            if not self.walks:
                question.check_steady(run.score)
            asked = question.holding([*self.held(question), *self._fixed(question)])
            if self.elsewhere:
                refuse_whole_numbers(asked.feeds)
                check_is_no_list(walkers.graph, target.anchor)
            try:
                found = self(asked, progress)
            except ModelError as error:
                if self.walks:
                    raise
                raise refused_when_changed(asked, error) from error
            self.check_maps(found, asked)
            # What the caller holds has a map, of nothing; what is held by its nature has none.
            nothing = {
                name: np.zeros(question.feeds[name].shape, question.dtype) for name in self.named(question)
            }
            runs.append(replace(run, relevance={**found, **nothing}, delta=self.delta(asked, found)))
        return runs

    def held(self, question: Question) -> tuple[str, ...]:
        """The inputs that stay as they are."""
        return ()

    def _fixed(self, question: Question) -> list[str]:
        """Those beside the data with nothing between two of their values, where that would be asked for."""
        held = self.held(question)
        whole = [
            name for name, x in question.feeds.items() if x.dtype.kind != "f" and question.axes[name].beside
        ]
        return [name for name in whole if self.elsewhere and name not in held]

    def named(self, question: Question) -> list[str]:
        """Those of them that the caller named."""
        names: tuple[str, ...] = getattr(self, "hold", None) or ()
        return [name for name in question.feeds if name in names]

    def check_maps(self, found: object, question: Question) -> None:
        """Refuse what is no attribution of a question's inputs.

        Raises
        ------
        InputError
        """
        inputs = ", ".join(map(repr, question.feeds))
        if not isinstance(found, Mapping) or not found:
            what = "nothing" if isinstance(found, Mapping) else type(found).__name__
            raise self.wrong(f"returned {what}, not a dict of input name -> array; the inputs are {inputs}")
        for name, values in found.items():
            if name not in question.feeds:
                raise self.wrong(f"returned a map of {name!r}, which is no input; the inputs are {inputs}")
            shape, wanted = getattr(values, "shape", None), question.feeds[name].shape
            if shape is None:
                raise self.wrong(f"returned {type(values).__name__} as the map of {name!r}, not an array")
            fits = len(shape) == len(wanted) and shape[:1] == wanted[:1]
            if not fits or any(size not in (1, whole) for size, whole in zip(shape, wanted, strict=True)):
                raise self.wrong(f"returned a map {list(shape)} of {name!r}, which is {list(wanted)}")

    def wrong(self, what: str) -> InputError:
        """What its class does that no method may, and where it is told how they are."""
        return InputError(f"method {type(self).__name__}: it {what}; see docs/adding-a-method.md")

    def require_keeping(self, what: str) -> None:
        """Refuse to look at inner tensors where the method hands them nothing.

        Raises
        ------
        InputError
        """
        if not self.keeps:
            raise InputError(
                f"{what}: {type(self).__name__} gives inner tensors no relevance; methods that are one walk "
                f"do, 'lrp', 'gradient' and 'fullgrad' without noise: take one, or leave {what} out"
            )

    def require_askable(self, graph: Graph, layout: str = "", plan: Plan | None = None) -> None:
        """Refuse a model that the method cannot ask, whatever it is given.

        Raises
        ------
        InputError
        """
        inputs = {value.name: value for value in graph.inputs}
        sources = [name for name in inputs if name not in graph.held]
        if plan is not None:
            sources = [name for name in sources if name in plan.sources]
        names = getattr(self, "hold", None) or ()
        check_hold(names, inputs, sources)
        if self.elsewhere:
            asked = {name: inputs[name] for name in sources if name not in names}
            refuse_whole_numbers(
                {
                    name: value
                    for name, value in asked.items()
                    if value.shape is None or not axes_of(graph, name, value.shape, layout).beside
                }
            )

    def require_compilable(self) -> None:
        """Refuse what has no place in a model file.

        Raises
        ------
        InputError
        """
        if not self.walks:
            raise self.not_compilable(
                "asks for scores alone: there is no walk to put into a file, and explain answers it"
            )

    def emit(self, trace: Trace) -> dict[str, Value]:
        """The same in primitives, on the values of a file that is being written.

        Returns
        -------
        dict of tensor name -> Value
            The attributions of inputs, and the relevance of kept tensors if the method `keeps` them.

        Raises
        ------
        InputError
        """
        raise self.not_compilable("does not say what it puts into a file")

    def not_compilable(self, reason: str) -> InputError:
        """Why it has no place in a file."""
        return InputError(f"compile: {type(self).__name__} {reason}")

    def briefly(self) -> Method:
        """The same with little to do, to try out what is made of it; itself where nothing repeats."""
        return self

    def conserves(self, plan: Plan) -> bool:
        """Whether what arrives at the inputs is to be compared with what started."""
        return False

    def read(self, x: Value, answer: Value) -> Value:
        """The attribution that one walk is, in primitives."""
        return answer

    def repeats(self, x: Array) -> bool:
        """Whether every channel of the map of an input holds the whole amount of its place."""
        return False

    def delta(self, question: Question, found: Mapping[str, Array]) -> Array | None:
        """What the attributions miss of the sum that they should have, (N,); None where they need none."""
        return None

    def __str__(self) -> str:
        return text_table((type(self).__name__, "value"), self._told())

    def _repr_html_(self) -> str:
        return html_table(("option", "value"), self._told(), type(self).__name__)

    def _told(self) -> list[tuple[str, Any]]:
        """Every option with its value, in one line each."""
        return [(name, as_text(getattr(self, name))) for name in self.options()]

    @classmethod
    def options(cls) -> list[str]:
        """The names of its options."""
        names = [entry.name for entry in fields(cls) if entry.init]
        return sorted(names, key="hold".__eq__)  # what all have comes last

    def require(self, condition: bool, reason: str) -> None:
        """Refuse an option, with the reason."""
        if not condition:
            raise InputError(f"{type(self).__name__}: {reason}")

    def require_whole(self, option: str, least: int = 1, most: int = 1 << 32) -> None:
        """Refuse an option that is not a whole number from `least` on."""
        value = getattr(self, option)
        self.require(
            is_whole(value) and least <= value <= most,
            f"{option} must be a whole number from {least} on, not {value!r}",
        )

    def require_baseline(self, option: str) -> None:
        """Refuse an option that is no baseline."""
        value = getattr(self, option)
        self.require(
            is_baseline(value),
            f"{option} can be a finite number, one per channel, an array or 'mean'; not {value!r}",
        )


def require_gradients(plan: Plan) -> None:
    """Refuse rules of relevance where a method multiplies what comes back, as only a gradient may be.

    Raises
    ------
    CompositeError
    """
    for step in plan.steps:
        if isinstance(step.rule, Zero | Stabilized):
            raise CompositeError(
                f"{step.rule} at {step.node} hands on relevance, and this method needs gradients: rules and "
                "composites of relevance belong to method 'lrp', or to noise around it"
            )


def missed(question: Question, baseline: Baseline, found: Mapping[str, Array]) -> Array:
    """Σ attributions − (f(x) − f(x')), (N,): 0 where a method is complete."""
    rows = np.arange(question.samples)
    origins = {
        name: np.broadcast_to(origin, question.feeds[name].shape)
        for name, origin in origins_of(baseline, question.feeds, question.axes).items()
    }
    sums = np.sum([total(value, question.samples) for value in found.values()], axis=0)
    return np.asarray(sums - (question.score(question.feeds, rows) - question.score(origins, rows)))


def per_point(values: Array, x: Array) -> Array:
    """One number per point as they broadcast to points like `x`: (K, 1, ...)."""
    return np.asarray(values, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
