"""Broken models, pictures, texts and command lines: an answer that is right, or a refusal that says why."""

import os

import pytest
from fuzzing import Worker
from kinds import KINDS
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
