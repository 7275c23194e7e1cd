"""The public face: batches, inputs, types, threads, and what an explanation knows of itself."""

import json
import threading
import warnings

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from residual import picture, residual_net

import explainer
from explainer import (
    Explainer,
    ExplainerError,
    InputError,
    ModelError,
    OutputError,
    TargetError,
    explain,
)


def with_batch(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """The model with a fixed batch."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
        value.type.tensor_type.shape.dim[0].dim_value = size
    return fixed


def one_by_one(model, x, **options):
    explainer = Explainer(model, dtype="float64", keep=["c1"])
    return [explainer.explain(sample, **options) for sample in x]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("target", ["top", 3, [4, 0, 1, 2, 3]])
def test_a_fixed_batch_is_fed_in_chunks_with_the_last_one_padded(size, target):
    x = picture(5)
    found = Explainer(with_batch(residual_net(), size), dtype="float64", keep=["c1"]).explain(x, target)
    free = Explainer(residual_net(), dtype="float64", keep=["c1"]).explain(x, target)
    for one in (found, free):
        assert one.relevance.shape == x.shape
        assert one.outputs["y"].shape == (5, 5)
        assert one.start.shape == one.conserved.shape == (5,)
        assert {len(step.R_in) for step in one.audit} == {5}
        for i in range(5):
            index = target[i] if isinstance(target, list) else target
            (alone,) = one_by_one(residual_net(), x[i : i + 1], target=index)
            assert relative(one.relevance[i], alone.relevance[0]) < 1e-11
            assert relative(one.relevances["c1"][i], alone.relevances["c1"][0]) < 1e-11
            assert one.target[i] == alone.target[0]
            np.testing.assert_allclose(one.outputs["y"][i], alone.outputs["y"][0], rtol=1e-5)
            np.testing.assert_allclose(one.conserved[i], alone.conserved[0], rtol=1e-9)
            assert np.isclose(one.audit[3].bias[i], alone.audit[3].bias[0])


def baked() -> onnx.ModelProto:
    """A model that declares a dynamic batch and has one of 1."""
    return parse(
        "g (float[N,6] x) => (float[N,2] y) { r = Reshape (x, shape) s = ReduceSum <keepdims = 0> (r, axes)"
        " t = Reshape (s, flat) y = Gemm (t, w) }",
        shape=np.array([1, 2, 3]),
        axes=np.array([2]),
        flat=np.array([1, 2]),
        w=rng(1).standard_normal((2, 2)),
    )


def test_a_dynamic_batch_that_fails_is_reported_once_and_fed_one_by_one():
    x = rng(2).standard_normal((3, 6)).astype(np.float32)
    shared = Explainer(baked())
    with pytest.warns(UserWarning, match="declares a dynamic batch but fails on 3 samples") as caught:
        found = shared.explain(x)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = shared.explain(x, [0, 1, 0])
    assert again.target.tolist() == [0, 1, 0]
    for i in range(3):
        np.testing.assert_allclose(found.relevance[i], explain(baked(), x[i]).relevance[0], rtol=1e-6)


def test_an_error_of_the_callers_own_is_no_missing_batch():
    with pytest.raises(TargetError, match="out of range"):
        Explainer(residual_net()).explain(picture(3), 99)


@pytest.mark.slow
def test_threads_share_an_explainer():
    shared, x = Explainer(residual_net()), [picture(2, seed) for seed in range(4)]
    targets = ["top", 1, ("c1", 7), [0, 3]]
    wanted = [[Explainer(residual_net()).explain(one, t).relevance for t in targets] for one in x]
    failures, gate = [], threading.Barrier(4)

    def work(place: int) -> None:
        try:
            gate.wait()
            for turn in range(12):
                which = (place + turn) % 4
                found = shared.explain(x[place], targets[which])
                if relative(found.relevance, wanted[place][which]) > 1e-5:
                    failures.append((place, which))
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def test_an_explanation_does_not_change_what_it_was_given_or_gave():
    x = picture(2)
    before, shared = x.copy(), Explainer(residual_net())
    first = shared.explain(x)
    kept = first.relevance.copy()
    shared.explain(picture(2, 5))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first.relevance, kept)
    np.testing.assert_array_equal(shared.explain(x).relevance, kept)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_the_type_of_the_walk(dtype):
    found = explain(residual_net(), picture(1), dtype=dtype, keep="all")
    kinds = {value.dtype for value in (found.relevance, *found.relevances.values())}
    assert kinds == {np.dtype(dtype)}
    assert found.start.dtype == np.float64


@pytest.mark.parametrize("dtype", ["float16", "int8", "nonsense", 3])
def test_another_type_is_refused(dtype):
    with pytest.raises(InputError, match="'float32' or 'float64'"):
        Explainer(residual_net(), dtype=dtype)


def test_float32_agrees_with_float64():
    errors = []
    for seed in range(5):
        found = explain(residual_net(seed), picture(2, seed), eps=1e-2)
        wanted = explain(residual_net(seed), picture(2, seed), eps=1e-2, dtype="float64")
        errors.append(relative(found.relevance, wanted.relevance))
    assert np.median(errors) < 1e-4


def test_a_single_sample_needs_no_batch_axis():
    np.testing.assert_array_equal(
        explain(residual_net(), picture(1)[0]).relevance, explain(residual_net(), picture(1)).relevance
    )


def test_numbers_of_another_type_are_cast():
    x = picture(1)
    wanted = explain(residual_net(), x).relevance
    np.testing.assert_array_equal(explain(residual_net(), x.astype(np.float64)).relevance, wanted)
    assert explain(residual_net(), np.ones((1, 3, 12, 12), bool)).relevance.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 3, 12, 13), np.float32), r"'x' has shape \(N, 3, 12, 12\), the array \(1, 3, 12, 13\)"),
        (np.zeros((1, 1, 12, 12), np.float32), "has shape"),
        (np.zeros((12, 12), np.float32), "has shape"),
        (np.zeros((0, 3, 12, 12), np.float32), "samples"),
        (np.full((1, 3, 12, 12), np.nan, np.float32), "NaN or infinity"),
        (np.full((1, 3, 12, 12), "a"), "wants numbers"),
        (np.zeros((1, 3, 12, 12), complex), "wants numbers"),
        (
            {"q": np.zeros((1, 3, 12, 12), np.float32)},
            "are 'x'; there is no input 'q'; missing: 'x'",
        ),
        ({}, "inputs are"),
    ],
)
def test_an_input_that_does_not_fit(x, message):
    with pytest.raises(InputError, match=message):
        explain(residual_net(), x)


def test_several_inputs_want_a_dict_with_as_many_samples_each():
    model = parse("g (float[N,2] a, float[N,2] b) => (float[N,2] y) { y = Add (a, b) }")
    one, two = np.ones((1, 2), np.float32), np.ones((2, 2), np.float32)
    with pytest.raises(InputError, match=r"several inputs; .*: 'a' \(N, 2\) float32, 'b'"):
        explain(model, one)
    with pytest.raises(InputError, match="different numbers of samples, 'a' 1, 'b' 2"):
        explain(model, {"a": one, "b": two})
    assert explain(model, {"a": two, "b": two}).relevance.keys() == {"a", "b"}


def test_floats_for_pixels_are_refused():
    model = parse("g (uint8[N,2] u) => (float[N,2] y) { x = Cast <to = 1> (u) y = Relu (x) }")
    with pytest.raises(InputError, match="wants uint8, not float32"):
        explain(model, np.ones((1, 2), np.float32))


def test_what_onnxruntime_cannot_run_is_an_error():
    model = parse("g (float[N,2] x) => (float[N,2] y) { y = Gemm (x, w) }", w=np.ones((3, 2)))
    with pytest.raises(ModelError, match="onnxruntime cannot"):
        explain(model, np.ones((1, 2), np.float32))


def test_eps_is_short_for_the_composites_parameter():
    x = picture(1)
    one = explain(residual_net(), x, eps=0.1).relevance
    other = explain(residual_net(), x, composite=("epsilon", {"eps": 0.1})).relevance
    np.testing.assert_array_equal(one, other)
    assert relative(one, explain(residual_net(), x).relevance) > 1e-3


def test_an_explanation_saves_itself(tmp_path):
    found = explain(residual_net(), picture(2), keep=["c1"], labels=["a", "b", "c", "d", "e"])
    found.save(tmp_path / "r.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "r.npy"), found.relevance)
    found.save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as stored:
        np.testing.assert_array_equal(stored["relevance/c1"], found.relevances["c1"])
        np.testing.assert_array_equal(stored["target"], found.target)
        kept = {"relevance", "start", "conserved", "score", "target", "relevance/c1"}
        assert set(stored.files) == kept
    found.save(tmp_path / "r.json")
    facts = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert facts["label"] == [found.labels[int(i)] for i in found.target] == [found.label(0), found.label(1)]
    assert len(facts["audit"]) == len(found.audit)
    found.save(tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes()[:4] == found._repr_png_()[:4] == b"\x89PNG"
    with pytest.raises(OutputError, match=r"save as \.png"):
        found.save(tmp_path / "r.gif")
    assert repr(found).startswith("<Explanation of [")


def test_public_names_are_there_and_lazy():
    for name in explainer.__all__:
        public = getattr(explainer, name)
        assert getattr(public, "__module__", public.__name__).startswith("explainer.")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        explainer.nothing  # noqa: B018
    errors = [getattr(explainer, name) for name in explainer.__all__ if name.endswith("Error")]
    assert len(errors) == 10
    assert all(issubclass(error, ExplainerError) for error in errors)
