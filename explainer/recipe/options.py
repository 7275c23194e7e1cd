"""Every keyword that says how a model is explained, for editors, type checkers and ``help()``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, TypedDict, TypeVar

from ..composites import COMPOSITES, OF_METHODS
from ..methods import METHODS, Method, Noise
from ..methods.baselines import Baseline

Function = TypeVar("Function", bound=Callable[..., Any])

# What a method's options do not include: the caller says it elsewhere, or cannot say it.
ELSEWHERE = frozenset({"eps", "kind", "around"})


class Options(TypedDict, total=False):
    """The options of all methods and the parameters of all presets; a test holds it to their registries."""

    # of methods
    baseline: Baseline
    baselines: Baseline
    batch_size: int
    cells: int
    centered: bool
    n_masks: int
    n_samples: int
    n_steps: int
    noise_level: float
    p_keep: float
    quadrature: str
    seed: int
    signed: bool
    stdev: float | None
    stride: int | tuple[int, ...] | None
    tensor: str
    upsampling: str
    window: int | tuple[int, ...] | None
    # of presets
    beta: float
    gamma: float
    high: Any
    low: Any
    stabilizer: float | None
    until: str


def option_names() -> list[str]:
    """Every option that some method, or some preset, takes now: plugins' too."""
    kinds: list[type[Method]] = [*METHODS.values(), Noise]
    names = [name for kind in kinds for name in kind.options()]
    for preset in (COMPOSITES | OF_METHODS).values():
        names += list(inspect.signature(preset).parameters)[1:]
    return sorted(set(names) - ELSEWHERE)


def named(settings: type, *, but: Collection[str] = ()) -> Callable[[Function], Function]:
    """Let a function's signature list what its ``**how`` can be: for ``help()`` and notebooks.

    Parameters
    ----------
    settings : TypedDict
    but : collection of str
        Those that make no sense for it.
    """

    def name(function: Function) -> Function:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=..., annotation=kind.__forward_arg__
            )
            for name, kind in inspect.get_annotations(settings).items()
            if name not in but
        ]
        function.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        return function

    return name
