"""Every keyword that says how a model is explained, for editors, type checkers and ``help()``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ..composites import COMPOSITES, OF_METHODS
from ..methods import Method, Noise, registry
from ..methods.baselines import Baseline

# What a method's options do not include: the caller says it elsewhere, or cannot say it.
ELSEWHERE = frozenset({"eps", "kind", "around"})


class Options(TypedDict, total=False):
    """The options of all methods and the parameters of all presets; a test holds it to their registries."""

    # of methods
    baseline: Baseline
    baselines: Baseline
    batch_size: int
    cells: int | tuple[int, ...] | Mapping[str, Any] | None
    centered: bool
    groups: Any
    hold: str | Sequence[str] | None
    n_masks: int
    n_samples: int
    n_steps: int
    noise_level: float
    p_keep: float
    postprocess: str
    quadrature: str
    seed: int
    signed: bool
    stdev: float | None
    stride: int | tuple[int, ...] | Mapping[str, Any] | None
    tensor: str
    upsampling: str
    window: int | tuple[int, ...] | Mapping[str, Any] | None
    # of presets
    beta: float
    conv_gamma: float
    gamma: float
    high: Any
    lin_gamma: float
    low: Any
    stabilizer: float | None
    until: str


def option_names() -> list[str]:
    """Every option that some method, or some preset, takes now: plugins' too."""
    kinds: list[type[Method]] = [*registry.METHODS.values(), Noise]
    names = [name for kind in kinds for name in kind.options()]
    for preset in (COMPOSITES | OF_METHODS).values():
        names += list(inspect.signature(preset).parameters)[1:]
    return sorted(set(names) - ELSEWHERE)
