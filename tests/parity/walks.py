"""A walk taken apart: the forward pass and the walk on given activations."""

from __future__ import annotations

import numpy as np

from explainer.plan import Plan
from explainer.walk.backward import backward
from explainer.walk.forward import LayersForward, SessionForward

FLOAT64 = np.dtype(np.float64)


def forward(plan: Plan, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor on the plan, in float64."""
    return LayersForward(plan, FLOAT64)(feeds).activations


def walk(
    plan: Plan, activations: dict[str, np.ndarray], R: np.ndarray, dtype: np.dtype = FLOAT64
) -> dict[str, np.ndarray]:
    """The relevance of the inputs and of kept tensors, in `dtype`, on activations cast to it."""
    forward = SessionForward(plan, dtype)
    cast = {name: forward.cast(value) for name, value in activations.items()}
    return backward(plan, cast, R.astype(dtype), forward.parameters(cast).__getitem__)
