"""Whether a bound layer is the map that it says it is: its numbers, its transpose, its weights, its slope."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import shown
from ..layers import Bound
from ..tensor import Array
from .comparing import drawn, is_array, relative, require
from .dense import bias_of, flat, like

# Of float32 sums in another order.
ROUNDING = 2e-6
# Of two float64 ways to one number.
EXACT = 1e-12
# The step of the central differences. They are off by h²/6·|f‴| for truncation, and by some rounding
# errors of the largest number over h.
STEP = 2.0**-15
# What of |f‴| is allowed for.
THIRD_DERIVATIVE = 6.25
# At how many inputs an edge is tried to be avoided.
TRIES = 20


def _require_bound(layer: object) -> None:
    require(isinstance(layer, Bound), f"{shown(layer):.80} is no Bound, a layer with its input")


def check_forward(layer: Bound, z: Array, tolerance: float = ROUNDING) -> None:
    """A layer's forward is z, in the type of its input.

    Parameters
    ----------
    layer : Bound
    z : array
        What onnxruntime computes.
    tolerance : float
        Relative to the largest value.

    Raises
    ------
    AssertionError
    """
    _require_bound(layer)
    ours = layer.forward(layer.x)
    require(is_array(ours), f"forward returns {type(ours).__name__}, not an array")
    dtype = flat(layer.x).dtype
    require(ours.shape == z.shape, f"forward has shape {ours.shape}, onnxruntime's output {z.shape}")
    require(ours.dtype == dtype, f"forward makes {ours.dtype} of {dtype}")
    gap = relative(ours, z)
    require(gap < tolerance, f"forward is off by {gap:.2g} of onnxruntime's largest value")


def check_adjoint(layer: Bound) -> None:
    """⟨A x, s⟩ = ⟨x, Aᵀs⟩, and what is missing to ⟨z, s⟩ is the constants' share.

    Of a product of n activations, whose degree is n, n·⟨z, s⟩ = ⟨x, Jᵀs⟩.

    What divides by its own deviation does so once that is held. The transpose of an activation, a recurrent
    net and a curve of several values is its slope, of which this says nothing: see `check_derivative`.

    Parameters
    ----------
    layer : Bound
        In float64.

    Raises
    ------
    AssertionError
    """
    _require_bound(layer)
    layer = layer.held()
    z = layer.forward(layer.x)
    s = drawn("adjoint").standard_normal(z.shape)
    c = layer.transpose(s)
    require(
        is_array(c), f"transpose returns {type(c).__name__}, not an array, or a Bundle of several inputs'"
    )
    require(
        _parts(c) == _parts(layer.x),
        f"transpose returns {_parts(c)}, and the layer has {_parts(layer.x)}",
    )
    pairs = zip(c, layer.x, strict=True) if isinstance(layer.x, tuple) else [(c, layer.x)]
    for part, x in pairs:
        require(part.shape == x.shape, f"transpose has shape {part.shape}, its input {x.shape}")
        require(part.dtype == x.dtype, f"transpose makes {part.dtype} of {x.dtype}")
    if layer.kind in ("activation", "curved", "recurrent"):
        return
    there = float(flat(layer.x) @ flat(c))
    Ax = layer.degree * (z if layer.kind == "winner" else z - bias_of(layer))
    here = float(np.vdot(Ax, s))
    require(
        abs(here - there) <= EXACT * float(np.linalg.norm(Ax) * np.linalg.norm(s)),
        f"⟨A x, s⟩ is {here:.9g}, ⟨x, Aᵀs⟩ {there:.9g}: transpose is not the transpose of forward",
    )
    share = layer.bias_share(s)
    constants = 0.0 if share is None else float(np.sum(share))
    if layer.kind == "movement":  # what a constant was put in the place of
        whole, arrived = float(s.sum()), float(flat(c).sum())
        amount = float(abs(s).sum())
    else:
        whole, arrived = layer.degree * float(np.vdot(z, s)), there
        amount = float(np.linalg.norm(z) * np.linalg.norm(s)) + abs(constants)
    require(
        abs(whole - constants - arrived) <= EXACT * amount,
        f"of {whole:.9g} inputs are handed {arrived:.9g} and constants {constants:.9g}: bias, bias_share "
        "or degree is wrong",
    )


def _parts(value: Any) -> str:
    """How many inputs a value is of."""
    return f"a Bundle of {len(value)} inputs" if isinstance(value, tuple) else "one input"


def check_weights(layer: Bound) -> None:
    """Rules that change weights reach them all: every one, and the bias, doubled makes 2z and 2Aᵀs.

    And without its bias a layer is A x. Of kinds whose weights no rule changes this says nothing.

    Parameters
    ----------
    layer : Bound
        In float64.

    Raises
    ------
    AssertionError
    """
    _require_bound(layer)
    if not layer.kind.linear:
        return
    z, doubled = layer.forward(layer.x), layer.with_params(lambda w: w * 2)
    s = drawn("weights").standard_normal(z.shape)
    c = flat(layer.transpose(s))
    gaps = {
        "forward": relative(doubled.forward(layer.x), 2 * z),
        "transpose": relative(flat(doubled.transpose(s)), 2 * c),
    }
    for name, gap in gaps.items():
        require(
            gap <= EXACT,
            f"with every weight doubled, {name} is off by {gap:.2g} of twice its largest value, so rules "
            "that change weights do not reach them: take those that the file holds by take_operand, with "
            "p[letter], and those that the operator has of itself by p.implied(w), in forward and transpose",
        )
    missing = abs(layer.without_bias().forward(layer.x) + bias_of(layer) - z)
    require(
        np.max(missing, initial=0) <= EXACT * np.max(abs(z), initial=0),
        "without_bias() is not A x: the bias is the parameter 'b', or else `unbiased` says which parameters "
        "are the linear part's",
    )


def check_derivative(layer: Bound, third: float = THIRD_DERIVATIVE) -> None:
    """The transpose is that of the Jacobian at x: what central differences say along random directions.

    Parameters
    ----------
    layer : Bound
        In float64, at an input within two steps (2⁻¹⁴) of which the map has no edge.
    third : float
        The largest third derivative that is allowed for.

    Raises
    ------
    AssertionError
    """
    _require_bound(layer)
    x, z = flat(layer.x), layer.forward(layer.x)
    random = drawn("directions")
    error = STEP**2 / 6 * third + 8 * float(np.finfo(float).eps) * max(abs(x).max(), abs(z).max()) / STEP
    for _ in range(3):
        s = random.choice([-1.0, 1.0], z.shape)
        v = random.choice([-1.0, 1.0], x.size)
        wanted = float(np.vdot(s, _slope(layer, v, STEP)))
        found = float(flat(layer.transpose(s)) @ v)
        require(
            abs(found - wanted) < z.size * error,
            f"along a random direction the transpose says {found:.9g}, finite differences {wanted:.9g}",
        )


def _slope(layer: Bound, v: Array, h: float) -> Array:
    """(f(x + hv) − f(x − hv)) / 2h."""
    x = flat(layer.x)
    ahead, behind = (layer.forward(like(x + step * v, layer.x)) for step in (h, -h))
    return np.asarray((ahead - behind) / (2 * h))


def smooth(layer: Bound) -> Bound:
    """The layer at an input near its own where it has no edge: there the slopes of two steps agree."""
    x, random = flat(layer.x), drawn("edges")
    spread = float(np.std(x)) or 1.0
    v = random.choice([-1.0, 1.0], x.size)
    for attempt in range(TRIES):
        noise = random.uniform(-0.01, 0.01, x.size) * spread if attempt else 0 * x
        here = layer.at(like(x + noise, layer.x))
        far, near = _slope(here, v, 2 * STEP), _slope(here, v, STEP / 2)
        if relative(far, near) <= 1e-6:
            return here
    raise AssertionError(f"forward has an edge near each of {TRIES} inputs: give values where it has none")
