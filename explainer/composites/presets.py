"""Presets under the names that people know. Each takes a dialect, and its own parameters by name.

`eps` is the stabiliser of the ε rule, None the dialect's own; where a preset has other rules beside
it, theirs is `stabilizer`, as in zennit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import CompositeError
from ..rules import Gradient, Pass, Rule, ZPlus
from .base import Composite, preset
from .dialects import DIALECTS, ROLES, Dialect
from .matches import Match, first_of, last_of, of_kind
from .selectors import UNTIL, Selector


def _layered(
    dialect: Dialect, dense: Rule, convolution: Rule | None = None, eps: float | None = None
) -> Composite:
    """A rule for dense layers and one for convolutions; all others as the dialect has them, with `eps`."""
    chosen: list[tuple[Match, Rule]] = [
        (of_kind("convolution"), convolution or dense),
        (of_kind("dense"), dense),
    ]
    chosen += [(of_kind(role), rule(dialect, eps)) for role, rule in ROLES.items()]
    return Composite("", tuple(chosen), dialect.views)


def _flat(composite: Composite, dialect: Dialect, eps: float | None = None) -> Composite:
    return composite.behind((first_of(), dialect.flat(eps)))


def _flat_until(composite: Composite, dialect: Dialect, until: str) -> Composite:
    if not isinstance(until, str | int):  # a node's name may be a number, as the command line reads it
        raise CompositeError(f"until is a node's name, not {until!r}")
    return composite.behind((Selector(f"{UNTIL}{until}"), dialect.flat()))


def _boxed(composite: Composite, at: Match, box: Rule) -> Composite:
    return replace(composite.behind((at, box)), box=box)


# One rule at every layer with weights.


@preset
def epsilon(dialect: Dialect, eps: float | None = None) -> Composite:
    """ε at every layer that adds something up. Bach et al. 2015, eq. 58."""
    return _layered(dialect, dialect.epsilon(eps), eps=eps)


@preset
def zero(dialect: Dialect) -> Composite:
    """LRP-0, ε without its stabiliser, at every layer with weights. Bach et al. 2015, eq. 56."""
    return _layered(dialect, dialect.zero())


@preset
def zplus(dialect: Dialect, eps: float | None = None) -> Composite:
    """z⁺ at every layer with weights. Montavon et al. 2017; captum's Alpha1_Beta0_Rule in its dialect."""
    return _layered(dialect, dialect.zplus(eps), eps=eps)


@preset
def alpha1_beta0(dialect: Dialect, eps: float | None = None) -> Composite:
    """α1β0 at every layer with weights; iNNvestigate's has the bias, its z⁺ not. Bach et al. 2015, eq. 60."""
    return _layered(dialect, dialect.alpha_beta(1, 0, eps), eps=eps)


@preset
def alpha2_beta1(dialect: Dialect, eps: float | None = None) -> Composite:
    """α2β1 at every layer with weights. Bach et al. 2015, eq. 60."""
    return _layered(dialect, dialect.alpha_beta(2, 1, eps), eps=eps)


@preset
def gamma(dialect: Dialect, gamma: float = 0.25, eps: float | None = None) -> Composite:
    """γ at every layer with weights. Montavon et al. 2019; captum's GammaRule in its dialect."""
    return _layered(dialect, dialect.gamma(gamma, eps), eps=eps)


@preset
def wsquare(dialect: Dialect, eps: float | None = None) -> Composite:
    """w² at every layer with weights; iNNvestigate's `lrp.w_square`. Montavon et al. 2017."""
    return _layered(dialect, dialect.wsquare(eps), eps=eps)


@preset
def flat(dialect: Dialect, eps: float | None = None) -> Composite:
    """Flat at every layer with weights; iNNvestigate's `lrp.flat`. Bach et al. 2016."""
    return _layered(dialect, dialect.flat(eps), eps=eps)


@preset
def captum(dialect: Dialect, eps: float | None = None) -> Composite:
    """captum's defaults: ε = 1e-9 everywhere, on BatchNormalization and max pooling too."""
    return epsilon(DIALECTS["captum"], eps)


@preset
def attnlrp(dialect: Dialect, eps: float | None = None) -> Composite:
    """AttnLRP: ε, products shared alike, a Softmax by its tangent. Achtibat et al. 2024."""
    return epsilon(DIALECTS["attnlrp"], eps)


@preset
def cp_lrp(dialect: Dialect, eps: float | None = None) -> Composite:
    """CP-LRP: ε, the weights of an attention held constant. Ali et al. 2022; Achtibat et al. 2024."""
    return epsilon(DIALECTS["cp_lrp"], eps)


@preset
def cp_lrp_gamma(
    dialect: Dialect, conv_gamma: float = 0.25, lin_gamma: float = 0.05, eps: float | None = None
) -> Composite:
    """CP-LRP for ViTs, γ at convolutions and dense layers, as LXT has it. Achtibat et al. 2024."""
    theirs = DIALECTS["cp_lrp"]
    dense, convolution = (theirs.gamma(gamma, eps) for gamma in (lin_gamma, conv_gamma))
    return _layered(theirs, dense, convolution, eps)


# zennit's: a rule for convolutions, ε for dense layers.


@preset
def epsilon_plus(dialect: Dialect, eps: float | None = None, stabilizer: float | None = None) -> Composite:
    """Convolutions z⁺, dense layers ε; zennit's `EpsilonPlus`."""
    return _layered(dialect, dialect.epsilon(eps), dialect.zplus(stabilizer), stabilizer)


@preset
def epsilon_plus_flat(
    dialect: Dialect, eps: float | None = None, stabilizer: float | None = None
) -> Composite:
    """`epsilon_plus`, the first layer flat; zennit's `EpsilonPlusFlat`."""
    return _flat(epsilon_plus(dialect, eps, stabilizer), dialect, stabilizer)


@preset
def epsilon_alpha2_beta1(
    dialect: Dialect, eps: float | None = None, stabilizer: float | None = None
) -> Composite:
    """Convolutions α2β1, dense layers ε; zennit's `EpsilonAlpha2Beta1`."""
    return _layered(dialect, dialect.epsilon(eps), dialect.alpha_beta(2, 1, stabilizer), stabilizer)


@preset
def epsilon_alpha2_beta1_flat(
    dialect: Dialect, eps: float | None = None, stabilizer: float | None = None
) -> Composite:
    """`epsilon_alpha2_beta1`, the first layer flat; zennit's `EpsilonAlpha2Beta1Flat`."""
    return _flat(epsilon_alpha2_beta1(dialect, eps, stabilizer), dialect, stabilizer)


@preset
def epsilon_gamma_box(
    dialect: Dialect,
    low: Any,
    high: Any,
    gamma: float = 0.25,
    eps: float | None = None,
    stabilizer: float | None = None,
) -> Composite:
    """First convolution z^B, other convolutions γ, dense layers ε; zennit's `EpsilonGammaBox`."""
    others = _layered(dialect, dialect.epsilon(eps), dialect.gamma(gamma, stabilizer), stabilizer)
    return _boxed(others, first_of("convolution"), dialect.box(low, high, stabilizer))


@preset
def excitation_backprop(dialect: Dialect, eps: float | None = None) -> Composite:
    """z⁺ at every layer with weights; zennit's `ExcitationBackprop`. Zhang et al. 2016."""
    composite = zplus(dialect, eps)
    if dialect.name == "zennit":
        # It names no rule for these here: they hand on their gradient.
        return composite.behind((of_kind("activation", "scale"), Gradient()))
    return composite


# iNNvestigate's: ε = 0.1 for dense layers.


@preset
def sequential_preset_a(dialect: Dialect, eps: float = 0.1) -> Composite:
    """Convolutions α1β0, dense layers ε = 0.1; iNNvestigate's `lrp.sequential_preset_a`."""
    return _layered(dialect, dialect.epsilon(eps), dialect.alpha_beta(1, 0))


@preset
def sequential_preset_b(dialect: Dialect, eps: float = 0.1) -> Composite:
    """Convolutions α2β1, dense layers ε = 0.1; iNNvestigate's `lrp.sequential_preset_b`."""
    return _layered(dialect, dialect.epsilon(eps), dialect.alpha_beta(2, 1))


@preset
def sequential_preset_a_flat(dialect: Dialect, eps: float = 0.1) -> Composite:
    """`sequential_preset_a`, the first layer flat; iNNvestigate's `lrp.sequential_preset_a_flat`."""
    return _flat(sequential_preset_a(dialect, eps), dialect)


@preset
def sequential_preset_b_flat(dialect: Dialect, eps: float = 0.1) -> Composite:
    """`sequential_preset_b`, the first layer flat; iNNvestigate's `lrp.sequential_preset_b_flat`."""
    return _flat(sequential_preset_b(dialect, eps), dialect)


@preset
def sequential_preset_a_flat_until(dialect: Dialect, until: str, eps: float = 0.1) -> Composite:
    """`sequential_preset_a`, flat from the input up to a node."""
    return _flat_until(sequential_preset_a(dialect, eps), dialect, until)


@preset
def sequential_preset_b_flat_until(dialect: Dialect, until: str, eps: float = 0.1) -> Composite:
    """`sequential_preset_b`, flat from the input up to a node; iNNvestigate counts layers instead."""
    return _flat_until(sequential_preset_b(dialect, eps), dialect, until)


# Deep Taylor decomposition.


def _taylor(dialect: Dialect, eps: float | None) -> Composite:
    composite = _layered(dialect, ZPlus(eps=dialect.other(eps), zero_params="bias"), eps=eps)
    if dialect.name == "innvestigate":
        # Its sums, average pooling and activations hand back the gradient, which does not conserve;
        # its w² on a BatchNormalization hands all to the one input.
        return composite.behind((of_kind("sum", "activation"), Gradient()), (of_kind("scale"), Pass()))
    return composite


@preset
def deep_taylor(dialect: Dialect, eps: float | None = None) -> Composite:
    """First layer w² (z⁺ in iNNvestigate's dialect), others z⁺ without biases. Montavon et al. 2017."""
    composite = _taylor(dialect, eps)
    if dialect.name == "innvestigate":
        return composite
    return composite.behind((first_of(), dialect.wsquare(eps)))


@preset
def bounded_deep_taylor(dialect: Dialect, low: Any, high: Any, eps: float | None = None) -> Composite:
    """First layer z^B, others z⁺ without biases: for inputs in [low, high]. Montavon et al. 2017."""
    return _boxed(_taylor(dialect, eps), first_of(), dialect.box(low, high, eps))


# Ours, from what was measured.


@preset
def recommended(
    dialect: Dialect, gamma: float = 1.0, eps: float | None = None, stabilizer: float | None = None
) -> Composite:
    """First convolution w², others γ, dense layers and the last layer ε; see docs/choosing-rules.md."""
    epsilon = dialect.epsilon(eps)
    others = _layered(dialect, epsilon, dialect.gamma(gamma, stabilizer), stabilizer)
    return others.behind((last_of(), epsilon), (first_of("convolution"), dialect.wsquare(stabilizer)))
