"""What a refusal recommends passed the checks of the door, names outputs first, and is said once."""

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import fails, folder, run
from dead_ends import commands
from onnx import helper

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it

COEFFICIENTS = rng(1).standard_normal((3, 4)).astype(np.float32)
ROWS = rng(2).standard_normal((2, 4)).astype(np.float32)


def classifier() -> onnx.ModelProto:
    """As scikit-learn's are converted: the class first, then a list of what is said of each class."""
    weights = {"coefficients": COEFFICIENTS.ravel(), "intercepts": [0.1, 0.2, 0.3]}
    how = {"classlabels_ints": [0, 1, 2], "post_transform": "SOFTMAX", "domain": "ai.onnx.ml"}
    names = {"classlabels_int64s": [0, 1, 2], "domain": "ai.onnx.ml"}
    nodes = [
        helper.make_node("LinearClassifier", ["x"], ["label", "scores"], **weights, **how),
        helper.make_node("ZipMap", ["scores"], ["listed"], **names),
    ]
    maps = helper.make_map_type_proto(7, helper.make_tensor_type_proto(1, None))
    outputs = [
        helper.make_tensor_value_info("label", 7, ["N"]),
        helper.make_value_info("listed", helper.make_sequence_type_proto(maps)),
    ]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, ["N", 4])], outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["top", "1", "label", "listed"])
@pytest.mark.parametrize("method", ["lrp", "occlusion"])
def test_a_class_or_a_list_leads_to_the_output_that_lists_scores(folder, target, method):
    """Asked of two samples: what ails the model is said once, with what it does answer."""
    onnx.save(classifier(), "model.onnx")
    np.save("x.npy", ROWS)
    asked = ["explain", "model.onnx", "x.npy", "-o", "maps", "--target", target, "--method", method]
    result = run(*asked)
    assert result.exit_code == 1 and result.output.startswith("Error: "), result.output
    found = commands(result.output)
    assert found[0][found[0].index("--target") + 1] == "listed[top]"
    assert len({tuple(arguments) for arguments in found}) == len(found) > 1
    for arguments in found:
        assert run(*arguments).exit_code == 0


def test_a_class_is_no_score_whichever_index_was_asked_for():
    for target in ("top", 1, ("label", 2)):
        with pytest.raises(explainer.InputError, match="'label' is which class") as caught:
            explainer.explain(classifier(), ROWS, method="occlusion", target=target)
        assert caught.value.ways[0].settings["target"] == "listed[top]"
    with pytest.raises(explainer.TargetError, match="'listed' holds a list"):
        explainer.explain(classifier(), ROWS, method="occlusion", target="listed")


def test_a_walk_to_samples_that_come_second_is_not_recommended(folder):
    lstm = parse(
        '''<ir_version: 8, opset_import: ["": 17]> g (float[T,N,3] x) => (float[N,2] y) {
        o, h = LSTM <hidden_size = 2> (x, w, r) y = Squeeze (h, first) }''',
        w=rng(1).standard_normal((1, 8, 3)), r=rng(2).standard_normal((1, 8, 2)), first=np.array([0]),
    )  # fmt: skip
    onnx.save(lstm, "model.onnx")
    found = commands(run("check", "model.onnx", "--method", "deeplift").output)
    assert [arguments[-2:] for arguments in found[-2:]] == [["--method", "occlusion"], ["--method", "rise"]]
    for arguments in found:
        assert run(*arguments).exit_code == 0, arguments


def test_text_in_front_of_a_stop_is_fed_as_it_is(folder):
    texts = parse(
        '''<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]> g (string[N] s) => (float[N,3] y) {
        t = ai.onnx.ml.LabelEncoder <keys_strings = ["a"], values_floats = [2.0], default_float = 1.0> (s)
        u = Unsqueeze (t, last) y = MatMul (u, w) }''',
        w=np.array([[1.0, -2.0, 3.0]]), last=np.array([1]),
    )  # fmt: skip
    onnx.save(texts, "model.onnx")
    (found,) = commands(run("check", "model.onnx").output)
    assert found[-2:] == ["--stop", "t"] and run(*found).exit_code == 0
    answer = explainer.explain(texts, np.array(["a"]), target=2, stop="t", eps=1e-9)
    np.testing.assert_allclose(answer.relevance["t"], [6.0], rtol=1e-6)
    fails(1, "the inputs are: 's' text", "check", "model.onnx", "--method", "occlusion")
