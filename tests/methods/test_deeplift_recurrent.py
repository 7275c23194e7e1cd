"""DeepLIFT through recurrent nets: against the same net written out node by node, and by completeness."""

import compiled
import numpy as np
import onnx
import pytest
from building import parse, relative, rng

import explainer

STEPS, FEATURES, HIDDEN = 3, 2, 3
MAP = "zx = MatMul (x, w) zh = MatMul (h, r) zs = Add (zx, zh) z = Add (zs, b)"
CLIP = """zb = Add (zs, b) low = Constant <value_float = -0.7> () high = Constant <value_float = 0.7> ()
    z = Clip (zb, low, high)"""
GATES = """ru, rr, rn = Split <axis = 1, num_outputs = 3> (r) zx = MatMul (x, w) zb = Add (zx, b)
    xu, xr, xn = Split <axis = 1, num_outputs = 3> (zb)
    hu = MatMul (h, ru) hr = MatMul (h, rr) zu = Add (xu, hu) zr = Add (xr, hr)
    u = Sigmoid (zu) f = Sigmoid (zr)"""
KEPT = """zn = Add (xn, fh) n = Tanh (zn) one = Constant <value_floats = [1.0]> () v = Sub (one, u)
    vn = Mul (v, n) uh = Mul (u, h) hn = Add (vn, uh) cn = Identity (c)"""
LSTM = f"""{MAP} zi, zo, zf, zg = Split <axis = 1, num_outputs = 4> (z)
    i = Sigmoid (zi) f = Sigmoid (zf) g = Tanh (zg) fc = Mul (f, c) ig = Mul (i, g) cn = Add (fc, ig)
    o = Sigmoid (zo) tc = Tanh (cn) hn = Mul (o, tc)"""
COUPLED = "one = Constant <value_floats = [1.0]> () f = Sub (one, i)"
# Name -> the operator, its attributes, and what one step of it is in other operators.
NETS = {
    "RNN": ("RNN", "", f"{MAP} hn = Tanh (z) cn = Identity (c)"),
    "RNN of Relus": ("RNN", ', activations = ["Relu"]', f"{MAP} hn = Relu (z) cn = Identity (c)"),
    "GRU": ("GRU", "", f"{GATES} fr = Mul (f, h) fh = MatMul (fr, rn) {KEPT}"),
    "GRU, reset behind R": (
        "GRU",
        ", linear_before_reset = 1",
        f"{GATES} rh = MatMul (h, rn) rb = Add (rh, bn) fh = Mul (f, rb) {KEPT}",
    ),
    "LSTM": ("LSTM", "", LSTM),
    "LSTM, clipped": ("LSTM", ", clip = 0.7", LSTM.replace("z = Add (zs, b)", CLIP)),
    "LSTM, input and forget as one": (
        "LSTM",
        ", input_forget = 1",
        LSTM.replace("f = Sigmoid (zf)", COUPLED),
    ),
}


def made(net: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """x (N, T, F) -> states of all times, added up -> out (N, 2): by the operator, and written out."""
    operator, how, step = NETS[net]
    count, random = {"RNN": 1, "GRU": 3, "LSTM": 4}[operator], rng(3, len(net))
    w = random.standard_normal((1, count * HIDDEN, FEATURES))
    r = random.standard_normal((1, count * HIDDEN, HIDDEN))
    b = random.integers(-2000, 2000, (2, count * HIDDEN)) / 1024  # whose sums are exact in float32
    v = random.standard_normal((HIDDEN, 2))
    graph = f"g (float[N,{STEPS},{FEATURES}] x) => (float[N,2] out)"
    one = f"""{graph} {{ t = Transpose <perm = [1, 0, 2]> (x)
        y = {operator} <hidden_size = {HIDDEN}{how}> (t, w, r, b) s = ReduceSum <keepdims = 0> (y, times)
        out = MatMul (s, v) }}"""
    steps = " ".join(
        f"x{t} = Gather <axis = 1> (x, at{t}) h{t + 1}, c{t + 1} = cells.Step (x{t}, h{t}, c{t}, w, r, b, bn)"
        for t in range(STEPS)
    )
    states = ", ".join(f"h{t + 1}" for t in range(STEPS))
    written = f"""<ir_version: 10, opset_import: ["": 21, "cells": 1]>
        {graph} {{ {steps} s = Sum ({states}) out = MatMul (s, v) }}
        <domain: "cells", opset_import: ["": 21]> Step (x, h, c, w, r, b, bn) => (hn, cn) {{ {step} }}"""
    behind = "before_reset" in how
    both = b.sum(0) if not behind else np.concatenate([b.sum(0)[: 2 * HIDDEN], b[0, 2 * HIDDEN :]])
    places = {f"at{t}": np.array(t) for t in range(STEPS)}
    zeros = {name: np.zeros((1, HIDDEN)) for name in ("h0", "c0")}
    parts = {"w": w[0].T, "r": r[0].T, "b": both, "bn": b[1, -HIDDEN:], "v": v}
    return (
        parse(one, w=w, r=r, b=b.reshape(1, -1), v=v, times=np.array([0, 1])),
        parse(written, **parts, **zeros, **places),
    )


X = rng(7, 7).standard_normal((2, STEPS, FEATURES)).astype(np.float32)
HOW = {"method": "deeplift", "baseline": rng(8).standard_normal((STEPS, FEATURES)).astype(np.float32)}


@pytest.mark.parametrize("net", NETS)
def test_it_is_the_map_of_the_net_that_is_written_out(net):
    one, written = made(net)
    ours = explainer.explain(one, X, target=1, dtype="float64", **HOW)
    theirs = explainer.explain(written, X, target=1, dtype="float64", **HOW)
    assert relative(ours.relevance, theirs.relevance) < 1e-10
    (at_baseline,) = explainer.explain(one, HOW["baseline"], target=1, dtype="float64").score
    np.testing.assert_allclose(ours.relevance.sum((1, 2)), ours.score - at_baseline, rtol=1e-10)


@pytest.mark.parametrize("net", ["RNN", "GRU, reset behind R", "LSTM, input and forget as one"])
def test_it_is_compiled(net):
    model, _ = made(net)
    wanted = explainer.explain(model, X, target=1, **HOW).relevance
    found = compiled.run(explainer.compile(model, target=1, **HOW), X)
    assert relative(found["relevance"], wanted) < compiled.CLOSE
