"""What a file computes in whole numbers, before its Cast, is explained in the numbers of the walk."""

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import run

from explainer import NumericalError, compile, explain

TEXT = "g (uint8[N,3] x) => (float[N,2] y) { %s y = Gemm (b, w) }"
W = rng(1).standard_normal((3, 2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("node", "same"), [("Add (x, x)", "Add (c, c)"), ("Identity (x)", "Identity (c)")])
def test_sums_of_pixels(node, same, dtype):
    x = np.array([[3, 100, 0], [7, 1, 127]], np.uint8)
    whole = parse(TEXT % f"a = {node} b = Cast <to = 1> (a)", w=W)
    first = parse(TEXT % f"c = Cast <to = 1> (x) b = {same}", w=W)
    found, expected = explain(whole, x, dtype=dtype), explain(first, x, dtype=dtype)
    assert relative(found.relevance, expected.relevance) < 1e-6
    assert found.relevance.dtype == dtype


def test_a_constant_is_taken_off():
    x = np.array([[30, 100, 9]], np.uint8)
    whole = parse(TEXT % "a = Sub (x, k) b = Cast <to = 1> (a)", w=W, k=np.uint8(5))
    first = parse(TEXT % "c = Cast <to = 1> (x) b = Sub (c, k)", w=W, k=np.float32(5))
    assert relative(explain(whole, x).relevance, explain(first, x).relevance) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("node", "gives"),
    [
        ("Add (x, x)", "144 where 400 is meant"),
        ("Add (k, x)", "44 where 300 is meant"),
        ("Sub (x, k)", "156 where -100 is meant"),
        ("Mul (x, k)", "32 where 20000 is meant"),
        ("Div (x, e)", "28 where 28.57"),
    ],
)
def test_what_wraps_round_or_is_cut_off_is_no_sum(node, gives, dtype):
    """It was called a mistake of the rule, or in float64 of the layer; or a TypeError of NumPy's."""
    model = parse(TEXT % f"a = {node} b = Cast <to = 1> (a)", w=W, k=np.uint8(100), e=np.uint8(7))
    with pytest.raises(NumericalError, match=f"'a' computes in whole numbers.*it gives {gives}.*Cast the"):
        explain(model, np.array([[200, 100, 0]], np.uint8), dtype=dtype)


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus"])
def test_compiled(composite):
    weights = {"w": W, "k": np.uint8(1), "e": np.uint8(100)}  # the examples are bytes below 255
    model = parse(TEXT % "a = Add (x, k) b = Cast <to = 1> (a)", **weights)
    x = np.array([[3, 100, 0], [7, 1, 127]], np.uint8)
    found = run(compile(model, target=1, composite=composite), x)["relevance"]
    assert relative(found, explain(model, x, target=1, composite=composite).relevance) < 1e-4
    with pytest.raises(NumericalError, match="'a' computes in whole numbers"):
        compile(parse(TEXT % "a = Add (x, e) b = Cast <to = 1> (a)", **weights), target=1)
