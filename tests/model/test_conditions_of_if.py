"""What is known of a condition before anything is run."""

import warnings
from collections import Counter

import numpy as np
import pytest
from building import parse, rng, run
from onnx import helper
from onnx.backend.test.loader import load_model_tests

from explainer.model import conditions
from explainer.model.conditions import MAKING, SIZING
from explainer.model.graph import Graph

X = rng(7).standard_normal((3, 4)).astype(np.float32)
PICK = """y = If (c) <then_branch = t () => (float[N,4] o) { o = Tanh (x) },
    else_branch = e () => (float[N,4] o) { o = Relu (x) }>"""
# A size that ONNX's inference of shapes cannot tell: of a Pad whose pads are a product.
PADDED = f"""g (float[3,4] x) => (float[N,4] y) {{
    p = Mul (one, amounts)  h = Pad (x, p)  s = Shape (h)  n = Gather (s, zero)  c = Equal (n, five)  {PICK}
}}"""
NUMBERS = {
    "one": np.array([1, 1, 1, 1]),
    "amounts": np.array([1, 0, 1, 0]),
    "zero": np.array(0),
    "five": np.array(5),
}


def test_sizes_that_only_running_tells_are_had_at_zeros(monkeypatch):
    given = parse(PADDED, **NUMBERS)
    graph = Graph.load(given)
    assert graph.producers["y"].operator == "Tanh"
    np.testing.assert_array_equal(run(graph.source.data, {"x": X})[0], run(given, {"x": X})[0])
    monkeypatch.setattr(conditions, "LARGEST", 4 * 12 - 1)  # bytes: x takes more
    assert Graph.load(given).producers["y"].operator == "If"


def test_what_a_file_says_of_inner_sizes_is_not_believed():
    given = parse(
        f"""g (float[N,4] x) => (float[N,4] y) {{
            z = NonZero (x)  s = Shape (z)  n = Gather (s, one)  c = Equal (n, five)  {PICK} }}""",
        one=np.array(1),
        five=np.array(5),
    )
    given.graph.value_info.append(helper.make_tensor_value_info("z", 7, [2, 5]))
    assert Graph.load(given).producers["y"].operator == "If"


def test_an_operator_of_another_domain_moves_no_sizes():
    given = parse(
        f"""<ir_version: 10, opset_import: ["": 21, "own": 1]>
        g (float[N,4] x) => (float[N,4] y) {{
            s = Shape (x)  k = own.Identity (s)  n = Gather (k, one)  c = Equal (n, four)  {PICK} }}""",
        one=np.array(1),
        four=np.array(4),
    )
    assert Graph.load(given).producers["y"].operator == "If"


def test_what_is_drawn_inside_of_a_branch_is_not_known():
    given = parse(
        f"""g (float[N,4] x) => (float[N,4] y) {{
            r = If (yes) <then_branch = a () => (float[1] o) {{ o = RandomUniform <shape = [1]> () }},
                          else_branch = b () => (float[1] o) {{ o = Identity (half) }}>
            k = Loop (two, yes, half) <body = l (int64 i, bool d, float[1] v) => (bool e, float[1] w)
                {{ e = Identity (d)  w = RandomUniform <shape = [1]> () }}>
            c = Greater (k, half)  {PICK} }}""",
        yes=np.array(True),
        two=np.array(2),
        half=np.array([0.5], np.float32),
    )
    assert Graph.load(given).producers["y"].operator == "If"


@pytest.mark.slow
def test_sizes_are_told_by_sizes_where_the_tables_say_so():
    """ONNX's own cases: with zeros for what counts by its size alone, the outputs have the same sizes."""
    tried, wrong = Counter[str](), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow on purpose
        cases = load_model_tests(kind="node")
    for case in cases:
        graph = case.model.graph
        node = graph.node[0]
        inputs, outputs = case.data_sets[0]
        plain = all(isinstance(x, np.ndarray) and x.dtype.kind in "biuf" for x in (*inputs, *outputs))
        if (
            len(graph.node) > 1
            or node.domain
            or node.op_type in MAKING
            or tried[node.op_type] > 5
            or not plain
        ):
            continue
        feeds = {value.name: x for value, x in zip(graph.input, inputs, strict=True)}
        sized = node.input[:1] if node.op_type in SIZING else node.input
        try:
            run(case.model, feeds)
            found = run(case.model, {n: np.zeros_like(x) if n in sized else x for n, x in feeds.items()})
        except Exception:  # onnxruntime has no kernel, or divides whole numbers by zero: then it is not known
            continue
        tried[node.op_type] += 1
        wrong += [] if [x.shape for x in found] == [x.shape for x in outputs] else [case.name]
    assert not wrong and len(tried) > 140
