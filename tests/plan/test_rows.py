"""The table of a plan: what each node is recognised as, the note beside it, and what part is explained."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, UnsupportedError
from explainer.canonizers.groups import KNOWN

SQUARE = {name: rng(3, i).standard_normal((6, 6)) for i, name in enumerate("abc")}
HEAD = '<ir_version: 8, opset_import: ["": 17]> g (float[N,4,6] x) => (float[N,4,6] y)'
WRITTEN = {
    "GELU": "d = Div (h, root) e = Erf (d) p = Add (e, one) m = Mul (h, p) y = Mul (m, half)",
    "SiLU": "s = Sigmoid (h) y = Mul (h, s)",
    "Mish": "s = Softplus (h) t = Tanh (s) y = Mul (h, t)",
    "dense layer": "m = MatMul (h, b) y = Add (m, v)",
    "attention": "q = MatMul (x, b) t = Transpose <perm=[0,2,1]> (q) k = MatMul (q, t) p = Softmax (k)"
    " y = MatMul (p, h)",
    "gated linear unit": "h2 = MatMul (x, wide) l, r = Split <axis=2> (h2, sixes) s = Sigmoid (r)"
    " y = Mul (l, s)",
    "squeeze-excite gate": "m = ReduceMean <axes=[1]> (h) n = MatMul (m, b) r = Relu (n)"
    " k = MatMul (r, c) s = Sigmoid (k) y = Mul (s, h)",
    "gate": "q = MatMul (x, b) s = Sigmoid (q) y = Mul (h, s)",
    "LayerNormalization": "m = ReduceMean <axes=[2]> (h) d = Sub (h, m) q = Mul (d, d)"
    " k = ReduceMean <axes=[2]> (q) e = Add (k, tiny) s = Sqrt (e) y = Div (d, s)",
    "Relu": "y = Relu (h)",
    "Reshape": "y = Reshape (h, shape)",
}
CONSTANTS = {
    **SQUARE,
    **{
        "root": np.float32(np.sqrt(2)),
        "one": np.float32(1),
        "half": np.float32(0.5),
        "v": np.ones(6),
        "tiny": np.float32(1e-5),
    },
    **{"wide": rng(4).standard_normal((6, 12)), "sixes": np.array([6, 6]), "shape": np.array([-1, 4, 6])},
}


def model(body: str):
    text = f"{HEAD} {{ {'' if 'Split' in body else 'h = MatMul (x, a) '}{body} }}"
    return parse(text, **{name: value for name, value in CONSTANTS.items() if name in _words(text)})


def _words(text: str) -> set[str]:
    return set(text.replace(",", " ").replace("(", " ").replace(")", " ").split())


@pytest.mark.parametrize("name", WRITTEN)
def test_what_people_call_it(name):
    plan = Explainer(model(WRITTEN[name])).plan
    assert plan.rows[0].recognised_as == name
    assert name in str(plan) and name in plan._repr_html_()
    assert plan.rows[0].layer and len(plan.rows[0].shown) == 5


def test_a_gate_that_is_shared_is_a_product():
    assert (
        Explainer(model(WRITTEN["gate"]), dialect="attnlrp").plan.rows[0].recognised_as
        == "ElementwiseProduct"
    )


@pytest.mark.parametrize(
    ("body", "node", "note"),
    [
        (WRITTEN["gate"], "y", "held constant: 's'"),
        ("y = LayerNormalization (h, v)", "y", "held constant: what it divides by"),
        ("p = Softmax (h) y = MatMul (p, b)", "p", "what its tangent leaves is an intercept"),
    ],
)
def test_what_a_reader_has_to_know(body, node, note):
    rows = {row.node: row for row in Explainer(model(body)).plan.rows}
    assert rows[node].note == note


def test_why_neighbours_stay_apart():
    text = "c = Conv <pads=[1,1,1,1]> (x, w) y = BatchNormalization (c, s, t, m, v)"
    constants = {"w": rng(1).standard_normal((3, 3, 3, 3)), **{n: np.ones(3) for n in "stmv"}}
    net = parse(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[N,3,5,5] x) => (float[N,3,5,5] y) {{ {text} }}',
        **constants,
    )
    (row,) = Explainer(net).plan.rows
    assert (row.recognised_as, row.operator) == ("merged BatchNormalization", "Conv+BatchNormalization")
    apart = Explainer(net, keep=["c"]).plan.rows
    assert {row.note for row in apart} == {
        "batchnorm: not one layer with its neighbour: 'c' must stay visible"
    }


def test_preprocessing_is_noted():
    made = Explainer(model("d = Div (x, half) y = MatMul (d, b)"), composite="flat")
    (row,) = [row for row in made.plan.rows if row.node == "d"]
    assert row.note == "preprocessing, which relevance goes through unchanged"


def test_a_resize_in_front_hands_back_by_its_weights():
    text = """g (float[N,3,4,4] x) => (float[N,3,8,8] y) {
        n = Div (x, half) r = Resize <mode = "linear"> (n, nil, sizes) y = Conv (r, w) }"""
    constants = {"half": np.array(0.5), "nil": np.zeros(0), "sizes": np.array([1.0, 1, 2, 2])}
    made = Explainer(parse(text, **constants, w=rng(1).standard_normal((3, 3, 1, 1))), composite="flat")
    notes = {row.node: row.note for row in made.plan.rows}
    assert notes["n"] == "preprocessing, which relevance goes through unchanged"
    assert notes["r"] == "preprocessing, which hands relevance back by its own weights"
    said = str(made.plan).splitlines()
    assert "preprocessing in the file, through which relevance goes unchanged: Div 'n'" in said
    assert "preprocessing in the file, which hands relevance back by its own weights: Resize 'r'" in said


def test_coverage_counts_the_nodes_of_groups():
    plan = Explainer(model(WRITTEN["GELU"])).plan
    assert len(plan.steps) == 2 and plan.coverage == (6, 6)
    with pytest.raises(UnsupportedError) as caught:
        _ = Explainer(model("s = Sigmoid (h) z = Mul (h, s) k = com.example.Odd (z) y = Relu (k)")).plan
    assert caught.value.coverage == (4, 5)
    odd = next(row for row in caught.value.rows if row.rule == "missing")
    assert (odd.operator, odd.recognised_as, odd.layer, odd.note) == (
        *("com.example.Odd", "", ""),
        "this operator has no layer",
    )


def test_a_group_that_is_not_explained_has_its_name(monkeypatch):
    monkeypatch.setitem(KNOWN, "odd pair", ("a = com.example.One (x); y = com.example.Two (a)",))
    with pytest.raises(UnsupportedError) as caught:
        _ = Explainer(model("q = com.example.One (h) y = com.example.Two (q)")).plan
    assert {row.recognised_as for row in caught.value.rows if row.rule == "missing"} == {"odd pair"}
    assert "odd pair" in caught.value.table
