"""Presets under the names that people know. Each takes a dialect, and its own parameters by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import CompositeError
from ..layers import Layer
from ..rules import (
    BetaSmooth,
    Deconvnet,
    Flat,
    Gradient,
    GuidedBackprop,
    Pass,
    Rescale,
    Route,
    Rule,
    WSquare,
    ZBox,
    ZPlus,
)
from .base import Composite, Match, first_of, of_kind
from .dialects import DIALECTS, Dialect
from .selectors import UNTIL, Selector

Rules = tuple[tuple[Match, Rule], ...]
# ε, or None for the dialect's own -> a rule.
Make = Callable[[float | None], Rule]
KERNEL = ("convolution", "dense")


def _layered(
    dialect: Dialect,
    name: str,
    *,
    dense: Make,
    convolution: Make | None = None,
    before: Rules = (),
    eps: float | None = None,
) -> Composite:
    """A rule for convolutions and one for dense layers, each made with ε; the rest as the dialect has it."""
    rules: Rules = (
        *before,
        (of_kind("convolution"), (convolution or dense)(eps)),
        (of_kind("dense"), dense(eps)),
        (of_kind("scale"), dialect.scale(eps)),
        (of_kind("sum"), dialect.norm(eps)),
        (of_kind("winner"), dialect.winner(eps)),
        (of_kind("activation"), Pass()),
        (of_kind("movement"), Route()),
    )
    return Composite(name, rules, dialect.merge_batchnorm)


def epsilon(dialect: Dialect, eps: float | None = None) -> Composite:
    """ε at every layer that adds something up. Bach et al. 2015, eq. 58."""
    return _layered(dialect, "epsilon", dense=dialect.epsilon, eps=eps)


def epsilon_plus(dialect: Dialect, eps: float | None = None) -> Composite:
    """Convolutions z⁺, dense layers ε; zennit's `EpsilonPlus`."""
    return _layered(dialect, "epsilon_plus", dense=dialect.epsilon, convolution=dialect.zplus, eps=eps)


def epsilon_plus_flat(dialect: Dialect, eps: float | None = None) -> Composite:
    """`epsilon_plus`, the first layer flat; zennit's `EpsilonPlusFlat`."""
    return _layered(
        dialect,
        "epsilon_plus_flat",
        dense=dialect.epsilon,
        convolution=dialect.zplus,
        before=_flat_first(dialect, eps),
        eps=eps,
    )


def epsilon_alpha2_beta1(dialect: Dialect, eps: float | None = None) -> Composite:
    """Convolutions α2β1, dense layers ε; zennit's `EpsilonAlpha2Beta1`."""
    return _layered(
        dialect,
        "epsilon_alpha2_beta1",
        dense=dialect.epsilon,
        convolution=lambda e: dialect.alpha_beta(2, 1, e),
        eps=eps,
    )


def epsilon_alpha2_beta1_flat(dialect: Dialect, eps: float | None = None) -> Composite:
    """`epsilon_alpha2_beta1`, the first layer flat; zennit's `EpsilonAlpha2Beta1Flat`."""
    return _layered(
        dialect,
        "epsilon_alpha2_beta1_flat",
        dense=dialect.epsilon,
        convolution=lambda e: dialect.alpha_beta(2, 1, e),
        before=_flat_first(dialect, eps),
        eps=eps,
    )


def epsilon_gamma_box(
    dialect: Dialect, low: Any = None, high: Any = None, gamma: float = 0.25, eps: float | None = None
) -> Composite:
    """First convolution z^B, other convolutions γ, dense layers ε; zennit's `EpsilonGammaBox`."""
    return _layered(
        dialect,
        "epsilon_gamma_box",
        dense=dialect.epsilon,
        convolution=lambda e: dialect.gamma(gamma, e),
        before=((_first_at_input("convolution"), _box(dialect, "epsilon_gamma_box", low, high, eps)),),
        eps=eps,
    )


def gamma(dialect: Dialect, gamma: float = 0.25, eps: float | None = None) -> Composite:
    """γ at every layer with weights; captum's GammaRule in its dialect."""
    return _layered(dialect, "gamma", dense=lambda e: dialect.gamma(gamma, e), eps=eps)


def zplus(dialect: Dialect, eps: float | None = None) -> Composite:
    """z⁺ at every layer with weights; captum's Alpha1_Beta0_Rule in its dialect."""
    return _layered(dialect, "zplus", dense=dialect.zplus, eps=eps)


def captum(dialect: Dialect, eps: float | None = None) -> Composite:
    """captum's defaults: ε = 1e-9 everywhere, on BatchNormalization and max pooling too."""
    own = DIALECTS["captum"]
    return _layered(own, "captum", dense=own.epsilon, eps=eps)


def _sequential(
    dialect: Dialect, name: str, alpha: float, beta: float, before: Rules, eps: float
) -> Composite:
    return _layered(
        dialect,
        name,
        dense=lambda _: dialect.epsilon(eps),
        convolution=lambda e: dialect.alpha_beta(alpha, beta, e),
        before=before,
    )


def _flat_first(dialect: Dialect, eps: float | None = None) -> Rules:
    return ((first_of(*KERNEL), Flat(eps=dialect.other(eps))),)


def _flat_until(dialect: Dialect, name: str, until: str) -> Rules:
    if not until:
        raise CompositeError(f"composite {name!r} needs until: the name of the last node that is flat")
    return ((Selector(UNTIL + until), Flat(eps=dialect.other(None))),)


def sequential_preset_a(dialect: Dialect, eps: float = 0.1) -> Composite:
    """Convolutions α1β0, dense layers ε = 0.1; iNNvestigate's preset of this name."""
    return _sequential(dialect, "sequential_preset_a", 1, 0, (), eps)


def sequential_preset_b(dialect: Dialect, eps: float = 0.1) -> Composite:
    """Convolutions α2β1, dense layers ε = 0.1; iNNvestigate's preset of this name."""
    return _sequential(dialect, "sequential_preset_b", 2, 1, (), eps)


def sequential_preset_a_flat(dialect: Dialect, eps: float = 0.1) -> Composite:
    """`sequential_preset_a`, the first layer flat."""
    return _sequential(dialect, "sequential_preset_a_flat", 1, 0, _flat_first(dialect), eps)


def sequential_preset_b_flat(dialect: Dialect, eps: float = 0.1) -> Composite:
    """`sequential_preset_b`, the first layer flat."""
    return _sequential(dialect, "sequential_preset_b_flat", 2, 1, _flat_first(dialect), eps)


def sequential_preset_a_flat_until(dialect: Dialect, until: str = "", eps: float = 0.1) -> Composite:
    """`sequential_preset_a`, every layer from the input up to the node `until` flat."""
    name = "sequential_preset_a_flat_until"
    return _sequential(dialect, name, 1, 0, _flat_until(dialect, name, until), eps)


def sequential_preset_b_flat_until(dialect: Dialect, until: str = "", eps: float = 0.1) -> Composite:
    """`sequential_preset_b`, every layer from the input up to the node `until` flat."""
    name = "sequential_preset_b_flat_until"
    return _sequential(dialect, name, 2, 1, _flat_until(dialect, name, until), eps)


def _taylor(dialect: Dialect, name: str, first: Rules, eps: float | None) -> Composite:
    if dialect.name == "innvestigate":
        # Its sums, average pooling and activations hand back their gradient, which does not conserve.
        first = (*first, (of_kind("sum", "activation"), Gradient()))
    return _layered(dialect, name, dense=_unbiased(dialect), before=first, eps=eps)


def _unbiased(dialect: Dialect) -> Make:
    return lambda eps: ZPlus(eps=dialect.other(eps), zero_params="bias")


def deep_taylor(dialect: Dialect, eps: float | None = None) -> Composite:
    """First layer w², others z⁺ without biases. Montavon et al. 2017.

    iNNvestigate's, in its dialect, has z⁺ at the first layer too.
    """
    first = () if dialect.name == "innvestigate" else ((first_of(*KERNEL), WSquare(eps=dialect.other(eps))),)
    return _taylor(dialect, "deep_taylor", first, eps)


def bounded_deep_taylor(
    dialect: Dialect, low: Any = None, high: Any = None, eps: float | None = None
) -> Composite:
    """First layer z^B, others z⁺ without biases: for inputs in [low, high]. Montavon et al. 2017."""
    box = _box(dialect, "bounded_deep_taylor", low, high, eps)
    return _taylor(dialect, "bounded_deep_taylor", ((_first_at_input(*KERNEL), box),), eps)


def excitation_backprop(dialect: Dialect, eps: float | None = None) -> Composite:
    """z⁺ at every layer with weights; zennit's `ExcitationBackprop`. Zhang et al. 2016."""
    # zennit has no rule for activations here: they hand on what their gradient lets through.
    gated: Rules = ((of_kind("activation"), Gradient()),) if dialect.name == "zennit" else ()
    return _layered(dialect, "excitation_backprop", dense=dialect.zplus, before=gated, eps=eps)


def _gradients(dialect: Dialect, name: str, activation: Rule) -> Composite:
    changed = _relu if dialect.relus_only else of_kind("activation")
    rules: Rules = ((changed, activation), (_anything, Gradient()))
    return Composite(name, rules, gradient=True)


def _relu(layer: Layer) -> bool:
    return layer.node.operator == "Relu"


def _anything(layer: Layer) -> bool:
    return True


def gradient(dialect: Dialect) -> Composite:
    """The gradient itself."""
    return _gradients(dialect, "gradient", Gradient())


def guided_backprop(dialect: Dialect) -> Composite:
    """The gradient, cut off where it is negative at every activation. Springenberg et al. 2015."""
    return _gradients(dialect, "guided_backprop", GuidedBackprop())


def deconvnet(dialect: Dialect) -> Composite:
    """The gradient, activations rectifying it in place of their input. Zeiler & Fergus 2014."""
    return _gradients(dialect, "deconvnet", Deconvnet())


def beta_smooth(dialect: Dialect, beta: float = 10.0) -> Composite:
    """The gradient with smoothed activations; zennit's `BetaSmooth`. Dombrowski et al. 2019."""
    return _gradients(dialect, "beta_smooth", BetaSmooth(beta))


def deeplift(dialect: Dialect) -> Composite:
    """DeepLIFT's multipliers by the rescale rule. Shrikumar et al. 2017."""
    rules: Rules = ((of_kind("activation", "winner"), Rescale()), (_anything, Gradient()))
    return Composite("deeplift", rules, gradient=True)


def _first_at_input(*kinds: str) -> Match:
    """Match first layers; refuse one whose input is not the model's, for which the bounds do not hold."""

    def match(layer: Layer) -> bool:
        if not (layer.place.first and layer.kind in kinds):
            return False
        if not layer.place.at_input:
            raise CompositeError(
                f"low and high are those of the model's input, but {layer.node} reads {layer.inputs[0]!r}, "
                "which is computed from it: give a rule for this layer with the bounds of that tensor, "
                f'such as "{layer.node.name}=zbox:-1,1"'
            )
        return True

    return match


def _box(dialect: Dialect, name: str, low: Any, high: Any, eps: float | None) -> Rule:
    if low is None or high is None:
        raise CompositeError(
            f"composite {name!r} needs low and high, the least and the largest value of the model's input, "
            "one number each or one per channel: with preprocessing known they follow from it"
        )
    return ZBox(low, high, eps=dialect.other(eps))
