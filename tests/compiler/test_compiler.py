"""The walk on symbols: an ONNX file that explains itself, beside NumPy."""

import json
from contextlib import nullcontext

import numpy as np
import onnx
import pytest
from building import one_node, parse, relative, rng, run
from examples import EXAMPLES, Example
from onnx import helper
from residual import picture, residual_net
from versions import before

import explainer
from explainer import (
    Ask,
    Explainer,
    InputError,
    ModelError,
    OutputError,
    Recipe,
    TargetError,
    UnsupportedError,
)
from explainer.model.graph import Graph
from explainer.model.mixing import mixing
from explainer.model.raising import set_apart

# Two runs of float32, the same graph: what rounding in another order leaves.
CLOSE = 2e-5


def numbers(model: onnx.ModelProto, feeds) -> dict[str, np.ndarray]:
    names = [value.name for value in model.graph.output]
    return dict(zip(names, run(model, feeds), strict=True))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_every_layer_compiles_and_agrees_with_numpy(example: Example):
    target = f"y{example.outputs - 1}"
    if example.attributes.get("count_include_pad") and before("onnxruntime", "1.25"):
        pytest.skip("onnxruntime before 1.25 leaves the pad out of AveragePool's count: the walk says so")
    # Where samples meet, each is explained alone, and the file takes one at a time.
    meet = mixing(Graph.load(example.model()))
    several = (1,) if meet is not None and meet.is_sure else (1, 2, 5)
    says = len(several) == 1 and example.batch
    with pytest.warns(UserWarning, match="each is explained alone") if says else nullcontext():
        compiled = explainer.compile(example.model(), target=target, eps=1e-3)
    onnx.checker.check_model(set_apart(compiled), full_check=True)
    for samples in several if example.batch else (None,):
        feeds = example.feeds(samples)
        found = numbers(compiled, feeds)
        wanted = Explainer(example.model(), eps=1e-3).explain(feeds, target)
        relevance = wanted.relevance if isinstance(wanted.relevance, dict) else {"": wanted.relevance}
        for name, value in relevance.items():
            if example.operator == "Softmax":  # whose sum is 1, whatever comes in
                assert max(abs(value).max(), abs(found["relevance"]).max()) < 1e-6
                continue
            is_one = len(relevance) == 1  # of several inputs too, where the others get none
            assert relative(found["relevance" if is_one else f"relevance/{name}"], value) < CLOSE


def test_a_residual_net_keeps_its_batch_free_and_its_outputs():
    model = residual_net()
    compiled = explainer.compile(model, eps=1e-2, keep=["c1", "r3"])
    assert [o.name for o in compiled.graph.output] == ["y", "relevance", "relevance/c1", "relevance/r3"]
    for value in compiled.graph.output:
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
    for samples in (1, 2, 5):
        x = picture(samples)
        found = numbers(compiled, {"x": x})
        wanted = Explainer(model, eps=1e-2, keep=["c1", "r3"]).explain(x)
        assert relative(found["y"], run(model, {"x": x})[0]) < 1e-5
        assert relative(found["relevance"], wanted.relevance) < 1e-3
        for name in ("c1", "r3"):
            assert relative(found[f"relevance/{name}"], wanted.relevances[name]) < 1e-3


def test_every_sample_is_explained_for_its_own_top_class():
    compiled = explainer.compile(residual_net(3), eps=1e-2)
    x = picture(5)
    together = numbers(compiled, {"x": x})
    assert len(set(together["y"].argmax(1))) > 1
    for i in range(5):
        assert (
            relative(numbers(compiled, {"x": x[i : i + 1]})["relevance"][0], together["relevance"][i]) < 1e-4
        )


@pytest.mark.parametrize("target", [3, "three", ("y", 3), {"y": 3}, ("c1", 7), ("c1", (1, 0, 1)), "c1"])
@pytest.mark.parametrize("start", ["output", "one"])
def test_targets(target, start):
    model = residual_net()
    labels = {str(i): name for i, name in enumerate(["zero", "one", "two", "three", "four"])}
    helper.set_model_props(model, {"id2label": json.dumps(labels)})
    compiled = explainer.compile(model, target=target, start=start, eps=1e-2)
    x = picture(3)
    wanted = Explainer(model, eps=1e-2).explain(x, target, start)
    assert relative(numbers(compiled, {"x": x})["relevance"], wanted.relevance) < 1e-3


def test_a_cut_softmax_stays_in_the_file():
    text = """g (float[N,3] x) => (float[N,4] y) {
        h = Gemm (x, w) r = Reshape (h, three) s = Softmax <axis = 2> (r) t = Transpose <perm = [0, 2, 1]> (s)
        y = Flatten (t) }"""
    model = parse(text, w=rng(1).standard_normal((3, 4)), three=np.array([0, 2, 2]))
    compiled = explainer.compile(model, target=1, eps=1e-3)
    x = rng(2).standard_normal((3, 3)).astype(np.float32)
    wanted = Explainer(model, eps=1e-3).explain(x, 1)
    found = numbers(compiled, {"x": x})
    assert relative(found["relevance"], wanted.relevance) < CLOSE
    assert relative(found["y"], wanted.outputs["y"]) < 1e-6


@pytest.mark.parametrize("opset", [9, 11, 13, 15, 16, 18, 21])
def test_the_opset_is_raised_where_it_must_be(opset):
    model = residual_net()
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = 4 if opset < 16 else model.ir_version
    if opset < 10:
        node = next(n for n in model.graph.node if n.name == "a3" or n.output[0] == "a3")
        del node.attribute[2:]
    compiled = explainer.compile(model, eps=1e-2)
    assert next(e.version for e in compiled.opset_import if not e.domain) == max(opset, 16)
    x = picture(2)
    wanted = Explainer(model, eps=1e-2).explain(x)
    found = numbers(compiled, {"x": x})
    assert relative(found["relevance"], wanted.relevance) < 1e-3
    assert relative(found["y"], wanted.outputs["y"]) < 1e-5


def test_initializers_listed_as_inputs_are_so_no_longer():
    model = parse(
        '<ir_version: 3, opset_import: ["" : 9]> g (float[N,3] x) => (float[N,2] y) { y = Gemm (x, w, b) }',
        w=rng(1).standard_normal((3, 2)),
        b=rng(2).standard_normal(2),
    )
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, 1, tensor.dims))
    compiled = explainer.compile(model)
    assert [value.name for value in compiled.graph.input] == ["x", "target"]


SPATIAL = """g (float[N,2,H,W] x) => (float[N,3] y) {
    c = Conv <strides = [2, 2]> (x, w) p = MaxPool <kernel_shape = [2, 2]> (c)
    m = GlobalAveragePool (p) f = Flatten (m) y = Gemm (f, v) }"""


def spatial():
    return parse(SPATIAL, w=rng(1).standard_normal((4, 2, 3, 3)), v=rng(2).standard_normal((4, 3)))


def test_dynamic_spatial_sizes_must_be_fixed():
    message = (
        r"spatial sizes must be fixed; give image_size \(--image-size\), or fix=\{'H': \.\.\., 'W': \.\.\.\} "
        r"\(--fix H=SIZE --fix W=SIZE\)"
    )
    with pytest.raises(InputError, match=message):
        explainer.compile(spatial())
    assert explainer.compile(spatial(), fix={"H": 8, "W": 8}).graph.input[0].name == "x"


@pytest.mark.parametrize("size", [8, (8, 11)])
def test_spatial_sizes_are_fixed_on_request(size):
    compiled = explainer.compile(spatial(), image_size=size, eps=1e-3)
    height, width = size if isinstance(size, tuple) else (size, size)
    dims = compiled.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["N", 2, height, width]
    x = rng(3).standard_normal((3, 2, height, width)).astype(np.float32)
    wanted = Explainer(spatial(), eps=1e-3).explain(x)
    assert relative(numbers(compiled, {"x": x})["relevance"], wanted.relevance) < 1e-4


def test_a_fixed_batch_stays():
    model = spatial()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    compiled = explainer.compile(model, image_size=8)
    assert compiled.graph.output[-1].type.tensor_type.shape.dim[0].dim_value == 2
    x = rng(3).standard_normal((2, 2, 8, 8)).astype(np.float32)
    assert relative(numbers(compiled, {"x": x})["relevance"], Explainer(model).explain(x).relevance) < 1e-3


def test_names_that_are_taken_already():
    model = parse(
        "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) y = Relu (h) }",
        w=rng(1).standard_normal((3, 2)),
    )
    plain = explainer.compile(model)
    taken = next(node.output[0] for node in plain.graph.node if node.output[0].startswith("lrp/"))
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = taken
    compiled, x = explainer.compile(model), rng(2).standard_normal((2, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        numbers(compiled, {"x": x})["relevance"], numbers(plain, {"x": x})["relevance"]
    )
    model = parse("g (float[N,3] x) => (float[N,2] relevance) { relevance = Gemm (x, w) }", w=np.ones((3, 2)))
    with pytest.raises(ModelError, match="has tensors called 'relevance' already"):
        explainer.compile(model)


def test_a_compiled_file_is_not_compiled_again():
    with pytest.raises(ModelError):
        explainer.compile(explainer.compile(residual_net()))


def test_a_model_in_half_precision():
    w = rng(1).standard_normal((3, 4)).astype(np.float16)
    model = one_node("Gemm", [("x", np.zeros((2, 3), np.float16)), ("w", w)], {"w": w}, ["y"], {}, opset=17)
    compiled = explainer.compile(model, target=1, eps=1e-2)
    x = rng(2).standard_normal((3, 3)).astype(np.float16)
    found = numbers(compiled, {"x": x})["relevance"]
    assert found.dtype == np.float32
    assert relative(found, Explainer(model, eps=1e-2).explain(x, 1).relevance) < 1e-3


def test_whole_numbers_as_input():
    text = "g (uint8[N,3] u) => (float[N,2] y) { x = Cast <to = 1> (u) y = Gemm (x, w) }"
    model = parse(text, w=rng(1).standard_normal((3, 2)))
    compiled = explainer.compile(model)
    x = rng(2).integers(0, 255, (3, 3)).astype(np.uint8)
    assert relative(numbers(compiled, {"u": x})["relevance"], Explainer(model).explain(x).relevance) < 1e-4


def test_several_inputs_have_an_output_each():
    text = "g (float[N,3] a, float[N,3] b) => (float[N,3] y) { s = Sub (a, b) y = Relu (s) }"
    compiled = explainer.compile(parse(text))
    assert [value.name for value in compiled.graph.output] == ["y", "relevance/a", "relevance/b"]


def test_the_file_says_what_was_compiled_and_is_written_whole(tmp_path):
    path = tmp_path / "compiled.onnx"
    compiled = explainer.compile(residual_net(), path, eps=1e-2, target=2)
    assert onnx.load(path) == compiled
    facts = json.loads({p.key: p.value for p in compiled.metadata_props}["onnx_lrp"])
    assert facts["target"] == "2"
    assert facts["composite"].startswith("epsilon")
    recipe, ask = (eval(facts[name], {"Recipe": Recipe, "Ask": Ask}) for name in ("recipe", "ask"))
    assert (recipe, ask) == (Recipe(eps=1e-2), Ask(2))
    with pytest.raises(OutputError):
        explainer.compile(residual_net(), tmp_path / "nowhere" / "compiled.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["compiled.onnx"]


@pytest.mark.parametrize(("opset", "loaded"), [(21, 1), (13, 2)])
def test_a_model_is_loaded_again_only_where_it_was_converted(opset, loaded, monkeypatch):
    loads = []
    load = Graph.load.__func__

    def spy(cls, model, *runtime):
        loads.append(model)
        return load(cls, model, *runtime)

    monkeypatch.setattr(Graph, "load", classmethod(spy))
    text = "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) y = Relu (h) }"
    model = parse(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}', w=np.ones((3, 2)))
    explainer.compile(model)
    assert len(loads) == loaded


def test_a_file_with_external_data_is_compiled_with_its_weights_inside(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save_model(residual_net(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    compiled = explainer.compile(path, eps=1e-2)
    x = picture(2)
    wanted = Explainer(residual_net(), eps=1e-2).explain(x).relevance
    assert relative(numbers(compiled, {"x": x})["relevance"], wanted) < 1e-3


def test_what_cannot_be_compiled():
    with pytest.raises(UnsupportedError, match="Det x1"):
        explainer.compile(parse("g (float[N,3,3] x) => (float[N] y) { y = Det (x) }"))
    with pytest.raises(InputError, match="one target for all samples"):
        explainer.compile(residual_net(), target=[0, 1])
    with pytest.raises(TargetError, match="is no tensor of this model; there are 'y'"):
        explainer.compile(residual_net(), keep=["c11"])
    with pytest.raises(TargetError, match="out of range"):
        explainer.compile(residual_net(), target=7)


def test_the_model_given_is_left_as_it_was():
    model = residual_net()
    before = model.SerializeToString()
    explainer.compile(model)
    assert model.SerializeToString() == before


def test_a_size_that_the_model_does_not_run_with():
    """The file's own preprocessing may say it, where nothing else does; a fixed input is what it is."""
    text = "c = Conv <pads=[1,1,1,1]> (x, w) f = Flatten (c) y = Gemm (f, v) }"
    weights = {"w": rng(0).standard_normal((2, 3, 3, 3)), "v": rng(1).standard_normal((128, 4))}
    for shape, is_open in (("H,W", True), ("8,8", False)):
        model = parse(f"g (float[N,3,{shape}] x) => (float[N,4] y) {{ {text}", **weights)
        how = {"size": {"shortest_edge": 9}, "crop_size": 9, "rescale_factor": 1}
        model.metadata_props.add(key="preprocessor_config", value=json.dumps(how))
        if is_open:
            with pytest.raises(InputError, match="does not run with inputs of 9 x 9, which its preproc"):
                explainer.compile(model)
            with pytest.raises(InputError, match="does not run with inputs of 7 x 7, which image_size says"):
                explainer.compile(model, image_size=7)
            explainer.compile(model, image_size=8)
        else:
            with pytest.raises(InputError, match=r"has the fixed shape \['N', 3, 8, 8\]; leave image_size"):
                explainer.compile(model, image_size=9)
            explainer.compile(model)
