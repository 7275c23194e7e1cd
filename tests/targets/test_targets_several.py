"""Several targets: one sample explained many times, and many targets of any kind, by few forward passes."""

import numpy as np
import pytest
from building import parse, rng
from PIL import Image
from residual import picture, residual_net

from explainer import Explainer, Preprocess, TargetError


def same(found, wanted, places=slice(None)) -> None:
    """To the last bit."""
    np.testing.assert_array_equal(found.relevance[places], wanted.relevance)
    for name, R in wanted.relevances.items():
        np.testing.assert_array_equal(found.relevances[name][places], R)
    for name, y in wanted.outputs.items():
        np.testing.assert_array_equal(found.outputs[name][places], y)
    for what in ("start", "score", "conserved", "target"):
        np.testing.assert_array_equal(getattr(found, what)[places], getattr(wanted, what))
    for mine, theirs in zip(found.audit, wanted.audit, strict=True):
        for what in ("R_out", "R_in", "bias", "epsilon"):
            np.testing.assert_array_equal(getattr(mine, what)[places], getattr(theirs, what))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("start", ["output", "sglrp", "clrp", "margin"])
def test_indices_of_one_sample_are_a_batch_from_one_forward_pass(runs, dtype, start):
    explainer, targets = Explainer(residual_net(), dtype=dtype, keep=["c1", "r3"]), [3, 0, 4, 3]
    found = explainer.explain(picture(1), targets, start)
    assert runs == [1]
    assert found.relevance.shape == (4, *picture(1).shape[1:])
    assert found.target.tolist() == targets
    for place, index in enumerate(targets):
        same(found, explainer.explain(picture(1), index, start), slice(place, place + 1))


def test_pairs_of_a_margin_go_together():
    explainer = Explainer(residual_net())
    found = explainer.explain(picture(1), [3, 0, 4], "margin", against=[1, 2, 3])
    assert found.target.tolist() == [3, 0, 4] and found.against.tolist() == [1, 2, 3]
    one = explainer.explain(picture(1), [3, 0, 4], "margin", against=1)
    assert one.against.tolist() == [1, 1, 1]
    many = explainer.explain(picture(1), 3, "margin", against=[1, 2, 0])
    assert many.target.tolist() == [3, 3, 3] and many.against.tolist() == [1, 2, 0]
    for explanation in (found, one, many):
        for place in range(3):
            pair = int(explanation.target[place]), int(explanation.against[place])
            alone = explainer.explain(picture(1), pair[0], "margin", against=pair[1])
            same(explanation, alone, slice(place, place + 1))
    with pytest.raises(TargetError, match="2 and 3 indices for 1 sample"):
        explainer.explain(picture(1), [3, 0, 4], "margin", against=[1, 2])


def test_a_file_with_a_batch_of_its_own(runs):
    model = residual_net()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 3
    found = Explainer(model).explain(picture(1), [4, 1])
    assert runs == [3] and found.relevance.shape[0] == 2
    wanted = Explainer(residual_net()).explain(picture(1), [4, 1])
    np.testing.assert_allclose(found.relevance, wanted.relevance, atol=1e-5)


def test_as_many_indices_as_samples_are_one_each(runs):
    explainer = Explainer(residual_net())
    explainer.explain(picture(3), [1, 2, 3])
    assert runs == [3]
    for samples, indices in ((3, [1, 2]), (2, [1, 2, 3]), (1, np.array([], dtype=int))):
        with pytest.raises(TargetError, match=f"{len(indices)} indices for {samples} sample"):
            explainer.explain(picture(samples), indices)


def test_a_photo_explained_several_times_is_drawn_each_time():
    model = parse(
        "g (float[N,3,4,4] x) => (float[N,5] y) { f = Flatten (x) y = Gemm (f, w) }",
        w=rng(1).standard_normal((48, 5)),
    )
    explainer = Explainer(model, preprocess=Preprocess(size=4, crop=4, scale=1 / 255))
    photo = Image.fromarray(rng(2).integers(0, 255, (6, 5, 3), dtype=np.uint8))
    found = explainer.explain(photo, [3, 1, 2])
    assert len(found.photos) == 3
    assert found.heatmap(2, style="overlay").size == explainer.explain(photo, 2).heatmap(style="overlay").size


MIXED = ["top", 3, ("y", np.s_[1:3]), "c1", "c1[0, 1:3, :]", "three", [0, 1], {"y": 2}, ("c1", 5)]


def test_targets_of_any_kind_share_what_they_can(runs):
    explainer = Explainer(residual_net(), labels=["zero", "one", "two", "three", "four"])
    found = explainer.explain_targets(picture(2), MIXED)
    assert runs == [2, 2]  # one pass for all that start at the output, one for all that start at c1
    assert [e.target_name for e in found] == ["y", "y", "y", "c1", "c1", "y", "y", "y", "c1"]
    for explanation, target in zip(found, MIXED, strict=True):
        alone = explainer.explain(picture(2), target)
        np.testing.assert_array_equal(explanation.relevance, alone.relevance)
        assert explanation.label() == alone.label()
        assert (explanation.target is None) == (alone.target is None)


def test_a_start_holds_for_all_targets():
    explainer = Explainer(residual_net())
    found = explainer.explain_targets(picture(2), [3, 1], "margin", against=0)
    for explanation, target in zip(found, (3, 1), strict=True):
        wanted = explainer.explain(picture(2), target, "margin", against=0)
        same(explanation, wanted)
        assert explanation.kind == "margin"
    assert explainer.explain_targets(picture(2), []) == []


def test_nothing_runs_before_every_target_is_understood(runs):
    with pytest.raises(TargetError, match="no class and no tensor is called 'nosuch'"):
        Explainer(residual_net()).explain_targets(picture(2), [3, "nosuch"])
    assert runs == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (("cat", "dog"), "a pair is a tensor and an index, as is NAME.index., and 'cat' is a class"),
        (("cat", 1), "'cat' is a class"),
        ("cat[1]", "'cat' is a class"),
        (("cat",), "holds names, and no index does"),
        (("cat", "dog", "cat"), "holds names, and no index does"),
        (("y", ("cat", "dog")), "holds names, and no index does"),
        (["cat", "dog"], "an index is a whole number, or one per sample, not "),
    ],
)
@pytest.mark.parametrize("side", ["target", "against"])
def test_names_of_several_classes_are_no_target(target, said, side):
    model = parse(
        "g (float[N,3] x) => (float[N,2] y) { y = MatMul (x, w) }", w=rng(1).standard_normal((3, 2))
    )
    ex, x = Explainer(model, labels=["cat", "dog"]), np.ones((1, 3), np.float32)
    how = {"target": target} if side == "target" else {"target": 1, "start": "margin", "against": target}
    with pytest.raises(
        TargetError, match=f"^{side}: .*{said}.*several targets are a list, for explain_targets"
    ):
        ex.explain(x, **how)
    assert [int(one.target[0]) for one in ex.explain_targets(x, ["cat", "dog"])] == [0, 1]
