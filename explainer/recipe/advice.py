"""What a model does answer where it was asked in vain: other outputs, inner tensors, scores alone; tried."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from types import EllipsisType
from typing import Any

import numpy as np

from .. import rules
from ..canonizers import see_through
from ..errors import ExplainerError, ModelError, Way
from ..inputs.feeds import layout_of
from ..inputs.preprocess import Preprocess
from ..layers import REGISTRY, facts_of
from ..layers.chance import drawn
from ..methods.asking import askable, check_is_score
from ..methods.drawn import check_steady
from ..model.graph import Graph
from ..model.listed import listed
from ..model.node import input_of
from ..plain.values import FrozenDict, written
from ..plan.statistics import normalised
from ..rules import Rule
from ..targets import Ask, Labels, numbers_of, resolve_target
from ..text import LONGEST, printable
from ..walk.in_front import check_samples
from .recipe import Recipe
from .stopping import goal_of, stopped

RUNTIME = {"providers", "threads", "custom_ops"}  # what an explainer is given, and `explain` is not
MOST = 4  # ways that are said; more would hide the first
MOST_ENDS = 3  # tensors that a walk is ended at
FIRST_FLAT = "epsilon_plus_flat"


@dataclass(frozen=True)
class Asked:
    """A question to a model, as a door was given it.

    Attributes
    ----------
    graph : Graph
    recipe : Recipe
    preprocess : callable
        Returns how an image becomes the input, or None.
    ask : Ask
    labels : sequence of str, or dict of int -> str
    given : collection of str
        What else the door was given, which the ways need too: "preprocess" and "labels", say.
    compiled : callable, optional
        Where a file was asked for: called with a recipe and an `Ask`, it raises an `ExplainerError` where
        none can be compiled by them.
    """

    graph: Graph
    recipe: Recipe
    preprocess: Callable[[], Preprocess | None]
    ask: Ask = field(default_factory=Ask)
    labels: Labels | None = None
    given: Collection[str] = ()
    compiled: Callable[[Recipe, Ask], Any] | None = None

    @contextmanager
    def advising(self) -> Iterator[None]:
        """Let a refusal of a model's nodes say what the model does answer."""
        try:
            yield
        except ExplainerError as error:
            if error.elsewhere:
                error.ways = self.ways(error)
            raise

    def ways(self, error: ExplainerError) -> tuple[Way, ...]:
        """What the model answers instead of what was refused, in the order in which it helps."""
        if not self._runs(error):
            return ()
        before = error.before
        walks: Iterator[Way | None] = iter(())
        if error.elsewhere == "targets":
            walks = chain(self._first_rule(), self._outputs(), self._ends(error.behind), self._inside(before))
        elif error.elsewhere == "methods":
            walks = iter([self._gradient()])
        # An output may be what the node reads that stands in the way too.
        found = {way.call: way for way in islice((way for way in walks if way is not None), MOST)}
        there = tuple(found.values())[: MOST - 2]
        if self.compiled is not None:  # or what `explain` answers
            return there or replace(self, compiled=None).ways(error)
        # Where one of them was asked, what it answers is among the ways already.
        calls = {way.call for way in there}
        return (*there, *(way for way in self._scores(before) if way.call not in calls))[:MOST]

    def _runs(self, error: ExplainerError) -> bool:
        """Whether onnxruntime runs the file at all; why not is part of the news."""
        try:
            self.graph.session(self.graph.outputs[:1], once=True)
        except ModelError as reason:
            error.args = (*error.args, f"Nothing else can be asked of it: {reason}")
            return False
        return True

    def _gradient(self) -> Way | None:
        """The method that asks at the input alone, and for no tensor; None where its walk has no plan."""
        with suppress(ExplainerError):
            self._try(Recipe(method="gradient"), Ask(self.ask.target))
            return self._way("gradient, which asks at the input alone", {"method": "gradient"}, True)
        return None

    def _first_rule(self) -> Iterator[Way | None]:
        """The same question by a first rule that does not multiply, where an image's own statistics are read.

        Behind such a rule they are numbers of the call, and their nodes need no layer.
        """
        if self.recipe.method != "lrp" or not normalised(see_through(self.graph)):
            return
        with suppress(ExplainerError):
            self._try(self.recipe.replace(composite=FIRST_FLAT), self.ask)
            why = "whose first rule does not multiply by the input, which is normalised by its own values"
            yield self._way(f"composite {FIRST_FLAT!r}, {why}", {"composite": FIRST_FLAT}, False)

    def _outputs(self) -> Iterator[Way | None]:
        for name in self.graph.outputs:
            why = f"the largest value of output {name!r}"
            yield self._walk(f"{name}[top]", numbers_of(self.graph, name), why)

    def _ends(self, tensors: Sequence[str]) -> Iterator[Way | None]:
        """The same question, its walk ended at what cannot be explained."""
        if not 0 < len(tensors) <= MOST_ENDS or any(printable(name) != name for name in tensors):
            return
        names: str | tuple[str, ...] = tensors[0] if len(tensors) == 1 else tuple(tensors)
        made = [str(self.graph.producers[name]) for name in tensors if name in self.graph.producers]
        with suppress(ExplainerError):
            self._try(self.recipe.replace(stop=names), self.ask)
            yield self._way(f"what lies behind {' and '.join(made)}", {"stop": names}, False)

    def _inside(self, tensors: Collection[str]) -> Iterator[Way | None]:
        for name in tensors:
            if self._is_chosen_from(name):
                yield self._walk(
                    f"{name}[top]", name, f"the largest value of what {self._reader(name)} reads"
                )
            else:
                # A number would be a class, and "top" the largest output.
                text = f"{name}[...]" if name.lstrip("+-").isdigit() or name == "top" else name
                yield self._walk(text, name, f"the inner tensor that {self._reader(name)} reads")

    def _is_chosen_from(self, name: str) -> bool:
        """Whether the largest of it is what counts."""
        return any(facts_of(node.operator).chooses for node in self.graph.readers.get(name, ()))

    def _reader(self, name: str) -> str:
        """The node that reads a tensor, of several one that has no layer."""
        readers = self.graph.readers.get(name, [])
        return str(min(readers, key=lambda node: node.operator in REGISTRY)) if readers else "nothing"

    def _walk(self, target: str, tensor: str, why: str) -> Way | None:
        """Another target, by the same rules if they reach it, else by the plain ones; or None."""
        if printable(tensor) != tensor:
            return None
        # Where more than the target was asked, that need not make sense of another.
        alike = self.ask.replace(target=Ask().target) == Ask()
        for recipe, bare in ((self.recipe, False), (Recipe(), True)) if alike else ((Recipe(), True),):
            with suppress(ExplainerError):
                if self._try(recipe, Ask(target), tensor):  # and no class of that name
                    by = f", by composite {recipe.composite!r}" if bare and recipe != self.recipe else ""
                    return self._way(f"{why}{by}", {"target": target}, bare)
        return None

    def _try(self, recipe: Recipe, ask: Ask, tensor: str = "") -> bool:
        """Refuse what a door would, as far as no input is needed; and say whether it begins at `tensor`.

        Raises
        ------
        ExplainerError
        """
        method, composite = recipe.made(self.preprocess)
        parts = stopped(self.graph, recipe, method)
        goal = goal_of(self.graph, parts, ask, self.labels)
        graph, anchor = self.graph if parts is None else parts.rest, goal.anchor
        plan = method.plan(graph, composite, anchor, recipe.keep)
        method.require_askable(graph, layout_of(self.preprocess), plan)
        if method.walks:
            check_samples(graph, plan)
        else:
            check_steady(graph, anchor)
            check_is_score(graph, anchor)
        begins = anchor.output in (tensor, plan.graph.resolve(tensor)) if tensor else True
        if begins and self.compiled is not None:
            self.compiled(recipe, ask)
        return begins

    def _scores(self, before: Collection[str]) -> Iterator[Way]:
        """The methods that ask for scores alone, about what is a score."""
        target = self._score(before)
        layout = layout_of(self.preprocess)
        for method, options in askable(self.graph, layout) if target is not None else ():
            settings = {"method": method, **options, **({"target": target} if target else {})}
            yield self._way(f"{method}, which asks for scores alone", settings, True)

    def _score(self, before: Collection[str]) -> str | None:
        """What is a score: "" what was asked for, else another target; None where nothing is."""
        able = self.graph.led - drawn(self.graph).keys() - listed(self.graph).keys()
        numbers = {}  # of the outputs that are scores
        for value in map(input_of, self.graph.source.proto.graph.output):
            tensor = numbers_of(self.graph, value.name)
            if value.name in able and (value.dtype.kind in "fV" or tensor != value.name):  # V: bfloat16
                numbers[value.name] = tensor
        if resolve_target(self.graph, self.ask.target, self.labels).anchor.output in numbers.values():
            return ""
        judges = [node for node in self.graph.nodes if facts_of(node.operator).chooses == "scores"]
        read = [name for node in judges for name in node.inputs]
        inside = [name for name in before if name in able and self._is_chosen_from(name)]
        inside += [name for name in reversed(read) if name in able]
        names = [name for name in (*numbers, *inside) if printable(name) == name]
        return f"{names[0]}[top]" if names else None

    def _way(self, why: str, settings: Mapping[str, Any], bare: bool) -> Way:
        said = {**({} if bare else self.recipe.keywords), **settings}
        target = said.pop("target", self.ask.target)
        source = self.graph.source.path
        first = "model" if source is None else repr(str(source))
        how = [f"{name}={_in_python(name, value, name not in settings)}" for name, value in said.items()]
        how += [f"{name}={name}" for name in self.given]
        named = _in_python("target", target, "target" not in settings)
        what = [] if Ask(target) == Ask() else [f"target={named}"]
        is_compiled = self.compiled is not None
        if is_compiled:
            call = f"explainer.compile({', '.join([first, 'path', *what, *how])})"
        elif RUNTIME.isdisjoint(self.given):
            call = f"explainer.explain({', '.join([first, 'image', *what, *how])})"
        else:
            call = f"explainer.Explainer({', '.join([first, *how])}).explain({', '.join(['image', *what])})"
        return Way(why, settings, bare, call, is_compiled)


def _in_python(name: str, value: Any, was_given: bool) -> str:
    """A value as an argument; by the parameter's own name where it has no literal, or was given so long."""
    text = written(_as_text(value)) if _has_literal(value) else name
    return name if was_given and len(text) > LONGEST else text


def _has_literal(value: Any) -> bool:
    """Whether a value can be written where nothing but `np` and Python's own names is known."""
    if isinstance(value, Mapping):
        return all(map(_has_literal, (*value, *value.values())))
    if isinstance(value, tuple):
        return all(map(_has_literal, value))
    plain = isinstance(value, str | int | float | slice | np.ndarray | EllipsisType | None)
    return plain or (isinstance(value, Rule) and _as_text(value) is not value)


def _as_text(value: Any) -> Any:
    """The same with rules as the text that makes them again, where it does."""
    if isinstance(value, Mapping):
        return FrozenDict({name: _as_text(one) for name, one in value.items()})
    if isinstance(value, tuple):
        return tuple(map(_as_text, value))
    if isinstance(value, Rule):
        with suppress(ExplainerError):
            return str(value) if rules.parse(str(value)) == value else value
    return value
