"""Presets and dialects: the rule at every kind of layer, against what each tool says it has."""

import inspect

import numpy as np
import oracle
import pytest
from branching import body, net, rules_of, x_for
from building import parse, relative, rng

from explainer import CompositeError, Explainer, InputError, Preprocess, composites
from explainer.rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Norm,
    PlainGamma,
    PlainZPlus,
    Winner,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)

E6, E9, NO_BIAS = Epsilon(1e-6), Epsilon(1e-9), {"zero_params": "bias"}
TINY = 1e-30
BOX = {"low": -1.0, "high": (1.0, 2.0, 3.0)}

# Preset and dialect -> rules of the first convolution, another, dense layers, sums, max pooling.
# From docs/choosing-rules.md, and from zennit's, captum's and iNNvestigate's own documentation and code.
WANTED = {
    ("epsilon", None): (E6, E6, E6, Norm(1e-6), Winner()),
    ("epsilon", "zennit"): (E6, E6, E6, Norm(1e-6), Winner()),
    ("epsilon", "captum"): (E9, E9, E9, Norm(1e-9), E9),
    ("captum", None): (E9, E9, E9, Norm(1e-9), E9),
    ("captum", "zennit"): (E9, E9, E9, Norm(1e-9), E9),
    ("epsilon", "innvestigate"): (*[Epsilon(1e-7)] * 3, Norm(TINY), Winner()),
    ("epsilon", "attnlrp"): (*[Epsilon(1e-6, signed=False)] * 3, Norm(1e-8, signed=False), Winner()),
    ("zero", None): (Zero(), Zero(), Zero(), Norm(1e-6), Winner()),
    ("zero", "innvestigate"): (*[Epsilon(TINY)] * 3, Norm(TINY), Winner()),
    ("zplus", None): (ZPlus(), ZPlus(), ZPlus(), Norm(1e-6), Winner()),
    ("zplus", "captum"): (*[PlainZPlus(eps=1e-9)] * 3, Norm(1e-9), E9),
    ("zplus", "innvestigate"): (*[ZPlus(eps=TINY, **NO_BIAS)] * 3, Norm(TINY), Winner()),
    ("alpha1_beta0", None): (ZPlus(), ZPlus(), ZPlus(), Norm(1e-6), Winner()),
    ("alpha1_beta0", "innvestigate"): (
        *[AlphaBeta(1, 0, eps=TINY, full_bias=True)] * 3,
        *(Norm(TINY), Winner()),
    ),
    ("alpha2_beta1", None): (*[AlphaBeta(2, 1)] * 3, Norm(1e-6), Winner()),
    ("gamma", None): (*[Gamma(0.25)] * 3, Norm(1e-6), Winner()),
    ("gamma", "captum"): (*[PlainGamma(0.25, eps=1e-9)] * 3, Norm(1e-9), E9),
    ("wsquare", None): (*[WSquare()] * 3, Norm(1e-6), Winner()),
    ("wsquare", "innvestigate"): (*[WSquare(eps=TINY, **NO_BIAS)] * 3, Norm(TINY), Winner()),
    ("flat", None): (*[Flat()] * 3, Norm(1e-6), Winner()),
    ("epsilon_plus", "zennit"): (ZPlus(), ZPlus(), E6, Norm(1e-6), Winner()),
    ("epsilon_plus_flat", "zennit"): (Flat(), ZPlus(), E6, Norm(1e-6), Winner()),
    ("epsilon_alpha2_beta1", "zennit"): (AlphaBeta(), AlphaBeta(), E6, Norm(1e-6), Winner()),
    ("epsilon_alpha2_beta1_flat", "zennit"): (Flat(), AlphaBeta(), E6, Norm(1e-6), Winner()),
    ("epsilon_gamma_box", "zennit"): (ZBox(**BOX), Gamma(), E6, Norm(1e-6), Winner()),
    ("excitation_backprop", "zennit"): (ZPlus(), ZPlus(), ZPlus(), Norm(1e-6), Winner()),
    ("sequential_preset_a", None): (ZPlus(), ZPlus(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_b", None): (AlphaBeta(), AlphaBeta(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_a_flat", None): (Flat(), ZPlus(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_b_flat", None): (Flat(), AlphaBeta(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_a_flat_until", None): (Flat(), Flat(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_b_flat_until", None): (Flat(), Flat(), Epsilon(0.1), Norm(1e-6), Winner()),
    ("sequential_preset_a", "innvestigate"): (
        *[AlphaBeta(1, 0, eps=TINY, full_bias=True)] * 2,
        *(Epsilon(0.1), Norm(TINY), Winner()),
    ),
    ("sequential_preset_b_flat", "innvestigate"): (
        *(Flat(eps=TINY), AlphaBeta(2, 1, eps=TINY, full_bias=True)),
        *(Epsilon(0.1), Norm(TINY), Winner()),
    ),
    ("deep_taylor", None): (WSquare(), ZPlus(**NO_BIAS), ZPlus(**NO_BIAS), Norm(1e-6), Winner()),
    ("recommended", None): (WSquare(), Gamma(1), E6, Norm(1e-6), Winner()),
    ("bounded_deep_taylor", None): (ZBox(**BOX), ZPlus(**NO_BIAS), ZPlus(**NO_BIAS), Norm(1e-6), Winner()),
}


def options_for(preset: str) -> dict:
    """What a preset cannot do without."""
    takes = inspect.signature(composites.COMPOSITES[preset]).parameters
    return {name: value for name, value in {**BOX, "until": "c1"}.items() if name in takes}


@pytest.mark.parametrize(("preset", "dialect"), WANTED, ids=str)
def test_the_rules_of_every_preset_in_its_dialects(preset, dialect):
    first, convolution, dense, sums, winner = map(str, WANTED[preset, dialect])
    found = rules_of(net(), composite=(preset, options_for(preset)), dialect=dialect)
    assert {node: found[node] for node in ("c0", "c1", "h", "y", "s1", "m", "p0", "f")} == {
        **{"c0": first, "c1": convolution, "h": dense, "y": dense, "s1": sums, "m": sums, "p0": winner},
        "f": "route",
    }
    assert found["r0"] == ("gradient" if preset == "excitation_backprop" else "pass")


def test_recommended_reads_out_by_epsilon_whatever_the_last_layer_is():
    ends = "l = Conv <pads = [1, 1, 1, 1]> (r, w1, b1) m = GlobalAveragePool (l) y = Flatten (m)"
    text = body("f = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)", "r = Relu (f)", ends)
    found = rules_of(net(text), composite="recommended")
    assert (found["f"], found["l"]) == ("wsquare", "epsilon:1e-06")
    inner = rules_of(net(), target="c1", composite="recommended")
    assert (inner["c0"], inner["c1"]) == ("wsquare", "epsilon:1e-06")


def test_recommended_looks_at_the_values_that_a_dense_first_layer_reads():
    text = body("f = Flatten (x)", "h = MatMul (f, wf)", "r = Relu (h)", "y = MatMul (r, wc)")
    found = rules_of(net(text), composite="recommended")
    assert (found["h"], found["y"]) == ("epsilon:1e-06", "epsilon:1e-06")


def test_no_preset_was_left_out():
    gradients = {"gradient", "libragrad", "guided_backprop", "deconvnet", "beta_smooth"}
    dialects = {"attnlrp", "cp_lrp", "cp_lrp_gamma"}  # presets in a dialect of that name
    assert {preset for preset, _ in WANTED} | gradients | dialects == set(composites.COMPOSITES)


@pytest.mark.parametrize("dialect", [None, *composites.DIALECTS])
@pytest.mark.parametrize("preset", composites.COMPOSITES)
def test_every_preset_in_every_dialect_gives_numbers_or_a_reason(preset, dialect):
    options = options_for(preset)
    try:
        explainer = Explainer(net(), composite=(preset, options), dialect=dialect)
    except CompositeError as error:
        assert dialect == "captum" and "alpha" in str(error)
        return
    except InputError as error:
        assert dialect is not None and "has no effect on method 'lrp'" in str(error)
        assert composites.get((preset, options)).gradient
        return
    relevance = explainer.explain(x_for()).relevance
    assert np.isfinite(relevance).all()
    assert relevance.any()


@pytest.mark.parametrize("method", ["gradient", "input_x_gradient", "integrated_gradients", "smoothgrad"])
@pytest.mark.parametrize("dialect", composites.DIALECTS)
def test_a_dialect_of_rules_is_refused_where_there_are_gradients_alone(method, dialect):
    for how in ({"method": method}, {"composite": "gradient"}):
        with pytest.raises(InputError, match=f"dialect '{dialect}' says which form.* leave it out"):
            Explainer(net(), **how, dialect=dialect)
    Explainer(net(), method="lrp", dialect=dialect)


def test_a_dialect_that_changes_a_gradients_rules_is_none_of_these():
    """zennit's guided backpropagation changes Relu alone."""
    model = net()
    ours, zennits = (Explainer(model, method="guided_backprop", dialect=d) for d in (None, "zennit"))
    assert ours.composite.rules != zennits.composite.rules
    with pytest.raises(InputError, match="has no effect on method 'guided_backprop'"):
        Explainer(model, method="guided_backprop", dialect="attnlrp")


def test_a_methods_own_dialect_is_taken():
    """DeepLIFT is captum's; zennit has none."""
    Explainer(net(), method="deeplift", dialect="captum")
    with pytest.raises(InputError, match="has no effect on method 'deeplift'"):
        Explainer(net(), method="deeplift", dialect="zennit")


@pytest.mark.parametrize("composite", ["", " "])
def test_no_name_is_no_composite(composite):
    for method in ("lrp", "gradient", "occlusion"):
        with pytest.raises(CompositeError, match="composite: an empty text names none"):
            Explainer(net(), method=method, composite=composite)


def test_eps_is_the_epsilon_rules_and_stabilizer_all_others():
    zennits = {"composite": ("EpsilonPlusFlat", {"eps": 0.25, "stabilizer": 1e-3}), "dialect": "zennit"}
    found = rules_of(net(), **zennits)
    assert (found["y"], found["c1"], found["c0"], found["s1"]) == (
        *("epsilon:0.25", "zplus:eps=0.001", "flat:eps=0.001", "norm:0.001"),
    )
    found = rules_of(
        net(), composite="epsilon_gamma_box", eps=0.25, rules={"c0": "flat"}, preprocess=Preprocess()
    )
    assert (found["y"], found["c1"], found["s1"]) == ("epsilon:0.25", "gamma:0.25", "norm:1e-06")
    assert set(rules_of(net(), eps=0.5).values()) == {"epsilon:0.5", "norm:0.5", "winner", "pass", "route"}


@pytest.mark.parametrize("name", ["torch", "Zennit!", 3, [], {}])
def test_an_unknown_dialect(name):
    with pytest.raises(CompositeError, match=r"no dialect .*(; there are: zennit, captum|mean 'zennit'\?)"):
        composites.get(dialect=name)


def test_a_dialect_in_its_tools_own_spelling():
    assert composites.dialect("iNNvestigate") == composites.dialect("innvestigate")
    assert composites.dialect("AttnLRP") == composites.dialect("attn-lrp")


def test_captum_has_one_alpha_and_beta():
    with pytest.raises(CompositeError, match="'captum' has alpha_beta with alpha 1 and beta 0 alone"):
        composites.get("epsilon_alpha2_beta1", dialect="captum")


# BatchNormalization: merged, a layer of its own, or passed.


@pytest.mark.parametrize("dialect", [None, "zennit", "attnlrp"])
def test_batch_normalization_is_merged(dialect):
    assert "n0" not in rules_of(net(), dialect=dialect)


@pytest.mark.parametrize(
    ("dialect", "rule"), [("captum", "epsilon:1e-09"), ("innvestigate", "epsilon:1e-07")]
)
def test_batch_normalization_is_a_layer_of_its_own(dialect, rule):
    assert rules_of(net(), dialect=dialect)["n0"] == rule


@pytest.mark.parametrize(
    ("dialect", "rule"), [(None, "epsilon:1e-06"), ("zennit", "pass"), ("attnlrp", "pass")]
)
def test_batch_normalization_that_cannot_be_merged(dialect, rule):
    text = body(
        "c = Conv (x, w0) r = Relu (c) n = BatchNormalization (r, gamma, beta, mu, var) s = Relu (n)",
        "y = ReduceMean <keepdims = 0> (s)",
    )
    assert rules_of(net(text), dialect=dialect)["n"] == rule


def chain(x: np.ndarray, eps: float, own_layer: bool) -> np.ndarray:
    """ε-LRP of x → dense → BatchNormalization → largest output, by the papers' dense formula."""
    w, b = DENSE["w"].T, DENSE["b"]
    scale = DENSE["g"] / np.sqrt(DENSE["v"] + NORM_EPS)
    shift = DENSE["s"] - DENSE["m"] * scale
    h = w @ x + b
    y = h * scale + shift
    R = np.where(np.arange(len(y)) == y.argmax(), y, 0)
    if own_layer:
        R = oracle.epsilon(np.diag(scale), shift, h, R, eps).R_in
        return oracle.epsilon(w, b, x, R, eps).R_in
    return oracle.epsilon(w * scale[:, None], b * scale + shift, x, R, eps).R_in


NORM_EPS = float(np.float32(1e-5))  # as an attribute of a file holds it
DENSE = {name: rng(20, i).standard_normal(4) for i, name in enumerate("bgsm")}
DENSE |= {"w": rng(21).standard_normal((5, 4)), "v": rng(22).uniform(0.5, 2, 4)}
DENSE = {name: value.astype(np.float32).astype(float) for name, value in DENSE.items()}
NORMED = "g (float[N,5] x) => (float[N,4] y) { h = Gemm (x, w, b) y = BatchNormalization (h, g, s, m, v) }"


@pytest.mark.parametrize(("dialect", "own_layer"), [(None, False), ("captum", True), ("innvestigate", True)])
def test_batch_normalization_in_numbers(dialect, own_layer):
    model, x, eps = parse(NORMED, **DENSE), rng(23).standard_normal((1, 5)).astype(np.float32), 0.3
    found = Explainer(model, dialect=dialect, eps=eps, dtype="float64").explain(x).relevance[0]
    assert relative(found, chain(x[0].astype(float), eps, own_layer)) < 1e-12
    assert relative(found, chain(x[0].astype(float), eps, not own_layer)) > 1e-2


def test_batch_normalization_as_innvestigates_formula():
    """R·x·(y − β) / ((x − μ)·y), its BatchNormalizationReverseRule."""
    text = "g (float[N,5] x) => (float[N,5] y) { y = BatchNormalization (x, g, s, m, v) }"
    random = rng(24)
    g, s, m = (random.standard_normal(5).astype(np.float32) for _ in range(3))
    v, x = random.uniform(0.5, 2, 5).astype(np.float32), random.standard_normal((1, 5)).astype(np.float32)
    explainer = Explainer(parse(text, g=g, s=s, m=m, v=v), dialect="innvestigate", eps=1e-30, dtype="float64")
    found = explainer.explain(x, target="y").relevance
    y = (x.astype(float) - m) * g / np.sqrt(v.astype(float) + NORM_EPS) + s
    assert relative(found, y * x * (y - s) / ((x - m.astype(float)) * y)) < 1e-12


def test_left_over_scales_and_pooling_by_dialect():
    text = body(
        "c = Conv (x, w0) k = Mul (c, two) a = Relu (k)",
        "p = MaxPool <kernel_shape = [2, 2]> (a) y = ReduceMean <keepdims = 0> (p)",
    )
    model = net(text)
    model.graph.initializer.extend(parse("g () => () {}", two=np.float32(2)).graph.initializer)
    found = {name: rules_of(model, dialect=name) for name in (None, "zennit", "captum")}
    assert [found[name]["k"] for name in found] == ["epsilon:1e-06", "pass", "epsilon:1e-09"]
    assert [found[name]["p"] for name in found] == ["winner", "winner", "epsilon:1e-09"]


def test_deep_taylor_as_innvestigate_has_it():
    found = rules_of(net(), composite="deep_taylor", dialect="innvestigate")
    zplus = str(ZPlus(eps=TINY, **NO_BIAS))
    assert [found[n] for n in ("c0", "c1", "y", "s1", "m", "n0")] == [*[zplus] * 3, *["gradient"] * 2, "pass"]


@pytest.mark.parametrize(
    ("preset", "rule"),
    [("guided_backprop", "guided_backprop"), ("deconvnet", "deconvnet"), ("beta_smooth", "beta_smooth:10")],
)
def test_rectifiers_are_all_activations_or_relu_alone(preset, rule):
    text = body("c = Conv (x, w0) a = Relu (c) b = LeakyRelu (a) y = ReduceMean <keepdims = 0> (b)")
    ours = rules_of(net(text), composite=preset)
    assert (ours["a"], ours["b"], ours["c"], ours["y"]) == (rule, rule, "gradient", "gradient")
    for dialect in ("zennit", "captum"):
        theirs = rules_of(net(text), composite=preset, dialect=dialect)
        assert (theirs["a"], theirs["b"]) == (rule, "gradient")


# Products with constants: LXT's mul2 with an operand that needs no gradient hands relevance on unchanged.


@pytest.mark.parametrize("product", ["y = Mul (x, c)", "y = Mul (c, x)", "y = Div (x, d)", "y = Neg (x)"])
@pytest.mark.parametrize("small", [1.0, 2e-6, -4e-6, -1.9e-6, 0.0])
def test_attnlrp_hands_relevance_on_through_products_with_constants(product, small):
    model = parse(f"g (float[N,3] x) => (float[N,3] y) {{ {product} }}", c=np.float32(0.5), d=np.float32(2))
    x = np.array([[small, 1, 2]], np.float32)
    for dtype in ("float32", "float64"):
        made = Explainer(model, dialect="attnlrp", dtype=dtype)
        np.testing.assert_array_equal(made.explain(x, 0, "one").relevance, [[1, 0, 0]])


def test_attnlrp_adds_up_what_a_product_spread():
    text = "g (float[N,1] x) => (float[N,2] y) { h = Mul (x, c) y = Relu (h) }"
    made = Explainer(parse(text, c=np.array([2.0, 3.0])), dialect="attnlrp", dtype="float64")
    np.testing.assert_array_equal(made.explain(np.ones((1, 1), np.float32), "y").relevance, [[5]])
