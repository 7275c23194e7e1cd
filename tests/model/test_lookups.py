"""What is looked up in a table, and which of it a model is asked about."""

import numpy as np
import pytest
from building import parse, rng
from tokens import LOOKUPS, tokens

from explainer.model.graph import Graph
from explainer.model.lookups import embeddings, lookups

ENDS = {"one hot": "MatMul 'e'", "quantised": "DequantizeLinear 'e'"}
TABLE = {"w": rng(0).standard_normal((9, 4)), "small": rng(1).standard_normal((3, 4)), "g": np.ones((4, 2))}


def found(text, **constants):
    graph = Graph.load(parse(text, **constants))
    rows = lookups(graph)
    return [one.tensor for one in rows], [one.tensor for one in embeddings(graph, rows)]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_where_the_rows_of_words_are(kind):
    graph = Graph.load(tokens(kind))
    rows = lookups(graph)
    (words,) = embeddings(graph, rows)
    assert (words.tensor, words.inputs, words.rows) == ("e", frozenset({"ids"}), 20)
    assert words.node == ENDS.get(kind, "Gather 'e'")
    assert len(rows) == (2 if kind in ("counted", "kinds") else 1)


CASES = {
    "two of equal size": (
        "g (int64[N,5] a, int64[N,5] b) => (float[N,5,4] y)"
        " { i = Gather (w, a) j = Gather (w, b) y = Add (i, j) }",
        (["i", "j"], ["i", "j"]),
    ),
    "a user and a thing, no places": (
        "g (int64[N] a, int64[N] b) => (float[N,4] y)"
        " { i = Gather (w, a) j = Gather (small, b) y = Add (i, j) }",
        (["i", "j"], ["i", "j"]),
    ),
    "its place in a batch of points": (
        "g (int64[N,5,1] a) => (float[N,5,4] y) { y = GatherND (w, a) }",
        (["y"], ["y"]),
    ),
    "along another axis": (
        "g (int64[N] a) => (float[9,N] y) { y = Gather <axis = 1> (w, a) }",
        (["y"], ["y"]),
    ),
    "one hot, and no product": (
        "g (int64[N,5] a) => (float[N,5] y)"
        " { h = OneHot (a, nine, off_on) y = ReduceMax <axes = [2], keepdims = 0> (h) }",
        (["h"], ["h"]),
    ),
    "what was chosen by a score is none": (
        "g (float[N,4] x) => (float[N,4] y) { i = ArgMax <axis = 1, keepdims = 0> (x) y = Gather (w, i) }",
        ([], []),
    ),
    "a choice among what was computed is none": (
        "g (float[N,4] x, int64[2] i) => (float[N,2] y) { r = Relu (x) y = Gather <axis = 1> (r, i) }",
        ([], []),
    ),
    "other indices": (
        "g (int64[N,5] a) => (float[N,5,4] y) { b = Gather (order, a) y = Gather (w, b) }",
        (["y"], ["y"]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_looked_up(case):
    text, wanted = CASES[case]
    more = {"nine": np.array(9), "off_on": np.array([0, 1.0]), "order": np.arange(9)[::-1].copy()}
    text = f'<ir_version: 8, opset_import: ["" : 17]> {text}'
    assert (
        found(text, **{name: value for name, value in {**TABLE, **more}.items() if f"{name}" in text})
        == wanted
    )
