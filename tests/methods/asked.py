"""Every method with options that keep it short, and a segmentation to ask about."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer

# Options that keep them short; each asks the model at many points, or at two, or at one.
METHODS = {
    "lrp": {},
    "gradient": {},
    "input_x_gradient": {},
    "integrated_gradients": {"n_steps": 5, "baseline": 0.1},
    "gradient_shap": {"n_samples": 3, "stdev": 0.1},
    "smoothgrad": {"n_samples": 3},
    "vargrad": {"n_samples": 3},
    "deeplift": {"baseline": 0.1},
    "grad_cam": {},
    "grad_cam_plus_plus": {},
    "occlusion": {"window": 3},
    "rise": {"n_masks": 6, "cells": 2},
}
ELSEWHERE = [
    name
    for name in METHODS
    if name not in ("lrp", "gradient", "input_x_gradient", "grad_cam", "grad_cam_plus_plus")
]
every_method = pytest.mark.parametrize("method", METHODS)

MASKS = """g (float[N,2,6,6] x) => (float[N,3,4,4] y) {
    c = Conv (x, w) r = Tanh (c) y = Conv (r, v) }"""


def masks(batch="N"):
    """A segmentation: a mask of 4 × 4 for each of three classes."""
    text = MASKS.replace("[N", f"[{batch}")
    return parse(text, w=rng(1).standard_normal((4, 2, 3, 3)), v=rng(2).standard_normal((3, 4, 1, 1)))


def scenes(samples=3):
    return rng(3, samples).standard_normal((samples, 2, 6, 6)).astype(np.float32)


def maps(model, method, x, target="top", start="output", against=None, **how):
    """By a method, its walks in float64 where there are any."""
    options = {**METHODS[method], **how}
    return Explainer(model, method=method, dtype="float64", **options).explain(x, target, start, against)


def of_masks(method, x, target, batch="N", **how):
    """The segmentation's last convolution makes the target, so another tensor must be named for Grad-CAM."""
    tensor = {"tensor": "r"} if "cam" in method else {}
    return maps(masks(batch), method, x, target, **tensor, **how)
