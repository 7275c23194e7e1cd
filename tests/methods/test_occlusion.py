"""Occlusion, against captum and by hand."""

import captum.attr
import numpy as np
import pytest
import torch
from building import rng
from perturbed import MODELS, Problem, mass_inside, scenes, smooth

import explainer
from explainer import InputError
from explainer.methods.occlusion import Occlusion

SHAPE = (3, 3, 10, 13)  # sizes that neither windows nor strides divide
ALL = SHAPE[1]


def network(seed=0):
    """Several channels, an inner ReLU, four outputs; in float64."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(650, 4)
    ).double()


def by_captum(net, x, targets, window, stride, baseline, **options):
    return (
        captum.attr.Occlusion(net)
        .attribute(
            torch.from_numpy(x),
            sliding_window_shapes=window,
            strides=stride,
            baselines=baseline,
            target=torch.from_numpy(targets),
            **options,
        )
        .numpy()
    )


def agree(ours, captums, windows_on_a_value):
    """captum adds and divides in float32: one rounding for every window on a value, and the division's."""
    scale = np.abs(captums).max()
    bound = (windows_on_a_value + 2) * np.finfo(np.float32).eps * scale
    assert np.abs(ours - captums).max() <= bound
    assert scale > 0.01


@pytest.mark.parametrize(
    ("window", "stride", "captum_window", "captum_stride"),
    [
        (4, 3, (ALL, 4, 4), 3),
        (5, 1, (ALL, 5, 5), None),
        ((3, 4), (2, 3), (ALL, 3, 4), (1, 2, 3)),
        ((2, 3, 5), (1, 3, 2), (2, 3, 5), (1, 3, 2)),  # windows over two of three channels
        ((2, 4, 4), 2, (2, 4, 4), 2),
        ((10, 4), (7, 4), (ALL, 10, 4), (1, 7, 4)),  # all of one axis
        ((10, 13), (20, 20), (ALL, 10, 13), (1, 20, 20)),  # everything at once
        (1, 1, (ALL, 1, 1), 1),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_occlusion_is_captums(window, stride, captum_window, captum_stride, batch_size):
    net, x, targets = network(), rng(1).standard_normal(SHAPE), np.array([2, 0, 3])

    def function(feeds, rows):
        with torch.no_grad():
            return net(torch.from_numpy(feeds["x"])).numpy()[np.arange(len(rows)), targets[rows]]

    method = Occlusion(window=window, stride=stride, batch_size=batch_size)
    ours = method(Problem(function, x=x))["x"]
    assert ours.shape == x.shape and ours.dtype == x.dtype
    agree(ours, by_captum(net, x, targets, captum_window, captum_stride, 0.0), 25)


def test_every_form_of_baseline_is_captums_with_these_numbers():
    net, targets = network(), np.zeros(3, int)
    x = rng(2).standard_normal(SHAPE) + np.array([1.0, 0.0, -2.0]).reshape(3, 1, 1)

    def function(feeds, rows):
        with torch.no_grad():
            return net(torch.from_numpy(feeds["x"])).numpy()[:, 0]

    numbers = np.array([0.5, -1.0, 2.0]).reshape(1, 3, 1, 1) * np.ones((1, 1, 10, 13))
    for baseline, captums in (
        (0.7, 0.7),
        ((0.5, -1.0, 2.0), torch.from_numpy(numbers)),
        ("mean", torch.from_numpy(np.ones(SHAPE) * x.mean((2, 3), keepdims=True))),
        (x[::-1], torch.from_numpy(x[::-1].copy())),  # another sample for each
        ({"x": x[1]}, torch.from_numpy(np.ones(SHAPE) * x[1])),
    ):
        ours = Occlusion(window=4, stride=3, baseline=baseline)(Problem(function, x=x))["x"]
        agree(ours, by_captum(net, x, targets, (ALL, 4, 4), 3, captums), 4)


def test_several_inputs_are_captums_changed_one_at_a_time():
    a, b = rng(3).standard_normal((2, 2, 6, 7)), rng(4).standard_normal((2, 1, 5, 5))
    function = smooth(0, (2, 6, 7), (1, 5, 5))

    def forward(*tensors):
        feeds = dict(zip("ab", (t.numpy() for t in tensors), strict=True))
        return torch.from_numpy(function(feeds, np.zeros(len(tensors[0]))))

    wanted = captum.attr.Occlusion(forward).attribute(
        (torch.from_numpy(a), torch.from_numpy(b)),
        sliding_window_shapes=((2, 3, 3), (1, 3, 3)),
        strides=(2, 2),
    )
    got = Occlusion(window=3, stride=2, batch_size=5)(Problem(function, a=a, b=b))
    for ours, captums in zip(got.values(), wanted, strict=True):
        agree(ours, captums.numpy(), 4)


@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 5, 6), (1, 2, 4, 5, 6)])
def test_channels_last_is_the_same_transposed(shape):
    x = rng(5).standard_normal(shape)
    function = smooth(1, shape[1:])
    first = Problem(function, x=x)
    last = Problem(
        lambda feeds, rows: function({"x": np.moveaxis(feeds["x"], -1, 1)}, rows),
        layout="NHWC",
        x=np.moveaxis(x, 1, -1),
    )
    method = Occlusion(window=3, stride=2, baseline=tuple(float(c) for c in range(shape[1])))
    np.testing.assert_array_equal(method(last)["x"], np.moveaxis(method(first)["x"], 1, -1))


def test_by_hand():
    # f = x0 + 2·x1 + 3·x2 on 1, 1, 1; windows of 2 at 0 and 1 lose 3 and 5
    problem = Problem(lambda feeds, rows: feeds["x"][:, 0] @ [1.0, 2.0, 3.0], x=np.ones((1, 1, 3)))
    np.testing.assert_allclose(Occlusion(window=2, stride=1)(problem)["x"], [[[3, 4, 5]]])


@pytest.mark.parametrize("size", [64, 224])
def test_the_default_takes_225_windows_of_an_eighth_over_all_channels(size):
    problem = Problem(lambda feeds, rows: np.zeros(len(rows)), x=np.ones((1, 3, size, size), np.float32))
    seen = []
    Occlusion()(problem, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (226, 226)
    hidden = (problem.asked[0][0]["x"] == 0).sum((1, 2, 3))
    assert list(hidden) == [0] + [3 * (size // 8) ** 2] * 31


def test_batches_are_full_bounded_and_reported():
    x = rng(6).standard_normal((3, 1, 4, 4))
    problem, seen = Problem(smooth(2, (1, 4, 4)), x=x), []
    Occlusion(window=2, stride=2, batch_size=4)(problem, lambda done, total: seen.append((done, total)))
    # 3 samples, each as it is and with 4 windows
    assert [len(rows) for _, rows in problem.asked] == [4, 4, 4, 3]
    assert seen == [(4, 15), (8, 15), (12, 15), (15, 15)]
    np.testing.assert_array_equal(np.concatenate([r for _, r in problem.asked]), np.repeat([0, 1, 2], 5))
    np.testing.assert_array_equal(x, rng(6).standard_normal((3, 1, 4, 4)))  # the caller's array is untouched


def test_it_finds_the_shape_that_decides():
    problem, masks = scenes(12, probability=False)
    (x,) = problem.feeds.values()
    (relevance,) = Occlusion(batch_size=64)(problem).values()
    assert relevance.shape == x.shape and relevance.dtype == np.float32
    # Three times what a map that knows nothing would have, in the mean over the scenes.
    assert mass_inside(relevance, masks).mean() > 3 * masks.mean()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"window": 0}, "window can be a positive whole number"),
        ({"window": 2.0}, "window can be a positive whole number"),
        ({"window": ()}, "window can be a positive whole number"),
        ({"window": True}, "window can be a positive whole number"),
        ({"stride": 0}, "stride can be a positive whole number"),
        ({"stride": (1, -1)}, "stride can be a positive whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 on"),
        ({"baseline": "black"}, "baseline can be a finite number"),
        ({"baseline": float("nan")}, "baseline can be a finite number"),
        ({"baseline": {"x": "black"}}, "baseline can be a finite number"),
        ({"baseline": ()}, "baseline can be a finite number"),
    ],
)
def test_options_that_can_never_work_are_refused_at_once(options, reason):
    with pytest.raises(InputError, match=f"^Occlusion: {reason}"):
        Occlusion(**options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"window": 6}, r"a window of \(3, 6, 6\) is larger than input 'x' with \(3, 5, 5\)"),
        ({"window": (4, 2, 2)}, r"a window of \(4, 2, 2\) is larger"),
        ({"window": 2, "stride": 3}, "would never be hidden"),
        ({"window": (1, 2, 2), "stride": 2}, "would never be hidden"),
        ({"window": (2,)}, "window has 1 numbers; input 'x' has 2 spatial axes, 3 with the channels"),
        ({"window": 2, "stride": (1, 1, 1, 1)}, "stride has 4 numbers"),
        ({"baseline": (1.0,) * 5}, "baseline has 5 numbers, input 'x' has 3 channels"),  # not the width
        ({"baseline": np.zeros((4, 5))}, r"baseline: shape \(4, 5\) is neither"),
        ({"baseline": (1.0, 2.0)}, "baseline has 2 numbers, input 'x' has 3 channels"),
        ({"baseline": 1e39}, r"baseline 1e\+39 is beyond float32"),
    ],
)
def test_options_that_do_not_fit_the_input_are_refused_before_the_model_is_asked(options, reason):
    problem = Problem(lambda feeds, rows: np.zeros(len(rows)), x=np.ones((1, 3, 5, 5), np.float32))
    with pytest.raises(InputError, match=reason):
        Occlusion(**options)(problem)
    assert not problem.asked


def test_a_table_loses_a_feature_at_a_time():
    weights = np.arange(1.0, 8.0)
    problem = Problem(lambda feeds, rows: feeds["table"] @ weights, table=np.ones((2, 7)))
    np.testing.assert_allclose(Occlusion()(problem)["table"], [weights, weights])
    pairs = Occlusion(groups=[0, 0, 1, 1, 1, 9, 9])(problem)["table"]
    np.testing.assert_allclose(pairs, [[3, 3, 12, 12, 12, 13, 13]] * 2)


def test_lists_are_options_too():
    assert Occlusion(window=[3, 4], stride=[1, 2], baseline=[1, 2]) == Occlusion(
        (3, 4), (1, 2), baseline=(1, 2)
    )
    assert hash(Occlusion(window=[3, 4]))


def test_what_is_drawn_is_the_amount_of_a_place():
    x = rng(1).standard_normal((1, 3, 64, 64)).astype(np.float32)
    model = MODELS / "shapes.onnx"
    for window in (32, (1, 32, 32)):
        explanation = explainer.explain(model, x, method="occlusion", window=window, stride=window)
        channels = explanation.relevance.sum(1)
        wanted = channels / 3 if window == 32 else channels
        np.testing.assert_allclose(explanation.drawn.sum(1), wanted, rtol=1e-5, atol=1e-6)
