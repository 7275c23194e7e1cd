"""Operators of ai.onnx.ml: their bodies are onnxruntime's kernels; linear models are explained by them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from building import rng
from versions import before

import explainer
from explainer import Explainer, TargetError, UnsupportedError
from explainer.model.graph import Graph

X = np.float32([[1, -2, 0.5], [0, 0, 0], [-3, 1, 2], [-1, -1, -1], [0.25, 3, -0.5]])
W = rng(7).standard_normal((3, 3)).astype(np.float32)
TWO_LABELS, LABELS = [4, 9], [4, 9, 2]


def model(*nodes, inputs=None, outputs=("y",), opset=17, **constants):
    """A file of these nodes: (operator, inputs, outputs, attributes)."""
    made = []
    for operator, read, written, how in nodes:
        domain = "" if onnx.defs.has(operator) else "ai.onnx.ml"
        made.append(onnx.helper.make_node(operator, read, written, operator, domain=domain, **how))
    kinds = {"label": onnx.TensorProto.INT64}
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        made,
        "g",
        [value(name, onnx.TensorProto.FLOAT, ["N", size]) for name, size in (inputs or {"x": 3}).items()],
        [value(name, kinds.get(name, onnx.TensorProto.FLOAT), None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    opsets += [onnx.helper.make_opsetid("", opset)] if opset else []
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def answers(file, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = file if isinstance(file, bytes) else file.SerializeToString()
    return onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"]).run(None, feeds)


def classifier(rows=3, end="NONE", **how):
    labels = {"classlabels_ints": TWO_LABELS if rows < 3 else LABELS}
    weights = {"coefficients": W[:rows].ravel().tolist(), "intercepts": [0.3, -0.2, 0.1][:rows]}
    given = {**weights, **labels, "post_transform": end, **how}
    return ("LinearClassifier", ["x"], ["label", "y"], {k: v for k, v in given.items() if v is not None})


def regressor(targets=2, end="NONE", **how):
    given = {"coefficients": W[:targets].ravel().tolist(), "intercepts": [0.3, -0.2, 0.1][:targets]}
    given |= {"targets": targets, "post_transform": end, **how}
    return ("LinearRegressor", ["x"], ["y"], {k: v for k, v in given.items() if v is not None})


CASES = {
    **{
        f"{rows} rows, {end}": (classifier(rows, end), ("label", "y"))
        for rows in (1, 2, 3)
        for end in ("NONE", "SOFTMAX", "LOGISTIC")
    },
    "names": (
        classifier(classlabels_ints=None, classlabels_strings=["a", "b", "c"]),
        ("y",),
    ),
    **{
        f"{targets} targets, {end}": (regressor(targets, end), ("y",))
        for targets in (1, 2)
        for end in ("NONE", "SOFTMAX", "LOGISTIC")
    },
    "no intercepts": (regressor(intercepts=None), ("y",)),
    **{norm: (("Normalizer", ["x"], ["y"], {"norm": norm}), ("y",)) for norm in ("L1", "L2", "MAX")},
    "missing are 0": (
        ("Imputer", ["x"], ["y"], {"imputed_value_floats": [5.0, 6.0, 7.0], "replaced_value_float": 0.0}),
        ("y",),
    ),
    "missing are -1": (
        ("Imputer", ["x"], ["y"], {"imputed_value_floats": [5.0], "replaced_value_float": -1.0}),
        ("y",),
    ),
}


@pytest.mark.parametrize("opset", [0, 9, 12, 17, 18])
@pytest.mark.parametrize("case", CASES)
def test_a_body_computes_what_the_kernel_does(case, opset):
    if case == "1 rows, LOGISTIC" and before("onnxruntime", "1.27"):
        pytest.skip("this onnxruntime leaves out the classifier's Sigmoid, and it is refused")
    node, outputs = CASES[case]
    file = model(node, outputs=outputs, opset=opset)
    settled = Graph.load(file).source
    assert not {one.op_type for one in settled.proto.graph.node} & {node[0]}
    for ours, theirs in zip(answers(settled.data, {"x": X}), answers(file, {"x": X}), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_labels_that_are_names_stay():
    file = model(classifier(classlabels_ints=None, classlabels_strings=["a", "b", "c"]), outputs=["label"])
    file.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    (ours,), (theirs,) = answers(Graph.load(file).source.data, {"x": X}), answers(file, {"x": X})
    assert list(ours) == list(theirs)


def test_what_is_missing_takes_no_relevance():
    how = {"imputed_value_floats": [5.0, 6.0, 7.0], "replaced_value_float": float("nan")}
    file = model(("Imputer", ["x"], ["i"], how), ("MatMul", ["i", "w"], ["y"], {}), w=W.T)
    x = X.copy()
    whole = Explainer(file, eps=1e-9).explain(x, target=1)
    np.testing.assert_allclose(whole.relevance, x * W[1], rtol=1e-4, atol=1e-6)


def test_features_are_joined_and_chosen():
    file = model(
        ("FeatureVectorizer", ["a", "b"], ["x"], {"inputdimensions": [2, 1]}),
        ("ArrayFeatureExtractor", ["x", "places"], ["c"], {}),
        ("MatMul", ["c", "w"], ["y"], {}),
        inputs={"a": 2, "b": 1},
        places=np.array([2, 0, 2]),
        w=W.T,
    )
    feeds = {"a": X[:, :2], "b": X[:, 2:]}
    found = Explainer(file, eps=1e-9).explain(feeds, target=0).relevance
    np.testing.assert_allclose(found["b"][:, 0], X[:, 2] * (W[0, 0] + W[0, 2]), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["a"][:, 0], X[:, 0] * W[0, 1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("end", ["SOFTMAX", "LOGISTIC"])
def test_a_linear_classifier_is_explained_from_its_logits(end, normalised):
    """skl2onnx writes a Normalizer behind: of a Softmax it changes nothing."""
    if normalised and end == "LOGISTIC":
        pytest.skip("those of several classes do not add up to 1")
    nodes = [classifier(3, end), ("Normalizer", ["y"], ["p"], {"norm": "L1"})]
    file = model(*nodes, outputs=["label", "p"]) if normalised else model(nodes[0], outputs=["label", "y"])
    target = f"{'p' if normalised else 'y'}[2]"
    found = Explainer(file, eps=1e-9).explain(X, target=target)
    np.testing.assert_allclose(found.score, X @ W[2] + np.float32(0.1), rtol=1e-5)
    np.testing.assert_allclose(found.relevance, X * W[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("written", ["LinearClassifier", "Concat"])
def test_each_of_two_classes_has_a_logit_of_its_own(written, index, turned, tmp_path):
    """Of [1 − σ(z), σ(z)] the first one's is −z: what speaks for the second speaks against it."""
    if written == "LinearClassifier" and before("onnxruntime", "1.27"):
        pytest.skip("this onnxruntime leaves out the classifier's Sigmoid, and it is refused")
    nodes = [classifier(1, "LOGISTIC")]
    if written == "Concat":
        nodes = [
            ("MatMul", ["x", "w"], ["h"], {}),
            ("Sigmoid", ["h"], ["p"], {}),
            ("Sub", ["one", "p"], ["q"], {}),
            ("Concat", ["p", "q"] if turned else ["q", "p"], ["both"], {"axis": 1}),
            ("Identity", ["both"], ["y"], {}),
        ]
    elif turned:
        pytest.skip("it has one order")
    file = model(*nodes, one=np.float32([1]), w=W[:1].T)
    target = f"y[{1 - index if turned else index}]"
    found = Explainer(file, eps=1e-9).explain(X, target=target)
    sign = 1 if index else -1
    np.testing.assert_allclose(found.relevance, sign * X * W[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.outputs["y"], answers(file, {"x": X})[0], atol=1e-6)
    written = explainer.compile(file, target=target, eps=1e-9)
    names = [value.name for value in written.graph.output]
    told = dict(zip(names, answers(written, {"x": X}), strict=True))["relevance"]
    np.testing.assert_allclose(told, found.relevance, rtol=1e-4, atol=1e-6)


def test_a_map_of_names_is_asked_as_the_tensor_that_it_is_made_of():
    zipped = ("ZipMap", ["y"], ["z"], {"classlabels_int64s": LABELS})
    file = model(classifier(3, "SOFTMAX"), zipped, outputs=["label", "z"])
    kind = onnx.helper.make_sequence_type_proto(
        onnx.helper.make_map_type_proto(
            onnx.TensorProto.INT64, onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
        )
    )
    file.graph.output[1].type.CopyFrom(kind)
    found = Explainer(file, eps=1e-9).explain(X, target="z[top]")
    np.testing.assert_allclose(found.relevance, X * W[found.target], rtol=1e-4, atol=1e-6)
    with pytest.raises(TargetError, match=r"places alone") as refusal:
        Explainer(file).explain(X)
    assert refusal.value.ways


@pytest.mark.parametrize("end", ["SOFTMAX_ZERO", "PROBIT"])
def test_what_no_body_is_written_for_says_why(end):
    with pytest.raises(UnsupportedError, match=f"its post_transform is {end}"):
        assert Explainer(model(classifier(3, end), outputs=["label", "y"])).plan_for("y[top]")
