"""Where the values of inner tensors lie in an input: followed through every layer, value by value.

A movement takes a value's place along, whatever it is: a picture cut into patches, tokens in windows, a class
token in front, one token picked out. A window's place is its centre; what is made of all places has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..layers import Layer
from ..layers.parameters import Parameters
from ..layers.product import Gated, Product
from ..layers.recurrent import Recurrent
from ..model.told import Axes
from ..plan import Plan, Step
from ..tensor import Array, Bundle, ReduceSum, Reshape, Value
from ..tensor import Gather as taken

# Of every value of a tensor its sample, and its place along each axis of the input's places, from 0 to 1; NaN
# where it has none. They broadcast to the tensor: an axis along which nothing changes has size 1.
Places: TypeAlias = "tuple[Array, ...]"
# What a movement's NumPy body raises of a tensor that is not what it takes.
MISFITS = (ArithmeticError, AttributeError, IndexError, TypeError, ValueError)
# A matrix that adds up what lies in one place is no larger than this.
LARGEST = 1 << 24


def places_of(
    plan: Plan,
    shapes: Mapping[str, tuple[int, ...]],
    axes: Mapping[str, Axes],
    parameters: Callable[[Step], Mapping[str, Value]],
) -> dict[str, Places]:
    """The places of every tensor between the inputs and the target that has some.

    Parameters
    ----------
    plan : Plan
    shapes : dict of tensor name -> shape
        Of all tensors on the path.
    axes : dict of input name -> Axes
        Of the inputs that have places, all of them as many.
    parameters : callable
        Returns a step's parameters.
    """
    found = {name: _at_input(shapes[name], axes[name]) for name in axes}
    for step in reversed(plan.steps):
        layer = step.layer
        there = [found.get(name) for name in layer.inputs]
        if any(there) and layer.output in shapes:
            sizes = [shapes[name] for name in layer.inputs]
            passed = _passed(layer, parameters(step), there, sizes, shapes[layer.output])
            if passed is not None and _is_somewhere(layer, passed, there):
                found[layer.output] = passed
    return found


def _at_input(shape: tuple[int, ...], axes: Axes) -> Places:
    return tuple(
        _along(axis, (np.arange(shape[axis]) + shift) / (shape[axis] if axis else 1), len(shape))
        for axis, shift in ((0, 0.0), *((axis, 0.5) for axis in axes.places))
    )


def _along(axis: int, values: Array, rank: int) -> Array:
    return values.reshape([-1 if place == axis else 1 for place in range(rank)])


def _is_somewhere(layer: Layer, places: Places, there: Sequence[Places | None]) -> bool:
    """Whether they are places: what is made of all places has none, unless it is one that was picked out."""
    if any(np.isnan(one).all() for one in places):
        return False
    told = (one for one in there if one is not None)
    return layer.kind == "movement" or not _is_one_place(places) or all(map(_is_one_place, told))


def _is_one_place(places: Places) -> bool:
    """Whether no two values lie apart."""
    return all(not np.nanmax(one, initial=-1.0) > np.nanmin(one, initial=2.0) for one in places[1:])


def _passed(
    layer: Layer,
    p: Mapping[str, Value],
    there: Sequence[Places | None],
    sizes: Sequence[tuple[int, ...]],
    shape: tuple[int, ...],
) -> Places | None:
    """The places of what a layer makes of inputs at these."""
    known = [places for places in there if places is not None]
    first, size = known[0], sizes[next(i for i, places in enumerate(there) if places is not None)]
    try:
        if layer.kind == "movement":
            return _moved(layer, p, there, sizes)
        if isinstance(layer, Recurrent):
            return _in_time(layer, first, size)
        if isinstance(layer, Product | Gated) and not layer.keeps_maps:
            return _of_product(there, sizes, shape)
        if layer.kind == "dense":
            return _mixed(first, -1 if getattr(layer, "on_right", True) else -2, size, shape)
        if _fits(sizes, shape):
            return _alike(known, shape)
        if len(size) == len(shape) > 2:
            return _slid(first, shape)
    except MISFITS:
        pass
    return None


def _fits(sizes: Iterable[tuple[int, ...]], shape: tuple[int, ...]) -> bool:
    """Whether every value is made of those at its own place."""
    return np.broadcast_shapes(*sizes) == shape


def _alike(known: Sequence[Places], shape: tuple[int, ...]) -> Places:
    """The first that tells."""
    rank = len(shape)
    found = [np.reshape(one, (1,) * (rank - one.ndim) + one.shape) for one in known[0]]
    for places in known[1:]:
        for index, one in enumerate(places):
            if np.isnan(found[index]).any():
                found[index] = np.where(np.isnan(found[index]), one, found[index])
    return tuple(found)


def _slid(places: Places, shape: tuple[int, ...]) -> Places | None:
    """Of windows: as many centres as there are, evenly along the axis that a place is told by."""
    found = [places[0]]
    for one in places[1:]:
        one = one.mean(axis=1, keepdims=True)  # channels that came from elsewhere, enlarged, say
        axes = [axis for axis, size in enumerate(one.shape) if size > 1]
        if len(axes) != 1 or axes[0] < 2:
            return None
        found.append(_along(axes[0], (np.arange(shape[axes[0]]) + 0.5) / shape[axes[0]], len(shape)))
    return tuple(found)


def _mixed(places: Places, axis: int, size: tuple[int, ...], shape: tuple[int, ...]) -> Places | None:
    """Of a sum along an axis: the place that all have, else their mean; the same where as many come out."""
    if size == shape:
        return places
    found = []
    for one in places:
        while one.ndim < len(shape):
            one = one[None]
        found.append(one.mean(axis=axis, keepdims=True) if one.shape[axis] > 1 else one)
    return tuple(found)


def _of_product(
    there: Sequence[Places | None], sizes: Sequence[tuple[int, ...]], shape: tuple[int, ...]
) -> Places | None:
    """Of two matrices: rows lie where those of the first do; else columns where those of the second do."""
    for places, axis, size in zip(there, (-1, -2), sizes, strict=False):
        found = None if places is None else _mixed(places, axis, size, shape)
        if found is not None and not _is_one_place(found):
            return found
    return None


def _in_time(layer: Recurrent, places: Places, size: tuple[int, ...]) -> Places | None:
    """Every step's state at the place of what is read in it."""
    if layer.which or any(one.shape[-1] > 1 for one in places):
        return None
    axis = 2 if layer.batch_first else 1
    return tuple(np.expand_dims(one, axis) for one in places)


def _moved(
    layer: Layer, p: Mapping[str, Value], there: Sequence[Places | None], sizes: Sequence[tuple[int, ...]]
) -> Places:
    nowhere = {letter: np.full(p[letter].shape, np.nan) for letter in layer.constants if letter in p}
    # In a trace parameters carry an example.
    given: dict[str, Any] = {letter: getattr(value, "value", value) for letter, value in p.items()}
    moving = Parameters({**given, **nowhere, "value": np.array(np.nan)})
    count = len(next(places for places in there if places is not None))
    found = []
    for index in range(count):
        x = Bundle(
            np.full(size, np.nan) if places is None else np.array(np.broadcast_to(places[index], size))
            for places, size in zip(there, sizes, strict=True)
        )
        found.append(_thin(np.asarray(layer.forward(x if len(x) > 1 else x[0], moving))))
    return tuple(found)


def _thin(one: Array) -> Array:
    """Without the axes along which nothing changes."""
    for axis, size in enumerate(one.shape):
        first = one[(slice(None),) * axis + (slice(0, 1),)]
        if size > 1 and np.array_equal(one, np.broadcast_to(first, one.shape), equal_nan=True):
            one = first
    return one


@dataclass(frozen=True, eq=False)
class Grid:
    """A tensor's values as a grid of an input's places: how its amounts are laid there.

    Attributes
    ----------
    sizes : tuple of int
        Of the grid.
    summed : array of int
        The axes along which all values have one place.
    cell : array (M,)
        Of what is left of a sample, value by value, the number of its place; -1 where it has none.
    """

    sizes: tuple[int, ...]
    summed: Array
    cell: Array

    @classmethod
    def of(cls, places: Places, shape: tuple[int, ...], whole: Sequence[int]) -> Grid | None:
        """The grid that a tensor's places are; None where they are none, or samples are mixed up.

        `whole` are the input's own sizes.
        """
        apart = [0, *(axis for axis in range(1, len(shape)) if any(one.shape[axis] > 1 for one in places))]
        left = tuple(size if axis in apart else 1 for axis, size in enumerate(shape))
        sample, *at = (np.broadcast_to(one, left).ravel() for one in places)
        is_known = ~np.isnan(np.array([sample, *at])).any(axis=0)
        samples = int(np.nanmax(sample)) + 1
        each, rest = divmod(len(sample), samples)
        if rest or not np.array_equal(sample[is_known], (np.arange(len(sample)) // each)[is_known]):
            return None
        cell, sizes = np.zeros(each), list[int]()
        for one, size in zip(at, whole, strict=True):
            first, known = one[:each], is_known[:each]
            count = _regular(np.unique(first[known].round(9)), size)
            if not count:
                return None
            cell = cell * count + np.where(known, first * count - 0.5, 0)
            sizes.append(count)
        numbers = np.where(is_known[:each], cell.round(), -1).astype(np.int64)
        summed = np.array([axis for axis in range(1, len(shape)) if axis not in apart], dtype=np.int64)
        return cls(tuple(sizes), summed, numbers)

    def lay(self, amounts: Value) -> Value:
        """Values shaped like the tensor as (N, 1, *sizes): what lies in one place added up."""
        x = ReduceSum(amounts, self.summed) if len(self.summed) else amounts
        count, cells = len(self.cell), int(np.prod(self.sizes))
        x = Reshape(x, np.array([-1, count]))
        if count != cells or not np.array_equal(self.cell, np.arange(cells)):
            order = np.full(cells, -1)
            order[self.cell[self.cell >= 0]] = np.flatnonzero(self.cell >= 0)
            if (np.bincount(self.cell[self.cell >= 0], minlength=cells) == 1).all():
                x = taken(x, order, axis=1)
            else:
                x = x @ (self.cell[:, None] == np.arange(cells)).astype(x.dtype)
        return Reshape(x, np.array([-1, 1, *self.sizes]))

    @property
    def is_small(self) -> bool:
        """Whether laying takes no large matrix."""
        return len(self.cell) * int(np.prod(self.sizes)) <= LARGEST or len(self.cell) == np.prod(self.sizes)


def _regular(places: Array, whole: int) -> int:
    """How many places a regular grid has that these belong to; 0 where there is none."""
    gaps = np.diff(places)
    for count in ([round(1 / gaps.min())] if len(gaps) else []) + [whole]:
        steps = places * count - 0.5
        if len(places) and np.abs(steps - steps.round()).max() < 1e-6:
            return int(count)
    return 0
