"""iNNvestigate's presets out of zennit's parts: its own package needs TensorFlow, and is not installed.

Read from its documentation and code (2.1). Where it departs from zennit: AlphaBetaRule has the whole bias
in both denominators; SafeDivide adds 1e-7 to a denominator that is exactly 0, and nothing to any other;
deep Taylor gives additions, average pooling and Relus their plain gradient, and no layer the w² rule.
"""

from __future__ import annotations

import torch
import zennit.layer
from torch import Tensor, nn
from zennit.composites import MixedComposite, NameMapComposite, SpecialFirstLayerMapComposite
from zennit.core import BasicHook, Composite, Hook
from zennit.rules import AlphaBeta, ClampMod, Epsilon, Flat, Norm, Pass, WSquare, ZBox, ZPlus
from zennit.types import Activation, AvgPool, BatchNorm, Convolution, Linear

DENSE = 0.1  # the presets' ε


def safe(z: Tensor) -> Tensor:
    """SafeDivide's denominator."""
    return torch.where(z == 0, 1e-7, z)


class WholeBias(BasicHook):
    """AlphaBetaRule: z_p = W⁺x⁺ + b⁺ + W⁻x⁻ + b⁻, z_n = W⁻x⁺ + b⁻ + W⁺x⁻ + b⁺."""

    def __init__(self, alpha: float, beta: float) -> None:
        positive, negative = ClampMod(min=0.0), ClampMod(max=0.0)

        def divide(R: Tensor, z: list[Tensor]) -> list[Tensor]:
            return [R / safe(z[0] + z[1])] * 2 + [R / safe(z[2] + z[3])] * 2

        def add_up(x: list[Tensor], c: list[Tensor]) -> Tensor:
            return alpha * (x[0] * c[0] + x[1] * c[1]) - beta * (x[2] * c[2] + x[3] * c[3])

        super().__init__(
            input_modifiers=[lambda x: x.clamp(min=0), lambda x: x.clamp(max=0)] * 2,
            param_modifiers=[positive, negative, negative, positive],
            output_modifiers=[lambda z: z] * 4,
            gradient_mapper=divide,
            reducer=add_up,
        )


def composite(
    convolution: Hook, dense: Hook, first: Hook | None = None, sums: Hook | None = None, gated: bool = False
) -> Composite:
    """A layer map; without `sums` additions and averages have their gradient, and so have Relus if gated."""
    layers = [(BatchNorm, Pass()), (Convolution, convolution), (nn.Linear, dense)]
    layers += [((zennit.layer.Sum, AvgPool), sums)] * (sums is not None) + [(Activation, Pass())] * (
        not gated
    )
    return SpecialFirstLayerMapComposite(layers, [(Linear, first)] * (first is not None))


def presets(low: float, high: float) -> dict[str, Composite]:
    """As ours are without a dialect: ε and bias as in zennit, deep Taylor as in its paper."""
    a, b, dense, sums = AlphaBeta(1, 0), AlphaBeta(2, 1), Epsilon(DENSE), Norm()
    taylor = ZPlus(zero_params="bias")
    return {
        "sequential_preset_a": composite(a, dense, sums=sums),
        "sequential_preset_b": composite(b, dense, sums=sums),
        "sequential_preset_a_flat": composite(a, dense, Flat(), sums=sums),
        "sequential_preset_b_flat": composite(b, dense, Flat(), sums=sums),
        "deep_taylor": composite(taylor, taylor, WSquare(), sums=sums),
        "bounded_deep_taylor": composite(taylor, taylor, ZBox(low, high), sums=sums),
    }


def own_presets(low: float, high: float) -> dict[str, Composite]:
    """As iNNvestigate has them."""
    a, b, dense, sums, flat = WholeBias(1, 0), WholeBias(2, 1), Epsilon(DENSE), Norm(safe), Flat(safe)
    taylor = ZPlus(safe, zero_params="bias")
    return {
        "sequential_preset_a": composite(a, dense, sums=sums),
        "sequential_preset_b": composite(b, dense, sums=sums),
        "sequential_preset_a_flat": composite(a, dense, flat, sums=sums),
        "sequential_preset_b_flat": composite(b, dense, flat, sums=sums),
        "deep_taylor": composite(taylor, taylor, gated=True),
        "bounded_deep_taylor": composite(taylor, taylor, ZBox(low, high, safe), gated=True),
    }


def flat_until(names: list[str], rest: Composite) -> Composite:
    """The layers of these names flat, the rest by another composite."""
    return MixedComposite([NameMapComposite([(names, Flat())]), rest])
