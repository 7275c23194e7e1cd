"""A layer's parameters, by letter, and what a rule did to the weights among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ..tensor import Value

Change = Callable[[Value], Value]


class Parameters(dict[str, Value]):
    """Letter -> parameter; and what was done to the weights, for those that no file names.

    Parameters
    ----------
    values : dict of letter -> Value
    change : callable, optional
        What `changed` did so far: the 1/n of a mean and the signs of a sum are weights too.
    """

    def __init__(self, values: Mapping[str, Value], change: Change | None = None) -> None:
        super().__init__(values)
        self.change = change

    def implied(self, w: Value) -> Value:
        """A weight that the operator has of itself, after `changed`."""
        return w if self.change is None else self.change(w)

    def changed(self, change: Change, but: Collection[str] = ()) -> Parameters:
        """Every weight, and the bias, changed; axes and sizes are none, nor is what `but` names."""
        before = self.change
        weights = {key for key, value in self.items() if value.dtype.kind == "f"}.difference(but)
        changed = {letter: change(self[letter]) for letter in weights}
        return Parameters(self | changed, change if before is None else lambda w: change(before(w)))

    def without(self, letter: str) -> Parameters:
        """All but one."""
        return Parameters({key: value for key, value in self.items() if key != letter}, self.change)
