"""Ctrl-C and SIGTERM: a long command ends with one line that says what is done, and with its own status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from .say import say


class Stopped(click.ClickException):
    """The end of a command that was told to stop: its line, and 128 and the signal's number as the status."""

    def __init__(self, line: str = "stopped") -> None:
        super().__init__(line)
        self.exit_code = 128 + (_asked.number or signal.SIGINT)  # type: ignore[misc]  # of this one alone

    def show(self, file: Any = None) -> None:
        say(self.message, error=True)


class Asked:
    """Which signal has asked to stop, whether a command is at work, whether it waits, and what is said."""

    number = 0
    at_work = False
    waits = False
    told: Callable[[], str] = staticmethod(lambda: "stopped")


_asked = Asked()


@contextmanager
def listening() -> Iterator[None]:
    """Let both signals end this block by a KeyboardInterrupt, at a point where nothing is lost.

    A signal that is ignored already (under nohup, say) stays ignored, and a second one does not wait.
    """
    before: dict[int, Any] = {}
    _asked.number, _asked.waits = 0, False
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[int(number)] = signal.signal(number, _heard)
    # Where it is raised in the middle of a destructor Python prints it and goes on; `check` sees to it.
    quiet, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        yield
    finally:
        sys.unraisablehook = quiet
        for heard, handler in before.items():
            signal.signal(heard, handler)


def _heard(number: int, frame: Any) -> None:
    waits = _asked.waits and not _asked.number
    _asked.number = number
    if waits:
        return
    if not _asked.at_work or _is_importing(frame):
        # Raised while a library starts, it makes some of them dump their core. Nothing is open then.
        os.write(2, f"{_asked.told()}\n".encode())
        os._exit(128 + number)
    raise KeyboardInterrupt


def _is_importing(frame: Any) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _unraisable(failure: Any) -> None:
    if not issubclass(failure.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(failure)


@contextmanager
def at_work() -> Iterator[None]:
    """Let a signal be an exception in this block, which may have something to put in order."""
    _asked.at_work = True
    try:
        yield
    finally:
        _asked.at_work = False


def asked() -> bool:
    """Whether it is to end: what is raised from then on may be the signal, as some library passed it on."""
    return bool(_asked.number)


@contextmanager
def in_one() -> Iterator[None]:
    """Let a signal wait until the end of this block: a result, and what is said of it, are one."""
    check()
    _asked.waits = True
    try:
        yield
    finally:
        _asked.waits = False
    check()


def check() -> None:
    """End here if it is to end."""
    if _asked.number:
        raise KeyboardInterrupt


@contextmanager
def telling(done: Callable[[], str]) -> Iterator[None]:
    """Let a block that is stopped say how far it came."""
    before, _asked.told = _asked.told, done
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(done()) from None
    finally:
        _asked.told = before
