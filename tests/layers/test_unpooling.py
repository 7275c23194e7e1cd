"""MaxUnpool behind a MaxPool: where a maximum was is a parameter of the call, what lies there is relevant."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from building import parse, rng, run

import explainer

W, V = (rng(seed).standard_normal((3, 3, 3, 3)).astype(np.float32) / 3 for seed in (1, 2))
NET = """g (float[N,3,8,8] x) => (float[N,3,8,8] y) {
    c = Conv <pads = [1,1,1,1]> (x, w)
    p, i = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
    d = Conv <pads = [1,1,1,1]> (p, v)
    u = MaxUnpool <kernel_shape = [2,2], strides = [2,2]> (d, i)
    y = Conv <pads = [1,1,1,1]> (u, w)
}"""
TARGET = "y[1, 3, 4]"


def x_for(samples):
    return rng(3).standard_normal((samples, 3, 8, 8)).astype(np.float32)


def torch_net(x):
    w, v = (torch.from_numpy(weights).to(x.dtype) for weights in (W, V))
    p, i = F.max_pool2d(F.conv2d(x, w, padding=1), 2, return_indices=True)
    return F.conv2d(F.max_unpool2d(F.conv2d(p, v, padding=1), i, 2), w, padding=1)


@pytest.mark.parametrize("samples", [1, 3])
def test_gradients_are_autograds(samples):
    model = parse(NET, w=W, v=V)
    found = explainer.explain(model, x_for(samples), target=TARGET, method="gradient", dtype="float64")
    x = torch.from_numpy(x_for(samples)).double().requires_grad_()
    torch_net(x)[:, 1, 3, 4].sum().backward()
    np.testing.assert_allclose(found.relevance, x.grad, rtol=1e-9, atol=1e-12)


def test_relevance_is_conserved_and_compiled(tmp_path):
    model = parse(NET, w=W, v=V)
    found = explainer.explain(model, x_for(1), target=TARGET)
    np.testing.assert_allclose(found.relevance.sum(), found.score, rtol=1e-3)
    explainer.compile(model, tmp_path / "lrp.onnx", target=TARGET)
    made = onnx.load(tmp_path / "lrp.onnx")
    named = dict(zip([value.name for value in made.graph.output], run(made, {"x": x_for(1)}), strict=True))
    np.testing.assert_allclose(named["relevance"], found.relevance, rtol=1e-3, atol=1e-5)
