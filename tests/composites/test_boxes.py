"""The z^B rule of the presets: its bounds are those of the model's input, and hold for no other tensor."""

import json

import numpy as np
import pytest
from branching import body, net, rules_of, x_for
from residual import residual_net

from explainer import CompositeError, Explainer, Preprocess
from explainer.rules import ZBox

BOX = {"low": -1.0, "high": (1.0, 2.0, 3.0)}
PHOTOS = {
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.2],
}


def boxes(model, **options):
    return {node: text for node, text in rules_of(model, **options).items() if text.startswith("zbox")}


@pytest.mark.parametrize("preset", ["epsilon_gamma_box", "bounded_deep_taylor"])
def test_bounds_follow_from_the_preprocessing(preset):
    for options in (
        {"model": net(preprocessor_config=json.dumps(PHOTOS))},
        {"model": net(), "preprocess": PHOTOS},
        {
            "model": net(preprocessor_config=json.dumps(PHOTOS | {"image_mean": [0] * 3})),
            "preprocess": PHOTOS,
        },
    ):
        plan = Explainer(**options, composite=preset).plan
        (box,) = (step.rule for step in plan.steps if isinstance(step.rule, ZBox))
        np.testing.assert_allclose(box.low, [-1, -1.6, -1.5])
        np.testing.assert_allclose(box.high, [1, 2.4, 3.5])
    given = {"composite": (preset, {"low": -2}), "preprocess": PHOTOS}
    (text,) = boxes(net(), **given).values()
    assert text.startswith("zbox:-2,1/")


def test_bounds_alike_in_all_channels_are_one_number():
    assert set(
        boxes(net(), composite="epsilon_gamma_box", preprocess=Preprocess(scale=1 / 255)).values()
    ) == {"zbox:0,1"}
    flat = net(body("f = Flatten (x) y = Gemm (f, wf)").replace("[N] y", "[N,4] y"))
    options = {"composite": "bounded_deep_taylor", "preprocess": Preprocess(scale=1 / 255)}
    assert np.isfinite(Explainer(flat, **options).explain(x_for() * 0 + 0.5).relevance).all()


def test_bounds_by_channel_are_flattened_with_the_channels():
    flat = net(body("f = Flatten (x) y = Gemm (f, wf)").replace("[N] y", "[N,4] y"))
    explainer = Explainer(flat, composite="bounded_deep_taylor", preprocess=PHOTOS)
    (box,) = (step.rule for step in explainer.plan.steps if isinstance(step.rule, ZBox))
    np.testing.assert_allclose(box.low, np.repeat([-1, -1.6, -1.5], 64))
    assert np.isfinite(explainer.explain(x_for() * 0 + 0.5).relevance).all()


def test_without_preprocessing_bounds_are_asked_for():
    with pytest.raises(
        CompositeError, match="epsilon_gamma_box' needs low, the least value of the model's input"
    ):
        Explainer(net(), composite="epsilon_gamma_box")


HEAD = "d = Conv (c, w1) y = ReduceMean <keepdims = 0> (d)"
READS_THE_INPUT = {
    "itself": "c = Conv (x, w0)",
    "moved": "t = Transpose <perm = [0, 1, 3, 2]> (x) c = Conv (t, w0)",
    "seen through": "t = Identity (x) c = Conv (t, w0)",
    "normalised by what is merged": "t = BatchNormalization (x, g3, b3, m3, v3) c = Conv (t, w0)",
    "normalised": "s = Sub (x, v) t = Div (s, std) c = Conv (t, w0)",
    "normalised and not merged": "t = BatchNormalization (x, g3, b3, m3, v3)"
    " c = Conv <pads = [1, 1, 1, 1]> (t, w0)",
    "rectified": "t = Relu (x) c = Conv (t, w0)",
    "squashed": "t = Tanh (x) c = Conv (t, w0)",
}
READS_ANOTHER = {
    "waved": "t = Sin (x) c = Conv (t, w0)",
    "averaged": "t = AveragePool <kernel_shape = [2, 2]> (x) c = Conv (t, w0)",
}


@pytest.mark.parametrize("form", READS_THE_INPUT)
def test_the_box_is_for_what_reads_the_input(form):
    found = boxes(net(body(READS_THE_INPUT[form], HEAD)), composite=("epsilon_gamma_box", BOX))
    assert list(found) == ["c"]


@pytest.mark.parametrize("form", READS_ANOTHER)
@pytest.mark.parametrize("preset", ["epsilon_gamma_box", "bounded_deep_taylor"])
def test_a_first_layer_that_reads_another_tensor_is_refused(form, preset):
    model = net(body(READS_ANOTHER[form], HEAD))
    message = r"those of the model's input, but Conv 'c' reads 't', .*such as \"c=zbox:-1,1\""
    with pytest.raises(CompositeError, match=message):
        boxes(model, composite=(preset, BOX))
    assert boxes(model, composite=(preset, BOX), rules=["c=zbox:-1,1"]) == {"c": "zbox:-1,1"}
    assert boxes(model, rules=["first=zbox:-1,1"]) == {"c": "zbox:-1,1"}


def test_a_second_branch_with_the_image_is_refused_too():
    text = body(
        "a = Conv <pads = [1, 1, 1, 1]> (x, w0) r = Relu (a) j = Concat <axis = 1> (r, x)",
        "c = Conv (j, w8) y = ReduceMean <keepdims = 0> (c)",
    )
    with pytest.raises(CompositeError, match="Conv 'c' reads 'j'"):
        boxes(net(text), composite=("epsilon_gamma_box", BOX))


def test_epsilon_gamma_box_leaves_a_dense_first_layer_to_epsilon():
    text = "g (float[N,4] x) => (float[N,4] y) { a = MatMul (x, wc) b = Relu (a) y = MatMul (b, wc) }"
    assert rules_of(net(text), composite=("epsilon_gamma_box", BOX))["a"] == "epsilon:1e-06"
    assert rules_of(net(text), composite=("bounded_deep_taylor", {"low": 0, "high": 1}))["a"] == "zbox:0,1"


def test_the_box_of_a_real_form_of_network():
    """Its pixels are shifted and scaled inside the file."""
    found = boxes(residual_net(), composite=("epsilon_gamma_box", BOX))
    assert list(found) == ["c0"] and found["c0"] != "zbox:-1,1/2/3"


def test_another_preprocessing_is_another_explainer_with_other_bounds():
    first = Explainer(net(), composite="epsilon_gamma_box", preprocess=PHOTOS)
    with pytest.raises(AttributeError, match=r"make another one: Explainer\(model, preprocess=\.\.\.\)"):
        first.preprocess = Preprocess(scale=1 / 255)
    explainer = Explainer(net(), composite="epsilon_gamma_box", preprocess=Preprocess(scale=1 / 255))
    (box,) = (step.rule for step in explainer.plan.steps if isinstance(step.rule, ZBox))
    assert (box.low, box.high) == (0, 1)
