"""What is put on the target tensor: relevance for a walk, or the gradient of what is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import TargetError
from ..layers.multipliers import sigmoid_multipliers, softmax_multipliers
from ..tensor import Array, ReduceSum, Relu, Reshape, Shape, Sigmoid, Softmax, Value, Where, total
from .anchor import Anchor
from .choosing import Chosen, per_sample
from .resolve import Target


def put_relevance(target: Target, chosen: Chosen, values: Mapping[str, Value], samples: int) -> Value:
    """The relevance on the target tensor, shaped like it; t is the target, p its softmax or sigmoid.

    ==============  ====================================================================
    ``output``      z_t; a whole tensor or a region starts from all of its values
    ``one``         1
    ``probability`` p_t, on the value before the Softmax or Sigmoid
    ``margin``      z_A at A and −z_B at B
    ``clrp``        z_t, and −z_t / (C − 1) at each of the C − 1 other classes
    ``sglrp``       p_t·(1 − p_t), and −p_t·p_j at each other class j
    ==============  ====================================================================

    LRP's rules are linear in the relevance. So one walk from a difference is the difference of the
    two walks in which the papers write CLRP and SGLRP, and a margin's map is that of A less that of
    B. (Guided backpropagation and DeconvNet are not linear: they have the one walk alone.)

    Where a Softmax was cut, classes compete along its axis, at each place on their own; else along
    the only axis of a sample that is longer than 1. After a Sigmoid each value has its own p, and
    ``sglrp`` is p_t·(1 − p_t) at the target alone. CLRP2 is no start: it negates the last layer's
    weights, which changes nothing for the epsilon rule.

    Parameters
    ----------
    target : Target
    chosen : Chosen
        What `choose` returned.
    values : dict of str -> Value
        The target tensor among them.
    samples : int

    Raises
    ------
    TargetError
        No class axis for a probability or a contrast.

    References
    ----------
    CLRP: Gu et al. 2018, arXiv 1812.02100 (CLRP1; the map is what `finish` makes of the walk's).
    SGLRP: Iwana et al. 2019, arXiv 1908.04351.
    """
    anchor, start = target.anchor, target.start
    z = values[anchor.tensor]
    if start == "output":
        return _only(chosen, z, z, samples)
    if start == "one":
        return _only(chosen, z, z * 0 + 1, samples)
    if start == "margin":
        assert chosen.rival is not None
        return _only(chosen, z, z, samples) - _only(chosen.rival, z, z, samples)
    if start == "probability":
        return _only(chosen, z, _probability(anchor, z), samples)
    if start == "sglrp":
        return _probability_gradient(target, chosen, z, samples)
    hit = _only(chosen, z, z * 0 + 1, samples)
    axes = _classes_beside(target, chosen, z)
    return hit * z - (1 - hit) * (ReduceSum(hit * z, axes) / ReduceSum(1 - hit, axes))


def seed(
    target: Target,
    chosen: Chosen,
    values: Mapping[str, Value],
    samples: int,
    references: Mapping[str, Value] | None = None,
) -> Value:
    """The gradient of what is explained, by the target tensor: where a gradient method starts.

    1 at the target (for all of a region or a tensor: of the sum); 1 at A and −1 at B for a margin;
    the softmax's or sigmoid's gradient for a probability, or with references its Δp / Δz.

    Parameters
    ----------
    target, chosen, values, samples : see `put_relevance`
    references : dict of str -> Value, optional
        The values of a reference, which rules compare these with: DeepLIFT's.

    Raises
    ------
    TargetError
        "clrp", which explains no number; or no class axis for a probability.
    """
    z = values[target.anchor.tensor]
    if target.start == "clrp":
        raise TargetError("start: 'clrp' contrasts two walks; a gradient can have 'sglrp' or 'margin'")
    if target.start in ("probability", "sglrp"):
        if references is not None:
            return _probability_multipliers(target, chosen, z, references[target.anchor.tensor], samples)
        return _probability_gradient(target, chosen, z, samples)
    ones = z * 0 + 1
    slope = _only(chosen, z, ones, samples)
    return slope if chosen.rival is None else slope - _only(chosen.rival, z, ones, samples)


def score(target: Target, chosen: Chosen, values: Mapping[str, Array], samples: int) -> Array:
    """What is explained, (N,) in float64: z_t, p_t or z_A − z_B; of a region or a tensor the sum.

    On arrays alone, for what is said about an explanation. Not a number where the samples of a
    whole tensor cannot be told apart.
    """
    explained = {"one": "output", "clrp": "output", "sglrp": "probability"}
    alike = replace(target, start=explained.get(target.start, target.start))
    return np.asarray(total(put_relevance(alike, chosen, values, samples), samples))


def check_scored(target: Target) -> None:
    """Refuse a start that says what a walk begins with, where scores alone are asked for.

    Raises
    ------
    TargetError
    """
    if target.start in ("one", "clrp"):
        raise TargetError(
            f"start: {target.start!r} says what a walk begins with, and has no effect where scores alone are "
            "asked for: leave it out, or take 'probability' or 'margin'"
        )


def finish(target: Target, R: Value) -> Value:
    """The map that a walk's result is for: CLRP keeps what speaks for the target more than for others.

    max(0, R − R_contrast), Gu et al. 2018.
    """
    return Relu(R) if target.start == "clrp" else R


def is_balanced(target: Target) -> bool:
    """Whether the relevance that is put on the target sums to zero by its own definition."""
    return target.start == "clrp" or (target.start == "sglrp" and not target.anchor.is_sigmoid)


def _only(chosen: Chosen, z: Value, x: Value, samples: int) -> Value:
    """`x`, shaped like z, at the chosen places and 0 elsewhere."""
    if chosen.hit is None:
        return x
    flat = per_sample(x, samples)
    return Reshape(Where(chosen.hit, flat, flat * 0), Shape(z))


def _probability(anchor: Anchor, z: Value) -> Value:
    """The softmax or sigmoid of the target tensor, shaped like it."""
    if anchor.is_sigmoid:
        return Sigmoid(z)
    axes = _class_axes(anchor, z)
    if len(axes) == 1:
        return Softmax(z, axis=int(axes[0]))
    return Reshape(Softmax(Reshape(z, np.array([0] * int(axes[0]) + [-1])), axis=-1), Shape(z))


def _probability_gradient(target: Target, chosen: Chosen, z: Value, samples: int) -> Value:
    """d(Σ_t p_t) / dz: p_t·(1 − p_t) at t and −p_t·p_j at the others."""
    p = _probability(target.anchor, z)
    p_t = _only(chosen, z, p, samples)
    # 1 − p_t by another way: the difference would lose all digits of a sure prediction.
    if target.anchor.is_sigmoid:
        return p_t * Sigmoid(-z)
    axes, p_j = _class_axes(target.anchor, z), p - p_t
    return p_t * ReduceSum(p_j, axes) - p_j * ReduceSum(p_t, axes)


def _probability_multipliers(target: Target, chosen: Chosen, z: Value, z0: Value, samples: int) -> Value:
    """Δ(Σ_t p_t) / Δz by the rescale rule, z0 the logits of the reference."""

    def at_target(x: Value) -> Value:
        return _only(chosen, z, x, samples)

    if target.anchor.is_sigmoid:
        return at_target(sigmoid_multipliers(z, z0))
    p, p0 = _probability(target.anchor, z), _probability(target.anchor, z0)
    return softmax_multipliers(z, z0, p, p0, _class_axes(target.anchor, z), at_target)


def _classes_beside(target: Target, chosen: Chosen, z: Value) -> Array:
    """The class axes, along which a region must leave some class to contrast it with."""
    axes = _class_axes(target.anchor, z)
    if chosen.index is None and chosen.hit.reshape(-1, *z.shape[1:]).all(axis=tuple(axes)).any():
        raise TargetError(
            f"start: 'clrp' contrasts with other classes, and {target.index} has them all; name one class"
        )
    return axes


def _class_axes(anchor: Anchor, z: Value) -> Array:
    """The axes along which classes compete.

    Raises
    ------
    TargetError
        The values end in no Softmax and are not one per class.
    """
    if anchor.axis is not None:
        first = anchor.axis % z.ndim
        return np.arange(first, z.ndim if anchor.flattens else first + 1)
    axes = [axis for axis, size in enumerate(z.shape) if axis and size != 1]
    if len(axes) != 1:
        raise TargetError(
            f"start: {anchor.tensor!r}, {list(z.shape[1:])} per sample, ends in no Softmax and is not one "
            "value per class: no class axis; 'output', 'one' and 'margin' need none"
        )
    return np.array(axes)
