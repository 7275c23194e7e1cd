"""Every method of walks in a file, one walk, a walk beside a reference or a loop of them: NumPy's numbers."""

import json

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import ASKED, CLOSE, every_method, options, run
from onnx import helper
from residual import picture, residual_net

import explainer
from explainer import Explainer, InputError
from explainer.methods import KINDS, METHODS


def test_every_method_is_asked_for():
    compiled = {name for name, method in METHODS.items() if name not in ("occlusion", "rise", "lrp")}
    assert compiled | set(KINDS) <= set(ASKED)


@pytest.mark.slow
@every_method
def test_batches_of_all_sizes_and_targets_when_it_runs(method):
    model = residual_net()
    compiled = explainer.compile(model, **options(method))
    onnx.checker.check_model(compiled, full_check=True)
    assert [value.name for value in compiled.graph.output] == ["y", "relevance"]
    numpy = Explainer(model, **options(method))
    for samples in (1, 2, 5):
        x = picture(samples)
        found, wanted = run(compiled, x), numpy.explain(x)
        assert relative(found["y"], wanted.outputs["y"]) < 1e-5
        assert relative(found["relevance"], wanted.relevance) < CLOSE
    targets = [0, 4, 2, 2, 1]
    assert (
        relative(run(compiled, x, target=targets)["relevance"], numpy.explain(x, targets).relevance) < CLOSE
    )
    assert relative(run(compiled, x, target=[3])["relevance"], numpy.explain(x, 3).relevance) < CLOSE
    mixed = np.where([True, False, False, True, True], wanted.target, [0, 1, 2, 3, 4])
    given = [-1, 1, 2, -1, -1]
    assert relative(run(compiled, x, target=given)["relevance"], numpy.explain(x, mixed).relevance) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("start", ["one", "probability", "margin", "sglrp"])
@every_method
def test_starts(method, start):
    compiled = explainer.compile(residual_net(), start=start, target=3, **options(method))
    numpy, x = Explainer(residual_net(), **options(method)), picture(3)
    assert relative(run(compiled, x)["relevance"], numpy.explain(x, 3, start).relevance) < CLOSE
    given = {"target": [1, 0, 2]} | ({"against": [0, 2, 3]} if start == "margin" else {})
    wanted = numpy.explain(x, given["target"], start, given.get("against"))
    assert relative(run(compiled, x, **given)["relevance"], wanted.relevance) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("target", [("c3", np.s_[1, 0:2, 1]), ("c3", (2, 1, 1)), "c3", ("c3", 5)])
@every_method
def test_regions_and_inner_tensors(method, target):
    model, x = residual_net(), picture(3)
    how = options(method)
    compiled = explainer.compile(model, target=target, **how)
    wanted = Explainer(model, **how).explain(x, target)
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < CLOSE


@every_method
def test_another_region_of_the_same_name(method):
    """Names of one sample alone are no region of a file that takes any batch."""
    with pytest.raises(InputError, match="names samples, and the file's batch is free"):
        explainer.compile(residual_net(), target="c3[1, 0, 0:2, 1]", **options(method))


@pytest.mark.slow
@every_method
@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_batch(method, batch):
    model = residual_net()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    compiled = explainer.compile(model, target=2, **options(method))
    x = picture(batch)
    assert compiled.graph.output[-1].type.tensor_type.shape.dim[0].dim_value == batch
    wanted = Explainer(model, **options(method)).explain(x, 2)
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("opset", [11, 13, 15])
@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "grad_cam", "vargrad"])
def test_an_old_opset_is_raised(method, opset):
    model = residual_net()
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = 4
    compiled, x = explainer.compile(model, target=2, **options(method)), picture(2)
    wanted = Explainer(model, **options(method)).explain(x, 2)
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < CLOSE


TWO = """g (float[N,2,4,4] image, float[N,3] facts) => (float[N,4] y) {
    c = Conv <pads = [1, 1, 1, 1]> (image, w) t = Tanh (c) m = GlobalAveragePool (t) f = Flatten (m)
    h = Gemm (facts, v) s = Sigmoid (h) j = Concat <axis = 1> (f, s) z = Tanh (j) y = Gemm (z, u) }"""


@pytest.mark.parametrize(
    "how",
    [
        {"method": "gradient"},
        {"method": "integrated_gradients", "n_steps": 3, "baseline": {"facts": 0.5, "image": (1.0, 0.0)}},
        {"method": "gradient_shap", "n_samples": 3, "stdev": 0.1},
        {"method": "vargrad", "n_samples": 3},
        {"method": "deeplift", "baseline": {"facts": (0.1, 0.2, 0.3)}},
        {"method": "grad_cam", "tensor": "t"},
    ],
    ids=lambda how: how["method"],
)
def test_several_inputs(how):
    shapes = {"w": (3, 2, 3, 3), "v": (3, 4), "u": (7, 4)}
    model = parse(TWO, **{name: rng(7, len(name)).standard_normal(shape) for name, shape in shapes.items()})
    compiled = explainer.compile(model, target=1, **how)
    feeds = {"image": rng(1).standard_normal((3, 2, 4, 4)), "facts": rng(2).standard_normal((3, 3))}
    feeds = {name: x.astype(np.float32) for name, x in feeds.items()}
    wanted, found = Explainer(model, **how).explain(feeds, 1).relevance, run(compiled, feeds)
    assert set(found) == {"y", *(f"relevance/{name}" for name in wanted)}
    for name, value in wanted.items():
        assert relative(found[f"relevance/{name}"], value) < CLOSE


def test_an_input_that_relevance_does_not_reach_is_left_alone():
    text = """g (float[N,3] x, int64[N,2] ids, float[N,2] aside) => (float[N,2] y, float[N,2] other) {
        h = Gemm (x, w) y = Tanh (h) i = Cast <to = 1> (ids) other = Add (i, aside) }"""
    model = parse(text, w=rng(1).standard_normal((3, 2)))
    feeds = {
        "x": rng(2).standard_normal((2, 3)).astype(np.float32),
        "ids": np.array([[1, 2], [3, 4]]),
        "aside": np.ones((2, 2), np.float32),
    }
    for how in ({"method": "integrated_gradients", "n_steps": 3}, {"method": "deeplift"}):
        compiled = explainer.compile(model, target=("y", 1), **how)
        wanted = Explainer(model, **how).explain(feeds, ("y", 1))
        assert relative(run(compiled, feeds)["relevance"], wanted.relevance["x"]) < CLOSE


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "deeplift", "smoothgrad", "grad_cam"])
def test_half_precision(method):
    text = """g (float16[N,2,6,6] x) => (float16[N,3] y) {
        c = Conv (x, w) r = Relu (c) m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }"""
    w, u = rng(1).standard_normal((4, 2, 3, 3)), rng(2).standard_normal((4, 3))
    model = parse(text, w=w.astype(np.float16), u=u.astype(np.float16))
    how = {"method": method} | ({"n_steps": 3} if method == "integrated_gradients" else {})
    compiled = explainer.compile(model, target=1, **how)
    x = rng(3).standard_normal((3, 2, 6, 6)).astype(np.float16)
    found = run(compiled, x)["relevance"]
    assert found.dtype == np.float32
    assert relative(found, Explainer(model, **how).explain(x, 1).relevance) < 1e-2


def test_channels_last():
    text = """g (float[N,6,8,2] x) => (float[N,3] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x) c = Conv <strides = [2, 2]> (t, w) r = Relu (c)
        m = GlobalAveragePool (r) f = Flatten (m) y = Gemm (f, u) }"""
    model = parse(text, w=rng(1).standard_normal((4, 2, 2, 2)), u=rng(2).standard_normal((4, 3)))
    config = json.dumps(explainer.Preprocess(size=(6, 8), layout="NHWC").to_config())
    helper.set_model_props(model, {"preprocessor_config": config})
    x = rng(3).standard_normal((2, 6, 8, 2)).astype(np.float32)
    for how in (
        {"method": "grad_cam"},
        {"method": "integrated_gradients", "n_steps": 3, "baseline": (0.5, -1.0)},
    ):
        found = run(explainer.compile(model, target=1, **how), x)["relevance"]
        assert relative(found, Explainer(model, **how).explain(x, 1).relevance) < CLOSE


@pytest.mark.parametrize(
    "composite",
    ["gradient", "libragrad", "guided_backprop", "deconvnet", "beta_smooth", "excitation_backprop"],
)
def test_gradients_of_inner_tensors(composite):
    compiled, x = (
        explainer.compile(residual_net(), composite=composite, target=2, keep=["c1", "r3"]),
        picture(2),
    )
    found, wanted = (
        run(compiled, x),
        Explainer(residual_net(), composite=composite, keep=["c1", "r3"]).explain(x, 2),
    )
    for name in ("c1", "r3"):
        assert relative(found[f"relevance/{name}"], wanted.relevances[name]) < CLOSE


def test_the_variance_of_what_hardly_differs_is_not_lost_in_its_squares():
    """A file sums in float32, where square − mean² of gradients that differ by 1e-4 would be 0.1 off."""
    how, x = (
        {"method": "vargrad", "n_samples": 8, "stdev": 1e-4},
        rng(3).standard_normal((3, 4)).astype(np.float32),
    )
    text = "g (float[N,4] x) => (float[N,3] y) { h = MatMul (x, w) t = Tanh (h) y = MatMul (t, v) }"
    model = parse(text, w=rng(1).standard_normal((4, 5)), v=rng(2).standard_normal((5, 3)))
    found = run(explainer.compile(model, target=1, **how), x)["relevance"]
    wanted = Explainer(model, dtype="float64", **how).explain(x, 1).relevance
    assert wanted.min() > 0 and relative(found, wanted) < 1e-2
