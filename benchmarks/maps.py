"""Every way of explaining that there is, by name, and its maps: what the benchmarks compare."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from explainer import Explainer, composites, methods

# RISE's own map is nowhere near 0; of its 4000 masks a quarter, for time's sake.
OPTIONS: dict[str, dict[str, Any]] = {"rise": {"centered": True, "n_masks": 1000}}
BATCH = 16  # pictures per call: what stays in the processor's cache


@dataclass(frozen=True)
class Way:
    """A way of explaining: a method, or a preset of LRP.

    Parameters
    ----------
    name : str
        The method's or the preset's.
    options : dict
        What `Explainer` is told.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def explainer(self, model: Any, **how: Any) -> Explainer:
        """The explainer of one model; ``until`` presets are flat in the first quarter of its layers."""
        options = dict(self.options)
        if "until" in options:
            options["until"] = quarter(Explainer(model, **how))
        return Explainer(model, **options, **how)


def quarter(explainer: Explainer) -> str:
    """The name of the node a quarter of the way, in convolutions and dense layers, from input to target."""
    steps = [step for step in explainer.plan.steps if step.layer.kind in ("convolution", "dense")]
    return steps[-max(len(steps) // 4, 1)].node.name


def every() -> list[Way]:
    """All methods, then all presets that are no method too."""
    found = [Way(name, {"method": name, **OPTIONS.get(name, {})}) for name in methods.NAMES if name != "lrp"]
    for name, preset in composites.COMPOSITES.items():
        if name not in methods.NAMES:
            until = {"until": ""} if "until" in inspect.signature(preset).parameters else {}
            found.append(Way(name, {"composite": name, **until}))
    return found


def named(names: Sequence[str]) -> list[Way]:
    """Ways by name, of a method, a preset or a .toml file that holds a composite; without a name, all."""
    known = {way.name: way for way in every()}
    files = {name: Way(Path(name).stem, {"composite": name}) for name in names if name.endswith(".toml")}
    return [(known | files)[name] for name in names or known]


def is_gradient(explainer: Explainer) -> bool:
    """Whether its maps are gradients, or what noise makes of them.

    Where a pixel's gradient is negative the score rises as the pixel gets darker: that speaks neither
    against the class nor for it. What counts is its size.
    """
    return explainer.composite.gradient and isinstance(explainer.method, methods.Walk | methods.Noise)


def pooled(relevance: np.ndarray, magnitudes: bool) -> np.ndarray:
    """One number per pixel, (N, H, W), from (N, C, H, W): the channels' sum, of gradients Σ |·|.

    Arras et al. 2022 compare such ways of pooling, "sum,pos" and "l1-norm" among them.
    """
    summed: np.ndarray = (np.abs(relevance) if magnitudes else relevance).sum(1, dtype=np.float64)
    return summed


def maps_of(explainer: Explainer, x: np.ndarray, target: Any = "top") -> tuple[np.ndarray, np.ndarray]:
    """The pooled maps of a batch, (N, H, W), and what is conserved, (N,)."""
    found = []
    for begin in range(0, len(x), BATCH):
        part = slice(begin, begin + BATCH)
        wanted = target[part] if isinstance(target, np.ndarray) else target
        found.append(explainer.explain(x[part], target=wanted))
    relevance = np.concatenate([explanation.relevance for explanation in found])
    conserved = np.concatenate([explanation.conserved for explanation in found])
    return pooled(relevance, is_gradient(explainer)), conserved
