"""Methods that are composites, guided backpropagation and the like: captum's and zennit's, in float64."""

import captum.attr
import numpy as np
import pytest
import torch
import zennit.composites
from building import relative
from twins import CLASSES, EXACT, picture, twin
from zennit.attribution import Gradient

import explainer
from explainer import CompositeError, methods

OURS = ["guided_backprop", "deconvnet", "excitation_backprop", "beta_smooth"]


def by_zennit(module, x, target, composite):
    """From 1 at the target."""
    ones = torch.eye(CLASSES, dtype=torch.float64)[[target] * len(x)]
    with Gradient(module, composite, attr_output=lambda output: ones) as attributor:
        _, found = attributor(torch.from_numpy(x).double())
    return found.detach().numpy()


@pytest.mark.parametrize("target", [0, 4])
@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU:UserWarning")
@pytest.mark.parametrize(
    ("method", "captums"), [("guided_backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")]
)
def test_captums(method, captums, target):
    net, x = twin("relus"), picture(3)
    points = torch.from_numpy(x).double().requires_grad_()
    theirs = getattr(captum.attr, captums)(net.module).attribute(points, target=target).detach().numpy()
    assert relative(net.explain(x, method, target).relevance, theirs) < EXACT
    assert relative(theirs, net.gradient(x, target)) > 0.01


ZENNITS = {
    "guided_backprop": zennit.composites.GuidedBackprop,
    "deconvnet": zennit.composites.DeconvNet,
    "beta_smooth": zennit.composites.BetaSmooth,
    "excitation_backprop": zennit.composites.ExcitationBackprop,
}


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("name", ["relus", "chain"])
def test_zennits(name, method):
    """On the chain there is a Tanh: in zennit's dialect only ReLUs are touched."""
    net, x = twin(name), picture(3)
    theirs = by_zennit(net.module, x, 2, ZENNITS[method]())
    ours = net.explain(x, method, 2, dialect="zennit", start="one").relevance
    assert relative(ours, theirs) < EXACT


def test_parameters_are_the_composites():
    net, x = twin("relus"), picture(2)
    theirs = by_zennit(net.module, x, 1, zennit.composites.BetaSmooth(beta_smooth=3.0))
    assert relative(net.explain(x, "beta_smooth", 1, beta=3.0).relevance, theirs) < EXACT
    with pytest.raises(CompositeError, match="composite 'beta_smooth' takes no gamma; it takes beta"):
        net.explain(x, "beta_smooth", 1, gamma=3.0)
    with pytest.raises(CompositeError, match="composite 'gradient' takes no n_steps"):
        net.explain(x, "gradient", 1, n_steps=3)


@pytest.mark.parametrize("name", [*OURS, "gradient"])
def test_the_method_is_another_name_for_lrp_with_the_composite(name):
    net, x = twin("residual"), picture(2)
    assert name in methods.COMPOSITES
    named = explainer.Explainer(net.model, method=name, keep="all").explain(x, 1)
    walked = explainer.Explainer(net.model, composite=name, keep="all").explain(x, 1)
    np.testing.assert_array_equal(named.relevance, walked.relevance)
    for tensor, value in walked.relevances.items():
        np.testing.assert_array_equal(named.relevances[tensor], value)
    assert (named.method, walked.method) == (name, "lrp")
    assert named.composite == walked.composite


def test_a_composite_given_with_a_method_of_gradients_makes_its_walks():
    """SmoothGrad and IG of the modified gradient, as zennit's attributors do under a composite."""
    net, x = twin("relus"), picture(2)
    plain = net.explain(x, "guided_backprop", 2).relevance
    assert (
        relative(net.explain(x, "input_x_gradient", 2, composite="guided_backprop").relevance, plain * x)
        < EXACT
    )
    with torch.no_grad():
        points = torch.from_numpy(x).double()
    wanted = sum(
        by_zennit(net.module, (points * a).numpy(), 2, ZENNITS["guided_backprop"]())
        for a in (1 / 3, 2 / 3, 1)
    )
    how = {"n_steps": 3, "quadrature": "riemann_right", "composite": "guided_backprop"}
    found = net.explain(x, "integrated_gradients", 2, **how).relevance
    assert relative(found, wanted / 3 * x) < 1e-9
