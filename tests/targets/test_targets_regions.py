"""Elements and regions of a tensor, by NumPy's own indexing, as text and as a mask."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explainer import Explainer, TargetError
from explainer.targets import Region

N = 3
# A small segmentation net: 4 classes on 5 x 6 places.
BODY = "h = Conv <pads = [1, 1, 1, 1]> (x, w, b) a = Relu (h) z = Conv (a, v, u)"


def net(end: str = "y = Softmax <axis = 1> (z)", shape: str = "N,4,5,6", batch: str = "N") -> onnx.ModelProto:
    return parse(
        f"g (float[{batch},2,5,6] x) => (float[{shape}] y) {{ {BODY} {end} }}",
        w=rng(1).standard_normal((3, 2, 3, 3)),
        b=rng(2).standard_normal(3),
        v=rng(3).standard_normal((4, 3, 1, 1)),
        u=rng(13).standard_normal(4),
        flat=np.array([0, -1]),
        rows=np.array([0, 4, 30]),
    )


def x_for(samples: int = N) -> np.ndarray:
    return rng(4).standard_normal((samples, 2, 5, 6)).astype(np.float32)


@pytest.fixture
def explainer() -> Explainer:
    return Explainer(net(), dtype="float64", eps=1e-3, keep=["z"])


def chosen(explanation) -> np.ndarray:
    """Where relevance was put."""
    return explanation.relevances["z"] != 0


def marked(index, shape=(N, 4, 5, 6)) -> np.ndarray:
    """What NumPy itself makes of an index."""
    mask = np.zeros(shape, dtype=bool)
    mask[index] = True
    return mask


REGIONS = {
    "y[:, 2, 1:3, 4]": np.s_[:, 2, 1:3, 4],
    "y[0, 2, 1:3, 4]": np.s_[0, 2, 1:3, 4],
    "y[-1, -1, -2:, ::2]": np.s_[-1, -1, -2:, ::2],
    "y[1:, 0, ::-2, :]": np.s_[1:, 0, ::-2, :],
    "y[..., 5]": np.s_[..., 5],
    "y[2, ...]": np.s_[2, ...],
    "y[:, 3, ...]": np.s_[:, 3, ...],
    "y[0, ..., 2:4]": np.s_[0, ..., 2:4],
    "y[...]": np.s_[...],
    "y[ 0,2 , 1 :3, +4 ]": np.s_[0, 2, 1:3, 4],
}


@pytest.mark.parametrize("text", REGIONS)
def test_an_index_of_the_whole_tensor_is_numpys_own(explainer, text):
    index = REGIONS[text]
    found = explainer.explain(x_for(), text, "one")
    np.testing.assert_array_equal(chosen(found), marked(index))
    np.testing.assert_array_equal(found.start, marked(index).sum((1, 2, 3)))
    again = explainer.explain(x_for(), ("y", index), "one")
    np.testing.assert_array_equal(found.relevance, again.relevance)
    masked = explainer.explain(x_for(), {"y": marked(index)}, "one")
    np.testing.assert_array_equal(found.relevance, masked.relevance)


PER_SAMPLE = {
    "y[2, 1:3, 4]": np.s_[2, 1:3, 4],
    "y[-1, :, -2:]": np.s_[-1, :, -2:],
    "y[1:3, ::-1, 0]": np.s_[1:3, ::-1, 0],
}


@pytest.mark.parametrize("text", PER_SAMPLE)
def test_one_entry_fewer_is_meant_for_each_sample(explainer, text):
    index = PER_SAMPLE[text]
    found = explainer.explain(x_for(), text)
    np.testing.assert_array_equal(chosen(found), marked((slice(None), *index)))
    for target in (("y", index), ("y", marked(index, (4, 5, 6)))):
        np.testing.assert_array_equal(explainer.explain(x_for(), target).relevance, found.relevance)
    alone = explainer.explain(x_for()[1], text)
    assert relative(found.relevance[1], alone.relevance[0]) < 1e-12


def test_a_region_is_the_sum_of_its_elements(explainer):
    """Rules are linear in the relevance; the epsilon rule here has biases and a large epsilon."""
    for start in ("output", "one", "probability"):
        whole = explainer.explain(x_for(), "y[2, 1:3, 4:]", start)
        parts = [
            explainer.explain(x_for(), f"y[2, {i}, {j}]", start).relevance for i in (1, 2) for j in (4, 5)
        ]
        assert relative(whole.relevance, sum(parts)) < 1e-12


def test_a_region_starts_from_the_values_before_the_softmax(explainer):
    found = explainer.explain(x_for(), "y[2, 1:3, 4]")
    z = Explainer(net(), dtype="float64", keep=["z"]).explain(x_for(), "z").relevances["z"]
    np.testing.assert_allclose(found.start, z[:, 2, 1:3, 4].sum(1), rtol=1e-12)
    np.testing.assert_array_equal(found.start, found.score)
    sure = explainer.explain(x_for(), "y[2, 1:3, 4]", "probability")
    np.testing.assert_allclose(sure.start, sure.outputs["y"][:, 2, 1:3, 4].sum(1), rtol=1e-5)


def test_a_contrast_stays_at_its_place(explainer):
    """Classes compete at each place of a mask, not between places."""
    for start in ("clrp", "sglrp"):
        found = explainer.explain(x_for(), "y[2, 1, 3]", start)
        at = np.zeros((5, 6), dtype=bool)
        at[1, 3] = True
        R = found.relevances["z"]
        assert (R[:, :, ~at] == 0).all() and (R[:, :, at] != 0).any()
        if start == "sglrp":
            p = found.outputs["y"][:, :, 1, 3].astype(np.float64)
            wanted = -p * p[:, 2:3]
            wanted[:, 2] = p[:, 2] * (1 - p[:, 2])
            np.testing.assert_allclose(R[:, :, 1, 3], wanted, rtol=1e-4)


def test_a_margin_between_two_classes_of_a_region(explainer):
    found = explainer.explain(x_for(), "y[2, 1:3, 4]", "margin", against="y[0, 1:3, 4]")
    first, second = (explainer.explain(x_for(), f"y[{c}, 1:3, 4]") for c in (2, 0))
    assert relative(found.relevance, first.relevance - second.relevance) < 1e-12
    assert found.region == "y[2, 1:3, 4] − y[0, 1:3, 4]" == found.label()
    mixed = explainer.explain(x_for(), 3, "margin", against="y[0, 1:3, 4]")
    assert mixed.region == "y[3] − y[0, 1:3, 4]" and mixed.target.tolist() == [3, 3, 3]


def test_what_was_explained_is_said(explainer):
    for target in ("y[2, 1:3, 4]", ("y", np.s_[2, 1:3, 4])):
        found = explainer.explain(x_for(), target)
        assert found.target is None and found.target_name == "y"
        assert found.region == found.label() == "y[2, 1:3, 4]"
        assert "y[2, 1:3, 4]" in repr(found)
        assert found.to_dict()["region"] == "y[2, 1:3, 4]"
    mask = rng(5).random((4, 5, 6)) < 0.1
    assert explainer.explain(x_for(), ("y", mask)).label() == f"y[mask of {mask.sum()}]"
    assert explainer.explain(x_for(), "y[..., ::2, 1:]").label() == "y[..., ::2, 1:]"


def test_a_region_of_one_element_is_an_index(explainer):
    flat = 2 * 30 + 1 * 6 + 4
    wanted = explainer.explain(x_for(), flat)
    for text in ("y[2, 1, 4]", f"y[{flat}]", "y[:, 2, 1, 4]", "y[2, 1:2, -2]"):
        found = explainer.explain(x_for(), text)
        assert found.target.tolist() == [flat] * N and found.region == ""
        np.testing.assert_array_equal(found.relevance, wanted.relevance)


MOVED = {
    "transposed": ("s = Softmax <axis = 1> (z) y = Transpose <perm = [0, 2, 3, 1]> (s)", "N,5,6,4"),
    "in rows": ("s = Softmax <axis = 1> (z) y = Reshape (s, rows)", "N,4,30"),
    "rows, transposed": (
        "s = Softmax <axis = 1> (z) r = Reshape (s, rows) y = Transpose <perm = [0, 2, 1]> (r)",
        "N,30,4",
    ),
    "moved first": ("t = Transpose <perm = [0, 2, 3, 1]> (z) y = Softmax <axis = -1> (t)", "N,5,6,4"),
}


@pytest.mark.parametrize("form", MOVED)
def test_a_region_is_mapped_back_through_what_moves_it(form):
    end, shape = MOVED[form]
    explainer = Explainer(net(end, shape), keep=["z"])
    sizes = tuple(int(size) for size in shape.split(",")[1:])
    back = {
        "transposed": lambda m: m.transpose(0, 3, 1, 2),
        "moved first": lambda m: m.transpose(0, 3, 1, 2),
        "in rows": lambda m: m.reshape(N, 4, 5, 6),
        "rows, transposed": lambda m: m.transpose(0, 2, 1).reshape(N, 4, 5, 6),
    }[form]
    index = (slice(1, None), *[slice(1, 3)] * (len(sizes) - 1), 2)
    found = explainer.explain(x_for(), ("y", index))
    np.testing.assert_array_equal(chosen(found), back(marked(index, (N, *sizes))))


def test_samples_count_in_the_whole_batch_however_it_is_fed():
    """A file with a batch of 2: five samples are three runs, the last one padded."""
    fixed = Explainer(net(batch="2", shape="2,4,5,6"), dtype="float64", keep=["z"])
    free = Explainer(net(), dtype="float64", keep=["z"])
    mask = rng(6).random((5, 4, 5, 6)) < 0.2
    for target in ("y[3, 2, 1:3, 4]", "y[::-2, 0, 1, :]", ("y", mask), "y[-1, ...]"):
        found, wanted = fixed.explain(x_for(5), target), free.explain(x_for(5), target)
        np.testing.assert_array_equal(chosen(found), chosen(wanted))
        assert relative(found.relevance, wanted.relevance) < 1e-12
    assert chosen(fixed.explain(x_for(5), "y[3, 2, 1:3, 4]")).any((1, 2, 3)).tolist() == [0, 0, 0, 1, 0]


def test_a_sample_that_is_not_chosen_has_no_relevance(explainer):
    found = explainer.explain(x_for(), "y[1, 2, :, 4]")
    assert (found.relevance[[0, 2]] == 0).all() and (found.relevance[1] != 0).any()
    assert np.isnan(found.conserved[[0, 2]]).all() and np.isfinite(found.conserved[1])


def test_inner_tensors_have_regions_too():
    explainer = Explainer(net())
    found = explainer.explain(x_for(), "a[1, 2:4, 0]")
    assert found.target_name == "a" and found.region == "a[1, 2:4, 0]"
    np.testing.assert_allclose(
        found.start,
        explainer.explain(x_for(), "a[1, 2, 0]").start + explainer.explain(x_for(), "a[1, 3, 0]").start,
    )
    whole = explainer.explain(x_for(), "a")
    np.testing.assert_array_equal(explainer.explain(x_for(), "a[...]").relevance, whole.relevance)


def test_a_whole_tensor_of_ones():
    explainer = Explainer(net())
    found = explainer.explain(x_for(), "a", "one")
    np.testing.assert_array_equal(found.start, 3 * 5 * 6)
    np.testing.assert_array_equal(found.relevance, explainer.explain(x_for(), "a[...]", "one").relevance)
    np.testing.assert_allclose(found.score, explainer.explain(x_for(), "a").start)


def test_a_regression_value():
    text = "g (float[N,3] x) => (float[N] y, float[N,1] u) { u = Gemm (x, w) y = Squeeze (u, last) }"
    model = parse(text, w=np.ones((3, 1)), last=np.array([1]))
    x = rng(7).standard_normal((4, 3)).astype(np.float32)
    explainer = Explainer(model)
    wanted = explainer.explain(x)
    np.testing.assert_allclose(wanted.start, x.sum(1), rtol=1e-5)
    for target in (0, "y[0]", ("y", 0), "y[...]", ("u", 0), "u[:, 0]", "u[...]"):
        np.testing.assert_array_equal(explainer.explain(x, target).relevance, wanted.relevance)
    only = explainer.explain(x, "u[2, 0]")
    assert np.flatnonzero(only.start).tolist() == [2]


def test_names_with_brackets_of_their_own():
    model = parse("g (float[N,3] x) => (float[N,3] y) { h = Neg (x) y = Relu (h) }")
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "h[0]"
    explainer = Explainer(model, labels=["one", "two [b]", "three"])
    x = rng(8).standard_normal((2, 3)).astype(np.float32)
    assert explainer.explain(x, "h[0]").target is None
    assert explainer.explain(x, "h[0][1]").target.tolist() == [1, 1]
    assert explainer.explain(x, "two [b]").target.tolist() == [1, 1]
    assert explainer.explain(x, "y[three]").target.tolist() == [2, 2]
    assert explainer.explain(x, "y[top]").target.tolist() == explainer.explain(x).target.tolist()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "y[4, 0, 0]",
            r"y\[4, 0, 0\] does not fit 'y', which is \[4, 5, 6\] per sample: 4 is out of range on",
        ),
        ("y[0, -6, 0]", "-6 is out of range on an axis of 5"),
        ("y[3, 0, 0, 0]", "3 is out of range on an axis of 3"),
        ("y[1, 2]", r"which is \[4, 5, 6\] per sample: write 3 entries, or one more for the batch"),
        ("y[1, 2, 3, 4, 5]", "write 3 entries"),
        ("y[:]", "write 3 entries"),
        ("y[..., 1, ...]", "'...' stands once"),
        ("y[1, 2, 3, ..., 4, 5]", "'...' stands once"),
        ("y[3, 3:3, 0]", r"y\[3, 3:3, 0\] names no element of 'y'"),
        ("y[3:, 0, 0, 0]", "names no element"),
        ("y[120]", "index 120 is out of range; 'y' has 0 to 119"),
        ("y[-1]", "index -1 is out of range"),
        ("y[1:2:0, 0, 0]", r"slice\(1, 2, 0\) in an index of 'y' is no whole number, no slice"),
        ("y[]", "no class is called ''.*in brackets stand whole numbers"),
        ("y[1, two]", "no class is called '1, two'"),
        ("y[1.5, 0, 0]", "in brackets stand"),
        ("y[1,]", "in brackets stand"),
        ("y[1:2:3:4, 0, 0]", "in brackets stand"),
        ("y[__import__('os').getcwd()]", "in brackets stand"),
        ("q[0, 1, 2]", "no class and no tensor is called 'q'"),
        ("y[0, 1", "no class and no tensor is called"),
        (("y", (1, 2.0, 3)), "an index is a whole number, or one per sample, not 2.0"),
        (("y", (1, True, 3)), "True in an index of 'y' is no whole number"),
        (("y", (1, None, 3)), "an index is a whole number, or one per sample, not None"),
        (("y", np.s_[1, 0.5:, 3]), "no slice with steps"),
        (("y", np.zeros((4, 5, 6), bool)), "names no element"),
        (("y", np.ones((4, 5), bool)), r"the mask is \[4, 5\]"),
        (("y", np.ones((2, 4, 5, 6), bool)), r"the mask is \[2, 4, 5, 6\]"),
    ],
)
def test_indices_that_do_not_fit_say_why(explainer, target, message):
    with pytest.raises(TargetError, match=message):
        explainer.explain(x_for(), target)


def test_a_softmax_behind_an_identity_and_a_move_is_planned_once():
    explainer = Explainer(net("s = Softmax <axis = 1> (z) i = Identity (s) y = Reshape (i, flat)", "N,120"))
    assert explainer.plan_for(3) is explainer.plan_for(5) is explainer.plan_for("y[1:4]")


bounds = st.one_of(st.none(), st.integers(-7, 7))
entries = st.one_of(
    st.integers(-3, 2),
    st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, -1, -3])),
)


@pytest.mark.slow
@given(
    shape=hnp.array_shapes(min_dims=2, max_dims=4, min_side=3, max_side=5),
    data=st.data(),
)
def test_every_expression_marks_what_numpy_marks(shape, data):
    index = tuple(data.draw(entries) for _ in shape)
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(index)))
        index = (*index[:place], Ellipsis, *index[place + data.draw(st.integers(0, 1)) :])
    wanted = marked(index, shape)
    text = str(Region.of("y", index))
    samples = shape[0]
    order = data.draw(st.permutations(range(samples)))
    for region in (Region.of("y", index), Region.of("y", eval(f"np.s_{text[1:]}"))):
        if not wanted.any():
            with pytest.raises(TargetError, match="names no element"):
                region.mask(shape, samples, "y")
            continue
        found = np.broadcast_to(region.mask(shape, samples, "y"), (samples, wanted[0].size))
        np.testing.assert_array_equal(found.reshape(shape), wanted)
        part = region.taking(np.array(order[:2]), samples).mask((2, *shape[1:]), 2, "y")
        np.testing.assert_array_equal(
            np.broadcast_to(part, (2, wanted[0].size)), wanted[order[:2]].reshape(2, -1)
        )
