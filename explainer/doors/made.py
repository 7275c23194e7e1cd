"""An explainer as a value: what it was made of and stays, printed, pickled and asked about."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..composites import Composite
from ..errors import ExplainerError, InputError, UnsupportedError, shown
from ..inputs.arrays import check_kind
from ..inputs.feeds import given, layout_of
from ..inputs.fitting import check_pictured, check_preprocess, pictured
from ..inputs.preprocess import Preprocess
from ..inputs.ranges import MAX_PIXELS
from ..methods.asking import check_is_score
from ..methods.base import Method
from ..methods.drawn import check_steady
from ..model.axes import sample_axes
from ..model.graph import Graph
from ..model.node import Input
from ..plain.checks import is_one_of, is_whole, several
from ..plain.tables import html_table, text_table
from ..plan import Plan
from ..recipe import Recipe, Settings
from ..recipe.advice import Asked
from ..targets import Ask, Target, TargetLike, check_choice, declared_outputs, shape_by_sample
from ..tensor import Array
from ..text import LINE, printable
from .prepared import Prepared

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike: TypeAlias = "str | os.PathLike[str] | Image | Array | Mapping[str, Array]"

# What one question takes beside its target, and what is said of names that an explainer is made with.
ASKED = ("x", "start", "against", "conditions")
OF_EXPLAINER = {
    name: f"it belongs to Explainer(model, {name}=...)"
    for name in (
        *Settings.__annotations__,
        *("preprocess", "labels", "max_pixels", "providers", "threads", "custom_ops", "fix"),
    )
}


class Made:
    """What an `Explainer` was made of; see there."""

    graph: Graph
    recipe: Recipe
    method: Method
    composite: Composite
    name: str
    how: Mapping[str, Any]
    keep: Any
    dtype: np.dtype[Any]
    labels: Any
    max_pixels: int
    _preprocess: Callable[[], Preprocess | None]
    _given: dict[str, Any]
    _prepared: Prepared

    def __setattr__(self, name: str, value: Any) -> None:
        if vars(self).get("_is_made"):
            say = f"{name}=..." if name in OF_EXPLAINER else "..."
            raise AttributeError(
                f"{name}: an explainer stays as it was made; make another one: Explainer(model, {say})"
            )
        super().__setattr__(name, value)

    @property
    def pictured(self) -> tuple[str, ...]:
        """The inputs that are most probably pictures: those of three channels, else those of one."""
        return pictured(self.graph)

    def _check(self, goal: Target, plan: Plan | None) -> None:
        """Refuse what no input could be explained by, as far as a plan tells; None is that of scores alone.

        Raises
        ------
        InputError, TargetError, UnsupportedError
        """
        walked, anchor = self._prepared.graph, goal.anchor
        self.method.require_askable(walked, layout_of(self._preprocess), plan)
        if plan is None:
            check_steady(walked, anchor)
            check_is_score(walked, anchor)
            self._prepared.check_forward(anchor)
        for expected in self.graph.inputs:
            asked = expected.name not in self.graph.held or len(self.graph.held) == len(self.graph.inputs)
            in_front = expected.dtype == object and walked is not self.graph  # text that a stop is made of
            if asked and not in_front:
                check_kind(expected)
        self.labels.check(anchor.output, declared_outputs(self.graph))
        check_choice(goal, shape_by_sample(self.graph, anchor.output))

    def axis_of_samples(self, name: str) -> int | None:
        """Where an input has its samples; None where it has none, and is a sample itself or all samples'.

        Raises
        ------
        InputError
            The model has no such input.
        """
        return sample_axes(self.graph).get(self._input(name).name, (0, 0))[1]

    def _input(self, name: str) -> Input:
        names = [value.name for value in self.graph.inputs]
        if not is_one_of(name, names):
            raise InputError(f"name: {shown(name):.80} is no input of this model; it has {', '.join(names)}")
        return self.graph.inputs[names.index(name)]

    def check_first(self, asks: Sequence[Ask], error: ExplainerError) -> None:
        """Refuse questions that a model does not answer before pictures that do not fit: neither would help.

        Parameters
        ----------
        asks : sequence of Ask
        error : ExplainerError
            What is wrong with the pictures; it is said behind.

        Raises
        ------
        UnsupportedError
        InputError
            `asks` is no list of Ask, or `error` none of this package's.
        """
        given = several(asks)
        if given is None or not all(isinstance(ask, Ask) for ask in given):
            raise InputError(f"asks is {shown(asks):.80}; give a list of Ask")
        if not isinstance(error, ExplainerError):
            raise InputError(f"error is {shown(error):.80}; give an ExplainerError")
        try:
            for ask in given:
                self.check_target(ask)
        except UnsupportedError as first:
            python, options = getattr(error, "likely", ("", ""))
            if not python:
                raise first.also(error) from None
            why = "of pictures, prepared as they most probably are"
            first.ways = tuple(
                replace(way, why=f"{way.why}; {why}", call=_with(way.call, python), options=options)
                for way in first.ways
            )
            raise first from None
        except ExplainerError:  # of less concern than the pictures
            return

    def check_target(self, target: TargetLike) -> Plan | None:
        """See `Explainer`."""
        raise NotImplementedError

    def check_image(self, name: str) -> None:
        """Refuse pictures for an input, where none would do whatever is in it.

        Raises
        ------
        InputError, PreprocessError
        """
        check_pictured(self.graph, self._input(name), self._preprocess())

    def check_preprocess(self) -> None:
        """Refuse a preprocessing whose pictures the model does not take; arrays are of no concern here.

        Raises
        ------
        InputError, PreprocessError
            As for a picture.
        """
        check_preprocess(self.graph, self._preprocess())

    def example(self, seed: int = 0) -> dict[str, Array]:
        """An input of the model's own shapes and types, drawn as those that a compiled file is proved on.

        Numbers are N(0, 1), or amounts or shares where a model makes no numbers of these (it takes their
        logarithm, say), whole ones from 0 to 254 or as many as a table has rows, masks 0 and 1. It shows how
        a model computes, not what it sees.

        Parameters
        ----------
        seed : int
            From 0 on.

        Returns
        -------
        dict of input name -> array (1, ...)

        Raises
        ------
        InputError
            The model's shapes leave open what it takes, and no preprocessing says it; or the seed is none.
        """
        if not (is_whole(seed) and seed >= 0):
            raise InputError(f"seed is {shown(seed):.80}; give a whole number from 0 on")
        from ..compiler.examples import Examples, sizes_of

        preprocess = self.preprocess
        examples = Examples.of(self.graph, None)
        if preprocess is not None and examples.sizes is None:
            examples = replace(examples, sizes=sizes_of(preprocess))
        try:
            return examples.in_domain(self.graph).feeds(1, seed)
        except InputError as error:
            what, _, advice = str(error).partition(";")
            sizes = advice[advice.index("fix=") :] if "fix=" in advice else ""
            raise InputError(
                f"{what}: no example can be drawn; give an input yourself (--image or --input)"
                + (f", or the sizes, {sizes}" if sizes else "")
            ) from error

    def __repr__(self) -> str:
        return printable(f"<Explainer of {self.graph.title!r} by {self.recipe!r}>", LINE)

    def __str__(self) -> str:
        return text_table(("explainer", self.graph.title), self._facts())

    def _repr_html_(self) -> str:
        return html_table((), self._facts(), f"Explainer of {self.graph.title}")

    def _facts(self) -> list[tuple[str, Any]]:
        """What it is made of, name by name."""
        shapes = {value.name: value.shape and ["N", *value.shape[1:]] for value in self.graph.inputs}
        return [
            ("inputs", ", ".join(f"{name} {shape or 'of any shape'}" for name, shape in shapes.items())),
            ("outputs", ", ".join(self.graph.outputs)),
            ("method", self.name),
            ("composite", self.composite.name),
            *self.how.items(),
            ("keep", self.keep if self.keep == "all" else ", ".join(self.keep)),
            ("dtype", self.dtype),
            ("labels", len(self.labels) or "none"),
        ]

    @property
    def preprocess(self) -> Preprocess | None:
        """How an image becomes the input: as given, or as the file's metadata has it, or None."""
        return self._preprocess()

    def _asked(self, ask: Ask) -> Asked:
        """A question, with all that decides what else could be asked."""
        plain = {"max_pixels": MAX_PIXELS, "custom_ops": ()}
        given = [name for name, value in self._given.items() if value != plain.get(name)]
        return Asked(self.graph, self.recipe, self._preprocess, ask, self.labels, given)

    def prepare(self, image: Any) -> tuple[Array, tuple[Image, ...], str]:
        """An image as the model's input, the image as the model sees it, and the layout.

        Raises
        ------
        PreprocessError
            Neither the file nor the caller says how.
        InputError
        """
        made = given(self.graph, image, self._preprocess, self.max_pixels)
        return next(iter(made.feeds.values())), made.photos, made.layout or "NCHW"


def _with(call: str, argument: str) -> str:
    """A call with another argument of what it makes: an explainer, or an explanation at once."""
    made, there, asked = call.partition(").explain(")
    return f"{made}, {argument}{there}{asked}" if there else f"{call.removesuffix(')')}, {argument})"
