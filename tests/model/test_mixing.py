"""Whether samples change each other, against onnxruntime: the batch at once, and one by one."""

import numpy as np
import pytest
from building import parse, rng, run
from versions import before

from explainer import explain
from explainer.model.graph import Graph
from explainer.model.mixing import mixing

CONSTANTS = {
    "w": rng(1).standard_normal((4, 4)),
    "k": rng(2).standard_normal((4, 4, 1, 1)),
    "one": np.ones(4),
    "zero": np.zeros(4),
    "alike": np.tile(rng(6).standard_normal((1, 4, 4, 4)), (4, 1, 1, 1)),
    "each": rng(7).standard_normal((4, 4, 4, 4)),
    "four": np.ones(64),
    "a0": np.array([0]),
    "a1": np.array([1]),
    "a2": np.array([2]),
    "rows": np.array([-1, 4]),
    "back": np.array([-1, 4, 4, 4]),
    "lead": np.array([0, -1]),
    "flat": np.array([1, -1]),
    "far": np.array([-99]),
    "endless": np.array([2**63 - 1]),
    "zeroth": np.array(0),
    "last": np.array([-1]),
    "row": np.array([[0]]),
    "W": rng(3).standard_normal((1, 2, 4)),
    "R": rng(4).standard_normal((1, 2, 2)),
}
APART = """
n = Shape (x) l = Gather (n, a1) f = Cast <to = 1> (l) s = Sqrt (f) y = Div (x, s)
r = Slice (x, a0, endless, a0) y = Add (x, r)
r = Slice (x, a1, endless, a1) y = Neg (r)
y = Mul (x, w)
y = Conv (x, k)
y = InstanceNormalization (x, one, zero)
y = Trilu (x)
y = CumSum (x, a2)
y = BatchNormalization (x, one, zero, zero, one)
y = Softmax <axis=1> (x)
y = ReduceMean (x, a1)
y = ReduceMean <keepdims=0> (x, a2)
y = LayerNormalization <axis=-1> (x, one)
f = Flatten (x) y = Softmax <axis=-1> (f)
r = Reshape (x, rows) m = MatMul (r, w) s = Softmax <axis=-1> (m) y = Reshape (s, back)
t = Transpose <perm=[2,0,1,3]> (x) s = Softmax <axis=0> (t) y = Transpose <perm=[1,0,2,3]> (s)
t = Transpose <perm=[0,1,3,2]> (x) p = MatMul (x, t) s = Softmax <axis=-1> (p) y = MatMul (s, x)
y = Einsum <equation="nchw,ncvw->nchv"> (x, x)
y = Einsum <equation="... h w, ... v w -> ... h v"> (x, x)
y = Einsum <equation="nc...,nd...->n...cd"> (x, x)
g = GlobalAveragePool (x) y = Mul (x, g)
h = Shape (x) n = Gather (h, a0) q = Concat <axis=0> (n, last) y = Reshape (x, q)
m = ReduceMax <keepdims=0> (x, a2) t = Transpose <perm=[1,0,2]> (m) a, b = {RNN} (t, W, R) y = Squeeze (b, a0)
c = Concat <axis=1> (x, x) a, y = Split <axis=1, num_outputs=2> (c)
""".strip().splitlines()
ROWS = "g = Greater (x, zero) i = NonZero (g) t = Transpose (i) v = GatherND (x, t)"
TOGETHER = """
y = BatchNormalization <training_mode=0> (x, one, zero, zero, one) v = ReduceMean (y, a0) y2 = Sub (y, v)
y2 = Softmax <axis=0> (x)
f = Flatten (x) l = LayerNormalization <axis=0> (f, four) y2 = Neg (l)
y2 = MeanVarianceNormalization (x)
m = ReduceMax (x, a0) y2 = Sub (x, m)
m = ReduceMean (x) y2 = Sub (x, m)
f = Flatten (x) t = Transpose (f) g = MatMul (f, t) y2 = MatMul (g, f)
f = Flatten (x) y2 = Einsum <equation="nf,mf,mg->ng"> (f, f, f)
y2 = Einsum <equation="n...,m...->n..."> (x, x)
q, s, z = DynamicQuantizeLinear (x) y2 = DequantizeLinear (q, s, z)
y2 = CumSum (x, a0)
f = Flatten (x) y2 = Trilu (f)
t = Transpose <perm=[1,0,2,3]> (x) s = LRN <size=3, alpha=9.0> (t) y2 = Transpose <perm=[1,0,2,3]> (s)
b, m, v = BatchNormalization <training_mode=1> (x, one, zero, zero, one) y2 = Relu (b)
r = Reshape (x, rows) s = Softmax <axis=0> (r) y2 = Reshape (s, back)
y2 = Add (x, each)
n = Shape <start = 0, end = 1> (x) f = Cast <to = 1> (n) y2 = Mul (x, f)
n = Shape (x) l = Gather (n, a0) f = Cast <to = 1> (l) s = Sqrt (f) y2 = Div (x, s)
n = Size (x) f = Cast <to = 1> (n) y2 = Div (x, f)
r = Slice (x, last, far, a0, last) y2 = Add (x, r)
g = Gather <axis = 0> (x, zeroth) y2 = Sub (x, g)
g = GatherND (x, row) y2 = Sub (x, g)
q = Reshape (x, flat) f = Flatten <axis = 1> (q) s = Softmax <axis = 1> (f) y2 = Reshape (s, back)
y2 = MatMul (x, each)
{ROWS} m = ReduceMean <keepdims=0> (v) y2 = Add (x, m)
{ROWS} c = CumSum (v, zeroth) y2 = ScatterND (x, t, c)
g = Greater (x, zero) i = NonZero (g) n = Shape <start=1> (i) f = Cast <to=1> (n) y2 = Div (x, f)
t = Transpose (x) u = Unique (t) n = ReduceMean <keepdims=0> (u) y2 = Add (x, n)
""".strip().splitlines()


def net(body: str):
    body = body.replace("{RNN}", "RNN <hidden_size=2>").replace("{ROWS}", ROWS)
    output = "y2" if "y2 =" in body else "y"
    used = {name: value for name, value in CONSTANTS.items() if f" {name})" in body or f", {name}," in body}
    return parse(f"g (float[N,4,4,4] x) => (float[] {output}) {{ {body} }}", **used)


def apart(model) -> float:
    """How far the answers of a batch are from those of its samples alone, relative to the largest."""
    x = rng(5).standard_normal((4, 4, 4, 4)).astype(np.float32)
    whole = run(model, {"x": x})[0]
    alone = [run(model, {"x": one[None]})[0] for one in x]
    if whole.shape != np.concatenate(alone).shape:
        return np.inf
    return float(np.abs(whole - np.concatenate(alone)).max() / np.abs(whole).max())


@pytest.mark.parametrize("body", APART)
def test_samples_that_are_apart(body):
    assert apart(net(body)) < 1e-5
    assert mixing(Graph.load(net(body))) is None


@pytest.mark.parametrize("body", TOGETHER)
def test_samples_that_meet(body):
    if "LayerNormalization <axis=0>" in body and before("onnxruntime", "1.25"):
        pytest.skip("this onnxruntime wants a scale for every value")
    assert apart(net(body)) > 1e-3
    found = mixing(Graph.load(net(body)))
    assert found is not None and found.is_sure


def test_a_constant_that_is_alike_for_all_samples_tells_none_apart():
    assert mixing(Graph.load(net("y = Add (x, alike)"))) is None
    assert "other constants for other samples" in str(mixing(Graph.load(net("y = Add (x, each)"))))


def test_training_mode_is_called_that():
    assert "in training mode" in str(
        mixing(
            Graph.load(
                net("b, m, v = BatchNormalization <training_mode=1> (x, one, zero, zero, one) y2 = Relu (b)")
            )
        )
    )


def test_what_is_not_known_is_not_sure():
    text = "g (float[N,4] x) => (float[] y) { r = Reshape (x, flat) m = MatMul (r, v) y = Reshape (m, rows) }"
    found = mixing(Graph.load(parse(text, flat=np.array([2, -1]), v=np.ones((4, 4)), rows=np.array([-1, 4]))))
    assert found is not None and not found.is_sure


def test_a_number_of_samples_may_be_an_axis():
    """Of one sample a second axis: the number is reckoned with as no number."""
    text = "g (float[N,4] x) => (float[1,1,4] y) {"
    text += " n = Shape <end=1> (x) z = Unsqueeze (x, n) y = MatMul (z, v) }"
    x, model = np.ones((1, 4), np.float32), parse(text, v=np.eye(4))
    found = explain(model, x, target=("y", (0, 2)), eps=1e-9)
    np.testing.assert_allclose(found.relevance, [[0, 0, 1, 0]], rtol=1e-6)
