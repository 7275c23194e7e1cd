"""What a map takes on a calm and on a busy machine, by the threads that NumPy and onnxruntime are given.

    python benchmarks/threads.py models/shapes.onnx
    python benchmarks/threads.py resnet20.onnx resnet50.onnx --busy 0 2 --runs 30

The other work is simulated: so many processes that do nothing but compute. Every row is a process of its own;
times are the clock's, since waiting is what is measured. "all" is a thread for each core in both libraries,
"default" is what nobody chose.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import explainer

THREADS = {"default": None, "1": 1, "all": os.cpu_count()}
WORK = "while True: pass"


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes at work beside this one."""
    processes = [subprocess.Popen([sys.executable, "-c", WORK]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(model: str, threads: int | None, runs: int) -> list[float]:
    """Milliseconds of a map: the 10th, 50th and 90th percentile."""
    made = explainer.Explainer(model, threads=threads)
    shape = made.graph.inputs[0].shape or ()
    x = np.random.default_rng(0).standard_normal([1, *(size or 224 for size in shape[1:])])
    times = []
    for run in range(runs + 2):
        begin = time.perf_counter()
        made.explain(x.astype(made.graph.inputs[0].dtype))
        if run >= 2:  # what is done once is not what is asked for
            times.append(1000 * (time.perf_counter() - begin))
    return [float(value) for value in np.percentile(times, [10, 50, 90])]


def child(model: str, name: str, runs: int) -> list[float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--child", name, "--runs", str(runs), model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(value) for value in done.stdout.split()]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2], help="Processes at work beside it.")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--child", choices=THREADS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        print(*measure(given.models[0], THREADS[given.child], given.runs))
        return
    print(f"{os.cpu_count()} cores; milliseconds a map, and the times of threads=1")
    print(f"{'model':32} {'busy':>4} {'threads':8} {'10 %':>8} {'median':>8} {'90 %':>8} {'ratio':>6}")
    for model in given.models:
        for count in given.busy:
            with busy(count):
                found = {name: child(model, name, given.runs) for name in THREADS}
            for name, (low, median, high) in found.items():
                ratio = median / found["1"][1]
                print(
                    f"{Path(model).stem[:32]:32} {count:4} {name:8} {low:8.1f} {median:8.1f} {high:8.1f} "
                    f"{ratio:6.2f}"
                )


if __name__ == "__main__":
    main()
