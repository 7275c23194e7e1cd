"""Activations, dense layers and gates as exporters write them: one layer each, of one input."""

import numpy as np
import pytest
from building import parse, relative, rng

import explainer
from explainer import Explainer

X = rng(3).standard_normal((2, 4)).astype(np.float32)
CONSTANTS = {
    **{"r2": np.float32(np.sqrt(2)), "ir2": np.float32(np.sqrt(0.5)), "one": np.float32(1)},
    **{"half": np.float32(0.5), "two": np.float32(2), "three": np.float32(3), "six": np.float32(6)},
    **{"zero": np.float32(0), "k": np.float32(0.044715), "s": np.float32(np.sqrt(2 / np.pi))},
    **{
        "sixth": np.float32(1 / 6),
        "quick": np.float32(1.702),
        "odd": np.float32(1.2),
        "minus": np.float32(-1),
    },
}
# Name -> operator that it becomes, the nodes as they are written from x to y.
FORMS = {
    "GELU": ("Gelu", "d = Div (x, r2) e = Erf (d) a = Add (e, one) m = Mul (x, a) y = Mul (m, half)"),
    "GELU, half first": (
        "Gelu",
        "d = Mul (ir2, x) e = Erf (d) a = Add (one, e) h = Mul (x, half) y = Mul (a, h)",
    ),
    "GELU by Tanh": (
        "Gelu",
        "u = Mul (x, x) c = Mul (u, x) n = Mul (k, c) j = Add (x, n) l = Mul (s, j) t = Tanh (l)"
        " a = Add (one, t) m = Mul (x, a) y = Mul (half, m)",
    ),
    "GPT-2's GELU": (
        "Gelu",
        "h = Mul (x, half) c = Pow (x, three) n = Mul (c, k) j = Add (x, n) l = Mul (j, s) t = Tanh (l)"
        " a = Add (t, one) y = Mul (h, a)",
    ),
    "SiLU": ("Swish", "g = Sigmoid (x) y = Mul (g, x)"),
    "QuickGELU": ("Swish", "t = Mul (x, quick) g = Sigmoid (t) y = Mul (x, g)"),
    "HardSwish": ("HardSwish", "a = Add (x, three) c = Clip (a, zero, six) m = Mul (x, c) y = Div (m, six)"),
    "HardSwish, by a product": (
        "HardSwish",
        "a = Add (three, x) c = Clip (a, zero, six) d = Mul (c, sixth) y = Mul (d, x)",
    ),
    "HardSigmoid": ("HardSigmoid", "a = Add (x, three) c = Clip (a, zero, six) y = Div (c, six)"),
    "Sigmoid": ("Sigmoid", "n = Neg (x) e = Exp (n) a = Add (one, e) y = Reciprocal (a)"),
    "Sigmoid by a quotient": ("Sigmoid", "n = Neg (x) e = Exp (n) a = Add (e, one) y = Div (one, a)"),
    "Sigmoid, negated by a product": (
        "Sigmoid",
        "n = Mul (x, minus) e = Exp (n) a = Add (e, one) y = Reciprocal (a)",
    ),
    "Sigmoid, taken from nothing": (
        "Sigmoid",
        "n = Sub (zero, x) e = Exp (n) a = Add (e, one) y = Div (one, a)",
    ),
    "Sigmoid as a share": ("Sigmoid", "e = Exp (x) a = Add (one, e) y = Div (e, a)"),
    "falling Sigmoid": ("Reciprocal", "e = Exp (x) a = Add (e, one) y = Reciprocal (a)"),
    "scikit-learn's calibration": ("Reciprocal", "e = Exp (x) a = Add (one, e) y = Div (one, a)"),
    "Softplus": ("Softplus", "e = Exp (x) a = Add (e, one) y = Log (a)"),
    "LogSigmoid": ("Log", "g = Sigmoid (x) y = Log (g)"),
    "Mish": ("Mish", "t = Softplus (x) h = Tanh (t) y = Mul (x, h)"),
}


def net(body: str, constants=CONSTANTS, **more):
    text = f"g (float[N,4] i) => (float[N,3] o) {{ x = MatMul (i, w) {body} o = MatMul (y, v) }}"
    weights = {"w": rng(1).standard_normal((4, 4)), "v": rng(2).standard_normal((4, 3))}
    used = {name: value for name, value in {**constants, **more}.items() if name in body.replace(",", " ")}
    return parse(text, **weights, **used)


def operators(model, **how) -> list[str]:
    return [step.node.operator for step in Explainer(model, **how).plan.steps]


@pytest.mark.parametrize("name", FORMS)
def test_it_is_one_activation_which_passes_relevance(name):
    operator, body = FORMS[name]
    model = net(body)
    assert operators(model) == ["MatMul", operator, "MatMul"]
    found = Explainer(model, keep=["x", "y"], dtype="float64").explain(X, target=1)
    np.testing.assert_array_equal(found.relevances["x"], found.relevances["y"])


@pytest.mark.parametrize("name", FORMS)
def test_its_gradient_is_that_of_the_single_nodes(name):
    model = net(FORMS[name][1])
    gradient = Explainer(model, method="gradient", dtype="float64").explain(X, target=1).relevance
    plain = Explainer(model, method="gradient", dtype="float64", keep="all", audit=False)
    assert relative(plain.explain(X, target=1).relevance, gradient) < 1e-12
    h = 1 / 1024
    x = np.round(X * 1024) / 1024
    slope = [
        (explained(model, x + h * e) - explained(model, x - h * e)) / (2 * h)
        for e in np.eye(4, dtype=np.float32)
    ]
    exact = Explainer(model, method="gradient", dtype="float64").explain(x, target=1).relevance
    np.testing.assert_allclose(np.stack(slope, axis=1), exact, rtol=1e-3, atol=1e-4)


def explained(model, x):
    return np.asarray(Explainer(model, method="gradient", dtype="float64").explain(x, target=1).score)


@pytest.mark.parametrize("name", FORMS)
def test_it_compiles(name):
    explainer.compile(net(FORMS[name][1]))  # which proves it


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("GELU", "half", "odd"),
        ("GELU", "r2", "odd"),
        ("QuickGELU", "quick", "odd"),
        ("HardSwish", "three", "odd"),
        ("HardSwish", "zero", "one"),
    ],
)
def test_another_constant_is_another_function(name, right, wrong):
    operator, body = FORMS[name]
    body = body.replace(right, wrong)
    assert operator not in operators(net(body + " z = Identity (y)"))


def test_what_somebody_else_reads_stays_apart():
    body = "g = Sigmoid (x) m = Mul (g, x) y = Add (m, g)"
    assert "Swish" not in operators(net(body))


def test_a_matmul_and_its_bias_are_one_dense_layer():
    text = "g (float[N,5,4] x) => (float[N,5,3] y) { m = MatMul (x, w) y = Add (b, m) }"
    w, b = rng(1).standard_normal((4, 3)), rng(2).standard_normal(3)
    made = Explainer(parse(text, w=w, b=b), dtype="float64", eps=0.5)
    (step,) = made.plan_for("y").steps
    assert step.node.operator == "MatMul"
    x = rng(4).standard_normal((1, 5, 4)).astype(np.float32)
    z = x.astype(float) @ w.astype(np.float32) + b.astype(np.float32)
    wanted = x * ((z / (z + np.where(z >= 0, 0.5, -0.5))) @ w.astype(np.float32).T)
    np.testing.assert_allclose(made.explain(x, target="y").relevance, wanted, rtol=1e-9)


@pytest.mark.parametrize("b", [np.ones((5, 3)), np.ones((5, 1)), np.ones(1)], ids=["rows", "column", "one"])
def test_what_is_no_vector_of_columns_is_no_bias_of_it(b):
    text = "g (float[N,5,4] x) => (float[N,5,3] y) { m = MatMul (x, w) y = Add (m, b) }"
    assert len(Explainer(parse(text, w=rng(1).standard_normal((4, 3)), b=b)).plan_for("y").steps) == 2
