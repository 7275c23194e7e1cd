"""What onnxruntime's optimiser makes of transformers is explained as what it was made of."""

import re

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run
from versions import before

import explainer
from explainer import Explainer, UnsupportedError
from explainer.model.graph import Graph

N, T, D, H = 2, 5, 8, 2
IMPORTS = '<ir_version: 8, opset_import: ["": {}, "com.microsoft": 1]>'
DRAW = rng(3).standard_normal
HELD = {
    "w": DRAW((D, 3 * D)), "b": DRAW(3 * D), "v": DRAW((D, D + D + 12)), "c": DRAW(D + D + 12),
    "bias": DRAW((1, H, T, T)), "g": DRAW(D), "h": DRAW(D), "words": DRAW((20, D)), "places": DRAW((9, D)),
    "kinds": DRAW((2, D)), "cos": np.cos(DRAW((9, 2))), "sin": np.sin(DRAW((9, 2))),
    "wide_cos": np.cos(DRAW((9, 1))),
    "wide_sin": np.sin(DRAW((9, 1))), "part": DRAW(D), "past": DRAW((2, N, H, 3, D // H)),
    "pk": DRAW((N, H, 3, D // H)), "apart": np.array([0, 0, 2, 4]),
}  # fmt: skip
ROWS = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
SQUARE = np.tril(np.ones((N, T, T)))
MASKED = "y = com.microsoft.Attention <num_heads = 2{}> (x, w, b, m)"
TURNED = "y = com.microsoft.RotaryEmbedding {} ({})"
IDS = {"i": ("int32[N,5]", np.array([[3, 7, 1, 0, 9], [2, 2, 4, 1, 1]]))}
PLACES = {"p": ("int64[N,5]", ROWS + 2)}
LENGTHS = {"m": ("int32[N]", np.array([5, 3]))}
MANY = "y = com.microsoft.MultiHeadAttention <num_heads = 2{}> ({})"
# A form: its nodes, and what it is given beside x.
FORMS: dict[str, tuple[str, dict[str, tuple[str, np.ndarray]]]] = {
    "attention": ("y = com.microsoft.Attention <num_heads = 2> (x, w, b)", {}),
    "no bias": ("y = com.microsoft.Attention <num_heads = 2, scale = 0.3> (x, w)", {}),
    "causal": ("y = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, b)", {}),
    "other widths": (
        "y = com.microsoft.Attention <num_heads = 2, qkv_hidden_sizes = [8, 8, 12]> (x, v, c)", {},
    ),
    "a mask": (MASKED.format(""), {"m": ("int32[N,5]", ROWS)}),
    "a filter": (MASKED.format(", mask_filter_value = -3.5"), {"m": ("int32[N,5]", ROWS)}),
    "a mask by query": (MASKED.format(", unidirectional = 1"), {"m": ("int32[N,5,5]", SQUARE)}),
    "lengths": (MASKED.format(""), LENGTHS),
    "ends and beginnings": (MASKED.format(""), {"m": ("int32[4]", np.array([5, 4, 1, 0]))}),
    "relative positions": ("y = com.microsoft.Attention <num_heads = 2> (x, w, b, , , bias)", {}),
    "a past": ("y, z = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, b, , past)", {}),
    "several heads": (MANY.format("", "x, x, x"), {}),
    "their bias": (MANY.format("", "x, x, x, b, m, bias"), {"m": ("int32[N,5]", ROWS)}),
    "their lengths": (MANY.format(", unidirectional = 1", "x, x, x, b, m"), LENGTHS),
    "their mask by query": (MANY.format("", "x, x, x, , m"), {"m": ("int32[N,5,5]", SQUARE)}),
    "cross attention": (
        MANY.format(", scale = 0.7", "x, k, l"),
        {"k": ("float[N,2,6,4]", DRAW((N, H, 6, 4))), "l": ("float[N,2,6,4]", DRAW((N, H, 6, 4)))},
    ),
    "another text": (
        MANY.format("", "x, k, l"),
        {"k": ("float[N,6,8]", DRAW((N, 6, D))), "l": ("float[N,6,12]", DRAW((N, 6, 12)))},
    ),
    "their past": ("y, z, u = com.microsoft.MultiHeadAttention <num_heads = 2> (x, x, x, , , , pk, pk)", {}),
    "words": (
        "y, z, u = com.microsoft.EmbedLayerNormalization (i, t, words, places, kinds, g, h, m)",
        {**IDS, "t": ("int32[N,5]", ROWS), "m": ("int32[N,5]", ROWS)},
    ),
    "words alone": (
        "y, z = com.microsoft.EmbedLayerNormalization <epsilon = 0.1> (i, , words, places, , g, h, , p)",
        {**IDS, "p": ("int32[N,5]", ROWS)},
    ),
    "turned": (TURNED.format("", "x, p, cos, sin"), PLACES),
    "turned from a place": (TURNED.format("", "x, p, cos, sin"), {"p": ("int64[1]", np.array([2]))}),
    "turned by pairs": (TURNED.format("<interleaved = 1>", "x, p, cos, sin"), PLACES),
    "turned in part": (
        TURNED.format("<num_heads = 2, rotary_embedding_dim = 2>", "x, p, wide_cos, wide_sin"), PLACES,
    ),
    "turned by heads": (
        f"s = Reshape (x, apart) r = Transpose <perm = [0,2,1,3]> (s) {TURNED.format('', 'r, p, cos, sin')}",
        PLACES,
    ),
    "gelu": ("y = com.microsoft.Gelu (x)", {}),
    "gelu of a sum": ("y = com.microsoft.BiasGelu (x, part)", {}),
    "gelu by tanh": ("y = com.microsoft.FastGelu (x)", {}),
    "gelu by tanh of a sum": ("y = com.microsoft.FastGelu (x, part)", {}),
    "quick gelu": ("y = com.microsoft.QuickGelu (x)", {}),
    "silu": ("y = com.microsoft.QuickGelu <alpha = 1.0> (x)", {}),
}  # fmt: skip


def net(form: str, opset: int = 17) -> onnx.ModelProto:
    """A form as a model of its own, which says no shapes of its outputs."""
    nodes, given = FORMS[form]
    words = set(re.findall(r"\w+", nodes))
    x = "float[2,5,8] x" if form == "ends and beginnings" else "float[N,5,8] x"
    inputs = [x] if "x" in words else []
    inputs += [f"{kind} {name}" for name, (kind, _) in given.items()]
    lengths = "int32[N] z" if "Embed" in nodes else "float[N] z"
    outputs = [kind for kind in ("float[N] y", lengths, "float[N] u") if kind[-1] in words]
    model = parse(
        f"{IMPORTS.format(opset)} net ({', '.join(inputs)}) => ({', '.join(outputs)}) {{ {nodes} }}",
        **{name: value for name, value in HELD.items() if name in words - given.keys()},
    )
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model


def feeds_of(form: str, model: onnx.ModelProto) -> dict[str, np.ndarray]:
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    values = {"x": DRAW((N, T, D)), **{name: value for name, (_, value) in FORMS[form][1].items()}}
    return {
        name: np.asarray(values[name], onnx.helper.tensor_dtype_to_np_dtype(kind))
        for name, kind in kinds.items()
    }


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("form", FORMS)
def test_a_body_computes_what_onnxruntimes_own_kernel_does(form, opset):
    if form == "no bias" and before("onnxruntime", "1.31"):
        pytest.skip("this onnxruntime reads a bias that is not there, and ends the process")
    if form == "ends and beginnings" and before("onnxruntime", "1.22"):
        pytest.skip("this onnxruntime gives two nodes one name where it fuses")
    model = net(form, opset)
    feeds = feeds_of(form, model)
    graph = Graph.load(model)
    assert not any("microsoft" in node.operator for node in graph.nodes)
    for ours, theirs in zip(run(graph.source.data, feeds), run(model, feeds), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


FUSED = """s, long = com.microsoft.EmbedLayerNormalization (i, , words, places, , g, h, m)
    a = com.microsoft.Attention <num_heads = 2> (s, w, b, long) d = MatMul (a, dense)
    n = com.microsoft.SkipLayerNormalization (d, s, g, h, part) u = MatMul (n, up)
    o = com.microsoft.BiasGelu (u, ub) f = Gather <axis = 1> (o, first) y = MatMul (f, last)"""
WRITTEN = """e = Gather (words, i) e1 = Add (e, rows) s = LayerNormalization <epsilon = 1e-12> (e1, g, h)
    q = MatMul (s, wq) q1 = Add (q, bq) q2 = Reshape (q1, apart) q3 = Transpose <perm = [0,2,1,3]> (q2)
    k = MatMul (s, wk) k1 = Add (k, bk) k2 = Reshape (k1, apart) k3 = Transpose <perm = [0,2,3,1]> (k2)
    v0 = MatMul (s, wv) v1 = Add (v0, bv) v2 = Reshape (v1, apart) v3 = Transpose <perm = [0,2,1,3]> (v2)
    z = MatMul (q3, k3) z1 = Div (z, two) t = Cast <to = 9> (m) t1 = Where (t, zero, far)
    t2 = Reshape (t1, front) z2 = Add (z1, t2) p = Softmax (z2) a = MatMul (p, v3)
    a1 = Transpose <perm = [0,2,1,3]> (a) a2 = Reshape (a1, flat) d = MatMul (a2, dense)
    d1 = Add (d, part) r = Add (d1, s)
    n = LayerNormalization <epsilon = 1e-12> (r, g, h) u = MatMul (n, up) u1 = Add (u, ub) o = Gelu (u1)
    f = Gather <axis = 1> (o, first) y = MatMul (f, last)"""
WEIGHTS = {
    **HELD, "dense": DRAW((D, D)), "up": DRAW((D, 6)), "ub": DRAW(6), "last": DRAW((6, 3)),
    "first": np.array(0),
    "rows": HELD["places"][:T], "two": np.float32(2), "zero": np.float32(0), "far": np.float32(-10000),
    "front": np.array([0, 1, 1, -1]), "flat": np.array([0, 0, -1]),
    **{name: HELD["w"][:, D * place : D * place + D] for place, name in enumerate(("wq", "wk", "wv"))},
    **{name: HELD["b"][D * place : D * place + D] for place, name in enumerate(("bq", "bk", "bv"))},
}  # fmt: skip
WORDS = {"i": np.array([[3, 7, 1, 0, 9], [2, 2, 4, 1, 1]], np.int32), "m": ROWS.astype(np.int32)}


def text_model(nodes: str) -> onnx.ModelProto:
    """A little BERT, as onnxruntime's optimiser leaves it or as it was."""
    words = set(re.findall(r"\w+", nodes))
    text = f"{IMPORTS.format(20)} bert (int32[N,5] i, int32[N,5] m) => (float[N,3] y) {{ {nodes} }}"
    return parse(text, **{name: value for name, value in WEIGHTS.items() if name in words})


@pytest.mark.parametrize(
    "how", [{"eps": 1e-12}, {"composite": "attnlrp", "eps": 1e-12}, {"method": "gradient"}], ids=str
)
def test_the_map_is_that_of_the_model_before_it_was_optimised(how):
    fused, written = (
        Explainer(text_model(nodes), dtype="float64", **how).explain(WORDS, 1) for nodes in (FUSED, WRITTEN)
    )
    (ours,), (wanted,) = fused.relevance.values(), written.relevance.values()
    assert relative(ours, wanted) < 1e-6
    assert not ours[1, 3:].any() or how.get("composite")  # the mask hides them
    np.testing.assert_allclose(fused.score, written.score, rtol=1e-6)


def test_it_compiles_and_says_what_it_is():
    model = text_model(FUSED)
    made = explainer.compile(model, target=1)
    relevance = run(made, WORDS)[1]
    (wanted,) = Explainer(model).explain(WORDS, 1).relevance.values()
    assert relative(relevance, wanted) < 1e-4
    said = str(Explainer(model).plan)
    assert "com.microsoft.Attention, explained as its body" in said and "GELU" in said


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("y = com.microsoft.Attention <num_heads = 2, do_rotary = 1> (x, w, b)", "a rotation inside"),
        ("y = com.microsoft.Attention <num_heads = 2> (x, w, b, m)", "its mask holds 7 numbers for N texts"),
        (
            "y, k, l, s = com.microsoft.MultiHeadAttention <num_heads = 2> (x, x, x) z = Add (s, x)",
            "its scores are an output",
        ),
    ],
)
def test_what_no_body_is_written_for_says_so(nodes, reason):
    text = f"{IMPORTS.format(17)} g (float[N,5,8] x, int32[7] m) => (float[N,5,8] y) {{ {nodes} }}"
    held = {name: value for name, value in HELD.items() if name in ("w", "b")}
    with pytest.raises(UnsupportedError, match=reason):
        Explainer(parse(text, **held)).plan_for("y")


def test_it_takes_what_its_operator_takes():
    with pytest.raises(explainer.ModelError, match="its attribute num_heads is missing"):
        Graph.load(
            parse(
                f"{IMPORTS.format(17)} g (float[N,5,8] x) => (float[N,5,8] y) "
                "{ y = com.microsoft.Attention (x, w) }",
                w=HELD["w"],
            )
        )


def test_names_that_onnxruntime_gave_a_constant_are_not_given_twice():
    """It makes a Gemm of MatMul and Add, and calls the shape before it so: in a file that it wrote too."""
    text = """g (float[N,5,8] x) => (float[N,5,8] y) {
        r = Reshape (x, gemm_input_shape) q = Gemm (r, dense, part) o = Reshape (q, gemm_output_shape)
        a = MatMul (o, dense) c = Add (a, part) k = MatMul (c, dense) y = Add (k, part) }"""
    shapes = {"gemm_input_shape": np.array([-1, D]), "gemm_output_shape": np.array([-1, T, D])}
    model = parse(text, **shapes, dense=WEIGHTS["dense"], part=HELD["part"])
    graph = Graph.load(model)
    assert not any(name.startswith("gemm") for name in graph.initializers)
    x = rng(1).standard_normal((N, T, D)).astype(np.float32)
    np.testing.assert_allclose(run(graph.source.data, {"x": x}), run(model, {"x": x}), rtol=1e-6)
    assert Explainer(model).explain(x, "y[0, 0]").relevance.any()
