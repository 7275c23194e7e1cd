"""Tensors that are said not to be negative: by operator, and on random graphs beside onnxruntime."""

import numpy as np
import onnx
import pytest
from building import NEWEST, model_of, parse, run
from examples import EXAMPLES, Example
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from explainer.canonizers import canonize
from explainer.layers import REGISTRY, facts_of
from explainer.model.graph import Graph
from explainer.model.operators import FACTS, as_all, as_first, never_negative
from explainer.plan.signs import nonnegative

SHAPE = (2, 4, 6, 6)
CONSTANTS = {
    "up": np.abs(np.random.default_rng(1).standard_normal((4, 1, 1))),
    "down": np.random.default_rng(2).standard_normal((4, 1, 1)),
    "zero": np.zeros(()),
    "one": np.ones(()),
    "minus": -np.ones(()),
    "kernel": np.random.default_rng(3).standard_normal((4, 4, 3, 3)),
    "kernel2": np.random.default_rng(4).random((4, 6, 6)),
    "shape": np.array([0, 0, -1, 0]),
    "axes": np.array([2]),
    "place": np.zeros((1, 1, 1, 1), dtype=np.int64),
    "upper": np.ones((1, 1, 1, 1)),
    "chosen": np.array([True, False, True, True]),
    "starts": np.array([0]),
    "ends": np.array([2]),
    "expanded": np.array([1, 1, 1, 1]),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
}
CONSTANTS = {n: v.astype(np.float32) if v.dtype == np.float64 else v for n, v in CONSTANTS.items()}
POOL = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
# Operator, how many values it reads, its constants, attributes. All keep SHAPE, so that they chain.
CHAINED = [
    *((name, 1, (), {}) for name in ("Relu", "Sigmoid", "HardSigmoid", "Softplus", "Abs", "Exp", "Softmax")),
    *(
        (name, 1, (), {})
        for name in ("LeakyRelu", "Elu", "Tanh", "Softsign", "HardSwish", "Neg", "Floor", "Sin")
    ),
    *((name, 2, (), {}) for name in ("Add", "Sub", "Mul", "Sum", "Mean", "Max", "Min")),
    *((name, 1, (c,), {}) for name in ("Add", "Sub", "Mul", "Div") for c in ("up", "down", "minus")),
    *(("Clip", 1, (low, "one"), {}) for low in ("zero", "minus", "")),
    *(("Clip", 1, (low, "minus"), {}) for low in ("zero", "")),
    ("Clip", 1, ("zero",), {}),
    ("MaxPool", 1, (), POOL),
    ("AveragePool", 1, (), POOL),
    ("AveragePool", 1, (), POOL | {"count_include_pad": 1}),
    ("Conv", 1, ("kernel",), {"pads": [1, 1, 1, 1]}),
    ("Transpose", 1, (), {"perm": [0, 1, 3, 2]}),
    ("Reshape", 1, ("shape",), {}),
    ("ReduceMean", 1, ("axes",), {}),
    ("ReduceSum", 1, ("axes",), {}),
]


@st.composite
def chains(draw) -> list[tuple[int, list[int]]]:
    """Node i: which of CHAINED, and the earlier values it reads; value 0 is the input."""
    nodes: list[tuple[int, list[int]]] = [(which, [0]) for which in range(3)]  # rectifiers
    for index in range(3, draw(st.integers(6, 12))):
        which = draw(st.integers(0, len(CHAINED) - 1))
        count = CHAINED[which][1]
        nodes.append((which, draw(st.lists(st.integers(0, index), min_size=count, max_size=count))))
    return nodes


def chained(nodes) -> onnx.ModelProto:
    built, outputs = [], []
    for index, (which, reads) in enumerate(nodes, start=1):
        operator, _, constants, attributes = CHAINED[which]
        inputs = [*(f"v{read}" for read in reads), *constants]
        built.append(helper.make_node(operator, inputs, [f"v{index}"], f"n{index}", **attributes))
        outputs.append(helper.make_tensor_value_info(f"v{index}", onnx.TensorProto.FLOAT, None))
    x = helper.make_tensor_value_info("v0", onnx.TensorProto.FLOAT, SHAPE)
    constants = [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()]
    return model_of(helper.make_graph(built, "g", [x], outputs, constants), NEWEST)


@pytest.mark.slow
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(chains(), st.integers(0, 1000), st.sampled_from([1e-3, 1.0, 5.0]))
def test_no_tensor_is_called_nonnegative_that_is_not(nodes, seed, scale):
    model = chained(nodes)
    said = nonnegative(Graph.load(model))
    x = np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32) * np.float32(scale)
    for index, value in enumerate(run(model, {"v0": x}), start=1):
        if f"v{index}" in said:
            assert not (value < 0).any(), (index, nodes)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_what_an_operators_class_says_of_its_sign_is_so(example: Example):
    for scale in (1, 10):
        feeds = {name: scale * x for name, x in example.feeds().items()}
        said = nonnegative(Graph.load(example.model()))
        for name, value in zip(
            (f"y{i}" for i in range(example.outputs)), run(example.model(), feeds), strict=True
        ):
            assert name not in said or not (value < 0).any()


def said_of(text: str, **constants: np.ndarray) -> set[str]:
    model = parse("g (float[N,4,6,6] x) => (float y) {" + text + "}", **{**CONSTANTS, **constants})
    return {name for name in nonnegative(Graph.load(model)) if len(name) == 1}


def having_sign(*signs) -> set[str]:
    """The operators of which this is known."""
    return {operator for operator in {*REGISTRY, *FACTS} if facts_of(operator).sign in signs}


@pytest.mark.parametrize("operator", sorted(having_sign(never_negative)))
def test_what_rectifies(operator):
    assert said_of(f"a = Neg (x) y = {operator} (a)") == {"y"}


KEPT = {
    "MaxPool": "MaxPool <kernel_shape = [2, 2]> (r)",
    "GlobalMaxPool": "GlobalMaxPool (r)",
    "AveragePool": "AveragePool <kernel_shape = [2, 2]> (r)",
    "GlobalAveragePool": "GlobalAveragePool (r)",
    "ReduceMean": "ReduceMean (r, axes)",
    "ReduceSum": "ReduceSum (r, axes)",
    "Reshape": "Reshape (r, shape)",
    "Flatten": "Flatten (r)",
    "Squeeze": "Squeeze (r, axes)",
    "Unsqueeze": "Unsqueeze (r, axes)",
    "Transpose": "Transpose (r)",
    "Gather": "Gather <axis = 1> (r, ends)",
    "Slice": "Slice (r, starts, ends)",
    "Split": "Split <axis = 1, num_outputs = 2> (r)",
    "Concat": "Concat <axis = 1> (r, up)",
    "Expand": "Expand (r, expanded)",
    "GatherElements": "GatherElements (r, place)",
    "GatherND": "GatherND (r, place)",
    "Scatter": "Scatter (r, place, upper)",
    "ScatterElements": "ScatterElements (r, place, upper)",
    "ScatterND": "ScatterND (r, place, up)",
    "MaxUnpool": "MaxUnpool <kernel_shape = [1, 1]> (r, place)",
    "Compress": "Compress <axis = 1> (r, chosen)",
    "ReverseSequence": "ReverseSequence (r, starts)",
    "Tile": "Tile (r, expanded)",
    "DepthToSpace": "DepthToSpace <blocksize = 2> (r)",
    "SpaceToDepth": "SpaceToDepth <blocksize = 2> (r)",
    "Add": "Add (r, up)",
    "Sum": "Sum (r, r, up)",
    "Mean": "Mean (r, up)",
    "Mul": "Mul (r, up)",
    **{
        name: f"{name} (r)"
        for name in ("Erf", "Asin", "Atan", "Sinh", "Asinh", "Atanh", "Reciprocal", "Sign", "Round", "Floor")
    },
    "Ceil": "Ceil (r)",
    "CenterCropPad": "CenterCropPad (r, shape)",
    "Col2Im": "Col2Im (r, ends, ends)",
    "LpPool": "LpPool <kernel_shape = [2, 2]> (r)",
    "ReduceMax": "ReduceMax (r, axes)",
    "ReduceProd": "ReduceProd (r, axes)",
    "ReduceMin": "ReduceMin (r, axes)",
    "Min": "Min (r, up)",
    "CumSum": "CumSum (r, one)",
    "Trilu": "Trilu (r)",
    "QuantizeLinear": "QuantizeLinear (r, one)",
    "Einsum": 'Einsum <equation = "ncij,cji->ncji"> (r, kernel2)',
}


def test_every_operator_that_keeps_a_sign_is_here():
    assert set(KEPT) == having_sign(as_first, as_all)


@pytest.mark.parametrize("operator", KEPT)
def test_what_keeps_a_sign(operator):
    line = KEPT[operator]
    output = "y, z" if operator == "Split" else "y"
    assert said_of(f"r = Relu (x) {output} = {line}") >= {"r", "y"}
    assert said_of(f"r = Tanh (x) {output} = {line}") == set()


@pytest.mark.parametrize(
    "line", ["Add (r, down)", "Mul (r, down)", "Sub (r, up)", "Concat <axis = 1> (r, down)"]
)
def test_a_negative_constant_breaks_it(line):
    assert said_of(f"r = Relu (x) y = {line}") == {"r"}


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("Max (x, zero)", True),
        ("Max (r, minus)", True),
        ("Max (x, minus)", False),
        ("Min (x, one)", False),
        ("Clip (x, zero, one)", True),
        ("Clip (x, zero)", True),
        ("Clip (x, zero, minus)", False),  # the upper bound wins
        ("Clip (x, minus, one)", False),
        ("Clip (x, , one)", False),
        ("Clip (x)", False),
        ("Clip (r, minus, one)", True),
        ("Clip (r, , one)", True),
        ("Clip (r, , minus)", False),
        ("Clip (x, r)", True),
        ("Clip (x, x)", False),
        ("Pad (r, pads)", True),
        ("Pad (r, pads, one)", True),
        ("Pad (r, pads, minus)", False),
        ("Pad (x, pads)", False),
    ],
)
def test_bounds_and_borders(line, holds):
    assert ("y" in said_of(f"r = Relu (x) y = {line}")) == holds


@pytest.mark.parametrize(("low", "holds"), [(0.0, True), (-1.0, False), (None, False)])
def test_bounds_as_attributes_of_older_opsets(low, holds):
    given = "" if low is None else f"min = {low}, "
    text = f"""<ir_version: 7, opset_import: ["": 10]>
        g (float[N,4,6,6] x) => (float[N,4,6,6] y) {{ y = Clip <{given}max = 6.0> (x) }}"""
    assert nonnegative(Graph.load(parse(text))) == ({"y"} if holds else set())
    text = text.replace(
        f"Clip <{given}max = 6.0> (x)", "Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1], value = -1.0> (r)"
    )
    assert nonnegative(Graph.load(parse(text.replace("{ y", "{ r = Relu (x) y")))) == {"r"}


def test_pixels_of_an_unsigned_type():
    text = "g (uint8[N,4] x) => (float[N,4] y) { f = Cast <to = 1> (x) y = Add (f, f) }"
    assert nonnegative(canonize(Graph.load(parse(text)))) == {"x", "y"}
    assert nonnegative(canonize(Graph.load(parse(text.replace("uint8", "int8"))))) == set()
