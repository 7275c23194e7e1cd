"""Operators that ONNX itself defines by others are explained through that body where no layer takes them."""

import warnings
from collections import Counter

import numpy as np
import pytest
from building import parse, relative, rng, run
from onnx.backend.test.loader import load_model_tests
from versions import before

from explainer import Explainer, UnsupportedError
from explainer.model.bodies import has_body
from explainer.model.graph import Graph
from explainer.model.operators import has_layer
from explainer.model.signature import opsets_of

# Of these no numbers come, or none that this onnxruntime computes in the types of ONNX's cases.
UNTRIED = {"CastLike", "SwiGLU"}


def _cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow on purpose
        everything = load_model_tests(kind="node")
    for case in everything:
        if case.model is None:  # a case of this release without one
            continue
        node, opset = case.model.graph.node[0], opsets_of(case.model.opset_import)
        has = "" in opset and not node.domain and has_body(node.op_type, opset[""])
        if len(case.model.graph.node) == 1 and has and not has_layer(node.op_type):
            yield node.op_type, case


@pytest.mark.slow
def test_bodies_compute_what_onnxruntimes_own_kernels_do():
    tried, wrong = Counter[str](), []
    for operator, case in _cases():
        if operator in UNTRIED:
            continue
        for inputs, _ in case.data_sets:
            # onnxruntime has no kernels for half floats of what bodies are made of.
            if not all(
                getattr(x, "dtype", None) in (np.float32, np.int64, np.int32, np.bool_) for x in inputs
            ):
                continue
            feeds = {value.name: x for value, x in zip(case.model.graph.input, inputs, strict=True)}
            try:
                wanted = run(case.model, feeds)
            except Exception:  # of some cases it has no kernel at all
                continue
            graph = Graph.load(case.model)
            if operator in {node.operator for node in graph.nodes}:
                continue
            tried[operator] += 1
            for ours, theirs in zip(run(graph.source.data, feeds), wanted, strict=True):
                lowest = np.finfo(np.float32).min  # what onnxruntime masks with, where ONNX says -inf
                ours, theirs = (np.maximum(x, lowest) for x in (ours, theirs))
                same = np.allclose(ours, theirs, rtol=1e-4, atol=1e-6, equal_nan=True)
                wrong += [] if same else [case.name]
    assert not wrong
    assert tried["RotaryEmbedding"] >= 8 or before("onnx", "1.18")


ATTENTION = """<ir_version: 11, opset_import: ["": 23]>
g (float[2,3,8] q, float[2,3,8] k, float[2,3,8] v) => (float[2,3,8] y) {
    y = Attention <q_num_heads = 2, kv_num_heads = 2> (q, k, v)
}"""
WRITTEN = """g (float[2,3,8] q, float[2,3,8] k, float[2,3,8] v) => (float[2,3,8] y) {
    q1 = Reshape (q, heads)  q2 = Transpose <perm = [0, 2, 1, 3]> (q1)  q3 = Mul (q2, scale)
    k1 = Reshape (k, heads)  k2 = Transpose <perm = [0, 2, 3, 1]> (k1)  k3 = Mul (k2, scale)
    v1 = Reshape (v, heads)  v2 = Transpose <perm = [0, 2, 1, 3]> (v1)
    s = MatMul (q3, k3)  p = Softmax (s)  o = MatMul (p, v2)
    o1 = Transpose <perm = [0, 2, 1, 3]> (o)  y = Reshape (o1, flat)
}"""
SIZES = {"heads": np.array([0, 0, 2, 4]), "flat": np.array([0, 0, 8]), "scale": np.float32(4**-0.25)}


needs_opset_23 = pytest.mark.skipif(before("onnx", "1.18"), reason="this onnx ends at opset 22")


@needs_opset_23
@pytest.mark.parametrize("how", [{"composite": "gradient"}, {"dialect": "cp_lrp"}, {"dialect": "attnlrp"}])
def test_attention_as_one_operator_is_attention_written_out(how):
    feeds = {name: rng(i).standard_normal((2, 3, 8)).astype(np.float32) for i, name in enumerate("qkv")}
    found, wanted = (
        Explainer(model, dtype="float64", **how).explain(feeds, "y").relevance
        for model in (parse(ATTENTION), parse(WRITTEN, **SIZES))
    )
    assert found.keys() == wanted.keys() >= {"v"}
    for name in found:
        # The scale is a number in float32: its square root is not to the last digit in ONNX's body.
        assert np.abs(found[name] - wanted[name]).max() <= 1e-6 * np.abs(wanted["v"]).max()


@needs_opset_23
def test_a_rotary_embedding_is_a_rotation():
    text = """<ir_version: 11, opset_import: ["": 23]>
    g (float[1,2,3,4] x) => (float[1,2,3,4] y) { y = RotaryEmbedding (x, cos, sin) }"""
    angles = rng(1).standard_normal((1, 3, 2)).astype(np.float32)
    model = parse(text, cos=np.cos(angles), sin=np.sin(angles))
    x = rng(2).standard_normal((1, 2, 3, 4)).astype(np.float32)
    found = Explainer(model, composite="gradient", dtype="float64").explain(x, "y").relevance
    s = np.cos(angles) + np.sin(angles)  # a step in the first half, and in the second, moves both
    assert relative(found, np.broadcast_to(np.concatenate([s, 2 * np.cos(angles) - s], -1), x.shape)) < 1e-6


def test_what_lacks_a_layer_in_a_body_is_named():
    text = """<ir_version: 10, opset_import: ["": 17]>
    g (float[4] n) => (float[N] y) { i = Cast <to = 7> (n)  s = ReduceSum (i)  y = HannWindow (s) }"""
    with pytest.raises(
        UnsupportedError, match=r"HannWindow x1 \(this operator has no layer, and its body has"
    ):
        Explainer(parse(text)).plan_for("y")


def test_what_onnx_says_of_a_loss_is_no_explanation():
    text = """<ir_version: 10, opset_import: ["": 13]>
    g (float[N,4] x, int64[N] t) => (float y) { y = SoftmaxCrossEntropyLoss (x, t) }"""
    with pytest.raises(UnsupportedError, match=r"SoftmaxCrossEntropyLoss x1 \(this operator has no layer\)"):
        Explainer(parse(text)).plan_for("y")


def test_a_body_that_may_not_be_put_in_a_file_is_none():
    """A Range is a Loop to ONNX: a model that only has one of these is not copied to be looked through."""
    assert not has_body("Range", 17)
    assert has_body("HardSwish", 17) and has_body("CastLike", 17) and not has_body("Relu", 12)
