"""A gradient beside what the scores of two near inputs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from building import relative, rng

from explainer import Explainer


def off_the_quotient(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], target: tuple[str, Sequence[int]]
) -> float:
    """How far the gradient in float64 is from the difference quotient along a random direction."""
    made = Explainer(model, method="gradient", dtype="float64")
    # An input is float32 as the file has it: on this grid a step of 2⁻²⁰ is none that is rounded.
    x = {name: np.round(one * 1024).astype(np.float64) / 1024 for name, one in feeds.items()}
    random, step = rng(8), 2.0**-20
    v = {name: random.choice([-1.0, 1.0], one.shape) for name, one in x.items()}
    found = made.explain(x, target).relevance
    found = found if isinstance(found, dict) else dict.fromkeys(x, found)
    up, down = (
        made.explain({name: one + side * step * v[name] for name, one in x.items()}, target).score
        for side in (1, -1)
    )
    ours = sum((found[name] * v[name]).sum(tuple(range(1, v[name].ndim))) for name in x)
    return relative(ours, (up - down) / (2 * step))
