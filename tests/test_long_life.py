"""An explainer that answers for a long time holds as much as at its beginning."""

import gc
import os
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from building import parse, rng

from explainer import Explainer
from explainer.compiler import walker
from explainer.doors import prepared
from explainer.plain.recent import Recent

KEPT, DEPTH = 4, 12


def deep():
    """A tensor for every target: t0, t1, ..."""
    text = " ".join(f"t{n + 1} = Softplus (t{n})" for n in range(DEPTH))
    text = f"g (float[N,4] x) => (float[N,4] y) {{ t0 = MatMul (x, w) {text} y = MatMul (t{DEPTH}, w) }}"
    return parse(text, w=rng(0).standard_normal((4, 4)))


@pytest.fixture(autouse=True)
def few_are_held(monkeypatch):
    monkeypatch.setattr(prepared, "KEPT", KEPT)


@pytest.fixture
def sessions(monkeypatch):
    """The sessions that are held."""
    held = weakref.WeakSet()

    class Held(onnxruntime.InferenceSession):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            held.add(self)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Held)
    return held


def test_the_last_that_were_asked_for_are_held():
    recent, made = Recent(2), []

    def ask(key):
        return recent.get(key, lambda: made.append(key) or key)

    assert [ask(key) for key in "abacab"] == list("abacab")
    assert made == list("abcb") and len(recent) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"method": "occlusion"}])
def test_sessions_of_old_targets_are_given_back(sessions, how):
    made, x = Explainer(deep(), **how), np.ones((1, 4), np.float32)
    first = made.explain(x, target=("t0", 1)).relevance
    for n in range(DEPTH):
        made.explain(x, target=(f"t{n}", 0))
    gc.collect()
    assert len(sessions) <= KEPT
    np.testing.assert_array_equal(made.explain(x, target=("t0", 1)).relevance, first)


def test_several_targets_at_once_may_be_more_than_are_held(sessions):
    made, x = Explainer(deep()), np.ones((1, 4), np.float32)
    found = made.explain_targets(x, [(f"t{n}", 0) for n in range(DEPTH)])
    for n in (0, 1, DEPTH - 1):
        np.testing.assert_array_equal(found[n].relevance, made.explain(x, target=(f"t{n}", 0)).relevance)
    gc.collect()
    assert len(sessions) <= KEPT


def test_sizes_of_batches_are_not_all_remembered(monkeypatch):
    monkeypatch.setattr(walker, "SIZES", 3)
    made = Explainer(deep(), engine="onnxruntime", method="gradient", noise=("smoothgrad", {"n_samples": 2}))
    for samples in range(1, 9):
        made.explain(np.ones((samples, 4), np.float32), target=0)
    (walkers,) = made._prepared._walkers._held.values()
    assert 1 <= len(walkers.many(100)._trusted) <= 3


@pytest.mark.slow
def test_eight_threads_leave_no_memory_and_no_files_behind(tmp_path):
    """Targets, batch sizes and conditions in turn: what is open and held afterwards is what was before."""
    if sys.platform != "linux":
        pytest.skip("open files and memory are read from /proc")
    onnx.save(deep(), tmp_path / "deep.onnx")
    made = Explainer(tmp_path / "deep.onnx")
    wrong = []

    def ask(seed):
        random = np.random.default_rng(seed)
        for _ in range(20):
            n, samples = int(random.integers(DEPTH)), int(random.integers(1, 5))
            x = random.random((samples, 4)).astype(np.float32)
            through = {f"t{n // 2}": [0, 1]} if n % 2 else None
            found = made.explain(x, target=(f"t{n}", 0), conditions=through)
            again = made.explain(x, target=(f"t{n}", 0), conditions=through)
            if not np.array_equal(found.relevance, again.relevance):
                wrong.append((n, samples))

    def together(begin):
        workers = [threading.Thread(target=ask, args=(begin + seed,)) for seed in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE")

    together(0)
    files, held = together(8)
    for begin in (16, 24):
        more, larger = together(begin)
    assert not wrong
    assert more <= files and larger < held + 16e6
