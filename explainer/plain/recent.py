"""The last few of what was made, so that a long life takes no more memory than a short one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Recent(Generic[Key, Made]):
    """What was made by key; the one that was asked for longest ago goes first. Its owner locks it.

    Parameters
    ----------
    most : int
        How many are held.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: OrderedDict[Key, Made] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key, make: Callable[[], Made]) -> Made:
        """What the key stands for, made where it is not held."""
        if key not in self._held:
            self._held[key] = make()
        self._held.move_to_end(key)
        while len(self._held) > self.most:
            self._held.popitem(last=False)
        return self._held[key]
