"""Normalisation by the image's own statistics: the map is that of the same net fed the normalised image."""

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

import explainer
from explainer import CompositeError, Explainer, UnsupportedError

BODY = """c = Conv<pads=[1,1,1,1]>(n, k)  r = Relu(c)  d = Conv<pads=[1,1,1,1]>(r, l, b)  s = Relu(d)
    p = GlobalAveragePool(s)  f = Flatten(p)  y = MatMul(f, w) }"""
WEIGHTS = {
    "k": rng(1).standard_normal((8, 3, 3, 3)),
    "l": rng(2).standard_normal((4, 8, 3, 3)),
    "b": rng(3).standard_normal(4),
    "w": rng(4).standard_normal((4, 3)),
}
CONSTANTS = {
    "all": np.array([1, 2, 3]),
    "channels": np.array([1]),
    "most": np.float32(255),
    "two": np.float32(2),
    "least": np.float32(1 / np.sqrt(3 * 12 * 12)),
    "tiny": np.float32(1e-6),
    "steps": np.array([0, 1, 1, 1]),
}
EACH, WHOLE = (2, 3), (1, 2, 3)


def mean(x, axes=WHOLE):
    return x.mean(axis=axes, keepdims=True)


def deviation(x, axes=WHOLE):
    return x.std(axis=axes, keepdims=True)


MEAN = "m = ReduceMean(x, all)  a = Sub(x, m)"
FORMS = {
    "x - ReduceMean(x)": (MEAN.replace("a =", "n ="), lambda x: x - mean(x)),
    "x - GlobalAveragePool(x)": (
        "m = GlobalAveragePool(x)  n = Sub(x, m)",
        lambda x: x - mean(x, EACH),
    ),
    "x + -mean": (
        "m = ReduceMean(x, all)  o = Neg(m)  n = Add(o, x)",
        lambda x: x - mean(x),
    ),
    "mean - x": ("m = ReduceMean(x, all)  a = Sub(m, x)  n = Neg(a)", lambda x: x - mean(x)),
    "mean of each place": ("m = ReduceMean(x, channels)  n = Sub(x, m)", lambda x: x - mean(x, (1,))),
    "spread by hand": (
        """m = ReduceMean<keepdims=0>(x, all)  h = Reshape(m, one4)  z = Shape(x)  e = Expand(h, z)
        n = Sub(x, e)""",
        lambda x: x - mean(x),
    ),
    "per_image_standardization": (
        f"""{MEAN}  q = Mul(a, a)  v = ReduceMean(q, all)  t = Sqrt(v)  u = Max(t, least)  n = Div(a, u)""",
        lambda x: (x - mean(x)) / np.maximum(deviation(x), CONSTANTS["least"]),
    ),
    "bytes, then per_image_standardization": (
        """g = Div(x, most)  m = ReduceMean(g, all)  a = Sub(g, m)  q = Pow(a, two)  v = ReduceMean(q, all)
        e = Add(v, tiny)  t = Sqrt(e)  n = Div(a, t)""",
        lambda x: (x / 255 - mean(x / 255)) / np.sqrt(deviation(x / 255) ** 2 + 1e-6),
    ),
    "E(x²) - E(x)²": (
        """m = ReduceMean(x, all)  q = Mul(x, x)  o = ReduceMean(q, all)  g = Mul(m, m)  v = Sub(o, g)
        t = Sqrt(v)  a = Sub(x, m)  i = Reciprocal(t)  n = Mul(a, i)""",
        lambda x: (x - mean(x)) / deviation(x),
    ),
    "least and largest": (
        "lo = ReduceMin(x, all)  hi = ReduceMax(x, all)  h = Sub(hi, lo)  a = Sub(x, lo)  n = Div(a, h)",
        lambda x: (
            (x - x.min(axis=WHOLE, keepdims=True))
            / (x.max(axis=WHOLE, keepdims=True) - x.min(axis=WHOLE, keepdims=True))
        ),
    ),
    "length": (
        "h = ReduceL2(x, all)  n = Div(x, h)",
        lambda x: x / np.sqrt((x**2).sum(axis=WHOLE, keepdims=True)),
    ),
}
FORMS["a mean that wraps"] = (  # by an operator without a layer
    "m = ReduceMean(x, all)  left = Mod<fmod = 1>(m, most)  n = Sub(x, left)",
    lambda x: x - mean(x),
)
FORMS["one operator"] = (
    "n = MeanVarianceNormalization <axes = [1, 2, 3]> (x)",
    lambda x: (x - mean(x)) / deviation(x),
)
CONSTANTS["one4"] = np.array([0, 1, 1, 1])
each_form = pytest.mark.parametrize("form", FORMS)
COMPOSITES = ["epsilon_plus_flat", "recommended", "wsquare", "flat", "sequential_preset_b_flat"]


def picture(samples: int = 2) -> np.ndarray:
    """Brighter from corner to corner, with a little noise; each sample of another brightness."""
    rows, columns = np.mgrid[:12, :12]
    x = (rows + columns) / 24 + 0.2 * rng(5).random((samples, 3, 12, 12))
    return (x * np.arange(1, samples + 1).reshape(-1, 1, 1, 1)).astype(np.float32)


def inside(form: str):
    return parse(
        f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {FORMS[form][0]} {BODY}", **WEIGHTS, **CONSTANTS
    )


def outside():
    return parse(f"g (float[N,3,12,12] n) => (float[N,3] y) {{ {BODY}", **WEIGHTS)


def normal(form: str, x: np.ndarray) -> np.ndarray:
    return FORMS[form][1](x.astype(np.float64)).astype(np.float32)


@pytest.mark.parametrize("composite", COMPOSITES)
@each_form
def test_the_map_is_that_of_the_normalised_image(form, composite):
    settings = {"composite": composite, "eps": 1e-4, "dtype": "float64"}
    x = picture()
    made = Explainer(inside(form), **settings)
    found, wanted = made.explain(x, 1), Explainer(outside(), **settings).explain(normal(form, x), 1)
    np.testing.assert_allclose(found.score, wanted.score, rtol=1e-4)
    assert relative(found.relevance, wanted.relevance) < 1e-4  # the file's mean is rounded to float32
    assert "preprocessing in the file, through which relevance goes unchanged: " in str(made.plan)
    alone = made.explain(x[1:], 1).relevance
    assert relative(alone, found.relevance[1:]) < 1e-6


@each_form
def test_float32(form):
    x = picture()
    found = Explainer(inside(form), composite="epsilon_plus_flat").explain(x, 1)
    wanted = Explainer(outside(), composite="epsilon_plus_flat").explain(normal(form, x), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-3


@pytest.mark.parametrize("form", ["x - ReduceMean(x)", "spread by hand", "per_image_standardization"])
def test_compiled(form):
    x = picture()
    compiled = explainer.compile(inside(form), composite="epsilon_plus_flat", target=1, eps=1e-4)
    wanted = Explainer(inside(form), composite="epsilon_plus_flat", eps=1e-4).explain(x, 1)
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < 10 * CLOSE


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus"])
def test_for_rules_that_multiply_the_mean_is_computed_from_the_image(composite):
    plan = Explainer(inside("x - ReduceMean(x)"), composite=composite).plan
    assert not any(step.prepares for step in plan.steps)
    assert "m" in plan.tensors
    held = Explainer(inside("per_image_standardization"), composite=composite).plan.steps[-1]
    assert not held.prepares and held.rule.name() == "held"
    with pytest.raises(UnsupportedError, match=r"Mod x1 \(this operator has no layer\)") as refused:
        Explainer(inside("a mean that wraps"), composite=composite).explain(picture())
    # What it does answer is another composite, whose first rule does not multiply.
    flat = {"composite": "epsilon_plus_flat"}
    assert refused.value.ways[0].settings == flat and "composite='epsilon_plus_flat'" in str(refused.value)
    Explainer(inside("a mean that wraps"), **flat).explain(picture())
    with pytest.raises(UnsupportedError) as refused:
        explainer.compile(inside("a mean that wraps"), composite=composite)
    assert refused.value.ways[0].settings == flat


def test_the_gradient_goes_through_the_mean():
    """It sums to 0 over the image, since a brighter image is the same one."""
    found = Explainer(inside("x - ReduceMean(x)"), method="gradient", dtype="float64").explain(picture(), 1)
    assert np.abs(found.relevance.sum(axis=WHOLE)).max() < 1e-6 * np.abs(found.relevance).sum()


@pytest.mark.parametrize("front", ["x - ReduceMean(x)", "one operator"])
def test_bounds_of_the_input_are_none_of_what_depends_on_the_image(front):
    made = Explainer(inside(front), composite=("epsilon_gamma_box", {"low": 0, "high": 1}))
    with pytest.raises(CompositeError, match=r"what only a run tells.*\"c=zbox:-1,1\""):
        made.explain(picture())
    own = {"rules": {"c": "zbox:-4,4"}, "eps": 1e-4, "dtype": "float64"}
    form, x = "per_image_standardization", picture()
    found, wanted = Explainer(inside(form), **own), Explainer(outside(), **own)
    assert relative(found.explain(x, 1).relevance, wanted.explain(normal(form, x), 1).relevance) < 1e-4


@pytest.mark.parametrize("what", ["another input's mean", "a rule by name", "the difference of two places"])
def test_what_is_shared_as_before(what):
    text = f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {MEAN.replace('a =', 'n =')} {BODY}"
    rules = {}
    if what == "another input's mean":
        text = text.replace("x)", "x, float[N,3,12,12] z)", 1).replace("ReduceMean(x", "ReduceMean(z")
    elif what == "a rule by name":
        rules = {"rules": {"n": "norm"}}
    else:
        text = text.replace("m = ReduceMean(x, all)", "m = Transpose<perm=[0,1,3,2]>(x)")
    plan = Explainer(parse(text, **WEIGHTS, **CONSTANTS), composite="epsilon_plus_flat", **rules).plan
    assert not any(step.prepares and step.node.name == "n" for step in plan.steps)
    assert "m" in plan.tensors


def test_a_mean_that_the_net_reads_too_keeps_what_is_its_own():
    """What arrives at the mean as a feature is handed on by it; what arrives at the difference is not."""
    tail = BODY.replace("y = MatMul(f, w)", "o = Flatten(m) j = Concat<axis=1>(f, o) y = MatMul(j, w5)")
    front = "m = ReduceMean(x, all)  n = Sub(x, m)"
    weights = {**WEIGHTS, "w5": rng(6).standard_normal((5, 3))}
    model = parse(f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {front} {tail}", **weights, **CONSTANTS)
    apart = parse(
        f"g (float[N,3,12,12] x, float[N,3,12,12] n) => (float[N,3] y) {{ m = ReduceMean(x, all) {tail}",
        **weights,
        **CONSTANTS,
    )
    settings, x = {"composite": "epsilon_plus_flat", "dtype": "float64", "eps": 1e-4}, picture()
    found = Explainer(model, **settings).explain(x, 1).relevance
    wanted = Explainer(apart, **settings).explain({"x": x, "n": x - mean(x)}, 1).relevance
    assert relative(found, wanted["x"] + wanted["n"]) < 1e-4
