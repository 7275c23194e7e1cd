"""Products of two activations: conserved by their degree, refused where a rule cannot divide by it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run

import explainer
from explainer import CompositeError, Explainer, NumericalError, UnsupportedError, composites
from explainer.composites import DIALECTS, OF_METHODS
from explainer.rules import Division, Handed, Stabilized

GATE = """
    c = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu (c)
    m = GlobalAveragePool (r) g = Conv (m, v) z = Mul (r, g)
    f = Flatten (z) y = Gemm (f, u)
"""
SQUARE = """
    c = Conv (x, w) z = Mul (c, c) f = GlobalAveragePool (z) h = Flatten (f) y = Gemm (h, t)
"""
# Two of three axes spread, on either side.
SPREAD = """
    c = Conv <pads = [1, 1, 1, 1]> (x, w) a = ReduceMean <keepdims = 0> (c, last) h = Unsqueeze (a, last)
    n = ReduceSum (c, across) z = Mul (h, n) f = Flatten (z) y = Gemm (f, u)
"""
ATTENTION = """
    c = Conv <pads = [1, 1, 1, 1]> (x, w) s = Reshape (c, tokens) r = Transpose <perm = [0, 2, 1]> (s)
    q = MatMul (r, wq) k = MatMul (r, wk) v0 = MatMul (r, wv)
    kt = Transpose <perm = [0, 2, 1]> (k) qk = MatMul (q, kt) scaled = Mul (qk, tenth)
    a = MatMul (scaled, v0) f = Flatten (a) y = Gemm (f, ua)
"""
HEADS = """
    c = Conv <pads = [1, 1, 1, 1]> (x, w) s = Reshape (c, heads) st = Transpose <perm = [0, 1, 3, 2]> (s)
    gram = MatMul (s, st) z = MatMul (gram, s) f = Flatten (z) y = Gemm (f, u)
"""
NETS = {
    "a gate": GATE,
    "a square": SQUARE,
    "both factors spread": SPREAD,
    "attention without softmax": ATTENTION,
    "two heads": HEADS,
}
SHAPES = {
    **{"w": (4, 2, 3, 3), "v": (4, 4, 1, 1), "u": (4 * 25, 3), "t": (4, 3), "ua": (25 * 6, 3)},
    **dict.fromkeys(("wq", "wk", "wv"), (4, 6)),
}
CONSTANTS = {
    "tokens": np.array([0, 0, -1]),
    "heads": np.array([0, 2, 2, -1]),
    "last": np.array([3]),
    "across": np.array([2]),
    "tenth": np.float32(0.1),
    **{name: rng(31, *shape).standard_normal(shape) * 0.5 for name, shape in SHAPES.items()},
}
each_net = pytest.mark.parametrize("name", NETS)


def net(text: str) -> onnx.ModelProto:
    return parse(f"g (float[N,2,5,5] x) => (float[N,3] y) {{ {text} }}", **CONSTANTS)


def x_for(samples: int = 2) -> np.ndarray:
    return rng(32).standard_normal((samples, 2, 5, 5)).astype(np.float32)


@each_net
@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "gamma", "recommended"])
def test_relevance_is_conserved(name, composite):
    tight = {} if composite in ("epsilon", "gamma") else {"stabilizer": 1e-12}
    made = Explainer(
        net(NETS[name]), composite=(composite, {"eps": 1e-12, **tight}), dtype="float64", keep="all"
    )
    found = made.explain(x_for(), 1)
    np.testing.assert_allclose(found.conserved, 1, rtol=0, atol=1e-6)
    for step in found.audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max()), step


@each_net
def test_without_the_degree_every_factor_would_get_it_all(name, monkeypatch):
    from explainer.layers.product import Product

    monkeypatch.setattr(Product, "degree", 1)
    # One product hands on 2 of 1, a product in a product 3.
    made = Explainer(net(NETS[name]), eps=1e-12, dtype="float64", audit=False)
    factors = 1 + sum(step.layer.kind == "product" for step in made.plan.steps)
    np.testing.assert_allclose(made.explain(x_for(), 1).conserved, factors, rtol=1e-6)


@each_net
@pytest.mark.parametrize("dialect", [None, *DIALECTS])
def test_each_factor_gets_half(name, dialect):
    """R_a = a·∂z/∂a·R / 2z: written out for the last product, in every dialect."""
    made = Explainer(net(NETS[name]), dialect=dialect, dtype="float64", keep="all")
    step = next(step for step in made.plan.steps if step.layer.kind == "product")
    assert (
        str(step.rule)
        == {
            None: "epsilon:1e-06",
            "zennit": "epsilon:1e-06",
            "captum": "epsilon:1e-09",
            "innvestigate": "epsilon:1e-30",
            "attnlrp": "epsilon:1e-08,signed=False",
            "cp_lrp": "epsilon:1e-30",
        }[dialect]
    )
    found = made.explain(x_for(), 2)
    entry = next(entry for entry in found.audit if entry.node == step.node.name)
    np.testing.assert_allclose(entry.R_in + entry.epsilon, entry.R_out, rtol=1e-9)
    assert not entry.bias.any()


@each_net
def test_the_gradient_is_finite_differences(name):
    made = Explainer(net(NETS[name]), method="gradient", dtype="float64")
    x = np.round(x_for(1) * 1024) / 1024  # so that a step of 1/1024 is exact in the input's float32
    gradient = made.explain(x, 0).relevance
    h = 1 / 1024
    for place in [(0, 0, 2, 2), (0, 1, 0, 4), (0, 1, 3, 1)]:
        ahead, behind = x.copy(), x.copy()
        ahead[place] += h
        behind[place] -= h
        slope = (made.explain(ahead, 0).score - made.explain(behind, 0).score) / (2 * h)
        np.testing.assert_allclose(slope[0], gradient[place], rtol=1e-4, atol=1e-5)


@each_net
@pytest.mark.parametrize("how", [{"composite": "epsilon"}, {"method": "gradient"}, {"dialect": "attnlrp"}])
def test_a_compiled_file_agrees_with_numpy(name, how):
    compiled = explainer.compile(net(NETS[name]), target=1, **how)
    wanted = explainer.explain(net(NETS[name]), x_for(3), target=1, **how).relevance
    names = [output.name for output in compiled.graph.output]
    found = dict(zip(names, run(compiled, {"x": x_for(3)}), strict=True))["relevance"]
    assert relative(found, wanted) < 1e-4


@each_net
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deeplift_is_complete(name, dtype):
    found = Explainer(net(NETS[name]), method="deeplift", dtype=dtype, baseline=0.3).explain(x_for(), 1)
    scale = np.abs(found.relevance).sum((1, 2, 3))
    assert np.abs(found.delta / scale).max() < (1e-5 if dtype == "float32" else 1e-12)


def test_deeplift_on_a_product_by_hand():
    """Half of each factor's change, times the mean of what the other was and is."""
    model = parse("g (float[N,2] a, float[N,2] b) => (float[N,2] y) { y = Mul (a, b) }")
    a, b = rng(1).standard_normal((2, 1, 2)).astype(np.float32)
    found = Explainer(model, method="deeplift", dtype="float64", baseline={"a": 0.5, "b": -2.0}).explain(
        {"a": a, "b": b}, ("y", 1)
    )
    np.testing.assert_allclose(found.relevance["a"][0], [0, (a[0, 1] - 0.5) * (b[0, 1] - 2) / 2], rtol=1e-6)
    np.testing.assert_allclose(found.relevance["b"][0], [0, (b[0, 1] + 2) * (a[0, 1] + 0.5) / 2], rtol=1e-6)


def test_deeplift_refuses_what_it_has_no_rule_for(monkeypatch):
    from explainer.layers import Kind
    from explainer.layers.product import Product

    monkeypatch.setattr(Product, "kind", Kind("gate", "a signal and what lets it through", shares=True))
    with pytest.raises(UnsupportedError, match="composite 'deeplift' has no rule for the role 'gate'"):
        Explainer(net(GATE), method="deeplift").plan  # noqa: B018


@pytest.mark.parametrize(
    "rule", ["zplus", "alpha_beta", "gamma", "zbox:-1,1", "wsquare", "flat", "plain_gamma", "plain_zplus"]
)
def test_a_rule_that_changes_weights_is_refused_on_it(rule):
    for selector in ("Mul", "product", "z"):
        with pytest.raises(CompositeError) as caught:
            Explainer(net(GATE), rules={selector: rule}).plan  # noqa: B018
        assert (
            "the rule is for layers of kind convolution, dense, scale, sum; Mul 'z' is of kind product"
            in str(caught.value)
        )


@dataclass(frozen=True)
class Plain(Stabilized):
    """ε without a thought of products: it fits whatever shares."""

    kinds: ClassVar = frozenset({"shares"})

    def __call__(self, layer, x, R):
        z = self.stabilize(layer(x))
        s = R / z
        return Handed(x, layer.transpose(s), (Division(layer, z, s),))


@dataclass(frozen=True)
class Minded(Plain):
    """The same, which says that it divides by the degree, and does not."""

    divides_by_degree: ClassVar = True


def test_a_rule_of_ones_own_says_that_it_divides_by_the_degree_or_is_refused():
    for audit in (True, False):
        with pytest.raises(CompositeError, match=r"product of 2 activations.*divides_by_degree = True"):
            Explainer(net(GATE), rules={"product": Plain()}, audit=audit).plan  # noqa: B018
    with pytest.raises(NumericalError, match="unaccounted for"):
        Explainer(net(GATE), rules={"product": Minded()}).explain(x_for())


@pytest.mark.parametrize("rule", ["pass", "route", "winner", "average", "guided_backprop", "deconvnet"])
def test_so_is_one_that_hands_on_without_sharing(rule):
    with pytest.raises(CompositeError, match=r"Mul 'z' is of kind product \(activations multiplied"):
        Explainer(net(GATE), rules={"product": rule}).plan  # noqa: B018


@pytest.mark.parametrize("rule", ["epsilon:0.1", "norm", "zero", "gradient", "epsilon:eps=0.1,clip=true"])
def test_a_rule_that_can_divide_by_the_degree_is_not(rule):
    plan = Explainer(net(GATE), rules={"product": rule}).plan
    (step,) = (step for step in plan.steps if step.layer.kind == "product")
    assert str(step.rule).split(":")[0] == rule.split(":")[0]


@pytest.mark.parametrize("composite", sorted({*composites.COMPOSITES, *OF_METHODS}))
@pytest.mark.parametrize("dialect", [None, *DIALECTS])
def test_every_preset_has_a_rule_for_it(composite, dialect):
    needs = {"low": -1, "high": 1} if "box" in composite or "bounded" in composite else {}
    needs |= {"until": "c"} if composite.endswith("until") else {}
    try:
        made = composites.get(composite, dialect=dialect, **needs)
    except CompositeError as error:
        assert "alpha_beta with alpha 1 and beta 0 alone" in str(error)  # captum has no other
        return
    plan = Explainer(net(GATE), composite=made).plan
    (rule,) = (str(step.rule) for step in plan.steps if step.layer.kind == "product")
    gradients = ("gradient", "guided_backprop", "deconvnet", "beta_smooth")
    others = {"deeplift": "halved", "libragrad": "held_gradient"}
    assert rule.split(":")[0] == {**dict.fromkeys(gradients, "gradient"), **others}.get(composite, "epsilon")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("z = Conv (r, r)", "a product of two activations"),
        ("h = Flatten (r) z = Gemm (h, h)", "a product of two activations"),
    ],
)
def test_what_stays_refused(line, reason):
    text = f"c = Conv (x, w) r = Relu (c) {line} f = Flatten (z) y = Gemm (f, u)"
    model = parse(f"g (float[N,2,5,5] x) => (float[N,3] y) {{ {text} }}", **CONSTANTS, one=np.float32(1))
    with pytest.raises(UnsupportedError, match=reason):
        Explainer(model).plan  # noqa: B018


def test_behind_a_relu_twice_its_output_stands_for_twice_z():
    text = "c = Conv (x, w) d = Conv (x, w2) z = Mul (c, d) r = Relu (z) f = Flatten (r) y = Gemm (f, u)"
    constants = {
        **CONSTANTS,
        "w2": rng(8).standard_normal((4, 2, 3, 3)),
        "u": rng(9).standard_normal((36, 3)),
    }
    model = parse(f"g (float[N,2,5,5] x) => (float[N,3] y) {{ {text} }}", **constants)
    options = {"dtype": "float64", "eps": 1e-2}
    made = Explainer(model, **options)
    assert [step.node.name for step in made.plan.steps if step.record != step.layer.output] == ["z"]
    found = made.explain(x_for(), 1)
    clipped = found.relevance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explainer.plan.make.behind_relu", lambda graph, steps, start: steps)
        assert relative(clipped, Explainer(model, **options).explain(x_for(), 1).relevance) < 1e-12
