"""The gradients of normalisations written out, beside PyTorch's autograd in float64."""

import numpy as np
import pytest
import torch
from building import relative
from norm_forms import FORMS, X, net

from explainer import Explainer


@pytest.mark.parametrize("name", FORMS)
def test_the_gradient_is_autograds(name):
    _, body, function = FORMS[name]
    made = Explainer(net(body), method="gradient", dtype="float64")
    front, head = (torch.tensor(made.graph.constant(key), dtype=torch.float64) for key in ("front", "head"))
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    out = function(x @ front) @ head
    (wanted,) = torch.autograd.grad(out[:, 1, 2].sum(), x)
    # The file's constants are of float32: 1/6 alone is 1e-8 off.
    limit = 1e-6 if name == "JAX's" else 1e-9
    assert relative(made.explain(X, target=(1, 2)).relevance, wanted.numpy()) < limit
    assert np.isfinite(wanted.numpy()).all()
