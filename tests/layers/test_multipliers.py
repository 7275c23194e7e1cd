"""DeepLIFT's multipliers of every layer: complete between any two points, the gradient where they are one."""

from dataclasses import replace

import numpy as np
import pytest
from building import parse, relative, rng
from examples import EXAMPLES, Example
from test_gradients import INSIDE

import explainer
from explainer import Explainer
from explainer.composites import get
from explainer.layers import Bound
from explainer.rules import Relevance
from explainer.testing.dense import flat, like

DEEPLIFT = get("deeplift")
KINDS = ("curved", "normalization", "quotient", "product", "activation", "winner")
bent = [example for example in EXAMPLES if example.kind in KINDS and not example.operator.startswith("com.")]
fused = [example for example in EXAMPLES if example.operator.startswith("com.")]


def pair(example: Example, layer: Bound) -> tuple[Bound, Bound]:
    """The layer at two points where it is defined."""
    x = [flat(layer.x), flat(layer.x) * 0.6 + rng(5).standard_normal(flat(layer.x).size) * 0.3]
    if example.through:
        x = [np.clip(values, *INSIDE[example.through]) for values in x]
    elif example.operator == "Div":
        x = [1.5 + abs(values) for values in x]
    there = layer.at(like(x[1], layer.x))
    return replace(layer.at(like(x[0], layer.x)), reference=there), there


@pytest.mark.parametrize("example", bent + fused, ids=str)
def test_they_are_complete_and_the_gradient_where_nothing_changed(example: Example):
    for bound in example.layers():
        layer, there = pair(example, bound)
        rule = DEEPLIFT.rule_for(layer.layer)
        z, z0 = layer.forward(layer.x), there.forward(there.x)
        s = rng(6).standard_normal(z.shape)
        m = flat(rule(layer, layer.x, Relevance(None, s)).whole)
        parts = m * (flat(layer.x) - flat(there.x))
        assert abs(parts.sum() - (s * (z - z0)).sum()) < 1e-9 * (abs(parts).sum() + abs(s * (z - z0)).sum())
        if example.kind != "winner":  # which halves what ties
            same = replace(layer, reference=layer)
            still = flat(rule(same, layer.x, Relevance(None, s)).whole)
            assert relative(still, flat(layer.transpose(s))) < 1e-9


ATTENTION = """
    n = LayerNormalization (x, g, b) q = MatMul (n, wq) k = MatMul (n, wk) v = MatMul (n, wv)
    t = Transpose <perm=[0,2,1]> (k) s = MatMul (q, t) c = Mul (s, half) p = Softmax (c) a = MatMul (p, v)
    r = Add (x, a) e = Sigmoid (r) h = Mul (r, e) f = Gelu (h) m = ReduceMean <keepdims=0> (f, one)
    l = LpNormalization (m) y = MatMul (l, wy)"""
CONSTANTS = {
    **{
        name: rng(9, place).standard_normal((6, 6)) * 0.6
        for place, name in enumerate(("wq", "wk", "wv", "wy"))
    },
    **{
        "g": rng(8).standard_normal(6),
        "b": rng(7).standard_normal(6),
        "half": np.float32(0.4),
        "one": np.array([1]),
    },
}


def net():
    return parse(f"g (float[N,3,6] x) => (float[N,6] y) {{ {ATTENTION} }}", **CONSTANTS)


def test_of_a_transformer_the_sums_are_complete():
    x, origin = rng(3).standard_normal((2, 3, 6)).astype(np.float32), rng(4).standard_normal((1, 3, 6))
    found = Explainer(net(), method="deeplift", dtype="float64", baseline=origin).explain(x, 1)
    scale = abs(found.relevance).sum((1, 2))
    assert (abs(found.delta) / scale).max() < 1e-9
    explainer.compile(net(), method="deeplift", baseline=0.1)
