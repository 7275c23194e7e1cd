"""Shapes that are put together in a graph."""

import numpy as np
import pytest
from building import parse

from explainer.model.graph import Graph
from explainer.model.sizes import MOST_AXES, sizes_of


def sizes(text, **constants):
    graph = Graph.load(parse(f"g (float[N,2,3] x) => (int64[n] s) {{ {text} }}", **constants))
    return sizes_of(graph, "s", graph.axes)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s = Shape(x)", [None, None, None]),
        ("s = Shape<start=1>(x)", [None, None]),
        ("a = Shape(x) b = Slice(a, zero, one) s = Concat<axis=0>(b, more)", [None, 7, 8]),
        (
            "a = Shape(x) b = Gather(a, zero) c = Cast<to=7>(b) s = Concat<axis=0>(c, c, more)",
            [None, None, 7, 8],
        ),
        (
            "a = Shape(x) b = Gather(a, first) c = Unsqueeze(b, zero) s = Concat<axis=0>(more, c)",
            [7, 8, None],
        ),
        ("a = Shape(x) s = Mul(a, a)", None),
    ],
)
def test_what_is_known_of_a_shape(text, found):
    constants = {"zero": np.array([0]), "one": np.array([1]), "first": np.array(0), "more": np.array([7, 8])}
    got = sizes(text, **constants)
    assert (got and list(got)) == found


def test_a_shape_is_found_in_time_at_any_depth():
    chain = " ".join(f"a{n + 1} = Identity(a{n})" for n in range(3000))
    assert sizes(f"a0 = Shape(x) {chain} s = Identity(a3000)") == [None] * 3
    doubled = " ".join(f"a{n + 1} = Concat<axis=0>(a{n}, a{n})" for n in range(60))
    assert sizes(f"a0 = Shape(x) {doubled} s = Identity(a60)") is None  # 2 ** 60 sizes
    assert sizes("a = Shape(x) s = Concat<axis=0>(a, long)", long=np.ones(MOST_AXES + 1, np.int64)) is None
