"""What runs the model, what walks and in which number type: three choices, in any combination."""

import numpy as np
import pytest
from building import relative
from residual import picture, residual_net

from explainer import Explainer, InputError, explain
from explainer.walk.backends import Backends

FORWARDS, TYPES = ("onnxruntime", "numpy"), ("float32", "float64")
HOWS = {
    "one walk": {"eps": 1e-2},
    "many points": {"method": "integrated_gradients", "n_steps": 5},
    "beside a reference": {"method": "deeplift"},
    "scores": {"method": "occlusion", "window": 6},
}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("forward", FORWARDS)
def test_any_forward_with_any_type(forward, dtype, how):
    x = picture(2)
    wanted = explain(residual_net(), x, target=1, dtype="float64", **HOWS[how])
    found = explain(residual_net(), x, target=1, dtype=dtype, forward=forward, **HOWS[how])
    assert found.relevance.dtype == dtype
    exact = (forward, dtype) == ("numpy", "float64")
    assert relative(found.relevance, wanted.relevance) < (1e-12 if exact else 1e-3)


@pytest.mark.parametrize("forward", ["numpy", "onnxruntime"])
def test_any_forward_with_the_walk_in_onnxruntime(forward):
    how = {"method": "integrated_gradients", "n_steps": 5, "engine": "onnxruntime", "forward": forward}
    wanted = explain(residual_net(), picture(2), target=1, method="integrated_gradients", n_steps=5)
    assert relative(explain(residual_net(), picture(2), target=1, **how).relevance, wanted.relevance) < 1e-4


def test_by_default_the_type_decides():
    x = picture(2)
    for dtype, forward in zip(TYPES, FORWARDS, strict=True):
        left_out, said = (
            Explainer(residual_net(), dtype=dtype, **how).explain(x, 1) for how in ({}, {"forward": forward})
        )
        np.testing.assert_array_equal(left_out.relevance, said.relevance)
        assert Backends.of(dtype).forward == forward


def test_a_float64_walk_keeps_the_error_of_float32_activations():
    x = picture(2)
    exact, mixed, single = (
        explain(residual_net(), x, target=1, eps=1e-2, **how).relevance
        for how in ({"dtype": "float64"}, {"dtype": "float64", "forward": "onnxruntime"}, {})
    )
    assert mixed.dtype == np.float64
    assert 1e-9 < relative(mixed, exact) < 1e-3
    assert relative(mixed, single) < 1e-3


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"forward": "torch"}, "forward is 'torch'; there is: auto, onnxruntime, numpy"),
        ({"forward": None}, "forward is None; there is: auto"),
        ({"engine": "fast"}, "engine is 'fast'; there is: auto, numpy, onnxruntime"),
        ({"dtype": "float16"}, "dtype is 'float32' or 'float64', not 'float16'"),
        (
            {"engine": "onnxruntime", "dtype": "float64", "forward": "onnxruntime"},
            "engine 'onnxruntime' walks in float32",
        ),
    ],
)
def test_choices_that_are_none(how, message):
    with pytest.raises(InputError, match=message):
        Explainer(residual_net(), **how)
