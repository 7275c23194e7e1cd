"""`python tests/fuzz`: thousands of broken models, pictures, texts and command lines, and what came of them.

Seeded: the same numbers are the same cases. Faults are listed, the first of each kind reduced to the fewest
edits and nodes that still show it and, with --save, written to a folder. Exit status 1 if there is any.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import onnx  # noqa: E402
from fuzzing import Answer, Edit, answers, reduce  # noqa: E402
from kinds import KINDS  # noqa: E402


def smallest(fault: Answer) -> tuple[list[Edit], Answer]:
    """A fault's smallest form."""
    case = KINDS[fault["kind"]](fault["seed"])
    nodes = 0
    if fault["kind"] == "models":
        try:
            nodes = len(onnx.load_from_string(case.made(case.edits)).graph.node)
        except Exception:  # no model any more: its bytes are what is wrong with it
            nodes = 0
    return reduce(fault, case.edits, nodes if nodes < 60 else 0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind [10000]")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these [all]")
    parser.add_argument("--seed", type=int, default=0, help="of the first case [0]")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", type=Path, help="a folder for the reduced cases")
    parser.add_argument("-v", action="store_true", help="list every fault")
    asked = parser.parse_args()
    failed = False
    for kind in asked.kind or KINDS:
        begun = time.monotonic()
        count: Counter[str] = Counter()
        faults = defaultdict(list)
        slowest = largest = 0.0
        seeds = range(asked.seed, asked.seed + asked.cases)
        for answer in answers(((kind, seed) for seed in seeds), asked.workers):
            count[answer["status"]] += 1
            slowest = max(slowest, answer["seconds"])
            largest = max(largest, answer.get("gigabytes", 0.0))
            if answer["status"] == "fault":
                faults[answer["what"]].append(answer)
                if asked.v:
                    print("  ", answer, flush=True)
        said = ", ".join(f"{number:,} {status}" for status, number in sorted(count.items()))
        print(
            f"{kind}: {asked.cases:,} cases from seed {asked.seed}: {said}; "
            f"at most {slowest:.1f} s and {largest:.2f} GiB; {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        for what, found in sorted(faults.items(), key=lambda item: -len(item[1])):
            edits, least = smallest(found[0])
            print(f"  {len(found)} x {what}: {least['base']}, seed {least['seed']}, {edits}")
            print(f"      {least['detail'][:600]}", flush=True)
            if asked.save:
                asked.save.mkdir(parents=True, exist_ok=True)
                data = KINDS[kind](least["seed"]).made(edits)
                (asked.save / f"{kind}-{least['seed']}").write_bytes(data)
        failed |= bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
