"""Targets in a compiled file: every start as nodes, and the index as an input that may be left out."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from building import parse, relative, rng
from residual import picture, residual_net

import explainer
from explainer import Explainer, InputError, ModelError
from explainer.compiler import emitting

STARTS = ["output", "one", "probability", "margin", "clrp", "sglrp"]
EPS = 1e-2
CLOSE = 1e-3


def ends_in(end: str) -> onnx.ModelProto:
    """The residual net with something behind its output."""
    model = residual_net()
    model.graph.node[-1].output[0] = "logits"
    model.graph.node.extend(onnx.helper.make_node(end, ["logits"], ["y"]) for _ in range(1))
    return model


def relevance(model: onnx.ModelProto, x: np.ndarray, **indices) -> np.ndarray:
    """As any user of onnxruntime would run it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert [value.name for value in session.get_inputs()] == ["x"]
    feeds = {name: np.array(value, dtype=np.int64) for name, value in indices.items()}
    return session.run(["relevance"], {"x": x, **feeds})[0]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["Identity", "Softmax", "Sigmoid"])
@pytest.mark.parametrize("start", STARTS)
def test_every_start_is_emitted_and_takes_its_target_when_it_runs(start, end):
    model, x = ends_in(end), picture(3)
    numpy = Explainer(model, eps=EPS)
    if end != "Identity":
        assert numpy.plan.anchor.tensor == "logits"
    compiled = explainer.compile(model, start=start, eps=EPS)
    for indices in ({}, {"target": [-1]}, {"target": [3]}, {"target": [0, 4, 2]}, {"target": [0, -1, 2]}):
        target = indices.get("target", [-1])
        top = numpy.explain(x).target
        chosen = np.where(np.array(target) < 0, top, np.broadcast_to(target, 3))
        wanted = numpy.explain(x, chosen, start).relevance
        assert relative(relevance(compiled, x, **indices), wanted) < CLOSE
    for sample in range(3):
        wanted = numpy.explain(x[sample], 2, start).relevance
        assert relative(relevance(compiled, x[sample : sample + 1], target=[2]), wanted) < CLOSE


def test_what_was_compiled_is_what_holds_where_the_input_is_left_out():
    compiled, x = explainer.compile(residual_net(), target=3, eps=EPS), picture(2)
    numpy = Explainer(residual_net(), eps=EPS)
    assert relative(relevance(compiled, x), numpy.explain(x, 3).relevance) < CLOSE
    assert relative(relevance(compiled, x, target=[1]), numpy.explain(x, 1).relevance) < CLOSE
    assert relative(relevance(compiled, x, target=[-1]), numpy.explain(x).relevance) < CLOSE
    facts = json.loads({p.key: p.value for p in compiled.metadata_props}["onnx_lrp"])
    assert facts["target"] == "3" and facts["inputs"] == {"target": 3}


@pytest.mark.slow
def test_a_margin_takes_both_its_sides():
    x, numpy = picture(3), Explainer(residual_net(), eps=EPS)
    compiled = explainer.compile(residual_net(), target=3, start="margin", eps=EPS)
    wanted = numpy.explain(x, 3, "margin")
    assert relative(relevance(compiled, x), wanted.relevance) < CLOSE
    wanted = numpy.explain(x, [1, 2, 3], "margin", against=[0, 4, 2])
    assert relative(relevance(compiled, x, target=[1, 2, 3], against=[0, 4, 2]), wanted.relevance) < CLOSE
    compiled = explainer.compile(residual_net(), target=3, start="margin", against=1, eps=EPS)
    assert relative(relevance(compiled, x), numpy.explain(x, 3, "margin", 1).relevance) < CLOSE
    assert relative(relevance(compiled, x, against=[0]), numpy.explain(x, 3, "margin", 0).relevance) < CLOSE
    assert relative(relevance(compiled, x, against=[-1]), numpy.explain(x, 3, "margin").relevance) < CLOSE
    facts = json.loads({p.key: p.value for p in compiled.metadata_props}["onnx_lrp"])
    assert facts["against"] == "1" and facts["inputs"] == {"target": 3, "against": 1}
    top = explainer.compile(residual_net(), target=3, start="margin", against="top", eps=EPS)
    assert [value.name for value in top.graph.input] == ["x", "target"]


@pytest.mark.parametrize("indices", [[5], [0, 5, 0], [0, 1], [[0]], []])
def test_an_index_that_does_not_fit_ends_the_run(indices):
    compiled = explainer.compile(residual_net())
    if indices == [[0]]:
        with pytest.raises(Exception, match="Invalid rank"):
            relevance(compiled, picture(3), target=indices)
        return
    with pytest.raises(Exception, match=r"(?i)out of data bounds|broadcast|reshape|dimension"):
        relevance(compiled, picture(3), target=indices)


@pytest.mark.parametrize(
    "target", ["c1", "c1[1, 0:2, 1]", ("y", np.s_[1:3]), ("y", np.eye(5, dtype=bool)[2])]
)
def test_regions_and_whole_tensors_are_compiled_as_they_are(target):
    compiled, x = explainer.compile(residual_net(), target=target, eps=EPS), picture(3)
    wanted = Explainer(residual_net(), eps=EPS).explain(x, target)
    assert relative(relevance(compiled, x), wanted.relevance) < CLOSE
    names = [value.name for value in compiled.graph.input]
    assert names == (["x"] if wanted.target is None else ["x", "target"])


@pytest.mark.parametrize("start", ["probability", "clrp", "sglrp", "margin"])
def test_a_region_of_a_mask_with_every_start(start):
    text = """g (float[N,2,3,4] x) => (float[N,3,4,4] y) {
        z = Conv (x, w, b) s = Softmax <axis = 1> (z) y = Transpose <perm = [0, 2, 3, 1]> (s) }"""
    model = parse(text, w=rng(1).standard_normal((4, 2, 1, 1)), b=rng(2).standard_normal(4))
    x = rng(3).standard_normal((3, 2, 3, 4)).astype(np.float32)
    options = {"against": "y[:, 1:3, 0]"} if start == "margin" else {}
    compiled = explainer.compile(model, target="y[:, 1:3, 2]", start=start, eps=EPS, **options)
    wanted = Explainer(model, eps=EPS).explain(x, "y[:, 1:3, 2]", start, **options)
    assert relative(relevance(compiled, x), wanted.relevance) < 1e-5


def test_samples_are_named_only_where_the_batch_is_fixed():
    with pytest.raises(InputError, match=r"y\[1, 1:3\] names samples, and the file's batch is free"):
        explainer.compile(residual_net(), target="y[1, 1:3]")
    text = "g (float[2,3] x) => (float[2,4] y) { y = Gemm (x, w) }"
    model = parse(text, w=rng(1).standard_normal((3, 4)))
    x = rng(2).standard_normal((2, 3)).astype(np.float32)
    compiled = explainer.compile(model, target="y[1, 1:3]")
    found = relevance(compiled, x)
    assert (found[0] == 0).all()
    assert relative(found, Explainer(model).explain(x, "y[1, 1:3]").relevance) < 1e-5


def test_a_name_that_is_taken():
    text = "g (float[N,3] target) => (float[N,2] target_) { target_ = Gemm (target, w) }"
    compiled = explainer.compile(parse(text, w=rng(1).standard_normal((3, 2))))
    assert [value.name for value in compiled.graph.input] == ["target", "target__"]


def test_the_proof_sees_an_input_that_is_ignored(monkeypatch):
    monkeypatch.setattr(emitting, "fed", lambda target, choices, recorder: target)
    with pytest.raises(ModelError, match="differs from NumPy's"):
        explainer.compile(residual_net(), target=3)


def test_the_compiled_file_says_what_it_takes():
    compiled = explainer.compile(residual_net(), target=0)
    value = compiled.graph.input[-1]
    assert value.name == "target" and value.type.tensor_type.elem_type == onnx.TensorProto.INT64
    assert len(value.type.tensor_type.shape.dim) == 1
    default = {tensor.name: tensor for tensor in compiled.graph.initializer}["target"]
    assert onnx.numpy_helper.to_array(default).tolist() == [0]
    onnx.checker.check_model(compiled, full_check=True)
