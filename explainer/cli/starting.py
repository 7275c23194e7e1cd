"""Ctrl-C while the command line itself is loaded: there is no command yet that could say so."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quietly() -> Iterator[None]:
    """End the process with one line if it is stopped in this block.

    A KeyboardInterrupt would be shown with its traceback, or be lost in a callback of the import's own. Who
    has a handler of his own keeps it.
    """
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    try:
        before = signal.signal(signal.SIGINT, _stopped) if own else None
    except ValueError:  # not the main thread, which alone hears signals
        before = None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _stopped(number: int, frame: Any) -> None:
    os.write(2, b"stopped\n")
    os._exit(128 + number)
