"""Gradients of recurrent nets as PyTorch has them: weights in ONNX's order of gates."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from test_recurrent import FEATURES, HIDDEN, X, model

import explainer

# ONNX has i, o, f, g and z, r, n; PyTorch i, f, g, o and r, z, n.
ORDER = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}


@pytest.mark.parametrize("operator", ORDER)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_the_gradient_is_autograds(operator, direction):
    how = f'direction="{direction}"' + (", linear_before_reset=1" if operator == "GRU" else "")
    if operator == "RNN":
        how += ', activations=["Tanh", "Tanh"]' if direction == "bidirectional" else ""
    net = model(operator, how, "y")
    arrays = {entry.name: onnx.numpy_helper.to_array(entry) for entry in net.graph.initializer}
    twin = getattr(torch.nn, operator)(FEATURES, HIDDEN, bidirectional=direction != "forward").double()

    def turned(array):
        gates = array.reshape(len(ORDER[operator]), HIDDEN, -1)[ORDER[operator]]
        return torch.from_numpy(gates.reshape(-1, gates.shape[-1]).astype(np.float64))

    with torch.no_grad():
        for place in range(len(arrays["w"])):
            end = "_l0" + "_reverse" * place
            wb, rb = np.split(arrays["b"][place], 2)
            for name, array in (("weight_ih", arrays["w"][place]), ("weight_hh", arrays["r"][place])):
                getattr(twin, name + end).copy_(turned(array))
            for name, array in (("bias_ih", wb), ("bias_hh", rb)):
                getattr(twin, name + end).copy_(turned(array)[:, 0])
    x = torch.from_numpy(X.astype(np.float64)).requires_grad_()
    y, _ = twin(x.transpose(0, 1))
    y = y.reshape(X.shape[1], len(X), -1, HIDDEN).permute(1, 0, 2, 3).reshape(len(X), -1)
    (y @ torch.from_numpy(arrays["v"].astype(np.float64)))[:, 1].sum().backward()
    found = explainer.Explainer(net, method="gradient", dtype="float64").explain(X, target=1)
    np.testing.assert_allclose(found.relevance, x.grad.numpy(), rtol=0, atol=1e-9 * float(x.grad.abs().max()))


class Stacked(torch.nn.Module):
    """Two layers in both directions, the last step's output into a dense layer."""

    def __init__(self, operator):
        super().__init__()
        self.net = getattr(torch.nn, operator)(
            FEATURES, HIDDEN, num_layers=2, bidirectional=True, batch_first=True
        )
        self.head = torch.nn.Linear(2 * HIDDEN, 2)

    def forward(self, x):
        return self.head(self.net(x)[0][:, -1])


@pytest.mark.parametrize("operator", ORDER)
def test_an_exported_net_has_autograds_gradient_and_compiles(operator):
    torch.manual_seed(0)
    net, file, x = Stacked(operator).eval(), io.BytesIO(), torch.from_numpy(X)
    names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called old, and batches of other sizes a risk
        torch.onnx.export(net, (x,), file, dynamo=False, opset_version=17, **names)
    wide = x.double().requires_grad_()
    net.double()(wide)[:, 1].sum().backward()
    found = explainer.Explainer(file.getvalue(), method="gradient", dtype="float64").explain(X, target=1)
    np.testing.assert_allclose(
        found.relevance, wide.grad.numpy(), rtol=0, atol=1e-9 * float(wide.grad.abs().max())
    )
    explainer.compile(file.getvalue())
