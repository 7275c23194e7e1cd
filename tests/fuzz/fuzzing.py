"""Cases by the thousand in processes of their own, what went wrong, and the smallest form of it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kinds import model_case

WORKER = Path(__file__).resolve().parent / "worker.py"
PATIENCE = 90  # seconds by the clock: for what sleeps, on a machine that is busy
# What one process runs before another takes over: a leak is seen in the tests of long-lived explainers.
TURNS = 400

Answer = dict[str, Any]
# A model that is large, and slow by that, does not hang: so many kilobytes onnxruntime alone takes for one.
LARGE = 150_000
ALONE = """
import resource, sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.stdin.buffer.read())
try:
    asked = session.get_inputs()
    shapes = {item.name: [size if isinstance(size, int) else 1 for size in item.shape] for item in asked}
    session.run(None, {name: numpy.zeros(shape, "f") for name, shape in shapes.items()})
except Exception:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
REFUSED: Answer = {"status": "refused", "detail": "", "base": "", "edits": [], "seconds": 0.0}
Edit = tuple[str, int]


class Worker:
    """A child process; begun again after a case has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turns = 0

    def ask(self, kind: str, seed: int, edits: Sequence[Edit] | None = None) -> Answer:
        """What comes of a case: its answer, or how the process ended."""
        if self._process is None or self._turns >= TURNS:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        self._turns += 1
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        question = {"kind": kind, "seed": seed, "edits": None if edits is None else list(edits)}
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        line = process.stdout.readline()
        watch.cancel()
        if line:
            answer: Answer = json.loads(line)
        else:
            status = process.wait()
            self._process = None
            if theirs(kind, seed, edits):
                return {"kind": kind, "seed": seed, **REFUSED, "what": "onnxruntime ends, or is as large"}
            what = {-27: "hang: over 5 s of processor time", -9: "hang: no answer"}.get(
                status, f"crash: {status}"
            )
            answer = {
                "status": "fault",
                "what": what,
                "detail": "",
                "base": "",
                "edits": list(edits or []),
                "seconds": 5.0,
            }
        return {"kind": kind, "seed": seed, **answer}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
        self._process, self._turns = None, 0


def theirs(kind: str, seed: int, edits: Sequence[Edit] | None) -> bool:
    """Whether onnxruntime alone ends its process too, given the file, or needs gigabytes for one answer."""
    if kind != "models":
        return False
    case = model_case(seed)
    data = case.made(case.edits if edits is None else edits)
    done = subprocess.run([sys.executable, "-c", ALONE], input=data, capture_output=True)
    return done.returncode < 0 or int(done.stdout or 0) > LARGE


def answers(cases: Iterable[tuple[str, int]], workers: int = 1) -> Iterator[Answer]:
    """What comes of (kind, seed) after (kind, seed), in their order."""
    free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    everyone = [Worker() for _ in range(workers)]
    for worker in everyone:
        free.put(worker)

    def ask(case: tuple[str, int]) -> Answer:
        worker = free.get()
        try:
            return worker.ask(*case)
        finally:
            free.put(worker)

    try:
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(ask, cases)
    finally:
        for worker in everyone:
            worker.close()


def sort_of(fault: Answer) -> str:
    """What faults have in common: of wrong answers what is wrong, of exceptions their type and file."""
    what = str(fault["what"])
    return what if what.startswith("wrong") else what.split(":")[0]


def reduce(fault: Answer, edits: Sequence[Edit], nodes: int = 0) -> tuple[list[Edit], Answer]:
    """The fewest edits that still end in the same fault, and of a model the fewest nodes.

    Edits are left out one after another; then every node is, its readers reading what it read.
    """
    worker, found = Worker(), fault

    def still(tried: Sequence[Edit]) -> bool:
        nonlocal found
        answer = worker.ask(fault["kind"], fault["seed"], tried)
        same = answer["status"] == "fault" and sort_of(answer) == sort_of(fault)
        found = answer if same else found
        return bool(same)

    try:
        kept = list(edits)
        for edit in list(kept):
            fewer = [other for other in kept if other is not edit]
            kept = fewer if still(fewer) else kept
        for place in reversed(range(nodes)):
            more = [*kept, ("bypass", place)]
            kept = more if still(more) else kept
        return kept, found
    finally:
        worker.close()
