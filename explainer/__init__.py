"""Layer-wise relevance propagation on ONNX files, with NumPy and onnxruntime alone.

>>> import explainer
>>> explanation = explainer.explain("model.onnx", "photo.jpg")  # doctest: +SKIP
>>> explanation.save("heatmap.png")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import canonizers, composites, files, layers, methods, plugins, rules, testing
    from .compiler import compile
    from .composites import Composite
    from .doors.channels import concepts
    from .doors.explain import explain
    from .doors.explainer import Explainer
    from .drawing import ColorMap, colormaps, imgify, normalize_relevance, render, shared_scale
    from .errors import (
        CompositeError,
        ExplainerError,
        InputError,
        Missing,
        ModelError,
        NumericalError,
        OutputError,
        PreprocessError,
        RegistrationError,
        TargetError,
        UnsupportedError,
        Way,
    )
    from .inputs.preprocess import Preprocess
    from .layers import register, supported
    from .plain.shown import printable
    from .recipe import Recipe
    from .results.comparison import Comparison, compare
    from .results.explanation import Explanation
    from .results.grids import grid
    from .targets.ask import Ask

__version__ = "0.1.0"

# Loaded when first used: a command that only prints its help needs neither onnx nor onnxruntime.
_HOMES = {
    "Ask": "targets.ask",
    "Composite": "composites",
    "Comparison": "results.comparison",
    "Explainer": "doors.explainer",
    "Explanation": "results.explanation",
    "Preprocess": "inputs.preprocess",
    "Recipe": "recipe",
    "compare": "results.comparison",
    "compile": "compiler",
    "concepts": "doors.channels",
    "explain": "doors.explain",
    "grid": "results.grids",
    "printable": "plain.shown",
    "register": "layers",
    "supported": "layers",
    **dict.fromkeys(
        ("ColorMap", "colormaps", "imgify", "normalize_relevance", "render", "shared_scale"),
        "drawing",
    ),
    **dict.fromkeys(
        (
            "CompositeError",
            "ExplainerError",
            "InputError",
            "Missing",
            "ModelError",
            "NumericalError",
            "OutputError",
            "PreprocessError",
            "RegistrationError",
            "TargetError",
            "UnsupportedError",
            "Way",
        ),
        "errors",
    ),
}

_MODULES = ("canonizers", "composites", "files", "layers", "methods", "plugins", "rules", "testing")

__all__ = [
    "Ask",
    "ColorMap",
    "Comparison",
    "Composite",
    "CompositeError",
    "Explainer",
    "ExplainerError",
    "Explanation",
    "InputError",
    "Missing",
    "ModelError",
    "NumericalError",
    "OutputError",
    "Preprocess",
    "PreprocessError",
    "Recipe",
    "RegistrationError",
    "TargetError",
    "UnsupportedError",
    "Way",
    "canonizers",
    "colormaps",
    "compare",
    "compile",
    "composites",
    "concepts",
    "explain",
    "files",
    "grid",
    "imgify",
    "layers",
    "methods",
    "normalize_relevance",
    "plugins",
    "printable",
    "register",
    "render",
    "rules",
    "shared_scale",
    "supported",
    "testing",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'explainer' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
