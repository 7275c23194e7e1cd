"""Selectors on graphs: who is meant by a name, a glob, a place, an operator, a kind; and who by nothing."""

import pytest
from branching import NET, body, having, net, rules_of

from explainer import CompositeError
from explainer.layers import REGISTRY

MARK = "gamma:7"  # no preset has it


def meant(selector: str, text: str = NET, rule: str = MARK, target="top", **options) -> set[str]:
    return having(net(text), rule, target, rules={selector: rule}, **options)


@pytest.mark.parametrize(
    ("selector", "nodes"),
    [
        ("first", {"c0"}),
        ("last", {"y"}),
        ("Conv", {"c0", "c1"}),
        ("Gemm", {"h"}),
        ("MatMul", {"y"}),
        ("convolution", {"c0", "c1"}),
        ("dense", {"h", "y"}),
        ("sum", {"s1", "m"}),
        ("Add", {"s1"}),
        ("GlobalAveragePool", {"m"}),
        ("c1", {"c1"}),
        ("s1", {"s1"}),
        ("c*", {"c0", "c1"}),
        ("?", {"h", "y"}),
        ("*", {"c0", "c1", "h", "y"}),
        ("[ch]*", {"c0", "c1", "h"}),
        ("n0", {"c0"}),  # merged into it
        ("n*", {"c0"}),
        ("until:c0", {"c0"}),
        ("until:n0", {"c0"}),
        ("until:p0", {"c0"}),
        ("until:c1", {"c0", "c1"}),
        ("until:h", {"c0", "c1", "h"}),
        ("until:y", {"c0", "c1", "h", "y"}),
    ],
)
def test_who_is_meant(selector, nodes):
    assert meant(selector) == nodes


@pytest.mark.parametrize(
    ("selector", "rule", "nodes"),
    [
        ("*", "guided_backprop", {"r0", "r1", "rh"}),
        ("r?", "pass", {"r0", "r1", "rh"}),
        ("activation", "deconvnet", {"r0", "r1", "rh"}),
        ("Relu", "beta_smooth:3", {"r0", "r1", "rh"}),
        ("*", "average:0.5", {"p0"}),
        ("MaxPool", "average:0.5", {"p0"}),
        ("winner", "average:0.5", {"p0"}),
        ("p0", "norm:0.5", {"p0"}),
        ("*", "norm:0.5", {"c0", "c1", "h", "y"}),
        ("sum", "norm:0.5", {"s1", "m"}),
        ("*1", "gradient", {"c1", "s1", "r1"}),
        ("until:p0", "gradient", {"c0", "r0", "p0"}),
        ("movement", "route", {"f"}),
        ("until:p0", "route", {"p0"}),
    ],
)
def test_a_wide_selector_means_what_its_rule_fits(selector, rule, nodes):
    elsewhere = "epsilon" if rule == "gradient" else "gradient"
    assert meant(selector, rule=rule, composite=elsewhere) == nodes


def test_a_glob_over_nothing_with_weights():
    with pytest.raises(CompositeError, match="convolutions and dense layers alone; name MaxPool 'p0' itself"):
        meant("p*", rule="norm:0.5")


PARALLEL = body(
    "a = Conv <pads = [1, 1, 1, 1]> (x, w0) b = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)",
    "ra = Relu (a) s = Sub (ra, b) c = Conv (s, w1) d = Conv (s, w1) j = Concat <axis = 1> (c, d)",
    "y = ReduceMean <keepdims = 0> (j)",
)
IMAGE_AGAIN = body(
    "a = Conv <pads = [1, 1, 1, 1]> (x, w0) r = Relu (a) j = Concat <axis = 1> (r, x)",
    "c = Conv (j, w8) d = Conv (c, w1) y = ReduceMean <keepdims = 0> (d)",
)
IN_FRONT = {
    "a Sub and a Div": "s = Sub (x, v) t = Div (s, std)",
    "a Mul": "t = Mul (x, std)",
    "a BatchNormalization": "t = BatchNormalization (x, g3, b3, m3, v3)",
    "a Transpose": "s = Transpose <perm = [0, 1, 3, 2]> (x) t = Relu (s)",
    "a max pool": "t = MaxPool <kernel_shape = [1, 1]> (x)",
    "another branch": "s = Neg (x) t = Add (s, x)",
}


def test_first_and_last_where_branches_run_side_by_side():
    assert meant("first", PARALLEL) == {"a", "b"}
    assert meant("last", PARALLEL) == {"c", "d"}
    assert meant("until:b", PARALLEL) == {"b"}
    assert meant("until:s", PARALLEL) == {"a", "b"}
    assert meant("until:d", PARALLEL) == {"a", "b", "d"}


def test_first_where_the_image_is_read_again_later():
    assert meant("first", IMAGE_AGAIN) == {"a", "c"}
    assert meant("last", IMAGE_AGAIN) == {"d"}
    assert meant("until:c", IMAGE_AGAIN) == {"a", "c"}


def test_first_and_last_in_a_residual_network():
    head = "y = ReduceMean <keepdims = 0> (t)"
    skip = body("c = Conv (x, w0) d = Conv <pads = [1, 1, 1, 1]> (c, w1) t = Add (d, c)", head)
    assert (meant("first", skip), meant("last", skip)) == ({"c"}, {"c", "d"})
    around = body("c = Conv <pads = [1, 1, 1, 1]> (x, w33) t = Add (c, x)", head)
    assert meant("first", around) == meant("last", around) == {"c"}


@pytest.mark.parametrize("front", IN_FRONT)
@pytest.mark.parametrize("options", [{}, {"dialect": "captum"}])
def test_what_stands_in_front_does_not_count(front, options):
    text = body(IN_FRONT[front], "c = Conv (t, w0) d = Conv (c, w1) y = ReduceMean <keepdims = 0> (d)")
    assert meant("first", text, "flat", **options) == {"c"}


def test_last_is_the_targets():
    assert meant("last", target="s1") == {"c0", "c1"}
    assert meant("last", target="r0") == {"c0"}
    assert meant("first", target="r0") == {"c0"}


def test_an_operator_is_the_layers_own():
    # c0 and its BatchNormalization are one layer, a convolution.
    with pytest.raises(CompositeError, match="each BatchNormalization is merged into a neighbour"):
        meant("BatchNormalization", rule="pass")
    assert meant("BatchNormalization", rule="pass", dialect="captum") == {"n0", "r0", "r1", "rh"}
    assert rules_of(net(), rules={"scale": "epsilon:0.5"}, dialect="captum")["n0"] == "epsilon:0.5"


def test_a_node_that_is_called_like_an_operator_or_has_signs_in_its_name():
    model = net(body("c = Conv (x, w0) d = Conv (c, w1) y = ReduceMean <keepdims = 0> (d)"))
    model.graph.node[0].name, model.graph.node[1].name = "Conv", "a=b[0]"
    assert having(model, MARK, rules=[f"a=b[0]={MARK}"]) == {"a=b[0]"}
    assert having(model, MARK, rules=[f"Conv={MARK}"]) == {"Conv", "a=b[0]"}
    assert having(model, MARK, rules=[f"until:Conv={MARK}"]) == {"Conv"}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("c9", "c9=gamma:7: no layer between target and input is meant by 'c9'; did you mean 'c"),
        ("conv", "did you mean 'Conv'"),
        ("Linear", "no layer"),
        ("/layer1/*", "no layer .* is meant by '/layer1/[*]'"),
        ("until:c9", "did you mean 'c"),
        ("until:", "no layer"),
        ("until:magic", "`onnx-lrp check` without it lists nodes and operators"),
        ("", "no layer"),
        ("Sigmoid", "no layer"),
        ("First", "did you mean 'first'"),
    ],
)
def test_a_selector_that_meets_nothing(selector, message):
    with pytest.raises(CompositeError, match=message):
        meant(selector)


@pytest.mark.parametrize(
    ("selector", "rule", "kind"),
    [
        ("Relu", "zplus", "Relu 'rh' is of kind activation"),
        ("activation", "zplus", "activation"),
        ("r0", "zplus", "Relu 'r0' is of kind activation"),
        ("r?", "zplus", "activation"),
        ("Flatten", "epsilon", "movement"),
        ("Conv", "pass", "Conv 'c1' is of kind convolution"),
        ("c1", "winner", "convolution"),
        ("n0", "pass", "Conv 'c0' is of kind convolution"),
        ("first", "pass", "Conv 'c0' is of kind convolution"),
        ("last", "guided_backprop", "dense"),
        ("MaxPool", "flat", "winner"),
        ("Add", "average", "sum"),
    ],
)
def test_a_rule_that_does_not_fit(selector, rule, kind):
    with pytest.raises(CompositeError, match=f"the rule is for layers of kind .*{kind}"):
        meant(selector, rule=rule)


def test_operators_are_told_from_kinds_and_places():
    from explainer.composites.selectors import PLACES
    from explainer.layers import KINDS, kinds_of

    assert {kind for layer in REGISTRY.values() for kind in kinds_of(layer)} == set(KINDS)
    assert not set(REGISTRY) & {*KINDS, *PLACES}
