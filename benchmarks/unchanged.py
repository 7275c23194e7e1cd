"""Whether a change of the code's shape changed a number: relevance recorded before, compared after.

    python benchmarks/unchanged.py record before.npz     # on the revision to keep
    python benchmarks/unchanged.py compare before.npz    # on the revision at hand

Every model of `models` and of `../shared/models` that can be explained, by the presets and methods
below, in float64 on seeded inputs: the relevance of the inputs whole, that of every inner tensor by at
most `KEPT` of its values and their sum. What cannot be explained is recorded as that; once it can, that is
said and is no change. Run both with the same number of threads (`OMP_NUM_THREADS=1`): two sum in
another order than one, and ε of a quantised MobileNet makes 1e-12 of that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import explainer

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "models", ROOT.parent / "shared" / "models")
HOWS: dict[str, dict[str, Any]] = {
    **{name: {"composite": name} for name in ("epsilon", "epsilon_plus_flat", "recommended", "alpha2_beta1")},
    "gradient": {"method": "gradient"},
    "integrated_gradients": {"method": "integrated_gradients", "n_steps": 5},
    "deeplift": {"method": "deeplift"},
}
WALKS = ("epsilon", "epsilon_plus_flat", "recommended", "alpha2_beta1", "gradient")
KEPT = 4096
# What is allowed, relative to the largest value.
ALLOWED = 1e-12


def models() -> list[Path]:
    """The model files there are, by name."""
    return sorted(file for folder in FOLDERS for file in folder.glob("*.onnx"))


def feeds_of(graph: Any) -> dict[str, np.ndarray]:
    """One seeded sample for every input; whole numbers are pixels."""
    rng = np.random.default_rng(0)
    feeds = {}
    for value in graph.inputs:
        shape = [1, *(size or 64 for size in (value.shape or (1, 1))[1:])]
        whole = value.dtype.kind in "iu"
        x = rng.integers(0, 255, shape) if whole else rng.standard_normal(shape)
        feeds[value.name] = x.astype(value.dtype)
    return feeds


def found(file: Path, how: str) -> dict[str, np.ndarray]:
    """What an explanation gives, by tensor; the reason alone where there is none."""
    keep: dict[str, Any] = {"keep": "all"} if how in WALKS else {}
    try:
        ex = explainer.Explainer(str(file), dtype="float64", **HOWS[how], **keep)
        made = ex.explain(feeds_of(ex.graph))
    except explainer.ExplainerError as error:
        return {"refused": np.array(type(error).__name__)}
    whole = made.relevance if isinstance(made.relevance, dict) else {"input": made.relevance}
    inner = {f"inner {name}": sampled(R) for name, R in made.relevances.items()}
    return {**whole, **inner}


def sampled(R: np.ndarray) -> np.ndarray:
    """Some of the values, evenly spread, and the sum of all."""
    flat = R.ravel()
    return np.append(flat[:: max(1, flat.size // KEPT)], flat.sum())


def everything() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Model and method -> what was found."""
    for file in models():
        for how in HOWS:
            yield f"{file.stem} {how}", found(file, how)


def error(a: np.ndarray, b: np.ndarray) -> float:
    """The largest error relative to the largest value; infinity where shapes or answers differ."""
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return float("inf")
    if b.dtype.kind != "f":
        return 0.0 if np.array_equal(a, b) else float("inf")
    return float(np.max(np.abs(a - b), initial=0) / (np.max(np.abs(b), initial=0) or 1.0))


def record(path: str) -> int:
    """Write what this revision finds; the exit code."""
    begun = time.perf_counter()
    arrays: dict[str, Any] = {
        f"{key}|{name}": value for key, entries in everything() for name, value in entries.items()
    }
    np.savez_compressed(path, **arrays)
    print(f"{len(arrays)} tensors in {time.perf_counter() - begun:.0f} s: {path}")
    return 0


def compare(path: str) -> int:
    """Print how far this revision is from what was recorded; the exit code."""
    before = np.load(path, allow_pickle=False)
    names: dict[str, list[str]] = {}
    for entry in before.files:
        key, _, name = entry.partition("|")
        names.setdefault(key, []).append(name)
    worst = 0.0
    for key, now in everything():
        if names.get(key) == ["refused"] and "refused" not in now:
            print(f"{key}: could not be explained before")
            continue
        missing = set(names.get(key, [])) ^ set(now)
        off = {n: error(now[n], before[f"{key}|{n}"]) for n in names.get(key, []) if n in now}
        largest = max(off, key=off.__getitem__, default="")
        here = float("inf") if missing else off.get(largest, 0.0)
        worst = max(worst, here)
        if here > ALLOWED:
            print(
                f"{key}: {here:.2g} at {largest!r}"
                + (f"; only in one: {sorted(missing)[:3]}" if missing else "")
            )
    print(f"{len(names)} explanations, the worst {worst:.2g}; allowed {ALLOWED:g}")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("record", "compare"):
        sys.exit(__doc__)
    sys.exit(record(sys.argv[2]) if sys.argv[1] == "record" else compare(sys.argv[2]))
