"""A Softmax that is written out is one layer inside a model, and is cut where it ends one."""

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer import Explainer

W, V = (rng(seed).standard_normal(shape).astype(np.float32) for seed, shape in ((1, (4, 5)), (2, (5, 3))))
SHIFTED = "m = ReduceMax (h, last) d = Sub (h, m) e = Exp (d)"
FORMS = {
    "less the largest": f"{SHIFTED} t = ReduceSum (e, last) s = Div (e, t)",
    "of the plain powers": "e = Exp (h) t = ReduceSum (e, last) s = Div (e, t)",
    "times the reciprocal": f"{SHIFTED} t = ReduceSum (e, last) r = Reciprocal (t) s = Mul (r, e)",
    "less the largest, which is limited first": "m = ReduceMax (h, last) i = Identity (m) l = Max (least, i)"
    " d = Sub (h, l) e = Exp (d) t = ReduceSum (e, last) s = Div (e, t)",
    "axes put back": "m = ReduceMax <keepdims = 0> (h, last) n = Unsqueeze (m, last) d = Sub (h, n)"
    " e = Exp (d) t = ReduceSum <keepdims = 0> (e, last) u = Unsqueeze (t, last) s = Div (e, u)",
    "JAX's, by equinox": "m = ReduceMax <keepdims = 0> (h, one) k = Max (lowest, m) z = Shape (h)"
    " a = Reshape (k, column) n = Expand (a, z) i = Identity (n) d = Sub (h, i) e = Exp (d)"
    " t = ReduceSum <keepdims = 0> (e, one) b = Reshape (t, column) u = Expand (b, z) s = Div (e, u)",
}
NUMBERS = {
    "last": np.array([-1]),
    "one": np.array([1]),
    "column": np.array([-1, 1]),
    "lowest": np.float32(-np.inf),
    "least": np.float32([-np.inf]),
}
every = pytest.mark.parametrize("form", FORMS)


def net(softmax: str, end: str = "y = MatMul (s, v)"):
    text = f"g (float[N,4] x) => (float[N,3] y) {{ h = MatMul (x, w) {softmax} {end} }}"
    constants = {"w": W, "v": V} if "v)" in end else {"w": W}
    return parse(text, **constants, **{name: one for name, one in NUMBERS.items() if name in softmax})


def x_for(samples=3):
    return rng(3).standard_normal((samples, 4)).astype(np.float32)


@every
@pytest.mark.parametrize("composite", ["epsilon", "attnlrp", "gradient"])
def test_inside_it_is_the_operators_map(form, composite):
    told, wanted = (
        Explainer(net(body), composite=composite, dtype="float64").explain(x_for(), target=1)
        for body in (FORMS[form], "s = Softmax <axis = -1> (h)")
    )
    np.testing.assert_allclose(told.relevance, wanted.relevance, rtol=1e-9, atol=1e-12)


@every
@pytest.mark.parametrize("start", ["output", "probability"])
def test_at_the_end_it_is_cut(form, start, tmp_path):
    told, wanted = (
        explainer.explain(net(body, "y = Identity (s)"), x_for(), target=1, start=start)
        for body in (FORMS[form], "s = Softmax <axis = -1> (h)")
    )
    np.testing.assert_allclose(told.relevance, wanted.relevance, rtol=1e-5, atol=1e-6)
    explainer.compile(net(FORMS[form], "y = Identity (s)"), tmp_path / "lrp.onnx", target=1, start=start)


@pytest.mark.parametrize("start", ["output", "probability"])
@pytest.mark.parametrize(
    "written",
    [
        "n = Neg (z) e = Exp (n) a = Add (e, one) y = Reciprocal (a)",
        "h = Mul (z, half) t = Tanh (h) s = Mul (t, half) y = Add (s, half)",
        "h = Mul (half, z) t = Tanh (h) s = Add (one, t) y = Mul (half, s)",
    ],
)
def test_a_written_sigmoid_at_the_end_is_cut_too(start, written):
    numbers = {"one": np.ones((), np.float32), "half": np.full((), 0.5, np.float32)}
    ends = {name: value for name, value in numbers.items() if name in written}
    told, wanted = (
        explainer.explain(
            parse(f"g (float[N,4] x) => (float[N,5] y) {{ z = MatMul (x, w) {end} }}", w=W, **constants),
            x_for(),
            target=1,
            start=start,
            method="deeplift",
        )
        for end, constants in ((written, ends), ("y = Sigmoid (z)", {}))
    )
    np.testing.assert_allclose(told.relevance, wanted.relevance, rtol=1e-5, atol=1e-6)


def test_what_differs_along_the_axis_is_no_largest():
    limits = np.arange(5, dtype=np.float32) - 2
    body = "m = ReduceMax (h, last) l = Max (m, limits) d = Sub (h, l) e = Exp (d) t = ReduceSum (e, last)"
    text = f"g (float[N,4] x) => (float[N,5] y) {{ h = MatMul (x, w) {body} y = Div (e, t) }}"
    model = parse(text, w=W, last=np.array([-1]), limits=limits)
    assert Explainer(model).plan_for(1).anchor.tensor == "d"


def test_what_is_no_softmax_is_none():
    for other in (
        "e = Exp (h) f = Exp (x) t = ReduceSum (f, last) s = Div (e, t)",
        "e = Exp (h) t = ReduceSum (e, both) s = Div (e, t)",
    ):
        model = net(other)
        if "both" in other:
            model = parse(
                f"g (float[N,4] x) => (float[N,3] y) {{ h = MatMul (x, w) {other} y = MatMul (s, v) }}",
                w=W,
                v=V,
                both=np.array([0, 1]),
            )
        nodes = Explainer(model, composite="gradient").plan_for("y").graph.nodes
        assert "Softmax" not in {node.operator for node in nodes}
