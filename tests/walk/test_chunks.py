"""A batch as chunks: whole, of a fixed size, filled up, or one by one where the model fails."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, InputError, ModelError, TargetError, compile
from explainer.model.graph import Graph
from explainer.targets import resolve_target
from explainer.targets.choosing import per_sample
from explainer.walk.audit import Audit
from explainer.walk.chunks import Batches
from explainer.walk.runs import Run


def graph(batch):
    text = f"g (float[{batch},3] x) => (float[{batch},2] y) {{ y = Gemm (x, w) }}"
    return Graph.load(parse(text, w=rng(0).standard_normal((3, 2))))


def answer(chunk):
    """Every sample's own number, once for each target."""
    x = chunk.feeds["x"][:, 0]
    return [Run({"x": chunk.feeds["x"]}, {"y": x}, None, None, x, x, Audit()) for _ in chunk.targets]


def chunks_of(batches, samples, target=1, references=None):
    feeds = {"x": np.arange(samples * 3.0).reshape(samples, 3)}
    return batches.cut(feeds, [resolve_target(batches.graph, target)], references)


@pytest.mark.parametrize(
    ("batch", "samples", "sizes"), [("N", 5, [5]), (2, 5, [2, 2, 2]), (4, 3, [4]), (1, 2, [1, 1])]
)
def test_sizes(batch, samples, sizes):
    chunks, seen = chunks_of(Batches(graph(batch)), samples), []
    for chunk in chunks:
        with chunk:
            seen.append(chunk.samples)
            chunk.runs = answer(chunk)
    assert seen == sizes
    (run,) = chunks.runs()
    np.testing.assert_array_equal(run.score, np.arange(samples) * 3.0)


def test_references_are_cut_alike():
    references = {"x": -np.arange(9.0).reshape(3, 3)}
    for chunk in chunks_of(Batches(graph(2)), 3, references=references):
        np.testing.assert_array_equal(chunk.references["x"], -chunk.feeds["x"])


def test_several_indices_of_one_sample_are_a_batch():
    chunks = chunks_of(Batches(graph("N")), 1, target=[0, 1, 0])
    for chunk in chunks:
        assert len(chunk.targets) == 3
        chunk.runs = answer(chunk)
    (run,) = chunks.runs()
    assert len(run.score) == 3


@pytest.mark.parametrize("error", [ModelError, TargetError])
def test_one_by_one_where_the_model_fails(error):
    batches = Batches(graph("N"))

    def fed(samples):
        chunks, seen = chunks_of(batches, samples), []
        for chunk in chunks:
            with chunk:
                seen.append(chunk.samples)
                if chunk.samples > 1:
                    raise error("no batch")
                chunk.runs = answer(chunk)
        return seen, chunks.runs()[0].score

    with pytest.warns(
        UserWarning, match=r"fails on 3 samples \(no batch\); they are fed one by one"
    ) as caught:
        seen, score = fed(3)
    assert caught[0].filename == __file__
    assert seen == [3, 1, 1, 1]
    np.testing.assert_array_equal(score, [0, 3, 6])
    assert fed(2)[0] == [1, 1]


def test_what_fails_on_one_sample_too_is_raised():
    batches = Batches(graph("N"))
    with pytest.raises(TargetError, match="of one's own"):
        for chunk in chunks_of(batches, 3):
            with chunk:
                raise TargetError("of one's own")
    assert not batches.one_by_one


@pytest.mark.parametrize("batch", ["N", 2])
def test_other_errors_are_the_callers(batch):
    with pytest.raises(ZeroDivisionError):
        for chunk in chunks_of(Batches(graph(batch)), 2):
            with chunk:
                raise ZeroDivisionError


@pytest.mark.parametrize("batch", [2**31 - 1, 2**62])
def test_a_batch_that_nobody_could_hold_is_refused(batch):
    with pytest.raises(InputError, match=f"takes batches of {batch:,} samples and no others"):
        list(chunks_of(Batches(graph(batch)), 3))
    with pytest.raises(InputError, match="an example of it takes"):
        compile(graph(batch).source)


def test_a_number_alone_is_kept_once_for_each_part_of_a_batch():
    nodes = "m = ReduceMean <keepdims = 0> (x) a = Mul (x, m) y = Gemm (a, w)"
    text = f"g (float[2,3] x) => (float[2,2] y) {{ {nodes} }}"
    made = Explainer(parse(text, w=rng(0).standard_normal((3, 2))), keep=["m"])
    x = rng(1).standard_normal((3, 3)).astype(np.float32)
    assert made.explain(x[:1], target=0).relevances["m"].shape == ()
    assert made.explain(x, target=0).relevances["m"].shape == (2,)


def test_the_callers_line_is_warned_about_through_a_context():
    text = "g (float[N,3] x) => (float[N,2] y) { a = Reshape (x, one) y = Gemm (a, w) }"
    model = parse(text, w=rng(0).standard_normal((3, 2)), one=np.array([1, 3]))
    with pytest.warns(UserWarning, match="one by one") as caught:
        Explainer(model).explain(np.ones((2, 3), np.float32), target=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("method", ["lrp", "integrated_gradients", "occlusion"])
def test_samples_that_meet_and_are_asked_alone_are_said_to_be(method):
    model = parse("g (float[steps,3] x) => (float[steps,3] y) { y = CumSum (x, zero) }", zero=np.array(0))
    x = rng(0).standard_normal((4, 3)).astype(np.float32)
    found = Explainer(model, method=method).explain(x, target=1)
    assert found.remark().startswith("each of the 4 samples was asked alone, for CumSum")
    assert "fix={'steps': 4} (--fix steps=4)" in found.remark()
    assert "asked alone" not in Explainer(model, method=method).explain(x[:1], target=1).remark()


def test_one_sequence_whose_size_is_said_is_walked_whole():
    model = parse("g (float[steps,3] x) => (float[steps,3] y) { y = CumSum (x, zero) }", zero=np.array(0))
    x = rng(0).standard_normal((4, 3)).astype(np.float32)
    found = Explainer(model, fix={"steps": 4}).explain(x, target="y")
    np.testing.assert_allclose(found.outputs["y"], np.cumsum(x, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.relevance.sum(axis=1), (x * [[4], [3], [2], [1]]).sum(axis=1), rtol=1e-3)
    assert found.remark() == ""


TAKEN = "g (float[N,5] x) => (float[M] y) { i = NonZero (x) t = Transpose (i) y = GatherND (x, t) }"
FEW = np.array([[0, 0, 7, 0, 8], [1, 2, 3, 4, 5]], np.float32)


@pytest.mark.parametrize("target", [3, np.array([3, 1]), "y[3]"])
@pytest.mark.parametrize("place", [0, 1])
def test_an_index_that_one_sample_of_a_batch_has_not(place, target):
    """Each has as many values as it tells, so that the message names the sample, and what its own are."""
    x = FEW if place == 0 else FEW[::-1].copy()
    target = target[::-1].copy() if place and isinstance(target, np.ndarray) else target
    with pytest.raises(TargetError, match=rf"3 is out of range.* in sample {place} of the batch.*of its own"):
        Explainer(parse(TAKEN)).explain(x, target)
    found = Explainer(parse(TAKEN)).explain(x, 1).relevance
    np.testing.assert_array_equal(found[place], [0, 0, 0, 0, 8])


def test_a_target_in_which_samples_have_no_row():
    with pytest.raises(
        TargetError, match=r"shape \[1, 5\], in which the 2 samples have no row each: explain one"
    ):
        per_sample(np.ones((1, 5)), 2)
