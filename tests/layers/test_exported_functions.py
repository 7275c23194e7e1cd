"""What PyTorch's exporter makes of einsum, norms, maxima and single functions: gradients are autograd's."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from building import relative, rng

import explainer
from explainer import Explainer

FORMS = {
    "attention by einsum": lambda x: torch.einsum(
        "bij,bjd->bid", torch.softmax(torch.einsum("bid,bjd->bij", x, x), -1), x
    ),
    "cumsum": lambda x: torch.cumsum(x, 1),
    "triangle": lambda x: torch.tril(x),
    "maximum": lambda x: torch.maximum(x, x.flip(-1)),
    "clamp by maximum": lambda x: torch.maximum(x, torch.tensor(0.1)),
    "amax": lambda x: x.amax(-1, keepdim=True) + x,
    "amin": lambda x: x.amin(1, keepdim=True) + x,
    "norm": lambda x: torch.linalg.vector_norm(x, 2, -1, True) + x,
    "1-norm": lambda x: torch.linalg.vector_norm(x, 1, -1, True) + x,
    "logsumexp": lambda x: torch.logsumexp(x, -1, True) + x,
    "exp and log": lambda x: torch.log(1.5 + torch.exp(x)),
    "reciprocal": lambda x: torch.reciprocal(1 + x * x),
    "root": lambda x: torch.sqrt(1 + x**2),
    "cube": lambda x: x**3,
    "erf": lambda x: torch.erf(x),
    "sine": lambda x: torch.sin(x) + torch.cos(x) + torch.atan(x),
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "generalised mean": lambda x: x.abs().clamp(min=1e-6).pow(3.0).mean(-1, keepdim=True).pow(1 / 3) + x,
    "lp pool": lambda x: F.lp_pool1d(x.abs() + 0.1, 2, 3),
}


class Net(torch.nn.Module):
    def __init__(self, form):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.form = torch.nn.Linear(6, 6), form
        self.last = torch.nn.LazyLinear(3)

    def forward(self, x):
        return self.last(self.form(self.first(x)).flatten(1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", FORMS)
def test_what_is_exported_is_explained(name):
    x = rng(5).standard_normal((2, 4, 6)).astype(np.float32)
    net = Net(FORMS[name]).eval()
    net(torch.tensor(x))
    file = io.BytesIO()
    torch.onnx.export(
        net,
        (torch.tensor(x),),
        file,
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        dynamic_axes={"x": {0: "N"}},
    )
    model = file.getvalue()
    found = Explainer(model, method="gradient", dtype="float64").explain(x, target=1).relevance
    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net.double()(leaf)[:, 1].sum(), leaf)
    assert relative(found, gradient.numpy()) < 1e-6  # constants such as 1/3 are in float32 in the file
    whole = Explainer(model, dtype="float64", eps=1e-9).explain(x, target=1)
    for step in whole.audit:
        assert abs(step.residual).max() < 1e-10 * max(1, abs(step.R_out).max(), abs(step.R_in).max())
    explainer.compile(model, target=1)
