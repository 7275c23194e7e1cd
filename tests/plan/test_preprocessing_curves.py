"""Functions of one value in front of a normalisation: the map is that of the net fed what they make."""

import numpy as np
import pytest
from building import parse, relative
from compiled import CLOSE, run
from normalised import (
    AS_IS,
    BODY,
    COLUMN,
    CONSTANTS,
    LAST,
    MEAN,
    STD,
    UNPADDED,
    WEIGHTS,
    back,
    given,
    picture,
)

import explainer
from explainer import CompositeError, Explainer
from explainer.rules import ZBox

NORMAL = "a = Sub(h, mean)  n = Div(a, std)"
NUMBERS = {
    "tiny": np.float32(0.125),
    "two": np.float32(2),
    "gamma": np.float32(2.2),
    "gammas": np.array([0.5, 1.5, 2.0]).reshape(COLUMN),
    "knee": np.float32(0.5),
    "steep": np.float32(4),
    "slope": np.float32(0.25),
}


def normal(h: np.ndarray) -> np.ndarray:
    return (h - MEAN.reshape(COLUMN)) / STD.reshape(COLUMN)


def signed(x: np.ndarray) -> np.ndarray:
    return x - 0.5


# What makes h of x, the same in NumPy, and how the model takes its input.
FORMS = {
    "Abs": ("h = Abs(x)", np.abs, AS_IS),
    "Abs of what is centred": ("e = Sub(x, knee) h = Abs(e)", lambda x: np.abs(signed(x)), AS_IS),
    "Log": ("e = Add(x, tiny) h = Log(e)", lambda x: np.log(x + 0.125), AS_IS),
    "Log of no less than": (
        "e = Max(x, tiny) h = Log(e)",
        lambda x: np.log(np.maximum(x, 0.125)),
        AS_IS,
    ),
    "Sqrt": ("h = Sqrt(x)", np.sqrt, AS_IS),
    "Exp": ("e = Neg(x) h = Exp(e)", lambda x: np.exp(-x), AS_IS),
    "Pow, whole": ("h = Pow(x, two)", np.square, AS_IS),
    "Pow": ("h = Pow(x, gamma)", lambda x: x**2.2, AS_IS),
    "Pow by channel": ("h = Pow(x, gammas)", lambda x: x ** NUMBERS["gammas"], AS_IS),
    "Mul with itself": ("h = Mul(x, x)", np.square, AS_IS),
    "Reciprocal": ("e = Add(x, tiny) h = Reciprocal(e)", lambda x: 1 / (x + 0.125), AS_IS),
    "a constant by it": ("e = Add(x, tiny) h = Div(two, e)", lambda x: 2 / (x + 0.125), AS_IS),
    "Tanh": ("e = Mul(x, two) h = Tanh(e)", lambda x: np.tanh(2 * x), AS_IS),
    "Min": ("h = Min(knee, x)", lambda x: np.minimum(x, 0.5), AS_IS),
    "LeakyRelu": (
        "e = Sub(x, knee) h = LeakyRelu<alpha = 0.25>(e)",
        lambda x: np.where(x < 0.5, 0.25, 1) * signed(x),
        AS_IS,
    ),
    "signed Log": (
        "c0 = Sub(x, knee) i = Sign(c0) e = Abs(c0) j = Add(e, one) o = Log(j) h = Mul(i, o)",
        lambda x: np.sign(signed(x)) * np.log(np.abs(signed(x)) + 1),
        AS_IS,
    ),
    "a polynomial": (
        "q = Mul(x, x) e = Mul(q, two) j = Sub(e, x) h = Add(j, one)",
        lambda x: 2 * x**2 - x + 1,
        AS_IS,
    ),
    "x / (1 + |x|)": (
        "c0 = Sub(x, knee) e = Abs(c0) j = Add(e, one) h = Div(c0, j)",
        lambda x: signed(x) / (1 + np.abs(signed(x))),
        AS_IS,
    ),
    "x times a Sigmoid": (
        "e = Mul(x, steep) i = Sigmoid(e) h = Mul(x, i)",
        lambda x: x / (1 + np.exp(-4 * x)),
        AS_IS,
    ),
    "Max with −x": (
        "c0 = Sub(x, knee) e = Neg(c0) h = Max(c0, e)",
        lambda x: np.abs(signed(x)),
        AS_IS,
    ),
    "Where": (
        "e = Pow(x, gamma) i = Mul(x, slope) less = Less(x, knee) h = Where(less, i, e)",
        lambda x: np.where(x < 0.5, x / 4, x**2.2),
        AS_IS,
    ),
    "Transpose first": ("e = Transpose<perm=[0,3,1,2]>(x) h = Abs(e)", np.abs, LAST),
    "both turned": (
        "e = Abs(x) i = Transpose<perm=[0,3,1,2]>(e) j = Transpose<perm=[0,3,1,2]>(x) h = Mul(i, j)",
        lambda x: np.abs(x) * x,
        LAST,
    ),
    "Cast": ("e = Cast<to=11>(x) i = Abs(e) h = Cast<to=1>(i)", np.abs, AS_IS),
}
COMPOSITES = ["epsilon_plus_flat", "recommended", "wsquare"]


def inside(form: str, body: str = UNPADDED, normalised: str = NORMAL):
    shape = "N,12,12,3" if FORMS[form][2] == LAST else "N,3,12,12"
    text = f"g (float[{shape}] x) => (float[N,3] y) {{ {FORMS[form][0]} {normalised} {body}"
    return parse(text, **WEIGHTS, **CONSTANTS | NUMBERS)


def outside(body: str = UNPADDED):
    return parse(f"g (float[N,3,12,12] n) => (float[N,3] y) {{ {body}", **WEIGHTS)


def black() -> np.ndarray:
    """Pictures of which some places are 0, and some where what is moved by ½ is 0."""
    x = picture()
    x[:, :, :3, :4], x[:, :, :3, 4:8] = 0, 0.5
    return x


def wanted(form: str, x: np.ndarray, composite: str):
    made = normal(FORMS[form][1](x)).astype(np.float32)
    return Explainer(outside(), composite=composite, eps=1e-4, dtype="float64").explain(made, 1)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("form", FORMS)
def test_the_map_is_that_of_what_they_make(form, composite):
    x, how = black(), FORMS[form][2]
    made = Explainer(inside(form), composite=composite, eps=1e-4, dtype="float64")
    found = made.explain(given(x, how), 1)
    right = wanted(form, x, composite)
    np.testing.assert_allclose(found.score, right.score, rtol=1e-4)
    assert relative(back(found.relevance, how), right.relevance) < 1e-4


@pytest.mark.parametrize("dialect", ["zennit", "captum", "innvestigate", "attnlrp", "cp_lrp"])
@pytest.mark.parametrize("form", ["Log", "x / (1 + |x|)", "signed Log", "x times a Sigmoid", "Cast"])
def test_in_every_dialect(form, dialect):
    rules = {"dialect": dialect, "rules": {"first": "flat"}, "dtype": "float64", "eps": 1e-4}
    x = black()
    found = Explainer(inside(form), **rules).explain(given(x, AS_IS), 1)
    made = normal(FORMS[form][1](x)).astype(np.float32)
    right = Explainer(outside(), **rules).explain(made, 1)
    assert relative(found.relevance, right.relevance) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_compiled(form):
    x, how = black(), FORMS[form][2]
    compiled = explainer.compile(inside(form), composite="epsilon_plus_flat", target=1, eps=1e-4)
    right = wanted(form, x, "epsilon_plus_flat")
    assert relative(back(run(compiled, given(x, how))["relevance"], how), right.relevance) < 10 * CLOSE


@pytest.mark.parametrize(
    "normalised",
    [
        "n = BatchNormalization<epsilon=0.0>(h, ones, zeros, last_mean, variance)",
        "e1 = Mul(h, inverse) n = Add(e1, minus)",
        "n = Conv<group=3>(h, scales, shifts)",
    ],
    ids=["BatchNormalization", "Mul, Add", "depthwise"],
)
def test_before_every_way_to_normalise(normalised):
    x = black()
    made = Explainer(inside("Abs", normalised=normalised), composite="flat", eps=1e-4, dtype="float64")
    assert relative(made.explain(given(x, AS_IS), 1).relevance, wanted("Abs", x, "flat").relevance) < 1e-4


@pytest.mark.parametrize("form", ["Log", "signed Log"])
def test_before_a_normalisation_by_its_own_statistics(form):
    x = black()
    by_itself = "m = ReduceMean(h, own) a = Sub(h, m) n = Div(a, std)"
    model = inside(form, normalised=by_itself)
    model.graph.initializer.extend(
        parse("g (float[1] x) => (float[1] y) { y = Neg(x) }", own=OWN).graph.initializer
    )
    found = Explainer(model, composite="flat", eps=1e-4, dtype="float64").explain(given(x, AS_IS), 1)
    h = FORMS[form][1](x)
    made = ((h - h.mean(axis=(1, 2, 3), keepdims=True)) / STD.reshape(COLUMN)).astype(np.float32)
    right = Explainer(outside(), composite="flat", eps=1e-4, dtype="float64").explain(made, 1)
    assert relative(found.relevance, right.relevance) < 1e-4


OWN = np.array([1, 2, 3])


def test_each_branch_and_each_input_is_a_function_of_its_own():
    """x and x² side by side: an input has what both of them get."""
    front = "q = Abs(x) h = Mul(x, x) j = Concat<axis=1>(q, h) a = Sub(j, mean6)"
    constants = {"mean6": np.r_[MEAN, MEAN].reshape(6, 1, 1), "k6": np.tile(WEIGHTS["k"], (1, 2, 1, 1))}
    body = UNPADDED.replace("(n, k)", "(a, k6)")
    both = parse(f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {front} {body}", **WEIGHTS, **constants)
    apart = parse(
        f"""g (float[N,3,12,12] x, float[N,3,12,12] z) => (float[N,3] y) {{
        {front.replace("Mul(x, x)", "Mul(z, z)")} {body}""",
        **WEIGHTS,
        **constants,
    )
    fed = parse(f"g (float[N,6,12,12] a) => (float[N,3] y) {{ {body}", **WEIGHTS, **constants)
    x, z, options = black(), black()[:, ::-1], {"composite": "flat", "eps": 1e-4, "dtype": "float64"}
    x, z = given(x, AS_IS), given(z, AS_IS)

    def right(x, z):
        made = np.concatenate([np.abs(x), z * z], axis=1) - constants["mean6"]
        return np.split(Explainer(fed, **options).explain(made.astype(np.float32), 1).relevance, 2, axis=1)

    assert relative(Explainer(both, **options).explain(x, 1).relevance, sum(right(x, x))) < 1e-4
    found = Explainer(apart, **options).explain({"x": x, "z": z}, 1).relevance
    for name, part in zip("xz", right(x, z), strict=True):
        assert relative(found[name], part) < 1e-4


def test_whole_numbers_are_made_floats_first():
    x = (black() * 64).astype(np.uint8)
    text = f"""g (uint8[N,3,12,12] x) => (float[N,3] y) {{ f0 = Cast<to=1>(x) e = Add(f0, one) h = Log(e)
        {NORMAL} {UNPADDED}"""
    made = Explainer(parse(text, **WEIGHTS, **CONSTANTS), composite="flat", eps=1e-4, dtype="float64")
    right = Explainer(outside(), composite="flat", eps=1e-4, dtype="float64").explain(
        normal(np.log(x.astype(np.float64) + 1)).astype(np.float32), 1
    )
    assert relative(made.explain(x, 1).relevance, right.relevance) < 1e-4


def test_values_of_other_places_are_not_taken_for_ones_own():
    """x times the picture turned round is a product of two places: each has its share, as anywhere else."""
    turned = "e = Transpose<perm=[0,1,3,2]>(x) h = Mul(x, e)"
    model = parse(
        f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {turned} {NORMAL} {BODY}", **WEIGHTS, **CONSTANTS
    )
    steps = Explainer(model, composite="flat").plan.steps
    assert {step.node.name for step in steps if step.prepares} == {"e"}


# Bounds.


@pytest.mark.parametrize("form", ["Log", "Sqrt", "Exp", "Pow, whole", "Reciprocal", "Tanh", "Min", "Abs"])
def test_bounds_follow_what_only_rises_or_falls(form):
    options = {"composite": ("epsilon_gamma_box", {"low": 0.25, "high": 1})}
    boxes = [step.rule for step in Explainer(inside(form), **options).plan.steps]
    (box,) = (rule for rule in boxes if isinstance(rule, ZBox))
    ends = np.sort([normal(FORMS[form][1](np.full((3, 1, 1), end))).ravel() for end in (0.25, 1.0)], axis=0)
    np.testing.assert_allclose([box.low, box.high], ends, rtol=1e-5)


@pytest.mark.parametrize("form", ["Abs", "Pow, whole", "Log", "Mul with itself", "signed Log"])
def test_bounds_between_which_it_turns_or_ends_are_asked_for(form):
    options = {"composite": ("epsilon_gamma_box", {"low": -1, "high": 1})}
    with pytest.raises(CompositeError, match=r"Conv 'c' reads 'n'.*\"c=zbox:-1,1\""):
        Explainer(inside(form), **options).plan  # noqa: B018


ONE_VALUE = (
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
)
ONE_VALUE += (
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Reciprocal",
    "Relu",
)
ONE_VALUE += (
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
)
ONE_VALUE += ("Tanh", "ThresholdedRelu")


@pytest.mark.parametrize(("low", "high"), [(-3, 2), (0.25, 0.75), (-0.5, 0.5), (2, 3)])
def test_no_value_lies_outside_the_box_of_what_a_layer_reads_behind_a_function(low, high):
    """Its two sides are values that it takes; or the bounds are asked for."""
    asked = set()
    for operator in ONE_VALUE:
        text = f"g (float[N,3,12,12] x) => (float[N,3] y) {{ n = {operator}(x) {BODY}"
        made = Explainer(parse(text, **WEIGHTS), composite=("epsilon_gamma_box", {"low": low, "high": high}))
        try:
            (box,) = (step.rule for step in made.plan.steps if isinstance(step.rule, ZBox))
        except CompositeError as error:
            assert "Conv 'c' reads 'n'" in str(error) or "is no box" in str(error)  # one value alone
            asked.add(operator)
            continue
        x = np.linspace(low, high, 3 * 144).reshape(1, 3, 12, 12).astype(np.float32)
        n = run(parse(text.replace("(float[N,3] y)", "(float[N,3,12,12] n)"), **WEIGHTS), x)["n"]
        np.testing.assert_allclose([box.low, box.high], [n.min(), n.max()], rtol=1e-5, err_msg=operator)
    assert asked.isdisjoint({"Neg", "Tanh", "Exp", "Sinh", "Relu"})
    assert {"Sin", "Tan", "Cos"} <= asked
    assert ("Abs" in asked) == (low < 0)
