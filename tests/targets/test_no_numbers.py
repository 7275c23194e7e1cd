"""Outputs that are no tensors of numbers: lists, maps and text, as classifiers of ai.onnx.ml return them."""

import numpy as np
import onnx
import pytest
from building import relative, rng, run
from onnx import helper, numpy_helper

from explainer import InputError, TargetError, UnsupportedError, compile, explain

X = rng(1).standard_normal((2, 3, 4, 4)).astype(np.float32)
W = rng(2).standard_normal((48, 4)).astype(np.float32)
NUMBERS = helper.make_tensor_type_proto(1, None)
LIST = helper.make_sequence_type_proto(NUMBERS)
MAPS = helper.make_sequence_type_proto(helper.make_map_type_proto(7, NUMBERS))
LABELS = {"classlabels_int64s": [0, 1, 2, 3], "domain": "ai.onnx.ml"}
TEXTS = {"keys_int64s": [0, 1, 2, 3], "values_strings": list("abcd"), "domain": "ai.onnx.ml"}
KINDS = {
    "list": ([("SequenceConstruct", ["t"], {})], LIST, "holds a list"),
    "split": ([("SplitToSequence", ["t"], {"axis": 1})], LIST, "holds a list"),
    "map": ([("ZipMap", ["t"], LABELS)], MAPS, "holds a list"),
    "text": (
        [("ArgMax", ["t"], {"axis": 1, "keepdims": 0}), ("LabelEncoder", ["m0"], TEXTS)],
        helper.make_tensor_type_proto(8, None),
        "holds text",
    ),
}


def net(kind: str, first: bool = True) -> onnx.ModelProto:
    """x -> t, four numbers of each sample, -> y."""
    lines, made, _ = KINDS[kind]
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["t"])]
    names = [f"m{place}" for place in range(len(lines) - 1)] + ["y"]
    for (operator, reads, attributes), name in zip(lines, names, strict=True):
        nodes.append(helper.make_node(operator, reads, [name], **attributes))
    outputs = [helper.make_value_info("y", made), helper.make_tensor_value_info("t", 1, ["N", 4])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 4, 4])],
        outputs if first else outputs[::-1],
        [numpy_helper.from_array(W, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "map"])
@pytest.mark.parametrize("asked", [{}, {"target": 1}, {"target": ("y", 1)}, {"target": {"y": 1}}])
def test_a_target_without_numbers_is_refused_with_one_that_has_some(kind, asked):
    with pytest.raises((TargetError, InputError), match=f"'y' ({KINDS[kind][2]}|is which class)") as caught:
        explain(net(kind), X, method="occlusion", window=2, **asked)
    asks_t = [way.settings for way in caught.value.ways if way.settings.get("target") == "t[top]"]
    assert (
        asks_t
        and explain(net(kind), X, **{"method": "occlusion", "window": 2, **asks_t[0]}).target is not None
    )
    with pytest.raises((TargetError, UnsupportedError), match="'y'"):
        explain(net(kind), X, **asked)


@pytest.mark.parametrize("how", [{}, {"method": "occlusion", "window": 2}])
@pytest.mark.parametrize("asked", [{}, {"target": 1}, {"target": ("y", 1)}, {"target": {"y": 1}}])
def test_a_map_is_asked_as_the_tensor_whose_values_it_names(how, asked):
    wanted = explain(net("map"), X, target=("t", 1) if asked else "t[top]", **how)
    np.testing.assert_array_equal(explain(net("map"), X, **asked, **how).relevance, wanted.relevance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [False, True])
def test_the_numbers_before_it_are_explained_and_compiled(kind, first):
    model = net(kind, first)
    for dtype in ("float32", "float64"):
        found = explain(model, X, target=("t", 2), dtype=dtype, eps=1e-9)
        wanted = (X.reshape(2, -1) * W[:, 2]).reshape(X.shape)
        assert relative(found.relevance, wanted) < 1e-5
        assert "y" in found.outputs
    outputs = run(compile(model, target=("t", 2)), {"x": X})
    assert relative(outputs[-1], wanted) < 1e-4
    given = outputs[0 if first else 1]
    expected = run(model, {"x": X})[0 if first else 1]
    assert np.array_equal(given, expected) if kind == "text" else len(given) == len(expected)
