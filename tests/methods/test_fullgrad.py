"""FullGrad and FullGrad+: complete on every kind of net, and laid where the values lie."""

import pickle
import re

import numpy as np
import pytest
from building import parse, relative, rng
from residual import picture, residual_net
from tokens import LENGTH, feeds_for, tokens
from vits import GRID, PICTURE, TOKENS, vit

import explainer
from explainer import Explainer, InputError, TargetError
from explainer.methods import FullGradPlus
from explainer.methods.fullgrad import crossed
from explainer.methods.terms import CONSTANTS, MAP, postprocessed
from explainer.tensor.resampling import enlarged

EXACT = 1e-12
DRAW = rng(9, 9).standard_normal
IMAGE = DRAW((2, *PICTURE)).astype(np.float32)
# Nets of all that has a constant: what is between x and what the head reads, and the head.
POOLED = "p = GlobalAveragePool (z) f = Flatten (p) y = Gemm (f, v, u)"
NETS = {
    "a bound": ("c = Conv (x, w, b) z = Clip (c, low, high)", POOLED),
    "a batchnorm apart": (
        "r = Relu (x) n = BatchNormalization (r, s, t, m, q) z = Conv (n, w, b)",
        POOLED,
    ),
    "sigmoids": ("c = Conv (x, w, b) g = Sigmoid (c) z = Softplus (g)", POOLED),
    "a gate": ("c = Conv (x, w, b) g = HardSigmoid (c) z = Mul (c, g)", POOLED),
    "a product": ("c = Conv (x, w, b) d = Tanh (x) e = Conv (d, w) z = Mul (c, e)", POOLED),
    "norms": (
        "c = Conv (x, w, b) n = InstanceNormalization (c, s, t) z = LayerNormalization <axis = 1> (n, ls)",
        "p = GlobalMaxPool (z) f = Flatten (p) y = Gemm (f, v, u)",
    ),
    "a softmax inside": (
        "c = Conv (x, w, b) d = Softmax <axis = 1> (c) l = LogSoftmax <axis = 2> (d) e = Elu (l)"
        " p = AveragePool <kernel_shape = [2, 2]> (e)",
        "g = ReduceSum <keepdims = 0> (p, places) y = Gemm (g, v, u)",
    ),
    "a border": (
        "a = Pad (x, pads, fill) k = Concat <axis = 1> (a, token) c = Conv (k, wide, b) z = LeakyRelu (c)",
        POOLED,
    ),
    "time": (
        "a = Transpose <perm = [2, 0, 1, 3]> (x) i = Reshape (a, series)"
        " h, hs = LSTM <hidden_size = 3> (i, lw, lr, lb)",
        "o = Squeeze (hs, zero) y = Gemm (o, hv, u)",
    ),
}
ARRAYS = {
    "w": DRAW((4, 3, 3, 3)), "b": DRAW(4), "v": DRAW((4, 2)), "u": DRAW(2), "low": np.float32(-0.5),
    "high": np.float32(1.5), "s": DRAW(4), "t": DRAW(4), "m": DRAW(4), "q": rng(1).uniform(0.5, 2, 4),
    "ls": DRAW((4, 6, 6)), "places": np.array([2, 3]), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "fill": np.float32(0.7), "token": DRAW((2, 1, 10, 10)), "wide": DRAW((4, 4, 3, 3)),
    "series": np.array([8, -1, 24]), "lw": DRAW((1, 12, 24)) * 0.3, "lr": DRAW((1, 12, 3)) * 0.3,
    "lb": DRAW((1, 24)), "zero": np.array([0]), "hv": DRAW((3, 2)),
}  # fmt: skip
X = DRAW((2, 3, 8, 8)).astype(np.float32)


def net(name: str):
    body = " ".join(NETS[name])
    words = re.findall(r"\w+", body)
    arrays = {key: value for key, value in ARRAYS.items() if key in words}
    if name == "a batchnorm apart":
        arrays |= {key: arrays[key][:3] for key in "stmq"}
    return parse(f"g (float[2,3,8,8] x) => (float[2,2] y) {{ {body} }}", **arrays)


def explained(model, x, target=1, **how):
    how = {"method": "fullgrad", "postprocess": "raw", "dtype": "float64", **how}
    return Explainer(model, **how).explain(x, target)


@pytest.mark.parametrize("composite", ["gradient", "libragrad"])
@pytest.mark.parametrize("name", [*NETS, "vit", "residual"])
def test_input_constants_and_intercepts_add_up_to_the_score(name, composite):
    model = {"vit": vit, "residual": residual_net}.get(name, lambda: net(name))()
    x = {"vit": IMAGE, "residual": picture(2)}.get(name, X)
    found = explained(model, x, composite=composite)
    assert abs(found.delta).max() < EXACT * np.abs(found.score).max()
    plain = Explainer(model, method="input_x_gradient", composite=composite, dtype="float64").explain(x, 1)
    assert (
        abs(plain.relevance.reshape(2, -1).sum(1) - plain.score).min() > 1e-3
    )  # the constants take something


@pytest.mark.parametrize("composite", ["epsilon", "gamma", "attnlrp"])
def test_so_do_relevance_and_the_shares_of_constants(composite):
    found = explained(vit(), IMAGE, composite=composite, eps=1e-9)
    gamma = 1e-4 if composite == "gamma" else 1e-5  # what its own stabiliser keeps
    np.testing.assert_allclose(found.delta, 0, atol=gamma)
    bias = Explainer(vit(), composite=composite, eps=1e-9, dtype="float64").explain(IMAGE, 1)
    took = np.sum([step.bias + step.intercept for step in bias.audit], axis=0)
    arrived = bias.relevance.reshape(2, -1).sum(1)
    np.testing.assert_allclose(found.delta, arrived + took - found.score, atol=1e-9)


def test_the_map_is_the_papers():
    """|·|, rescaled in every layer, enlarged, added up; dense layers have no place."""
    body = (
        "c = Conv <pads = [1,1,1,1]> (x, w, b) r = Relu (c) d = Conv <strides = [2,2]> (r, e, h) q = Relu (d)"
    )
    model = parse(
        f"g (float[N,3,9,7] x) => (float[N,2] y) {{ {body} f = Flatten (q) y = Gemm (f, v, u) }}",
        w=DRAW((4, 3, 3, 3)), b=DRAW(4), e=DRAW((5, 4, 3, 3)), h=DRAW(5), v=DRAW((60, 2)), u=DRAW(2),
    )  # fmt: skip
    x = DRAW((2, 3, 9, 7)).astype(np.float32)
    gradients = Explainer(model, method="gradient", keep=["c", "d"], dtype="float64").explain(x, 1)
    arrays = {one.name: one for one in Explainer(model).graph.initializers.values()}

    def psi(term):
        size = abs(term)
        size = size - size.min(axis=(1, 2, 3), keepdims=True)
        return size / (size.max(axis=(1, 2, 3), keepdims=True) + 1e-6)

    def bias(name, tensor):
        b = Explainer(model).graph.constant(name).astype(np.float64)
        return psi(gradients.relevances[tensor] * b.reshape(-1, 1, 1)).sum(1, keepdims=True)

    assert {"b", "h"} <= arrays.keys()
    wanted = psi(x * gradients.relevance).sum(1, keepdims=True)
    wanted = wanted + bias("b", "c") + enlarged(bias("h", "d"), (9, 7), "bilinear")
    found = explainer.explain(model, x, target=1, method="fullgrad", dtype="float64")
    assert found.relevance.shape == (2, 1, 9, 7)
    assert relative(found.relevance, wanted) < EXACT


def test_tokens_lie_where_their_patches_do():
    """FullGrad+ of one kept tensor, less FullGrad: the class token has no place."""
    how = {"composite": "libragrad", "upsampling": "nearest"}
    less = explained(vit(), IMAGE, **how).relevance
    more = explained(vit(), IMAGE, method="fullgrad_plus", keep=["x1"], **how)
    term = more.relevances["x1"].sum(2)[:, 1:].reshape(2, 1, *GRID)
    wanted = np.repeat(np.repeat(term, 4, 2), 4, 3) / 16
    assert relative(more.relevance - less, wanted) < 1e-9
    cp = Explainer(vit(), composite="cp_lrp", keep=["x1"], dtype="float64").explain(IMAGE, 1).relevances["x1"]
    assert relative(more.relevances["x1"], cp) < EXACT


def test_what_has_no_place_is_told():
    found = explained(vit(), IMAGE)
    np.testing.assert_allclose(found.relevance.sum((1, 2, 3)) + found.placeless, found.score, rtol=1e-9)
    assert found.remark() == ""  # hardly anything
    plus = explained(vit(), IMAGE, method="fullgrad_plus")
    laid, beside = plus.relevance[0].sum(), plus.placeless[0]
    told = f"the map sums to {laid:.4g}; terms on no place of it, a class token's or a dense layer's, "
    assert plus.remark() == told + f"to {beside:.4g}"
    assert explained(vit(), IMAGE, postprocess="rescale").placeless is None
    bound = net("a bound")
    bias = Explainer(bound).graph.constant("u")[1]
    np.testing.assert_allclose(explained(bound, X).placeless, bias, rtol=1e-6)


def test_layers_are_what_all_paths_pass():
    assert crossed(Explainer(vit()).plan) == ("zt", "x2", "r1", "x1", "r0", "x0")
    plan = Explainer(residual_net()).plan
    assert crossed(plan) == ("rh", "f3", "r2", "p0", "scaled")
    assert Explainer(vit(), method="fullgrad_plus").plan.gathers.layers == crossed(Explainer(vit()).plan)


WINDOWS = """g (float[N,1,8,4] x) => (float[N,2] y) {
    c = Conv <strides = [2,2]> (x, w, b) t = Transpose <perm = [0,2,3,1]> (c) r = Reshape (t, apart)
    p = Transpose <perm = [0,1,3,2,4,5]> (r) q = Reshape (p, windows) d = MatMul (q, dw) e = Add (d, db)
    k = Reshape (e, back) o = Transpose <perm = [0,1,3,2,4,5]> (k) f = Reshape (o, whole)
    even = Slice (f, zero, ends, one, two) odd = Slice (f, one, ends, one, two)
    z = Concat <axis = 3> (even, odd) m = MatMul (z, merged) h = Add (m, hb)
    s = ReduceMean <keepdims = 0> (h, both) y = MatMul (s, v) }"""


def test_windows_and_merged_patches_are_followed():
    """As in a Swin transformer: samples and windows share an axis, and neighbours become one token."""
    model = parse(
        WINDOWS,
        **{"w": DRAW((3, 1, 2, 2)), "b": DRAW(3), "dw": DRAW((3, 3)), "db": DRAW(3), "merged": DRAW((6, 3))},
        **{"hb": DRAW(3), "v": DRAW((3, 2)), "apart": np.array([-1, 2, 2, 1, 2, 3])},
        **{"windows": np.array([-1, 4, 3]), "back": np.array([-1, 2, 1, 2, 2, 3])},
        **{"whole": np.array([-1, 4, 2, 3]), "both": np.array([1, 2]), "ends": np.array([9])},
        **{"zero": np.array([0]), "one": np.array([1]), "two": np.array([2])},
    )
    x = DRAW((3, 1, 8, 4)).astype(np.float32)
    kept = Explainer(model, method="gradient", keep=["b", "db", "hb"], dtype="float64").explain(x, 1)
    of = {name: np.asarray(Explainer(model).graph.constant(name), float) for name in ("b", "db", "hb")}
    first = (kept.relevances["b"] * of["b"].reshape(3, 1, 1)).sum(1, keepdims=True)
    # (N · windows, rows · columns of a window): two windows, one above the other
    inside = (kept.relevances["db"] * of["db"]).sum(2).reshape(3, 1, 4, 2)
    merged = (kept.relevances["hb"] * of["hb"]).sum(3)[:, None]
    wanted = x * kept.relevance + enlarged(first + inside, (8, 4), "bilinear", sharing=True)
    wanted = wanted + enlarged(merged, (8, 4), "bilinear", sharing=True)
    found = explained(model, x)
    assert relative(found.relevance, wanted) < 1e-9
    assert abs(found.relevance.sum((1, 2, 3)) - found.score).max() < 1e-9  # all of it has a place
    explainer.compile(model, target=1, method="fullgrad")


@pytest.mark.parametrize(
    "enlarged_by",
    [
        'Resize <mode = "nearest"> (d, , scales)',
        'Resize <mode = "linear"> (d, , scales)',
        "ConvTranspose <strides = [2,2]> (d, up)",
    ],
)
def test_what_is_enlarged_and_joined_has_places(enlarged_by):
    body = f"""c = Conv <pads = [1,1,1,1]> (x, w, b) p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
        d = Conv <pads = [1,1,1,1]> (p, w4, b) e = {enlarged_by} j = Concat <axis = 1> (e, c)
        q = Conv <pads = [1,1,1,1]> (j, w8, b) r = Relu (q) s = Conv (r, last)
        m = GlobalAveragePool (s) y = Flatten (m)"""
    model = parse(
        f"g (float[N,3,8,8] x) => (float[N,2] y) {{ {body} }}",
        w=ARRAYS["w"], b=ARRAYS["b"], w4=DRAW((4, 4, 3, 3)), up=DRAW((4, 4, 2, 2)), last=DRAW((2, 4, 1, 1)),
        scales=np.array([1, 1, 2, 2], np.float32), w8=DRAW((4, 8, 3, 3)),
    )  # fmt: skip
    found = explained(model, X)
    assert abs(found.placeless).max() < 1e-9 * abs(found.score).max()


def test_a_text_has_a_map_by_word():
    found = Explainer(tokens(), method="fullgrad_plus", dtype="float64").explain(feeds_for(), 1)
    assert found.relevance["e"].shape == (2, LENGTH, 1)
    assert abs(found.delta).max() < EXACT * np.abs(found.score).max() + 1e-12


def test_one_token_that_is_picked_out_has_its_place():
    body = "h = MatMul (x, w) r = Relu (h) l = Gather <axis = 1> (r, last) y = Gemm (l, v, b)"
    model = parse(
        f"g (float[N,5,4] x) => (float[N,2] y) {{ {body} }}",
        w=DRAW((4, 4)), v=DRAW((4, 2)), b=np.array([0.0, 7.0]), last=np.array(3),
    )  # fmt: skip
    x = DRAW((2, 5, 4)).astype(np.float32)
    found = explained(model, x)
    np.testing.assert_allclose(found.relevance.sum(2)[:, 3], found.score, rtol=1e-9)
    assert not found.relevance[:, [0, 1, 2, 4]].any() and found.relevance.shape == (2, 5, 1)


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
@pytest.mark.parametrize("sizes", [((3, 2), (12, 8)), ((5, 7), (9, 10)), ((6, 6), (4, 3))])
def test_shared_amounts_keep_their_sum(sizes, how):
    term = DRAW((2, 1, *sizes[0]))
    found = enlarged(term, sizes[1], how, sharing=True)
    np.testing.assert_allclose(found.sum((1, 2, 3)), term.sum((1, 2, 3)), rtol=1e-12)


def test_features_have_no_places():
    model = parse("g (float[N,4] x) => (float[N,2] y) { h = Gemm (x, w, b) r = Relu (h) y = Gemm (r, v, c) }",
                  w=DRAW((4, 3)), b=DRAW(3), v=DRAW((3, 2)), c=DRAW(2))  # fmt: skip
    x = DRAW((2, 4)).astype(np.float32)
    found = explained(model, x)
    plain = Explainer(model, method="input_x_gradient", dtype="float64").explain(x, 1)
    np.testing.assert_allclose(found.relevance, plain.relevance)
    assert abs(found.delta).max() < 1e-12


def test_what_is_kept_is_times_its_value():
    found = explained(vit(), IMAGE, keep=["x1", "positions", "bd1"])
    plain = Explainer(vit(), method="gradient", dtype="float64", keep=["x1", "positions", "bd1"]).explain(
        IMAGE, 1
    )
    graph = Explainer(vit()).graph
    values = {name: np.asarray(graph.constant(name), float) for name in ("positions", "bd1")}
    values |= graph.session(["x1"]).run({"x": IMAGE})
    for name, value in values.items():
        assert relative(found.relevances[name], plain.relevances[name] * value) < 1e-5
    assert found.relevances["positions"].shape == (2, TOKENS, 8)


def test_channels_last_and_under_noise():
    turned = "t = Transpose <perm = [0,3,1,2]> (x)"
    body = "c = Conv (t, w, b) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, v, u)"
    arrays = {key: ARRAYS[key] for key in ("w", "b", "v", "u")}
    last = parse(f"g (float[N,8,8,3] x) => (float[N,2] y) {{ {turned} {body} }}", **arrays)
    first = parse(f"g (float[N,3,8,8] t) => (float[N,2] y) {{ {body} }}", **arrays)
    for method in ("fullgrad_plus", "fullgrad"):  # a Transpose makes no layer's input of the model's own
        wanted = explained(first, X, method=method, postprocess="rescale").relevance
        found = explained(last, np.moveaxis(X, 1, -1).copy(), method=method, postprocess="rescale").relevance
        assert found.shape == (2, 8, 8, 1) and relative(found[..., 0], wanted[:, 0]) < EXACT
    calm = explainer.explain(
        first, X, target=1, method="fullgrad", noise="smoothgrad", n_samples=2, stdev=0.0
    )
    assert relative(calm.relevance, wanted) < 1e-5


def test_what_is_refused_and_what_is_a_value():
    with pytest.raises(InputError, match="postprocess is 'squared'; there is: rescale, absolute, raw"):
        Explainer(vit(), method="fullgrad", postprocess="squared")
    with pytest.raises(TargetError, match="'clrp' leaves out what speaks against"):
        Explainer(vit(), method="fullgrad").explain(IMAGE, 1, start="clrp")
    with pytest.raises(InputError, match="under noise asks again and again"):
        explainer.compile(vit(), target=1, method="fullgrad", noise="smoothgrad")
    ex = Explainer(vit(), method="FullGrad+")
    assert ex.method == FullGradPlus()
    again = pickle.loads(pickle.dumps(ex.plan))
    assert again.gathers == ex.plan.gathers and {step.also for step in again.steps} == {frozenset("xz")}
    assert MAP != CONSTANTS and postprocessed(IMAGE, "raw") is IMAGE


@pytest.mark.parametrize("start", ["probability", "margin", "one"])
def test_other_starts(start):
    ex = Explainer(residual_net(), method="fullgrad", dtype="float64", postprocess="raw")
    found = ex.explain(picture(2), 1, start=start)
    assert abs(found.delta).max() < EXACT


def test_at_an_input_itself_and_under_conditions():
    ex = Explainer(residual_net(), method="fullgrad", dtype="float64", postprocess="raw")
    assert not ex.explain(picture(2), "x[0, 0, 0]").delta.any()
    assert ex.explain(picture(2), 1, conditions={"r2": 1}).delta is None  # they hold something back
