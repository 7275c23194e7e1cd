"""A process that runs cases under limits: whatever hangs or eats memory is ended, and the parent sees it."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path

SECONDS = 5.0  # of processor time, for one case
GIGABYTES = 2.0  # beyond what the process has before it begins
LARGE = 12 * 2**30


def main() -> None:
    """Read a case a line, `{"kind", "seed", "edits"}`, and answer with a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    os.environ["ONNX_LRP_PLUGINS"] = "0"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parents[1])]
    import resource

    import kinds

    kinds.quiet_folder()
    resource.setrlimit(resource.RLIMIT_AS, (LARGE, LARGE))
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(run(kinds, **asked)) + "\n")
        answers.flush()


def run(kinds, kind: str, seed: int, edits: list[tuple[str, int]] | None) -> dict[str, object]:
    """One case, by its own edits or by some that are named."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    begun = time.process_time()
    try:
        case = kinds.KINDS[kind](seed)
        edits = case.edits if edits is None else edits
        found = case.run(edits)
        verdict = {"status": found.status, "what": found.what, "detail": found.detail}
        verdict |= {"base": case.base, "edits": edits}
    except kinds.Nothing:
        verdict = {
            "status": "refused",
            "what": "nothing to try",
            "detail": "",
            "base": "",
            "edits": edits or [],
        }
    except MemoryError:
        verdict = {
            "status": "fault",
            "what": "memory: MemoryError",
            "detail": "",
            "base": "",
            "edits": edits or [],
        }
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    peak = (memory("VmHWM") - before) / 2**30
    if peak > GIGABYTES:
        verdict |= {"status": "fault", "what": "memory", "detail": f"{peak:.1f} GiB"}
    verdict |= {"seconds": time.process_time() - begun, "gigabytes": peak}
    if peak > 0.2:
        gc.collect()
    return verdict


def memory(field: str) -> int:
    """Bytes that this process has, or had at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
