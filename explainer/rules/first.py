"""Rules for the layers that read the input: what pixels get is not told by their values alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import shown
from ..tensor import Bundle, Value, negative, ones_like, per_channel, positive
from .base import Stabilized, is_finite
from .handed import Division, Handed
from .relevance import Relevance

if TYPE_CHECKING:
    from ..layers import Bound

# A number, or one for each channel.
Limit = float | tuple[float, ...]


@dataclass(frozen=True)
class ZBox(Stabilized):
    """z' = Wx − W⁺low − W⁻high, s = R / st(z'); R_in = x·Wᵀs − low·(W⁺)ᵀs − high·(W⁻)ᵀs.

    Montavon et al. 2017, z^B rule: for an input known to lie in [low, high], as pixels do. The bias
    cancels: z' counts from the least value that the box allows.

    Parameters
    ----------
    low, high : float or tuple of float
        The box, in the units of what the layer reads; one number, or one per channel (axis 1). (A preset's
        are those of the model's input, and are put through its preprocessing.)
    """

    low: Limit
    high: Limit
    proportional: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            value = getattr(self, name)
            if hasattr(value, "tolist") and not hasattr(value, "mask"):  # an array of NumPy's
                value = value.tolist()
            ends = value if isinstance(value, tuple | list) else (value,)
            self.require(
                len(ends) > 0 and all(map(is_finite, ends)),
                f"{name} must be a finite number, or one per channel, not {shown(value)}",
            )
            plain = tuple(map(float, ends)) if isinstance(value, tuple | list) else float(value)
            object.__setattr__(self, name, plain)
        lows, highs = (v if isinstance(v, tuple) else (v,) for v in (self.low, self.high))
        self.require(
            len(lows) == len(highs) or 1 in (len(lows), len(highs)),
            f"low has {len(lows)} channels and high {len(highs)}",
        )
        self.require(
            max(map(float.__sub__, lows, highs)) < 0, f"low must be below high; [{lows}, {highs}] is no box"
        )

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        for bound in (self.low, self.high):
            if isinstance(bound, tuple) and (isinstance(x, Bundle) or len(bound) not in (1, x.shape[1])):
                what = "several tensors" if isinstance(x, Bundle) else str(x.shape)
                self.require(
                    False,
                    f"{bound} has one bound per channel, but the layer's input is {what}: give one number",
                )
        linear = layer.without_bias()
        up, down = linear.with_params(positive), linear.with_params(negative)
        low, high = ones_like(x) * per_channel(self.low, x), ones_like(x) * per_channel(self.high, x)
        z = self.stabilize(linear(x) - up(low) - down(high))
        s = R / z
        R_in = x * linear.transpose(s) - low * up.transpose(s) - high * down.transpose(s)
        return Handed(None, R_in, (Division(linear, z, s),))


@dataclass(frozen=True)
class WSquare(Stabilized):
    """z = W²1 + b², s = R / st(z); R_in = (W²)ᵀs: by the weights alone, whatever the input.

    Montavon et al. 2017, w² rule, for first layers whose input has no bounds.
    """

    proportional: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        squared = self.counted(layer).with_params(lambda w: w * w)
        z = self.stabilize(squared(ones_like(x)))
        s = R / z
        return Handed(None, squared.transpose(s), (Division(squared, z, s),))


@dataclass(frozen=True)
class Flat(Stabilized):
    """z = 1·1, s = R / st(z); R_in = 1ᵀs: evenly over all inputs of a neuron; no bias.

    Bach et al. 2016 (*Controlling explanatory heatmap resolution*), for first layers.
    """

    proportional: ClassVar[bool] = False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        even = layer.with_params(ones_like).without_bias()
        z = self.stabilize(even(ones_like(x)))
        s = R / z
        return Handed(None, even.transpose(s), (Division(even, z, s),))
