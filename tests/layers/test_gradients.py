"""Every layer's transpose is the gradient: beside finite differences and PyTorch's autograd, in float64."""

import numpy as np
import pytest
import torch
from building import relative, rng
from examples import EXAMPLES, IN_NETS, Example
from recording import check
from test_layers import each_example
from torch_operators import TORCH

from explainer.layers import Bound, supported
from explainer.testing import check_derivative
from explainer.testing.dense import flat, like
from explainer.testing.maps import STEP

# Registered operators that PyTorch does not have, and why nothing stands for them.
WITHOUT_COUNTERPART = {
    **dict.fromkeys(IN_NETS, "test_recurrent_torch.py has whole nets"),
    **dict.fromkeys(
        ("Resize", "Upsample"), "PyTorch has few of its rules; onnxruntime and finite differences have all"
    ),
}

# Where activations bend: points, or attributes that name them.
KINKS = {
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Elu", "Celu", "Selu", "Softsign"), (0.0,)),
    "ThresholdedRelu": ("alpha",),
    "HardSwish": (-3.0, 3.0),
    **dict.fromkeys(("Abs", "Sign"), (0.0,)),
    # Theirs follow from the bounds.
    "Clip": (),
    "HardSigmoid": (),
    "Shrink": (),
}
# Those that change in steps, at whole numbers and between: never where x is a quarter more than a whole one.
STEPS = ("Round", "Floor", "Ceil")
# Where functions that are not defined everywhere are far from where they end, by what leads there.
INSIDE = {("Softsign", "Exp"): (0.5, 2.5), ("Softsign",): (-0.6, 0.6), ("Softsign", "Exp", "Exp"): (1.6, 4.0)}

# What bounds the error of central differences: Celu with alpha = 0.4 has the largest |f‴|, alpha⁻².
THIRD_DERIVATIVE = 0.4**-2

activations = [example for example in EXAMPLES if example.kind == "activation"]
each_activation = pytest.mark.parametrize("example", activations, ids=str)
bent = [example for example in activations if example.operator in KINKS]


def kinks_of(example: Example, layer: Bound) -> list[float]:
    """Where the activation bends."""
    attributes = layer.node.attributes
    if example.operator == "Clip":
        return [
            float(bound) for bound in layer.layer.bounds(layer.p) if bound is not None and abs(bound) < 1e38
        ]
    if example.operator == "HardSigmoid":
        return [(y - attributes["beta"]) / attributes["alpha"] for y in (0, 1)]
    if example.operator == "Shrink":
        return [-attributes["lambd"], attributes["lambd"]]
    return [attributes.get(kink, kink) for kink in KINKS.get(example.operator, ())]


def smooth_here(example: Example, layer: Bound) -> Bound:
    """The layer bound to an input that has no kink within two steps."""
    x = layer.x
    if example.through:
        x = np.clip(x, *INSIDE[example.through])
    elif example.operator in STEPS:
        x = np.floor(3 * x) + 0.25
    elif example.operator == "Div" and not layer.kind.linear:  # a divisor far from 0
        values = flat(x)
        x = like(np.sign(values) * (1.5 + abs(values)), x)
    elif layer.kind == "winner":  # no two values are close
        values = flat(x)
        x = like(np.argsort(np.argsort(values)) / values.size * 6 - 3, x)
    elif layer.kind == "activation":
        x = 3 * x
        for kink in kinks_of(example, layer):
            assert (x < kink).any() and (x > kink).any()
            x = np.where(abs(x - kink) < 2 * STEP, kink + 2 * STEP, x)
    return layer.at(x)


@each_example
def test_the_transpose_is_what_finite_differences_say(example: Example):
    for layer in example.layers():
        # Each product of three has f‴ = 6, and there are no more of them than values.
        products = 6 * flat(layer.x).size if layer.degree == 3 else 0
        check_derivative(smooth_here(example, layer), max(THIRD_DERIVATIVE, products))


def by_torch(example: Example, layer: Bound, s: np.ndarray, output: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's z, and its gradient at the layer's input for s, as one vector."""
    parts = layer.x if isinstance(layer.x, tuple) else (layer.x,)
    leaves = [torch.tensor(part, requires_grad=True) for part in parts]
    inputs = iter(leaves)
    operands = [next(inputs) if isinstance(o, tuple) else for_torch(o) for o in example.operands]
    z = TORCH[example.operator](
        {**layer.node.attributes, "outputs": example.outputs, "opset": example.opset}, *operands
    )
    z = z[output] if example.outputs > 1 else z
    gradients = torch.autograd.grad(z, leaves, torch.tensor(s))
    return z.detach().numpy(), flat(tuple(gradient.numpy() for gradient in gradients))


def for_torch(constant: np.ndarray | None):
    """Weights in float64, axes and sizes as a list."""
    if constant is None:
        return None
    return constant.tolist() if constant.dtype.kind == "i" else torch.tensor(constant, dtype=torch.float64)


def test_every_operator_has_a_counterpart_or_a_reason():
    assert set(TORCH) | set(WITHOUT_COUNTERPART) == set(supported())
    assert not set(TORCH) & set(WITHOUT_COUNTERPART)


@each_example
def test_the_transpose_is_pytorchs_gradient(example: Example):
    if example.operator in WITHOUT_COUNTERPART:
        pytest.skip(WITHOUT_COUNTERPART[example.operator])
    for output, layer in enumerate(example.layers()):
        layer = smooth_here(example, layer)
        z = layer.forward(layer.x)
        s = rng(5).standard_normal(z.shape)
        theirs, gradient = by_torch(example, layer, s, output)
        assert relative(z, theirs) < 1e-12
        assert relative(flat(layer.transpose(s)), gradient) < 1e-12


@pytest.mark.parametrize("example", bent, ids=str)
def test_at_a_kink_the_derivative_is_pytorchs(example: Example):
    (layer,) = example.layers()
    for kink in kinks_of(example, layer):
        layer = layer.at(np.full_like(layer.x, kink))
        s = rng(6).standard_normal(layer.x.shape)
        _, gradient = by_torch(example, layer, s)
        assert relative(flat(layer.transpose(s)), gradient) < 1e-15


@pytest.mark.parametrize(
    "example", [e for e in activations if not e.through and e.operator not in ("Sinh", "Pow")], ids=str
)
def test_far_from_0_nothing_overflows(example: Example):
    (layer,) = example.layers(np.float32)
    x = np.resize(np.float32([-1e4, -100, -20, 20, 100, 1e4]), layer.x.shape)
    layer = layer.at(x)
    found = layer.layer.derivative(x, layer.p)
    assert found.shape == x.shape
    assert found.dtype == np.float32
    wide = layer.at(x.astype(np.float64))
    _, wanted = by_torch(example, wide, np.ones(x.shape))
    np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-6, atol=1e-6)


@each_activation
def test_the_derivative_compiles_and_agrees_with_numpy(example: Example):
    (layer,) = example.layers(np.float32)
    s = rng(7).standard_normal(layer.x.shape).astype(np.float32)

    def transpose(x, s, *parameters):
        return layer.layer.bind(x, None, dict(zip(layer.p, parameters, strict=True))).transpose(s)

    x = layer.x if example.through else 3 * layer.x
    check([x, s, *layer.p.values()], transpose, nodes=None)
