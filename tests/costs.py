"""What a run costs: its peak memory, and the tests that should be marked slow and are not.

Time is the processor's, not the clock's: on a busy machine it is the same. It is told and never decides.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

SLOW = 0.25  # seconds


def peaks() -> dict[str, float]:
    """The largest memory so far, in GB, of this process and of any that it started; none on Windows."""
    try:
        import resource
    except ModuleNotFoundError:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    who = {"the tests": resource.RUSAGE_SELF, "a process they started": resource.RUSAGE_CHILDREN}
    return {name: resource.getrusage(which).ru_maxrss * unit / 1e9 for name, which in who.items()}


class Costs:
    """A plugin of pytest."""

    def __init__(self, check_marks: bool) -> None:
        self.check_marks = check_marks
        self.unmarked: list[tuple[float, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begun = time.process_time()
        answer = yield
        seconds = time.process_time() - begun
        if seconds > SLOW and not item.get_closest_marker("slow"):
            self.unmarked.append((seconds, item.nodeid))
        return answer

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        said = [f"{gigabytes:.2f} GB of {name}" for name, gigabytes in peaks().items()]
        if said:
            terminalreporter.write_line("peak memory: " + ", ".join(said))
        if self.check_marks:
            terminalreporter.section(f"over {SLOW} s and not marked slow: {len(self.unmarked)}")
            for seconds, name in sorted(self.unmarked, reverse=True):
                terminalreporter.write_line(f"{seconds:.2f} s  {name}")
