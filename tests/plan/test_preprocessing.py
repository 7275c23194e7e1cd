"""Normalisation inside the file: the map is that of the same net with the normalisation outside."""

import numpy as np
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run

import explainer
from explainer import CompositeError, Explainer, Preprocess
from explainer.rules import Epsilon, Rule, ZBox

MEAN, STD = np.array([0.5, 0.25, 0.75]), np.array([0.25, 0.5, 0.125])  # exact in float32
COLUMN = (3, 1, 1)
BODY = """c = Conv<pads=[1,1,1,1]>(n, k)  r = Relu(c)  d = Conv<pads=[1,1,1,1]>(r, l, b)  s = Relu(d)
    p = GlobalAveragePool(s)  f = Flatten(p)  y = MatMul(f, w) }"""
# The first convolution without padding takes a BatchNormalization in.
UNPADDED = BODY.replace("<pads=[1,1,1,1]>(n, k)", "(n, k)")
WEIGHTS = {
    "k": rng(1).standard_normal((8, 3, 3, 3)),
    "l": rng(2).standard_normal((4, 8, 3, 3)),
    "b": rng(3).standard_normal(4),
    "w": rng(4).standard_normal((4, 3)),
}
# The input of each form: as it is, in 0…255, channels last, channels reversed.
AS_IS, BYTES, LAST, REVERSED = "as is", "bytes", "last", "reversed"
CONSTANTS = {
    "mean": MEAN.reshape(COLUMN),
    "std": STD.reshape(COLUMN),
    "minus": (-MEAN / STD).reshape(COLUMN),
    "inverse": (1 / STD).reshape(COLUMN),
    "last_mean": MEAN,
    "last_std": STD,
    "most": np.float32(255),
    "least": np.float32(0),
    "one": np.float32(1),
    "ones": np.ones(3),
    "zeros": np.zeros(3),
    "variance": STD**2,
    "backwards": np.array([2, 1, 0]),
    "minus_one": np.array([-1]),
    "before_all": np.array([-4]),
    "axis": np.array([1]),
    "thrice": np.array([1, 1, 1]),
    "sizes": np.array([0, 3, 12, 12]),
    "mean_of_places": np.broadcast_to(MEAN.reshape(COLUMN), (3, 12, 12)),
    **{f"mean{i}": MEAN[i].reshape(1) for i in range(3)},
    **{f"std{i}": STD[i].reshape(1) for i in range(3)},
}
NORM = "BatchNormalization<epsilon=0.0>"
FORMS = {
    "Sub, Div": ("a = Sub(x, mean)  n = Div(a, std)", AS_IS),
    "Mul, Add": ("a = Mul(x, inverse)  n = Add(a, minus)", AS_IS),
    "Add, Mul": ("m = Neg(mean)  a = Add(m, x)  n = Mul(inverse, a)", AS_IS),
    "mean - x": ("a = Sub(mean, x)  h = Neg(a)  n = Div(h, std)", AS_IS),
    "BatchNormalization": (f"n = {NORM}(x, ones, zeros, last_mean, variance)", AS_IS),
    "Div, BatchNormalization": (f"a = Div(x, most)  n = {NORM}(a, ones, zeros, last_mean, variance)", BYTES),
    "Div, Sub, Div": ("h = Div(x, most)  a = Sub(h, mean)  n = Div(a, std)", BYTES),
    "Cast, Identity": (
        "i = Identity(x)  h = Div(i, most)  a = Sub(h, mean)  e = Cast<to=1>(a)  n = Div(e, std)",
        BYTES,
    ),
    "Clip": ("h = Clip(x, least, one)  a = Sub(h, mean)  n = Div(a, std)", AS_IS),
    "Reshape": ("a = Sub(x, mean)  h = Reshape(a, sizes)  n = Div(h, std)", AS_IS),
    "mean of places": ("a = Sub(x, mean_of_places)  n = Div(a, std)", AS_IS),
    "Transpose first": ("t = Transpose<perm=[0,3,1,2]>(x)  a = Sub(t, mean)  n = Div(a, std)", LAST),
    "Transpose last": (
        "a = Sub(x, last_mean)  e = Div(a, last_std)  n = Transpose<perm=[0,3,1,2]>(e)",
        LAST,
    ),
    "Gather": ("g = Gather<axis=1>(x, backwards)  a = Sub(g, mean)  n = Div(a, std)", REVERSED),
    "Slice": (
        "g = Slice(x, minus_one, before_all, axis, minus_one)  a = Sub(g, mean)  n = Div(a, std)",
        REVERSED,
    ),
    "Split, Concat": (
        """u, v, z = Split<axis=1>(x, thrice)
        u0 = Sub(u, mean0) u1 = Div(u0, std0) v0 = Sub(v, mean1) v1 = Div(v0, std1)
        z0 = Sub(z, mean2) z1 = Div(z0, std2) n = Concat<axis=1>(u1, v1, z1)""",
        AS_IS,
    ),
}
each_form = pytest.mark.parametrize("form", FORMS)
COMPOSITES = [
    *("epsilon_plus_flat", "recommended", "epsilon_gamma_box", "bounded_deep_taylor", "deep_taylor"),
    *("wsquare", "flat", "sequential_preset_b_flat"),
]


def picture(samples: int = 2) -> np.ndarray:
    """Brighter from corner to corner, in sixty-fourths: normalised it is exact in float32."""
    rows, columns = np.mgrid[:12, :12]
    x = (rows + columns) / 24 + 0.2 * rng(5).random((samples, 3, 12, 12))
    return np.round(np.clip(x, 0, 1) * 64) / 64


def normal(x: np.ndarray) -> np.ndarray:
    return ((x - MEAN.reshape(COLUMN)) / STD.reshape(COLUMN)).astype(np.float32)


def given(x: np.ndarray, how: str) -> np.ndarray:
    """The picture as a form's model takes it."""
    if how == LAST:
        x = x.transpose(0, 2, 3, 1)
    x = x[:, ::-1] if how == REVERSED else x
    return np.ascontiguousarray(x * (255 if how == BYTES else 1), np.float32)


def back(relevance: np.ndarray, how: str) -> np.ndarray:
    """A form's map as (N, 3, 12, 12)."""
    if how == LAST:
        return relevance.transpose(0, 3, 1, 2)
    return relevance[:, ::-1] if how == REVERSED else relevance


def inside(form: str, body: str = BODY):
    front, how = FORMS[form]
    shape = "N,12,12,3" if how == LAST else "N,3,12,12"
    return parse(f"g (float[{shape}] x) => (float[N,3] y) {{ {front} {body}", **WEIGHTS, **CONSTANTS)


def outside(body: str = BODY):
    return parse(f"g (float[N,3,12,12] n) => (float[N,3] y) {{ {body}", **WEIGHTS)


def fed(how: str) -> Preprocess:
    """What bounds follow from: pixels of 0…1, or of 0…255."""
    layout = "NHWC" if how == LAST else "NCHW"
    return Preprocess(scale=1 if how == BYTES else 1 / 255, layout=layout)


def settings(composite: str, preprocess: Preprocess, **more) -> dict:
    return {"composite": composite, "preprocess": preprocess, "eps": 1e-4, **more}


OUTSIDE = Preprocess(scale=1 / 255, mean=tuple(MEAN), std=tuple(STD))


@pytest.mark.parametrize("body", [BODY, UNPADDED], ids=["padded", "unpadded"])
@pytest.mark.parametrize("composite", COMPOSITES)
@each_form
def test_the_map_is_that_of_the_normalisation_outside(form, composite, body):
    x, how = picture(), FORMS[form][1]
    made = Explainer(inside(form, body), **settings(composite, fed(how), dtype="float64"))
    found = made.explain(given(x, how), 1)
    wanted = Explainer(outside(body), **settings(composite, OUTSIDE, dtype="float64")).explain(normal(x), 1)
    np.testing.assert_allclose(found.score, wanted.score, rtol=1e-5)
    # Pixels of 0…255 and quotients by 255 are rounded in the file: 1e-7 of a pixel.
    assert relative(back(found.relevance, how), wanted.relevance) < (1e-4 if how == BYTES else 1e-6)
    assert "preprocessing in the file, through which relevance goes unchanged: " in str(made.plan)


@pytest.mark.parametrize("dialect", ["zennit", "captum", "innvestigate", "attnlrp"])
@pytest.mark.parametrize("form", ["Sub, Div", "BatchNormalization"])
def test_in_every_dialect(form, dialect):
    x = picture()
    rules = {"dialect": dialect, "rules": {"first": "flat"}, "dtype": "float64", "eps": 1e-4}
    found = Explainer(inside(form, UNPADDED), **rules).explain(given(x, AS_IS), 1)
    wanted = Explainer(outside(UNPADDED), **rules).explain(normal(x), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-6


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "recommended", "epsilon_gamma_box"])
def test_float32(composite):
    x = picture()
    found = Explainer(inside("Sub, Div"), **settings(composite, fed(AS_IS))).explain(given(x, AS_IS), 1)
    wanted = Explainer(outside(), **settings(composite, OUTSIDE)).explain(normal(x), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "recommended", "epsilon_gamma_box"])
@pytest.mark.parametrize(
    "form", ["Sub, Div", "BatchNormalization", "Gather", "Split, Concat", "Transpose last"]
)
def test_compiled(form, composite):
    x, how = picture(), FORMS[form][1]
    box = {"low": 0, "high": 1} if composite == "epsilon_gamma_box" else {}
    compiled = explainer.compile(inside(form, UNPADDED), composite=(composite, box), target=1, eps=1e-4)
    wanted = Explainer(outside(UNPADDED), **settings(composite, OUTSIDE)).explain(normal(x), 1)
    assert relative(back(run(compiled, given(x, how))["relevance"], how), wanted.relevance) < 10 * CLOSE


def test_black_pixels_get_their_share_behind_a_division():
    """x·R / x is 0 where x is: so was what a first flat layer gave to a black pixel."""
    x = np.zeros((1, 3, 12, 12), np.float32)
    x[:, :, 6:] = 255
    model = inside("Div, Sub, Div")
    found = Explainer(model, composite="epsilon_plus_flat", dtype="float64").explain(x, 1)
    assert (np.abs(found.relevance[0, :, 1:5]).sum(axis=0) > 0).all()


@pytest.mark.parametrize(
    "how",
    [
        {"composite": "epsilon"},
        {"composite": "epsilon_plus"},
        {"composite": "gamma"},
        {"composite": "alpha2_beta1"},
        {"method": "gradient"},
        {"method": "guided_backprop"},
        {"method": "deeplift"},
        {"method": "grad_cam"},
        {"method": "integrated_gradients"},
    ],
    ids=lambda how: next(iter(how.values())),
)
@pytest.mark.parametrize("form", FORMS)
def test_rules_that_multiply_and_gradients_are_left_as_they_are(form, how):
    plan = Explainer(inside(form), **how).plan
    assert not any(step.prepares for step in plan.steps)
    assert "preprocessing" not in str(plan)


@pytest.mark.parametrize("form", ["Sub, Div", "Mul, Add", "BatchNormalization"])
def test_what_a_rule_that_multiplies_multiplies_by_is_the_models_input(form):
    """ε through the normalisation is x times the gradient of an ε-walk: not (x − mean) / std times it."""
    x = picture()
    found = Explainer(inside(form), eps=1e-9, dtype="float64").explain(given(x, AS_IS), 1).relevance
    wanted = Explainer(outside(), eps=1e-9, dtype="float64").explain(normal(x), 1).relevance
    there = normal(x) != 0  # at the mean itself ε keeps what little there is
    factor = wanted[there] / normal(x)[there] / np.broadcast_to(STD.reshape(COLUMN), x.shape)[there]
    assert relative(given(x, AS_IS)[there] * factor, found[there]) < 1e-5


# What is no normalisation in front of a first layer.


def rules_of(text: str, composite="epsilon_plus_flat", **more) -> dict[str, str]:
    model = parse(text, **WEIGHTS, **CONSTANTS, **{"k8": rng(6).standard_normal((8, 8, 3, 3))})
    return {
        step.node.name: str(step.rule) for step in Explainer(model, composite=composite, **more).plan.steps
    }


HEAD = "g (float[N,3,12,12] x) => (float[N,3] y) {"


def test_a_bias_and_a_scale_behind_the_first_layer_are_a_bias_and_a_scale():
    text = f"""{HEAD} a = Sub(x, mean) n = Div(a, std) c = Conv(n, k) v = Add(c, one) u = Mul(v, one)
        r = Relu(u) d = Conv(r, l) p = GlobalAveragePool(d) f = Flatten(p) y = MatMul(f, w) }}"""
    rules = rules_of(text)
    assert {rules["a"], rules["n"]} == {"pass"}
    assert rules["v"].startswith("norm") and rules["u"].startswith("epsilon")


def two_inputs(shortcut: str, head: str = "") -> tuple:
    """A net with a shortcut from before or behind its normalisation, and the same fed with both."""
    tail = f"""c = Conv<pads=[1,1,1,1]>(n, k3) r = Relu(c) j = {shortcut}
        p = GlobalAveragePool(j) f = Flatten(p) y = MatMul(f, w3) }}"""
    weights = {"k3": rng(7).standard_normal((3, 3, 3, 3)), "w3": rng(8).standard_normal((3, 3))}
    front = "g (float[N,3,12,12] x) => (float[N,3] y) { a = Sub(x, mean) n = Div(a, std)"
    apart = "g (float[N,3,12,12] x, float[N,3,12,12] n) => (float[N,3] y) {"
    return parse(front + tail, **weights, **CONSTANTS), parse(apart + tail, **weights)


@pytest.mark.parametrize(
    "shortcut", ["Add(r, x)", "Add(r, n)", "Concat<axis=1>(r, n)", "Mul(r, n)", "Sub(n, r)"]
)
def test_shortcuts_get_what_they_get_with_the_normalisation_outside(shortcut):
    if "Concat" in shortcut:
        shortcut = "Concat<axis=2>(r, n)"
    model, apart = two_inputs(shortcut)
    x = picture()
    found = Explainer(model, composite="epsilon_plus_flat", dtype="float64").explain(given(x, AS_IS), 1)
    feeds = {"x": given(x, AS_IS), "n": normal(x)}
    if "x" not in shortcut:
        feeds.pop("x")
        apart.graph.input.remove(apart.graph.input[0])
    wanted = Explainer(apart, composite="epsilon_plus_flat", dtype="float64").explain(
        feeds if len(feeds) > 1 else feeds["n"], 1
    )
    maps = wanted.relevance.values() if len(feeds) > 1 else [wanted.relevance]
    assert relative(found.relevance, sum(maps)) < 1e-6


def test_two_first_layers_read_one_normalised_input():
    text = f"""{HEAD} a = Sub(x, mean) n = Div(a, std) c = Conv(n, k) d = Conv(n, k) e = Add(c, d)
        p = GlobalAveragePool(e) h = Conv(p, k1) f = Flatten(h) y = MatMul(f, w) }}"""
    constants = {"k1": rng(9).standard_normal((4, 8, 1, 1))}
    model = parse(text, **WEIGHTS, **CONSTANTS, **constants)
    alone = parse(
        text.replace(" x)", " n)").replace("a = Sub(x, mean) n = Div(a, std)", ""), **WEIGHTS, **constants
    )
    options = {"composite": "epsilon_plus_flat", "dtype": "float64"}
    found = Explainer(model, **options).explain(given(picture(), AS_IS), 1)
    wanted = Explainer(alone, **options).explain(normal(picture()), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-6


def test_a_sum_of_two_inputs_is_no_normalisation():
    text = """g (float[N,3,12,12] x, float[N,3,12,12] z) => (float[N,3] y) { s = Sub(x, z) n = Div(s, std)
        c = Conv(n, k) d = Conv(c, l) p = GlobalAveragePool(d) f = Flatten(p) y = MatMul(f, w) }"""
    rules = rules_of(text)
    assert rules["s"].startswith("norm") and rules["n"].startswith("epsilon")


def test_several_inputs_are_normalised_each_for_itself():
    text = """g (float[N,3,12,12] x, float[N,4] v) => (float[N,3] y) { a = Sub(x, mean) n = Div(a, std)
        c = Conv(n, k) p = GlobalAveragePool(c) f = Flatten(p) m = Mul(v, one) q = MatMul(m, w44)
        j = Concat<axis=1>(f, q) y = MatMul(j, w12) }"""
    extra = {"w44": rng(1).standard_normal((4, 4)), "w12": rng(2).standard_normal((12, 3))}
    model = parse(text, **WEIGHTS, **CONSTANTS, **extra)
    steps = Explainer(model, composite="recommended").plan.steps
    rules = {step.node.name: str(step.rule) for step in steps}
    assert {rules["a"], rules["n"]} == {"pass"}
    assert rules["m"].startswith("epsilon")  # its first layer is dense, and multiplies by what it reads
    assert {step.node.name for step in steps if step.prepares} == {"a", "n"}


def test_a_rule_by_the_nodes_name_is_what_was_asked_for():
    found = Explainer(inside("Sub, Div"), composite="epsilon_plus_flat", rules={"a": "epsilon:1e-3"}).plan
    rules = {step.node.name: str(step.rule) for step in found.steps}
    assert rules["a"] == "epsilon:0.001" and rules["n"] == "pass"


def test_a_rule_of_ones_own_that_does_not_multiply_has_it_too():
    class Even(Rule):
        """One half of R, wherever."""

        def __call__(self, layer, x, R):
            raise NotImplementedError

    for rule, prepares in ((Even(), True), (Epsilon(1e-3), False)):
        plan = Explainer(inside("Sub, Div"), rules=[("first", rule)]).plan
        assert any(step.prepares for step in plan.steps) == prepares


def test_the_plan_says_what_is_preprocessing():
    told = str(Explainer(inside("Transpose first"), composite="epsilon_plus_flat").plan).splitlines()[1]
    nodes = "Transpose 't', Sub 'a', Div 'n'"
    assert told == f"preprocessing in the file, through which relevance goes unchanged: {nodes}"


# The box: its bounds are those of the model's input, and go through its preprocessing.


def box_of(model, **options) -> ZBox:
    (box,) = (step.rule for step in Explainer(model, **options).plan.steps if isinstance(step.rule, ZBox))
    return box


@each_form
def test_bounds_of_the_models_input_become_those_of_what_the_layer_reads(form):
    how = FORMS[form][1]
    high = 255 if how == BYTES else 1
    box = box_of(inside(form, UNPADDED), composite=("epsilon_gamma_box", {"low": 0, "high": high}))
    np.testing.assert_allclose(box.low, -MEAN / STD, rtol=1e-6)
    np.testing.assert_allclose(box.high, (1 - MEAN) / STD, rtol=1e-6)


@pytest.mark.parametrize("form", ["Sub, Div", "Transpose first", "Transpose last", "Gather", "Slice"])
def test_bounds_by_channel_are_those_of_the_inputs_channels(form):
    low, high = np.array([0.125, 0.25, 0.0]), np.array([1.0, 0.5, 0.75])
    turned = slice(None, None, -1 if FORMS[form][1] == REVERSED else 1)
    limits = {"low": tuple(low[turned]), "high": tuple(high[turned])}
    box = box_of(inside(form), composite=("epsilon_gamma_box", limits))
    np.testing.assert_allclose(box.low, (low - MEAN) / STD, rtol=1e-6)
    np.testing.assert_allclose(box.high, (high - MEAN) / STD, rtol=1e-6)


def test_a_negative_scale_exchanges_the_ends():
    text = f"{HEAD} a = Neg(x) n = Mul(a, inverse) {BODY}"
    box = box_of(parse(text, **WEIGHTS, **CONSTANTS), composite=("epsilon_gamma_box", {"low": 0, "high": 1}))
    np.testing.assert_allclose(box.low, -1 / STD)
    np.testing.assert_allclose(box.high, [0, 0, 0])


def test_bounds_that_only_a_run_tells_are_asked_for():
    text = f"""g (float[N,3,H,W] x) => (float[N,3] y) {{ a = Sub(x, mean) q = Reshape(a, flat) n = Div(q, std)
        {BODY}"""
    model = parse(text, **WEIGHTS, **CONSTANTS, flat=np.array([-1, 3, 12, 12]))
    with pytest.raises(CompositeError, match=r"Conv 'c' reads 'n'.*what only a run tells.*\"c=zbox:-1,1\""):
        box_of(model, composite=("epsilon_gamma_box", {"low": 0, "high": 1}))
    assert box_of(model, rules={"c": "zbox:-1,1"}) == ZBox(-1, 1)
    # Of a size that is open, too, where nothing depends on it.
    free = parse(
        text.replace("q = Reshape(a, flat)", "q = Relu(a)").replace("Relu(a)", "Neg(a)"),
        **WEIGHTS,
        **CONSTANTS,
    )
    np.testing.assert_allclose(
        box_of(free, composite=("epsilon_gamma_box", {"low": 0, "high": 1})).high, MEAN / STD
    )
