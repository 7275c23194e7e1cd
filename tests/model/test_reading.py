"""Model files from anywhere: broken ones, foreign ones, and those whose weights lie elsewhere."""

import os
from contextlib import suppress

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from onnx import external_data_helper, helper, numpy_helper

from explainer import Explainer, ExplainerError, ModelError, NumericalError, compile, explain
from explainer.model.graph import Graph

SMALL, LARGE = 6, 9000  # the weights of a large layer are read from the file when they are needed


def net(inner: int = SMALL) -> onnx.ModelProto:
    return parse(
        "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w, b) a = Relu (h) y = Gemm (a, v) }",
        w=rng(1).standard_normal((3, inner)),
        b=rng(2).standard_normal(inner),
        v=rng(3).standard_normal((inner, 2)) / inner,
    )


@pytest.fixture
def x():
    return rng(4).standard_normal((2, 3)).astype(np.float32)


@pytest.mark.parametrize("inner", [SMALL, LARGE])
def test_a_path_bytes_and_a_message_are_the_same_model(tmp_path, x, inner):
    model = net(inner)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    wanted = explain(model, x, dtype="float64")
    for form in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), model):
        for dtype, tolerance in (("float64", 0), ("float32", 1e-3)):
            found = explain(form, x, dtype=dtype)
            assert relative(found.relevance, wanted.relevance) <= tolerance
            np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such model file"),
        (b"", "the file is empty"),
        (b"just some text, not a model\n" * 9, "not an ONNX model"),
        (b"\x00" * 64, "not an ONNX model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not an ONNX model"),
        (b"\x08\x0a", "no nodes"),
    ],
)
def test_what_is_no_model_is_said_with_the_files_name(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        Graph.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("inner", [SMALL, LARGE])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share, inner):
    whole = net(inner).SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="not an ONNX model"):
        Graph.load(path)
    with pytest.raises(ModelError, match="not an ONNX model"):
        Graph.load(path.read_bytes())


def test_a_model_without_outputs_is_refused():
    model = net()
    del model.graph.output[:]
    with pytest.raises(ModelError, match="has no outputs"):
        Graph.load(model)


def test_a_name_that_is_no_text_is_refused():
    damaged = net().SerializeToString().replace(b"Relu", b"Re\xfd\xfe")
    with pytest.raises(ModelError, match=r"not an ONNX model|no text"):
        Graph.load(damaged)


def test_the_graphs_own_name_may_be_no_text():
    """Nobody asks for it: a file with functions or branches is written anew without it."""
    call = onnx.helper.make_node("Twice", ["x"], ["y"], domain="own")
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    adds = [onnx.helper.make_node("Add", ["a", "a"], ["b"])]
    x, y = (onnx.helper.make_tensor_value_info(name, 1, ["N", 2]) for name in "xy")
    model = onnx.helper.make_model(
        onnx.helper.make_graph([call], "the graph", [x], [y]),
        functions=[onnx.helper.make_function("own", "Twice", ["a"], ["b"], adds, opsets[:1])],
        opset_imports=opsets,
        ir_version=8,
    )
    damaged = model.SerializeToString().replace(b"the graph", b"the \xff\xfe\xfdph")
    found = explain(damaged, np.ones((1, 2), np.float32), target=1)
    np.testing.assert_allclose(found.relevance, [[0, 2]], rtol=1e-6)


@pytest.mark.parametrize("attribute", ["strides", "dilations"])
def test_windows_of_more_axes_than_their_kernel_are_refused(attribute):
    conv = f'Conv <auto_pad="SAME_UPPER", {attribute}=[1,1,1]> (x, k)'
    model = parse(f"g (float[N,1,5,5] x) => (float[N,1,5,5] y) {{ y = {conv} }}", k=np.ones((1, 1, 3, 3)))
    with pytest.raises(ModelError):
        explain(model, np.ones((1, 1, 5, 5), np.float32), target="y")


def test_damaged_bytes_never_show_a_traceback(tmp_path, x):
    whole = bytearray(net().SerializeToString())
    random = rng(5)
    path = tmp_path / "model.onnx"
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        with suppress(ExplainerError):
            explain(path, x)


@pytest.mark.parametrize("model", [None, 3, {"a": 1}, onnx.TensorProto()])
def test_what_is_no_form_of_a_model(model):
    with pytest.raises(ModelError, match=r"a model is a path, bytes or an onnx\.ModelProto"):
        Graph.load(model)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="is a folder"):
        Graph.load(tmp_path)


def with_external_data(folder, name: str = "weights.bin", inner: int = SMALL):
    path = folder / "model.onnx"
    onnx.save_model(net(inner), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if name != "weights.bin":
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = name
        onnx.save(model, path)
    return path


@pytest.mark.parametrize("inner", [SMALL, LARGE])
@pytest.mark.parametrize("subfolder", [False, True])
def test_external_data_beside_the_model(tmp_path, x, inner, subfolder, monkeypatch):
    path = with_external_data(tmp_path, inner=inner)
    if subfolder:
        path = with_external_data(tmp_path, "deep/weights.bin", inner=inner)
        (tmp_path / "deep").mkdir()
        (tmp_path / "weights.bin").rename(tmp_path / "deep" / "weights.bin")
    wanted = explain(net(inner), x, dtype="float64").relevance
    assert relative(explain(path, x, dtype="float64").relevance, wanted) == 0
    assert relative(explain(path, x).relevance, wanted) < 1e-3
    # The folder is the model's, not the one the program runs in.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert relative(explain("../model.onnx", x, dtype="float64").relevance, wanted) == 0


def test_a_missing_external_file_is_named(tmp_path):
    path = with_external_data(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"external data 'weights\.bin' is missing"):
        Graph.load(path)


def test_a_truncated_external_file_is_an_error(tmp_path, x):
    path = with_external_data(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"\x00" * 8)
    with pytest.raises(ModelError):
        explain(path, x)


@pytest.mark.parametrize("location", ["../outside.bin", "a/../../outside.bin", "/outside.bin"])
def test_external_data_outside_the_folder_is_refused(tmp_path, location):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(4096))
    if location.startswith("/"):
        location = str(tmp_path) + location
    path = with_external_data(folder, location)
    with pytest.raises(ModelError, match="outside the model's folder; refused"):
        Graph.load(path)


@pytest.mark.usefixtures("links")
def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    path = with_external_data(folder)
    (folder / "weights.bin").rename(tmp_path / "outside.bin")
    os.symlink(tmp_path / "outside.bin", folder / "weights.bin")
    with pytest.raises(ModelError, match="outside the model's folder; refused"):
        Graph.load(path)


def test_external_data_without_a_path_says_to_give_the_path(tmp_path):
    path = with_external_data(tmp_path)
    with pytest.raises(ModelError, match="give the model's path"):
        Graph.load(path.read_bytes())
    assert external_data_helper.uses_external_data(
        onnx.load(path, load_external_data=False).graph.initializer[0]
    )


def test_a_file_that_changes_after_it_was_read_is_noticed_or_harmless(tmp_path, x):
    path = tmp_path / "model.onnx"
    onnx.save(net(LARGE), path)
    wanted = explain(path, x, dtype="float64").relevance
    explainer = Explainer(path, dtype="float64")
    other = net(LARGE)
    other.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((3, LARGE), np.float32), "w"))
    onnx.save(other, path)
    os.utime(path, ns=(1, 1))
    try:
        found = explainer.explain(x).relevance
    except ModelError as error:
        assert "changed" in str(error)
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_are_no_numbers_are_an_error_naming_a_node(x, bad, dtype):
    model = net()
    v = numpy_helper.to_array(model.graph.initializer[2]).copy()
    v[1, 0] = bad
    model.graph.initializer[2].CopyFrom(numpy_helper.from_array(v, "v"))
    with pytest.raises(NumericalError, match="'y'"):
        explain(model, abs(x), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_forward_pass_that_overflows_names_the_first_node(dtype):
    model = parse(
        "g (float[N,2] x) => (float[N,2] y) { a = Gemm (x, w) b = Gemm (a, w) y = Gemm (b, w) }",
        w=np.full((2, 2), 1e20),
    )
    with pytest.raises(NumericalError, match=r"Gemm '(b|y)'"):
        explain(model, np.ones((1, 2), np.float32), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_division_by_zero_names_the_node(dtype):
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Div (x, k) }", k=[1.0, 0.0])
    with pytest.raises(NumericalError, match="Div 'y'"):
        explain(model, np.ones((1, 2), np.float32), dtype=dtype)


def test_metadata_holds_labels():
    model = net()
    helper.set_model_props(model, {"id2label": '{"0": "cat", "1": "dog"}'})
    assert Explainer(model).labels == {0: "cat", 1: "dog"}
    assert Explainer(net()).labels == {}


@pytest.mark.parametrize("text", ["", "no json", "[1, 2]", '{"a": "b"}', "3", "[" * 5000])
def test_metadata_that_holds_no_labels_is_an_error(text):
    model = net()
    helper.set_model_props(model, {"id2label": text})
    with pytest.raises(ModelError, match="id2label"):
        Explainer(model)


CONV = """g (float[N,2,3,3] x) => (float[N,2] y) {
    c = Conv (x, k) n = BatchNormalization (c, s, b, m, v) y = GlobalAveragePool (n)
}"""
FITTING = {"k": np.ones((2, 2, 1, 1)), **{name: np.ones(2) for name in "sbmv"}}


@pytest.mark.parametrize("name", "sbmv")
@pytest.mark.parametrize("shape", [(3,), (2, 2, 1, 1), (4,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_that_do_not_fit_each_other_are_refused_with_their_node(name, shape, dtype):
    model = parse(CONV, **{**FITTING, name: np.ones(shape)})
    del model.graph.value_info[:]
    with pytest.raises(ModelError):
        explain(model, np.ones((1, 2, 3, 3), np.float32), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mean_of_nothing_is_no_crash(dtype):
    model = parse(
        "g (float[N,4] x) => (float[N,1] y) { n = Slice (x, four, four, one) y = ReduceMean (n, one) }",
        four=np.array([4]),
        one=np.array([1]),
    )
    with suppress(NumericalError):  # onnxruntime says 0, NumPy NaN
        assert not explain(model, np.ones((1, 4), np.float32), dtype=dtype).relevance.any()


@pytest.mark.parametrize("inputs", ["float x", "float[N,4] x, float s"])
def test_an_input_that_is_one_number_is_not_compiled(inputs):
    text = f"g ({inputs}) => (float[N,4] y) {{ y = {'Mul (x, s)' if 's' in inputs else 'Relu (x)'} }}"
    with pytest.raises(ExplainerError, match="one number"):
        compile(parse(text))
