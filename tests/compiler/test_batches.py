"""Files whose shapes are not what they say: stale sizes, batches made free by hand, windows that round up."""

import warnings

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import CLOSE, run
from onnx import TensorProto, helper

import explainer
from explainer import Explainer, InputError, ModelError, Recipe

NET = """g (float[N,1,4,4] x) => (float[N,3] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, k) r = Relu (c) f = Reshape (r, s) y = Gemm (f, w) }"""
METHODS = [{}, {"method": "deeplift"}, {"method": "smoothgrad", "n_samples": 3}]


def net(sizes=(-1, 32), opset=17, batch="N", output="N") -> onnx.ModelProto:
    model = parse(
        NET, k=rng(1).standard_normal((2, 1, 3, 3)), w=rng(2).standard_normal((32, 3)), s=np.array(sizes)
    )
    model.opset_import[0].version = opset
    for value, size in ((model.graph.input[0], batch), (model.graph.output[0], output)):
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        if isinstance(size, int):
            first.dim_value = size
        else:
            first.dim_param = size
    return model


def batch_of(model: onnx.ModelProto) -> int:
    return model.graph.input[0].type.tensor_type.shape.dim[0].dim_value


def same(model, compiled, samples, **how) -> bool:
    x = rng(3).random((samples, *[d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]))
    x = x.astype(np.float32)
    wanted = Explainer(model, **how).explain(x, 1).relevance
    return relative(run(compiled, x)["relevance"], wanted) < CLOSE


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("how", METHODS, ids=lambda how: how.get("method", "lrp"))
@pytest.mark.parametrize("stale", [1, 2, 128, "N", "M"])
@pytest.mark.parametrize("where", ["value_info", "second output", "output"])
def test_a_stale_batch_is_not_believed(where, stale, how, opset):
    model = net(opset=opset, output=stale if where == "output" else "N")
    info = helper.make_tensor_value_info("f", TensorProto.FLOAT, [stale, 32])
    if where != "output":
        (model.graph.value_info if where == "value_info" else model.graph.output).append(info)
    compiled = explainer.compile(model, target=1, **how)
    assert batch_of(compiled) == 0
    for samples in (1, 2, 5):
        assert same(model, compiled, samples, **how)
    for value in compiled.graph.output:
        assert value.type.tensor_type.shape.dim[0].dim_param


def test_stale_sizes_and_ranks_inside_of_an_output_are_not_believed():
    model = net(opset=13)
    model.graph.output.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, ["N", 7, 9]))
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, ["N", 2, 4, "width"]))
    compiled = explainer.compile(model, target=1)
    assert same(model, compiled, 3)
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in compiled.graph.output
    }
    assert shapes["r"] == ["N", 2, 4, 4] and shapes["c"] == ["N", 2, 4, "width"]


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("size", [1, 16])
def test_a_batch_made_free_by_hand_is_fixed_and_said_to_be(size, opset):
    model = net((size, 32), opset, output=size)
    with pytest.warns(UserWarning, match=rf"declares a dynamic batch .* takes {size} sample"):
        compiled = explainer.compile(model, target=1)
    assert batch_of(compiled) == size
    assert same(model, compiled, size)


def test_a_file_that_runs_with_no_batch_is_blamed_itself():
    model = net((7, 32))
    with pytest.raises(ModelError, match="the model: onnxruntime cannot run it"):
        explainer.compile(model, target=1)


MEAN = "g (float[N,4] x) => (float[N,3] y) { m = ReduceMean <axes = [0], keepdims = 1> (x)"
MIXED = {
    "less the mean of the batch": f"{MEAN} d = Sub (x, m) y = MatMul (d, w) }}",
    "beside the mean of the batch": f"{MEAN} a = Add (x, m) y = MatMul (a, w) }}",
    "the mean of the batch": f"{MEAN.replace('float[N,3] y', 'float[1,3] y')} y = MatMul (m, w) }}",
    "without an axis": """g (float[N,4] x) => (float[3] y) {
        m = ReduceMean <axes = [0], keepdims = 0> (x) y = MatMul (m, w) }""",
    "of all values": """g (float[N,4] x) => (float[N,3] y) {
        m = ReduceMean <keepdims = 1> (x) a = Add (x, m) y = MatMul (a, w) }""",
}


@pytest.mark.parametrize("composite", ["epsilon", "zplus", "gradient"])
@pytest.mark.parametrize("text", MIXED.values(), ids=MIXED)
def test_a_mean_over_the_batch(text, composite):
    """The file takes one sample at a time, as `explain` asks each alone."""
    model = parse(text, w=rng(4).standard_normal((4, 3)))
    model.opset_import[0].version = 17
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        compiled = explainer.compile(model, target=1, composite=composite)
    assert [str(w.message).endswith("takes 1 sample at a time") for w in said] == [True]
    assert "computes across the samples of a batch" in str(said[0].message) and batch_of(compiled) == 1
    for samples in (1, 2, 3, 5):
        x = rng(3).random((samples, 4)).astype(np.float32)
        wanted = Explainer(model, composite=composite).explain(x, 1).relevance
        found = [run(compiled, one[None])["relevance"] for one in x]
        assert relative(np.concatenate(found), wanted) < CLOSE


def test_samples_that_meet_behind_the_target_are_no_matter():
    text = f"""{MEAN} h = MatMul (x, w) d = ReduceMean <axes = [0], keepdims = 1> (h) y = Sub (h, d) }}"""
    model = parse(text, w=rng(4).standard_normal((4, 3)))
    model.opset_import[0].version = 17
    compiled = explainer.compile(model, target="h")
    assert batch_of(compiled) == 0
    x = rng(3).random((3, 4)).astype(np.float32)
    assert relative(run(compiled, x)["relevance"], Explainer(model).explain(x, "h").relevance) < CLOSE


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("opset", [11, 12, 22])
@pytest.mark.parametrize("how", METHODS, ids=lambda how: how.get("method", "lrp"))
def test_windows_that_round_up(operator, opset, how):
    """onnx counts a last one that begins beyond the input; onnxruntime does not, and runs the model."""
    text = f"""g (float[N,1,6,7] x) => (float[N,2] y) {{
        p = {operator} <kernel_shape = [2, 2], strides = [3, 3], ceil_mode = 1> (x)
        f = Flatten (p) y = Gemm (f, w) }}"""
    model = parse(text, w=rng(5).standard_normal((6, 2)))
    model.opset_import[0].version = opset
    compiled = explainer.compile(model, target=1, **how)
    assert compiled.opset_import[0].version == max(opset, 16)
    assert all(same(model, compiled, samples, **how) for samples in (1, 3))


def test_a_recipe_that_cannot_hold_in_a_file_is_refused():
    for how in ({"engine": "numpy"}, {"forward": "numpy"}, {"dtype": "float64"}):
        with pytest.raises(InputError, match=f"compile: a file walks .* leave {next(iter(how))} out"):
            explainer.compile(net(), recipe=Recipe(**how))
    explainer.compile(net(), recipe=Recipe(engine="onnxruntime", forward="onnxruntime", audit=False))


@pytest.mark.parametrize("how", [{"method": "smoothgrad", "n_samples": 3}, {"method": "deeplift"}])
def test_a_method_that_asks_of_each_sample_alone_takes_one_of_a_mixing_model(how):
    bent = "d = Sub (x, m) t = Tanh (d) y = MatMul (t, w) }"
    model = parse(f"{MEAN} {bent}", w=rng(4).standard_normal((4, 3)))
    model.opset_import[0].version = 17
    with pytest.warns(UserWarning, match="computes across the samples of a batch"):
        compiled = explainer.compile(model, target=1, **how)
    assert batch_of(compiled) == 1
