"""Broken models, pictures, texts and command lines: an answer that is right, or a refusal that says why."""

import os

import fuzzing
import pytest
from fuzzing import Worker
from kinds import KINDS, judged
from subject import Wrong
from versions import before

BLOCK = 25


def blocks(config: pytest.Config) -> list[tuple[str, int]]:
    """Kind and first seed of every block of cases; of models most, which can be wrong in most ways."""
    count = config.option.fuzz or (1000 if config.option.all else 100)
    return [(kind, first) for kind in KINDS for first in range(0, count, BLOCK)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "block" in metafunc.fixturenames:
        found = blocks(metafunc.config)
        metafunc.parametrize("block", found, ids=[f"{kind}-{first}" for kind, first in found])


@pytest.fixture(scope="module")
def worker():
    made = Worker()
    yield made
    made.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of time and memory are those of POSIX systems")
def test_nothing_foreign_nothing_wrong_no_hang(block, worker):
    kind, first = block
    if kind == "models" and before("onnxruntime", "1.25"):
        pytest.skip("this onnxruntime ends the process on some of them")
    found = [worker.ask(kind, seed) for seed in range(first, first + BLOCK)]
    assert {answer["status"] for answer in found} <= {"answered", "refused"}, [
        answer for answer in found if answer["status"] == "fault"
    ]


def wrong(message: str) -> str:
    def call() -> None:
        raise Wrong(message)

    return judged(call).what


def test_faults_are_of_a_sort_whatever_their_names_and_numbers():
    put = wrong("5.77848 was put there, -4.1e-05 arrived, 0 is accounted for")
    assert put == wrong("-2 was put there, 1.5 arrived, 3e+10 is accounted for")
    assert put != wrong("compile: the compiled 'relevance' differs by 0.1")
    assert wrong("output 'y' is not onnxruntime's") == wrong("output 'a b' is not onnxruntime's")


def test_a_fault_is_reduced_to_the_fewest_edits_and_nodes_that_show_the_same(monkeypatch):
    """Without the edit "b" another answer is wrong: that is another fault, and "b" is kept."""

    class Told:
        def ask(self, kind, seed, edits):
            names = {edit for edit, _ in edits if edit != "bypass"}
            gone = {place for edit, place in edits if edit == "bypass"}
            right = {"status": "answered", "what": ""}
            if 2 in gone or not names:
                return right
            what = "wrong: a batch" if "b" in names else "wrong: ... was put there"
            return {"status": "fault", "what": what}

        def close(self):
            pass

    monkeypatch.setattr(fuzzing, "Worker", Told)
    fault = {"kind": "models", "seed": 1, "status": "fault", "what": "wrong: a batch"}
    kept, least = fuzzing.reduce(fault, [("a", 1), ("b", 2), ("c", 3)], nodes=4)
    assert kept == [("b", 2), ("bypass", 3), ("bypass", 1), ("bypass", 0)]
    assert least["what"] == "wrong: a batch"
