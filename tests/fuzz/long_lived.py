"""Explainers that live long: thousands of questions from several threads, and what they leave behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bases import bases

import explainer
from explainer import Explainer, ExplainerError

INNER = "b"
HOW: tuple[dict[str, Any], ...] = (
    {},
    {"composite": "recommended", "keep": [INNER]},
    {"method": "integrated_gradients", "options": {"n_steps": 3}},
    {"method": "grad_cam"},
    {"method": "gradient", "noise": ("smoothgrad", {"n_samples": 2})},
    {"dtype": "float64"},
)
ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"target": 3},
    {"target": 1, "start": "one"},
    {"target": [1, 2], "start": "margin"},
    {"target": (INNER, 5)},
    {"target": 2, "conditions": {INNER: [0, 3]}},
    {"target": "no such class"},
    {"target": 99},
)


@dataclass(frozen=True)
class Left:
    """What a run left: wrong answers, and how memory and open files grew after the first tenth."""

    questions: int
    wrong: int
    grown: int  # bytes
    files: int


def picture(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal((samples, 3, 8, 8)).astype(np.float32)


def answered(one: Explainer, question: dict[str, Any]) -> object:
    """The relevance, or what was refused."""
    samples = len(question["target"]) if isinstance(question.get("target"), list) else 1
    try:
        return one.explain(picture(samples), **question).relevance
    except ExplainerError as error:
        return str(error)


def same(a: object, b: object) -> bool:
    return np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b


def run(questions: int, threads: int = 8, seed: int = 0, make: Callable[..., Explainer] = Explainer) -> Left:
    """Ask so many questions, mixed, from so many threads; every answer is compared with one given alone."""
    model = next(base.data for base in bases() if base.name == "residual")
    expected = {
        (how, asked): answered(explainer.Explainer(model, threads=1, **HOW[how]), ASKED[asked])
        for how in range(len(HOW))
        for asked in range(len(ASKED))
    }
    everyone = [make(model, threads=1, **how) for how in HOW]
    drawn = np.random.default_rng(seed).integers([len(HOW), len(ASKED)], size=(questions, 2)).tolist()

    def wrong(question: list[int]) -> bool:
        how, asked = question
        return not same(answered(everyone[how], ASKED[asked]), expected[how, asked])

    first = max(questions // 10, threads * 4)
    with ThreadPoolExecutor(threads) as pool:
        failed = sum(pool.map(wrong, drawn[:first]))
        before, files = memory(), open_files()
        failed += sum(pool.map(wrong, drawn[first:]))
        after = memory()
    return Left(questions, failed, after - before, open_files() - files)


def memory() -> int:
    """Bytes that this process holds, after what can be collected is."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
