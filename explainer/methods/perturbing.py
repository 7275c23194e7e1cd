"""What occlusion and RISE share: they change the input and ask the model again, without a walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError
from ..model.axes import axes_of
from ..model.graph import Graph
from ..plain.checks import is_whole
from ..plan import Plan
from ..tensor import Array
from .asking import askable, beside_the_data
from .base import Progress
from .baselines import Baseline, open_axes, origins_of
from .holding import Holding
from .question import Question


@dataclass(frozen=True)
class Perturbing(Holding):
    """A method that changes parts of the input and asks the model again.

    What a part is follows from what an input's axes are: a window of a picture or of a series, over all
    channels; a word of a text; a feature of a table.

    Parameters
    ----------
    groups : array of int or dict, optional
        What is hidden together, in place of that: values with the same number (captum's `feature_mask`).
        Shaped like a sample, or like its places alone; a dict has one per input.
    baseline : float, tuple, array, dict or "mean"
        What a hidden value becomes, in the numbers that the model takes: a number, one per channel, a
        sample or a batch; "mean" is each channel's mean in the sample itself; a dict has one per input.
        Behind a preprocessing that subtracts the mean colour, 0 is that colour, not black. Of words it is
        the index that says nothing: the tokenizer's mask or padding.
    batch_size : int
        How many changed samples the model is given at once: this bounds the memory. Where the samples of a
        batch would change each other's numbers, they are asked one by one.
    hold : str or sequence of str, optional
        Inputs that stay as they are; by default those that stand beside the data: one number for all
        samples, a recurrent layer's first state, a text's mask, segments and positions. () holds none.

    Raises
    ------
    InputError
        An option is out of range.
    """

    composite: ClassVar[str] = ""
    # The option that says how large a part is, with a number for each axis where nothing tells the places.
    sizes: ClassVar[str] = ""

    groups: Any = field(default=None, kw_only=True, hash=False)
    baseline: Baseline = field(default=0.0, kw_only=True, hash=False)
    batch_size: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, list) and option.name != "groups":
                object.__setattr__(self, option.name, tuple(value))
        of_inputs = self.groups.values() if isinstance(self.groups, Mapping) else [self.groups]
        self.require(
            all(value is None or _are_groups(value) for value in of_inputs),
            "groups is an array of whole numbers: values with the same number are hidden together",
        )
        self.require_baseline("baseline")
        self.require_whole("batch_size")

    @property
    def walks(self) -> bool:
        return False

    def require_askable(self, graph: Graph, layout: str = "", plan: Plan | None = None) -> None:
        super().require_askable(graph, layout, plan)
        if not askable(graph, layout):
            kinds = {value.name: "text" if value.dtype == object else value.dtype for value in graph.inputs}
            inputs = ", ".join(f"{name!r} {kind}" for name, kind in kinds.items()) or "none"
            raise InputError(
                f"{type(self).__name__} changes inputs and asks again, and finds none here that it could "
                f"change sample by sample; the inputs are: {inputs}"
            )
        shapes = {value.name: value.shape for value in graph.inputs if value.shape is not None}
        axes = {name: axes_of(graph, name, shape, layout) for name, shape in shapes.items()}
        beside = beside_the_data(graph, axes, shapes)
        for name, one in axes.items():
            held = name in (beside if self.hold is None else self.hold)
            # Where a size is open, an array's own may tell.
            if (
                one.is_open
                and None not in shapes[name][1:]
                and not held
                and not self.tells(name, len(shapes[name]) - 1)
            ):
                raise InputError(open_axes(name, shapes[name], self.sizes))

    def held(self, question: Question) -> tuple[str, ...]:
        if self.hold is not None:
            return self.hold
        shapes = {name: x.shape for name, x in {**question.held, **question.feeds}.items()}
        return beside_the_data(question.walkers.graph, question.axes, shapes)

    def repeats(self, x: Array) -> bool:
        # All channels of a place are hidden together, unless sizes or groups tell them apart.
        sizes = getattr(self, self.sizes, None)
        if isinstance(sizes, tuple) and len(sizes) == x.ndim - 1:
            return False
        return self.groups is None or np.ndim(self.of(self.groups, "")) < x.ndim - 1

    def tells(self, name: str, rank: int) -> bool:
        """Whether an option says what is hidden of an input, `rank` axes a sample, whatever they are."""
        sizes = self.of(getattr(self, self.sizes, None), name)
        per_axis = isinstance(sizes, tuple | list) and len(sizes) == rank
        return per_axis or self.of(self.groups, name) is not None

    def require_sizes(self, option: str) -> None:
        """Refuse an option that is no size: a number from 1 on, several, None, or one of these per input."""
        value = getattr(self, option)
        for one in value.values() if isinstance(value, Mapping) else (value,):
            sizes: tuple[Any, ...] = tuple(one) if isinstance(one, tuple | list) else (one,)
            self.require(
                one is None or (len(sizes) > 0 and all(is_whole(size) and size > 0 for size in sizes)),
                f"{option} can be a positive whole number, one per axis, or None; not {value!r}",
            )

    def of(self, option: Any, name: str) -> Any:
        """An option's value for one input."""
        return option.get(name) if isinstance(option, Mapping) else option

    def check_names(self, question: Question) -> None:
        """Refuse options for what is no input.

        Raises
        ------
        InputError
        """
        for option in fields(self):
            value = getattr(self, option.name)
            unknown = value.keys() - question.feeds.keys() if isinstance(value, Mapping) else ()
            if unknown:
                raise InputError(
                    f"{option.name}: {', '.join(map(repr, sorted(unknown)))} is none of the inputs that are "
                    f"explained, {', '.join(map(repr, question.feeds))}"
                )

    def grouped(self, question: Question, name: str) -> Array | None:
        """The number of each value of an input, from 0 on, or None.

        Raises
        ------
        InputError
            The groups do not fit a sample.
        """
        groups = self.of(self.groups, name)
        if groups is None:
            return None
        shape, axes = question.feeds[name].shape[1:], question.axes[name]
        given = np.asarray(groups)
        places = tuple(shape[axis - 1] for axis in axes.places)
        if given.shape == places and given.shape != shape and axes.channel is not None:
            given = np.expand_dims(given, axes.channel - 1)
        elif given.shape != shape:
            beside = "" if places in ((), shape) else f", or its places {places}"
            raise InputError(f"groups: {given.shape}; a sample of input {name!r} is {shape}{beside}")
        return np.broadcast_to(np.unique(given, return_inverse=True)[1].reshape(given.shape), shape)

    def origins(self, question: Question) -> dict[str, Array]:
        """The baseline of every sample of every input, in the input's shape.

        Raises
        ------
        InputError
            It does not fit an input, or its type.
        """
        found = origins_of(self.baseline, question.feeds, question.axes)
        return {name: np.broadcast_to(found[name], x.shape) for name, x in question.feeds.items()}

    def pairs(self, samples: int, changes: int, progress: Progress | None) -> Iterator[tuple[Array, Array]]:
        """Every sample with every change to it, in batches: (rows, changes), sample after sample.

        A batch may reach from one sample into the next, so that only the last one is not full.
        `progress(done, total)` is called when a batch has been dealt with.
        """
        total = samples * changes
        for first in range(0, total, self.batch_size):
            last = min(first + self.batch_size, total)
            rows, which = np.divmod(np.arange(first, last), changes)
            yield rows, which
            if progress is not None:
                progress(last, total)


def kind_of(question: Question, name: str) -> Any:
    """The number type of an input's attributions."""
    kind = question.feeds[name].dtype
    return kind if kind.kind == "f" else question.dtype


def _are_groups(value: Any) -> bool:
    try:
        numbers = np.asarray(value)
    except ValueError:  # lists of different lengths
        return False
    return numbers.size > 0 and numbers.dtype.kind in "iu"
