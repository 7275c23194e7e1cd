"""Whether the layers' own forward pass is the file's: judged by what sums carry, not by what is left of them.

1 − relu(1 − x) at x = 3e-8 is 0 or 6e-8 in float32: nothing is wrong, the sum has cancelled. So where the
two answers differ, every layer is asked at the very values that onnxruntime gave its inputs, and may be
off by rounding of what it adds up, Σ|w x| + |b|. A bound of these amounts carried along through the whole
network would let everything pass: the norms of the layers multiply (1e18 to 5e22 times the largest output
in a SqueezeNet, a ResNet-20 and a MobileNet, measured).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..errors import NumericalError
from ..plan import Plan, Step
from ..tensor import Array, Bundle, Value

# How far the target may be from onnxruntime's, relative to its largest value, before layers are asked:
# rounding in the file's own type, through some hundred of them. By the bytes of its numbers.
AGREEMENT = {2: 5e-2, 4: 1e-3, 8: 1e-9}
# How far one layer may be, relative to what it adds up. Of 409 layers of eight real models the largest
# was 5e-7 in float32, 7e-4 in float16.
ROUNDING = {2: 1e-2, 4: 1e-5, 8: 1e-12}


def agrees(ours: Array, theirs: Array, precision: int) -> bool:
    """Whether two answers are one, up to rounding through a network that cancels nothing.

    Parameters
    ----------
    ours, theirs : array
        By the layers' own bodies, and by onnxruntime.
    precision : int
        The bytes of the coarser numbers.
    """
    largest = float(np.max(np.abs(theirs), initial=0)) or 1.0
    return float(np.max(np.abs(ours - theirs), initial=0)) / largest <= AGREEMENT[precision]


def check_layers(
    plan: Plan,
    values: Mapping[str, Array],
    parameters: Mapping[Step, dict[str, Array]],
    stored: Mapping[Step, Mapping[str, Array]],
    precision: int,
) -> None:
    """Ask every layer at onnxruntime's own values.

    Parameters
    ----------
    plan : Plan
    values : dict of tensor name -> array
        What onnxruntime computed: every input and output of a step, in float64.
    parameters : dict of Step -> dict of letter -> array
    stored : dict of Step -> dict of tensor name -> array
        What the parameters were made of.
    precision : int
        The bytes of the numbers that onnxruntime computed in.

    Raises
    ------
    NumericalError
        Names the first node at which the two differ by more than rounding.
    """
    for step in reversed(plan.steps):
        x, theirs = step.layer.read(values), values[step.layer.output]
        ours = step.layer.bind(x, None, parameters[step]).forward(x)
        carried = _carried(step, x, theirs, parameters[step], stored[step])
        error = float(np.max(np.abs(ours - theirs) / (carried + np.finfo(np.float32).tiny), initial=0))
        if not error <= ROUNDING[precision]:
            raise NumericalError(
                f"float64 forward pass: {step.node} differs from onnxruntime's by {error:.2g} of what it "
                f"adds up (allowed: {ROUNDING[precision]:g}); please report this model. "
                "forward='onnxruntime' walks on its own values"
            )


def check_whole_numbers(
    plan: Plan,
    whole: Collection[str],
    values: Mapping[str, Array],
    parameters: Mapping[Step, dict[str, Array]],
) -> None:
    """Refuse what a file computes in whole numbers where these are not what they stand for.

    Bytes wrap round and their quotients are cut off: no rule shares what is not there.

    Parameters
    ----------
    plan : Plan
    whole : collection of str
        The tensors that onnxruntime has in whole numbers.
    values : dict of tensor name -> array
        What it computed, as far as it was asked, in the number type of the walk.
    parameters : dict of Step -> dict of letter -> array

    Raises
    ------
    NumericalError
        Names the first node with another answer.
    """
    for step in reversed(plan.steps):
        name = step.layer.output
        if name not in whole or not values.keys() >= {name, *step.layer.inputs}:
            continue
        x, theirs = step.layer.read(values), values[name]
        ours = step.layer.bind(x, None, parameters[step]).forward(x)
        if (apart := np.abs(ours - theirs)).max(initial=0) > ROUNDING[4] * np.abs(theirs).max(initial=1):
            there = np.unravel_index(np.argmax(apart), apart.shape)
            raise NumericalError(
                f"{step.node} computes in whole numbers, which wrap round or are cut off: it gives "
                f"{theirs[there]:g} where {ours[there]:g} is meant, and no rule shares what is not there. "
                "Cast the input to float32 in front of it and export the model anew; occlusion and "
                "RISE explain the model as it is"
            )


def _carried(
    step: Step, x: Value, z: Array, parameters: Mapping[str, Array], stored: Mapping[str, Array]
) -> Array:
    """The amount of all that z is summed up from, shaped like z."""
    layer, amount = step.layer, _amount(x)
    if layer.kind.one_to_one and not layer.kind.linear:  # functions that are of the order of 1 somewhere
        return np.maximum(np.abs(z), max(1.0, float(np.max(amount, initial=0))))
    if not layer.kind.linear:
        return np.asarray(layer.bind(amount, None, parameters).forward(amount))
    sizes = {
        name: np.abs(stored[name]) if stored[name].dtype.kind == "f" else stored[name]
        for name in layer.operands.values()
    }
    bound = layer.bind(amount, None, layer.amounts(sizes)).with_params(np.abs)
    return np.asarray(bound.forward(amount))


def _amount(x: Value) -> Value:
    return Bundle(map(np.abs, x)) if isinstance(x, Bundle) else np.abs(x)
