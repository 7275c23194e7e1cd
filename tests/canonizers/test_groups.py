"""Groups of nodes have the names that people know them by."""

import numpy as np
import pytest
from building import parse

from explainer.canonizers import canonize, groups_of
from explainer.canonizers.groups import KNOWN
from explainer.model.graph import Graph

C = {name: np.ones(1) for name in "ABCD"}
ATTENTION = "m = MatMul (x, k) {} p = Softmax (s) y = MatMul (p, x)"
MEAN = "ReduceMean <axes=[-1]>"
NORM = f"m = {MEAN} (x) d = Sub (x, m) {{}} v = {MEAN} (q) e = Add (v, A) s = Sqrt (e)"
GATE = "p = {} c = Conv (p, w) {} e = Conv (a, w) s = {} (e) y = Mul (s, x)"
CASES = [
    ("SiLU", "s = Sigmoid (x) y = Mul (x, s)"),
    ("SiLU", "s = Sigmoid (x) y = Mul (s, x)"),
    ("QuickGELU", "t = Mul (x, A) s = Sigmoid (t) y = Mul (x, s)"),
    ("Mish", "t = Softplus (x) h = Tanh (t) y = Mul (x, h)"),
    ("HardSwish, decomposed", "a = Add (x, A) c = Clip (a, B, C) m = Mul (x, c) y = Div (m, D)"),
    ("HardSwish, decomposed", "h = HardSigmoid (x) y = Mul (x, h)"),
    ("GELU (Erf)", "d = Div (x, A) e = Erf (d) a = Add (e, B) m = Mul (x, a) y = Mul (m, C)"),
    ("GELU (Erf)", "d = Div (x, A) e = Erf (d) a = Add (B, e) h = Mul (x, C) y = Mul (a, h)"),
    (
        "GELU (Tanh)",
        "u = Mul (x, x) c = Mul (x, u) i = Mul (A, c) j = Add (x, i) l = Mul (B, j) t = Tanh (l)"
        " a = Add (C, t) m = Mul (x, a) y = Mul (D, m)",
    ),
    (
        "GELU (Tanh)",
        "h = Mul (x, A) c = Pow (x, B) i = Mul (c, C) j = Add (x, i) l = Mul (j, D) t = Tanh (l)"
        " a = Add (t, A) y = Mul (h, a)",
    ),
    ("LayerNormalization, decomposed", NORM.format("q = Pow (d, B)") + " y = Div (d, s)"),
    ("LayerNormalization, decomposed", NORM.format("q = Mul (d, d)") + " n = Sub (x, m) y = Div (n, s)"),
    (
        "RMS normalisation, decomposed",
        f"q = Pow (x, A) v = {MEAN} (q) e = Add (v, B) s = Sqrt (e) r = Div (C, s) y = Mul (x, r)",
    ),
    ("attention", ATTENTION.format("s = Identity (m)")),
    ("attention", ATTENTION.format("s = Mul (m, A)")),
    ("attention", ATTENTION.format("n = Div (m, A) s = Add (n, k)")),
    ("attention", "m = MatMul (x, k) p = Softmax (m) i = IsNaN (p) o = Where (i, A, p) y = MatMul (o, x)"),
    ("squeeze-excite gate", GATE.format("GlobalAveragePool (x)", "a = Relu (c)", "Sigmoid")),
    (
        "squeeze-excite gate",
        GATE.format("ReduceMean <axes=[2, 3]> (x)", "g = Sigmoid (c) a = Mul (c, g)", "Sigmoid"),
    ),
    ("squeeze-excite gate", GATE.format("GlobalAveragePool (x)", "a = Relu (c)", "HardSigmoid")),
    ("gate", "s = Sigmoid (k) y = Mul (x, s)"),
    ("L2 normalisation", "n = ReduceL2 <axes=[-1]> (x) m = Clip (n, A) y = Div (x, m)"),
    ("group normalisation", "r = Reshape (x, S) n = InstanceNormalization (r, A, B) y = Reshape (n, S)"),
    ("fake-quantised tensor", "q = QuantizeLinear (x, A, Z) y = DequantizeLinear (q, A, Z)"),
]


def view(body):
    more = {"w": np.ones((2, 2, 1, 1)), "S": np.array([1, 2, 2, 2]), "Z": np.zeros(1, np.uint8)}
    text = f"g (float[1,2,2,2] x, float[1,2,2,2] k) => (float[1,2,2,2] y) {{ {body} }}"
    return canonize(Graph.load(parse(f'<ir_version: 8, opset_import: ["": 13]> {text}', **C, **more)))


@pytest.mark.parametrize(("name", "body"), CASES)
def test_what_they_are_called(name, body):
    graph = view(body)
    for node in graph.nodes[-1:]:  # whichever of them is asked about
        (group,) = groups_of(graph, [node])
        assert group.name == name and group.nodes[-1] is node


def test_each_known_group_is_met_above():
    asked = {name for name, _ in CASES}
    assert asked == set(KNOWN) - {"embedding lookup"}  # which reads whole numbers: see test_complaints


def test_what_is_no_group():
    # A gate's two factors are not SiLU's, and a constant that depends on the input is none.
    graph = view("t = Mul (x, k) s = Sigmoid (t) y = Mul (x, s)")
    assert [group.name for group in groups_of(graph, graph.nodes)] == ["gate"]
    graph = view("d = Div (x, k) e = Erf (d) a = Add (e, B) m = Mul (x, a) y = Mul (m, C)")
    assert groups_of(graph, graph.nodes) == []


def test_a_node_is_in_one_group_and_the_larger_one_goes_first():
    graph = view(GATE.format("GlobalAveragePool (x)", "g = Sigmoid (c) a = Mul (c, g)", "Sigmoid"))
    found = groups_of(graph, graph.nodes)
    assert [group.name for group in found] == ["squeeze-excite gate"]
    assert len(found[0].nodes) == 7
