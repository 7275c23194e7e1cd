"""The threads that NumPy multiplies matrices with: for the length of a walk, and put back."""

import threading

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer
from explainer.tensor import blas
from explainer.tensor.blas import Pool
from explainer.walk import forward


class Library:
    """In place of OpenBLAS: its number, and every one that it had."""

    def __init__(self, number=8):
        self.number, self.had = number, []

    def put(self, number):
        self.number = number
        self.had.append(number)


@pytest.fixture
def library(monkeypatch):
    found = Library()
    pool = Pool(lambda: found.number, found.put)
    monkeypatch.setattr(blas, "_pool", lambda: pool)
    return found


def test_the_number_holds_inside_and_is_put_back(library):
    with blas.threads(3):
        assert library.number == 3
        with blas.threads(0):
            assert library.number == 3
        with blas.threads(5):
            assert library.number == 3  # the smallest of those that are open
        with pytest.raises(KeyError), blas.threads(1):
            assert library.number == 1
            raise KeyError
        assert library.number == 3
    assert library.number == 8
    with blas.threads(0):
        assert library.number == 8
    library.number = 6  # by somebody else
    with blas.threads(2):
        pass
    assert library.number == 6


def test_no_order_of_threads_leaves_another_number(library):
    def walk(count):
        for _ in range(200):
            with blas.threads(count):
                assert library.number <= count

    workers = [threading.Thread(target=walk, args=(1 + count % 4,)) for count in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert library.number == 8


def test_the_library_of_this_numpy_is_told():
    pool = blas._pool()
    if pool is None:
        pytest.skip("NumPy's matrix products are not OpenBLAS's here")
    before = pool.get()
    with blas.threads(1):
        assert pool.get() == 1
    assert pool.get() == before


def test_without_such_a_library_nothing_happens(monkeypatch):
    monkeypatch.setattr(blas, "_pool", lambda: None)
    with blas.threads(1):
        pass


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("threads", "small", "had"),
    [(None, True, {1}), (None, False, set()), (3, True, {3}), (3, False, {3})],
)
def test_a_walk_has_the_threads_that_were_asked_for(library, monkeypatch, threads, small, had, dtype):
    if not small:
        monkeypatch.setattr(forward, "SMALL", 0)
    net = parse("g (float[N,4] x) => (float[N,2] y) { y = MatMul (x, w) }", w=rng(0).standard_normal((4, 2)))
    made = Explainer(net, threads=threads, dtype=dtype)
    for _ in range(2):
        made.explain(np.ones((1, 4), np.float32), target=0)
    assert {*library.had} - {8} == had
    assert library.number == 8
