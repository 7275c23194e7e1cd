"""A walk taken apart: the forward pass and the walk on given activations."""

from __future__ import annotations

import numpy as np

from explainer.plan import Plan
from explainer.walk.backward import backward
from explainer.walk.runner import Runner

FLOAT64 = np.dtype(np.float64)


def forward(plan: Plan, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor on the plan, in float64."""
    runner = Runner(plan, FLOAT64)
    activations, _ = runner.forward(feeds)
    runner._recompute(activations, runner._parameters(activations))
    return activations


def walk(
    plan: Plan, activations: dict[str, np.ndarray], R: np.ndarray, dtype: np.dtype = FLOAT64
) -> dict[str, np.ndarray]:
    """The relevance of the inputs and of kept tensors, in `dtype`, on activations cast to it."""
    runner = Runner(plan, dtype)
    cast = {name: runner._cast(value) for name, value in activations.items()}
    return backward(plan, cast, R.astype(dtype), runner._parameters(cast).__getitem__)
