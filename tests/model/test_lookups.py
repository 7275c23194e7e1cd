"""What is looked up in a table, and which of it a model is asked about."""

import re

import numpy as np
import pytest
from building import parse, rng
from tokens import LOOKUPS, tokens

import explainer
from explainer.model.graph import Graph
from explainer.model.lookups import embeddings, lookups

ENDS = {"one hot": "MatMul 'e'", "quantised": "DequantizeLinear 'e'"}
TABLE = {"w": rng(0).standard_normal((9, 4)), "small": rng(1).standard_normal((3, 4)), "g": np.ones((4, 2))}


def found(text, **constants):
    graph = Graph.load(parse(text, **constants))
    rows = lookups(graph).rows
    return [one.tensor for one in rows], [one.tensor for one in embeddings(graph, rows)]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_where_the_rows_of_words_are(kind):
    graph = Graph.load(tokens(kind))
    rows = lookups(graph).rows
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
    "positions in a larger table": (
        "g (int64[N,5] a, int64[N,5] position_ids, int64[N,5] mask) => (float[N,5,4] y) {"
        " i = Gather (small, a) j = Gather (w, position_ids) s = Add (i, j)"
        " c = CumSum (mask, one) k = Gather (w, c) y = Add (s, k) }",
        (["i", "j", "k"], ["i"]),
    ),
    "a line beside a table": (
        "g (int64[N,5] a) => (float[N,5,4] y) { i = Gather (w, a) j = Gather (line, a) y = Add (i, j) }",
        (["i", "j"], ["i", "j"]),
    ),
    "one hot by an Equal, as JAX writes it": (
        "g (int64[N,5] a) => (float[N,5,4] y) { b = Unsqueeze (a, last) h = Equal (b, order)"
        " f = Cast <to = 1> (h) y = MatMul (f, w) }",
        (["y"], ["y"]),
    ),
    "what a padding is, is no row": (
        "g (int64[N,5] a) => (float[N,5] y) { h = Equal (a, one) f = Cast <to = 1> (h) y = Relu (f) }",
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
    more |= {"one": np.array(1), "last": np.array([2]), "line": np.ones((9, 1))}
    text = f'<ir_version: 8, opset_import: ["" : 17]> {text}'
    assert (
        found(text, **{name: value for name, value in {**TABLE, **more}.items() if f"{name}" in text})
        == wanted
    )


NUMBERS = """g (int64[N,2] age, int64[N] job, int64[N,2] mask) => (float[N,2] y) {
    n = Cast <to = 1> (age) r = Gather (w, job) m = Cast <to = 1> (mask) BODY }"""


@pytest.mark.parametrize(
    "body",
    [
        "j = Concat <axis = 1> (n, r) z = MatMul (j, e) y = Mul (z, m)",
        "s = Sub (n, c) q = MatMul (s, d) p = MatMul (r, g) z = Add (p, q) y = Mul (z, m)",
    ],
)
def test_whole_numbers_that_are_numbers_have_relevance_too(body):
    """A table of people: their age is a number, their job a row of a table, and a mask is neither."""
    held = {"w": rng(0).standard_normal((9, 4)), "e": rng(1).standard_normal((6, 2)), "c": np.float32(40)}
    held |= {"d": np.eye(2), "g": rng(2).standard_normal((4, 2))}
    text = NUMBERS.replace("BODY", body)
    model = parse(text, **{name: value for name, value in held.items() if re.search(rf"\b{name}\b", text)})
    assert lookups(Graph.load(model)).numbers == {"age"}
    feeds = {"age": np.array([[3, 4]]), "job": np.array([2]), "mask": np.ones((1, 2), np.int64)}
    found = explainer.explain(model, feeds, dtype="float64")
    assert list(found.relevance) == ["r", "age"] and all(R.any() for R in found.relevance.values())
