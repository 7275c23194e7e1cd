"""Einsum: attention in its equations is attention in MatMuls, held or shared; products of three."""

import numpy as np
import pytest
from building import parse, relative, rng, run

import explainer
from explainer import Explainer
from explainer.composites import DIALECTS

CONSTANTS = {
    **{name: rng(41, seed).standard_normal((6, 2, 4)) * 0.5 for seed, name in enumerate(("wq", "wk", "wv"))},
    "wo": rng(42).standard_normal((2, 4, 5)) * 0.5,
    "half": np.float32(0.5),
    **{
        name: np.array(shape)
        for name, shape in {"rows": [6, 8], "heads": [0, 0, 2, 4], "flat": [0, 0, 8]}.items()
    },
    "out": np.array([8, 5]),
    "places": np.array([1]),
}
# As JAX writes it, one equation for each projection, the scores and the values.
EINSUMS = """
    q = Einsum <equation="btd,dhk->bthk"> (x, wq) k = Einsum <equation="bsd,dhk->bshk"> (x, wk)
    v = Einsum <equation="bsd,dhk->bshk"> (x, wv) c = Mul (q, half)
    s = Einsum <equation="bthd,bshd->bhts"> (c, k) p = Softmax (s)
    a = Einsum <equation="bhts,bshd->bthd"> (p, v) o = Einsum <equation="bthd,hde->bte"> (a, wo)
"""
MATMULS = """
    mq = Reshape (wq, rows) mk = Reshape (wk, rows) mv = Reshape (wv, rows) mo = Reshape (wo, out)
    q1 = MatMul (x, mq) k1 = MatMul (x, mk) v1 = MatMul (x, mv)
    q2 = Reshape (q1, heads) k2 = Reshape (k1, heads) v2 = Reshape (v1, heads)
    c = Mul (q2, half) q = Transpose <perm=[0,2,1,3]> (c) k = Transpose <perm=[0,2,3,1]> (k2)
    v = Transpose <perm=[0,2,1,3]> (v2) s = MatMul (q, k) p = Softmax (s) a1 = MatMul (p, v)
    a2 = Transpose <perm=[0,2,1,3]> (a1) a = Reshape (a2, flat) o = MatMul (a, mo)
"""
TURNED = EINSUMS.replace(
    'a = Einsum <equation="bhts,bshd->bthd"> (p, v)',
    'r = Einsum <equation="bhts->bsht"> (p) a = Einsum <equation="bshd,bsht->bthd"> (v, r)',
)


def net(text):
    return parse(
        f"g (float[N,3,6] x) => (float[N,5] y) {{ {text} y = ReduceMean <keepdims=0> (o, places) }}",
        **CONSTANTS,
    )


def x_for(samples=2):
    return rng(43).standard_normal((samples, 3, 6)).astype(np.float32)


@pytest.mark.parametrize("how", [{"method": "gradient"}, *({"dialect": name} for name in (None, *DIALECTS))])
@pytest.mark.parametrize("text", [EINSUMS, TURNED])
def test_an_attention_of_einsums_is_the_one_of_matrix_products(text, how):
    einsums, products = (
        Explainer(net(one), dtype="float64", **how).explain(x_for(), 1).relevance for one in (text, MATMULS)
    )
    assert relative(einsums, products) < 1e-12


@pytest.mark.parametrize("dialect", [None, "attnlrp"])
def test_its_gate_is_held_or_shared_as_the_dialect_says(dialect):
    plan = Explainer(net(EINSUMS), dialect=dialect).plan
    there = {step.node.outputs[0]: step.layer.degree for step in plan.steps}
    assert there["a"] == (1 if dialect is None else 2)
    assert ("s" in there) == (dialect == "attnlrp")


@pytest.mark.parametrize("composite", ["epsilon", "gamma", "epsilon_plus"])
def test_relevance_is_conserved(composite):
    tight = {} if composite in ("epsilon", "gamma") else {"stabilizer": 1e-12}
    made = Explainer(net(EINSUMS), composite=(composite, {"eps": 1e-12, **tight}), dtype="float64")
    np.testing.assert_allclose(made.explain(x_for(), 1).conserved, 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", [{}, {"dialect": "attnlrp"}, {"method": "gradient"}])
def test_a_compiled_file_agrees_with_numpy(how):
    compiled = explainer.compile(net(EINSUMS), target=1, **how)
    wanted = explainer.explain(net(EINSUMS), x_for(3), target=1, **how).relevance
    found = dict(
        zip([output.name for output in compiled.graph.output], run(compiled, {"x": x_for(3)}), strict=True)
    )
    assert relative(found["relevance"], wanted) < 1e-4


THREE = """
    q = Einsum <equation="btd,dhk->btk"> (x, wq) k = Einsum <equation="btd,dhk->btk"> (x, wk)
    v = Einsum <equation="btd,dhk->btk"> (x, wv)"""
TAIL = "y = ReduceSum <keepdims=0> (o, places)"


@pytest.mark.parametrize("gate", ["", "g = Sigmoid (v)"])
def test_a_product_of_three_activations_shares_alike_or_holds_its_gate(gate):
    """Shared, each of three has a third; with a gate, each of the two others half, as two products have."""
    last = "g" if gate else "v"
    one = f'o = Einsum <equation="btk,btk,btk->btk"> (q, k, {last})'
    text = f"g (float[N,3,6] x) => (float[N,4] y) {{ {THREE} {gate} {one} {TAIL} }}"
    made = Explainer(parse(text, **CONSTANTS), keep=["q", "k", "o"], dtype="float64", eps=1e-12)
    found = made.explain(x_for(), 1)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    share = found.relevances["o"] / (2 if gate else 3)
    for name in ("q", "k"):
        assert relative(found.relevances[name], share) < 1e-6
    (step,) = (
        step for step in made.plan.steps if step.node.operator == "Einsum" and "o" in step.node.outputs
    )
    assert step.layer.degree == (2 if gate else 3)


@pytest.mark.parametrize("rule", ["zplus", "gamma:0.25", "flat", "wsquare", "alpha_beta:2,1"])
def test_a_rule_of_weights_is_that_of_a_dense_layer(rule):
    einsum = 'o = Einsum <equation="bti,ie->bte"> (x, w)'
    w = rng(44).standard_normal((6, 5))
    texts = (einsum, "o = MatMul (x, w)")
    maps = [
        Explainer(
            parse(f"g (float[N,3,6] x) => (float[N,3,5] o) {{ {text} }}", w=w),
            rules={"dense": rule},
            dtype="float64",
        ).explain(x_for(), (1, 2))
        for text in texts
    ]
    assert relative(maps[0].relevance, maps[1].relevance) < 1e-12
