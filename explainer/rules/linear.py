"""The rules of layers that add something up: z = W x + b."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..tensor import Min, Relu, Value, above, negative, positive
from .base import Rule, Stabilized, Terms
from .handed import Division, Handed, Kept
from .relevance import Exact, Relevance, Stabilizer, Stable

if TYPE_CHECKING:
    from ..layers import Bound


@dataclass(frozen=True)
class Zero(Rule):
    """R_in = x · Wᵀ(R / z), 0/0 := 0; z includes the bias.

    Bach et al. 2015 (PLOS ONE 10(7): e0130140), eq. 56; Montavon et al. 2019, LRP-0. Relevance on a
    z of 0 has nowhere to go: the walk stops with a NumericalError that names the node.
    """

    kinds: ClassVar[frozenset[str] | None] = frozenset({"shares"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})
    proportional: ClassVar[bool] = True
    divides_by_degree: ClassVar[bool] = True

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        z = Exact(layer(x), layer.degree)
        s = R / z
        c = layer.transpose(s)
        return Handed(x, c, (Division(layer, z, s),))


@dataclass(frozen=True)
class Epsilon(Stabilized):
    """R_in = x · Wᵀ(R / st(z)), st(z) = z + sign(z)·ε, sign(0) = +1; z includes the bias.

    Bach et al. 2015 (PLOS ONE 10(7): e0130140), eq. 58; Montavon et al. 2019, LRP-ε.

    Parameters
    ----------
    eps : float
        The stabiliser ε > 0, in the units of z.
    norm_scale : bool
        ε times the root mean square of z, sample by sample.
    clip : bool
        st(z) = sign(z)·max(|z|, ε).
    signed : bool
        False: st(z) = z + ε, as AttnLRP's code has it (Achtibat et al. 2024).
    zero_params
        See `Stabilized`.
    """

    eps: float = 1e-6
    norm_scale: bool = field(default=False, kw_only=True)
    clip: bool = field(default=False, kw_only=True)
    signed: bool = field(default=True, kw_only=True)
    kinds: ClassVar[frozenset[str] | None] = frozenset({"shares"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})
    divides_by_degree: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.flag("norm_scale", "clip", "signed")
        self.require(self.signed or not self.clip, "clip needs the sign of z: leave signed=False out")

    @property
    def takes_relu(self) -> bool:
        return not (self.norm_scale or self.clip or self.zero_params) and self.signed

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        counted = self.counted(layer)
        z = self.stabilizer(layer)(counted(x), layer.degree)
        s = R / z
        c = layer.transpose(s)
        return Handed(x, c, (Division(counted, z, s),))

    def stabilizer(self, layer: Bound) -> Stabilizer:
        """st; a z that is known not to be negative needs no sign."""
        return Stabilizer(self.eps, self.norm_scale, self.clip, self.signed and layer.signed)


@dataclass(frozen=True)
class Norm(Epsilon):
    """R_in = x · Aᵀ(R / st(A x)), A the layer's own map: each summand gets its part.

    The ε rule for sums and average pooling, which have no weights to change; zennit's `Norm`.
    """


@dataclass(frozen=True)
class ZPlus(Stabilized):
    """z = W⁺x⁺ + b⁺ + W⁻x⁻, s = R / st(z); R_in = x⁺·(W⁺)ᵀs + x⁻·(W⁻)ᵀs.

    Montavon et al. 2017 (Deep Taylor, z⁺ rule) for inputs of either sign; equals AlphaBeta(1, 0).
    """

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        terms = Terms(self.counted(layer), x, positive, negative)
        z = self.stabilize(terms.forward())
        s = R / z
        c = terms.transpose(s)
        return Handed(x, c, (Division(terms.main, z, s),))

    def stabilize(self, z: Value) -> Stable:
        return Stabilizer(self.eps, signed=False)(z)  # z is a sum of terms that are 0 or more


@dataclass(frozen=True)
class AlphaBeta(Stabilized):
    """z_p = W⁺x⁺ + b⁺ + W⁻x⁻, z_n = W⁻x⁺ + b⁻ + W⁺x⁻; R_in = α·[via R/st(z_p)] − β·[via R/st(z_n)].

    Bach et al. 2015, eq. 60. α·[x⁺(W⁺)ᵀs_p + x⁻(W⁻)ᵀs_p] − β·[x⁺(W⁻)ᵀs_n + x⁻(W⁺)ᵀs_n].

    Parameters
    ----------
    alpha, beta : float
        Both ≥ 0, α − β = 1: what the positive part hands on in excess is what the negative one takes.
    full_bias : bool
        Both denominators hold the whole bias, as iNNvestigate has it, instead of its part.
    """

    alpha: float = 2.0
    beta: float = 1.0
    full_bias: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.flag("full_bias")
        for name in ("alpha", "beta"):
            value = self.number(name)
            self.require(value >= 0, f"alpha and beta must not be negative, and not {value}")
        self.require(
            math.isclose(self.alpha - self.beta, 1, abs_tol=1e-9),
            f"alpha - beta must be 1, or relevance is not conserved; {self.alpha:g} - {self.beta:g} is not",
        )

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        counted = self.counted(layer)
        part = self._part(layer, Terms(counted, x, positive, negative), R).times(self.alpha)
        if not self.beta:
            return part
        return part + self._part(layer, Terms(counted, x, negative, positive), R).times(-self.beta)

    def _part(self, layer: Bound, terms: Terms, R: Relevance) -> Handed:
        whole, counted = terms.forward(), terms.main
        if self.full_bias and layer.bias is not None and not self.zero_params:
            whole, counted = whole - counted.bias + layer.bias, layer
        z = self.stabilize(whole)
        s = R / z
        return Handed(terms.x, terms.transpose(s), (Division(counted, z, s),))


@dataclass(frozen=True)
class Gamma(Stabilized):
    """Boost what agrees in sign with z: for z > 0 by W + γW⁺ on x⁺ and W + γW⁻ on x⁻, else the reverse.

    W_p = W + γW⁺, W_n = W + γW⁻; z_p = W_p x⁺ + (b + γb⁺) + W_n x⁻, z_n = W_n x⁺ + (b + γb⁻) + W_p x⁻;
    s_p = [z>0]·R/st(z_p), s_n = [z<0]·R/st(z_n);
    R_in = x⁺W_pᵀs_p + x⁻W_nᵀs_p + x⁺W_nᵀs_n + x⁻W_pᵀs_n.
    Montavon et al. 2019, LRP-γ, generalised to values of either sign (Andéol et al. 2021).

    Parameters
    ----------
    gamma : float
        γ ≥ 0; 0 is the ε rule, infinity would be z⁺.
    """

    gamma: float = 0.25
    reads: ClassVar[frozenset[str] | None] = frozenset({"x", "z"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.number("gamma", "0 or more") >= 0, f"gamma must be 0 or more, not {self.gamma}")

    def more(self, w: Value) -> Value:
        """W + γW⁺."""
        return w + Relu(w) * self.gamma

    def less(self, w: Value) -> Value:
        """W + γW⁻."""
        return w + Min(w, 0) * self.gamma

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        counted = self.counted(layer)
        if not layer.signed:  # a Relu is all that reads z, and R is 0 where it is closed: z > 0 elsewhere
            return self._part(Terms(counted, x, self.more, self.less), R)
        z = layer(x)
        part = self._part(Terms(counted, x, self.more, self.less), R * above(z, 0))
        both = part + self._part(Terms(counted, x, self.less, self.more), R * above(-z, 0))
        return Handed(x, both.factor, (*both.account, Kept(R, z)))  # z = 0 has no side to be on

    def _part(self, terms: Terms, R: Relevance) -> Handed:
        z = self.stabilize(terms.forward())
        s = R / z
        return Handed(terms.x, terms.transpose(s), (Division(terms.main, z, s),))

    @property
    def takes_relu(self) -> bool:
        return True


@dataclass(frozen=True)
class _Boosted(Stabilized):
    """R_in = x · W'ᵀ(R / st(W'x + b)), W' a changed W: sound for inputs and outputs that are not negative."""

    eps: float = field(default=1e-9, kw_only=True)

    def boosted(self, w: Value) -> Value:
        """W'."""
        raise NotImplementedError

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        counted = self.counted(layer)
        changed = counted.without_bias().with_params(self.boosted)
        z = self.stabilize(changed(x) if counted.bias is None else changed(x) + counted.bias)
        s = R / z
        return Handed(x, changed.transpose(s), (Division(counted, z, s),))


@dataclass(frozen=True)
class PlainGamma(_Boosted):
    """z = (W + γW⁺) x + b, s = R / st(z); R_in = x · (W + γW⁺)ᵀs, nothing split by sign.

    captum's GammaRule; Montavon et al. 2019, LRP-γ as first written, for inputs that are not negative.
    On networks whose values have either sign its relevance is not conserved: use `Gamma`.

    Parameters
    ----------
    gamma : float
        γ ≥ 0.
    """

    gamma: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.number("gamma", "0 or more") >= 0, f"gamma must be 0 or more, not {self.gamma}")

    def boosted(self, w: Value) -> Value:
        return w + Relu(w) * self.gamma


@dataclass(frozen=True)
class PlainZPlus(_Boosted):
    """z = W⁺x + b, s = R / st(z); R_in = x · (W⁺)ᵀs, x of either sign and the whole bias.

    captum's Alpha1_Beta0_Rule; see `ZPlus` for the sound form.
    """

    def boosted(self, w: Value) -> Value:
        return Relu(w)
