"""How many threads NumPy multiplies matrices with.

NumPy's own wheels bring OpenBLAS, which puts a thread on every core for all but the smallest products, and
lets them wait for each other by spinning: beside other work they wait for a core. It has one number for the
whole process, so those who ask at the same time share the smallest.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

# What OpenBLAS calls its functions: NumPy's wheels rename them, and those for large matrices.
SPELLINGS = [(prefix, suffix) for prefix in ("scipy_", "") for suffix in ("64_", "")]


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let NumPy multiply with so many threads inside the context; the number is put back behind it.

    Thread-safe: while several contexts are open the smallest number holds. Where NumPy's library is another
    one than OpenBLAS, nothing happens.

    Parameters
    ----------
    count : int
        0 leaves everything as it is.
    """
    if not count or (pool := _pool()) is None:
        yield
        return
    pool.enter(count)
    try:
        yield
    finally:
        pool.leave(count)


class Pool:
    """The threads of one library, and who asked for how many.

    Parameters
    ----------
    get, put : callable
        The number of its threads, read and set.
    """

    def __init__(self, get: Callable[[], int], put: Callable[[int], None]) -> None:
        self.get, self.put = get, put
        self._asked: list[int] = []
        self._before = 0
        self._lock = threading.Lock()

    def enter(self, count: int) -> None:
        """From here on, no more than so many."""
        with self._lock:
            if not self._asked:
                self._before = self.get()
            self._asked.append(count)
            self.put(min(self._asked))

    def leave(self, count: int) -> None:
        """What was entered is over."""
        with self._lock:
            self._asked.remove(count)
            self.put(min(self._asked, default=self._before))


@functools.cache
def _pool() -> Pool | None:
    """NumPy's own OpenBLAS: found through the module that is linked with it, on Windows beside it."""
    linked = str(importlib.import_module("numpy._core._multiarray_umath").__file__)
    beside = Path(np.__file__).parents[1] / "numpy.libs"
    for file in (linked, *map(str, beside.glob("*openblas*"))):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(file)
            for prefix, suffix in SPELLINGS:
                names = (f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
                get, put = (getattr(library, name, None) for name in names)
                if get is not None and put is not None:
                    put.argtypes, put.restype = [ctypes.c_int], None
                    return Pool(get, put)
    return None
