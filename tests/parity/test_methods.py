"""Methods that follow no rule, against captum in float64: 1e-8 of the largest value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import captum.attr
import compared
import nets
import peers
import pytest
import torch
import zennit.attribution
from precision import double_precision
from torch import Tensor

import explainer

SIZE = 64
STEPS = 9
DEEPLIFT_WARNS = "ignore:Setting forward, backward hooks:UserWarning"
RELU_WARNS = "ignore:Setting backward hooks on ReLU:UserWarning"


@pytest.fixture
def baseline() -> Any:
    """A picture: in a flat one every window's maximum is a tie, which rounding decides."""
    return torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(6))


@pytest.fixture
def check(file, network, x, agree) -> Callable[..., None]:
    """Compare a method of ours with theirs(model, x, target), and put it down in the table."""

    def compare(row: str, name: str, theirs: Callable[..., Tensor], method: str, **options: Any) -> None:
        picture = x[:1]
        ours = explainer.Explainer(file(name), method=method, dtype="float64", **options)
        explanation = ours.explain(picture.numpy())
        model, target = peers.plain(nets.double(network(name))), int(explanation.target[0])
        with double_precision():
            answer = theirs(model, picture.double().requires_grad_(), target)
        comparison = explainer.compare(explanation.relevance, answer.detach().numpy())
        compared.METHODS.record(row, name, comparison.error)
        agree(comparison, compared.DEEP)

    return compare


def by(explain: type, **options: Any) -> Callable[..., Tensor]:
    """captum's answer."""
    return lambda model, x, target: explain(model).attribute(x, target=target, **options)


SIMPLE = {
    "gradient": by(captum.attr.Saliency, abs=False),
    "input_x_gradient": by(captum.attr.InputXGradient),
    "guided_backprop": by(captum.attr.GuidedBackprop),
    "deconvnet": by(captum.attr.Deconvolution),
}


@pytest.mark.filterwarnings(RELU_WARNS)
@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18"])
@pytest.mark.parametrize("method", SIMPLE)
def test_gradients(method, name, check):
    check(method, name, SIMPLE[method], method)


@pytest.mark.parametrize("quadrature", compared.QUADRATURES)
def test_integrated_gradients(quadrature, check, baseline):
    scale = STEPS / (STEPS - 1) if quadrature == "riemann_trapezoid" else 1.0
    integrate = by(
        captum.attr.IntegratedGradients, n_steps=STEPS, method=quadrature, baselines=baseline.double()
    )
    check(
        f"integrated_gradients, {quadrature}",
        "resnet18",
        lambda *given: integrate(*given) * scale,
        "integrated_gradients",
        n_steps=STEPS,
        baseline=baseline.numpy(),
        quadrature=quadrature,
        batch_size=4,
    )


def test_integrated_gradients_of_zennit(check, baseline):
    def integrate(model: Any, x: Tensor, target: int) -> Tensor:
        with zennit.attribution.IntegratedGradients(
            model,
            attr_output=lambda logits: peers.one(logits, torch.tensor([target])),
            n_iter=STEPS,
            baseline_fn=lambda x: baseline.to(x),
        ) as attributor:
            return attributor(x)[1]

    options = {"n_steps": STEPS, "quadrature": "riemann_right", "baseline": baseline.numpy()}
    check("integrated_gradients, zennit", "resnet18", integrate, "integrated_gradients", **options)


@pytest.mark.filterwarnings(DEEPLIFT_WARNS)
def test_deeplift(check, baseline):
    theirs = by(captum.attr.DeepLift, baselines=baseline.double())
    check("deeplift", "vgg11_bn", theirs, "deeplift", baseline=baseline.numpy())


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
@pytest.mark.parametrize(("name", "layer"), [("vgg11_bn", "features.27"), ("resnet18", "layer4")])
def test_grad_cam(name, layer, upsampling, check):
    def cam(model: Any, x: Tensor, target: int) -> Tensor:
        grad_cam = captum.attr.LayerGradCam(model, model.get_submodule(layer))
        return torch.nn.functional.interpolate(
            grad_cam.attribute(x, target=target), x.shape[2:], mode=upsampling
        )

    check(f"grad_cam, {upsampling}", name, cam, "grad_cam", upsampling=upsampling, signed=True)
