"""Ways of explaining, by name: one walk, many walks, or none."""

from __future__ import annotations

from typing import Any

from .base import Method, Progress
from .cam import GradCam, GradCamPlusPlus
from .deeplift import DeepLift
from .fullgrad import FullGrad, FullGradPlus
from .noise import KINDS, Noise
from .occlusion import Occlusion
from .paths import GradientShap, IntegratedGradients
from .question import Question
from .registry import COMPOSITES, METHODS, NoiseLike, Resolved, get, names, register, spelled, spelled_noise
from .rise import Rise
from .sampling import Sampling
from .single import InputXGradient, Single, Walk
from .trace import Trace

__all__ = [
    "COMPOSITES",
    "KINDS",
    "METHODS",
    "NAMES",
    "DeepLift",
    "FullGrad",
    "FullGradPlus",
    "GradCam",
    "GradCamPlusPlus",
    "GradientShap",
    "InputXGradient",
    "IntegratedGradients",
    "Method",
    "Noise",
    "NoiseLike",
    "Occlusion",
    "Progress",
    "Question",
    "Resolved",
    "Rise",
    "Sampling",
    "Single",
    "Trace",
    "Walk",
    "get",
    "names",
    "register",
    "spelled",
    "spelled_noise",
]

NAMES: tuple[str, ...]


def __getattr__(name: str) -> Any:
    if name == "NAMES":  # those that were registered since, too
        return names()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
