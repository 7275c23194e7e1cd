"""Layer-wise relevance propagation on ONNX files, with NumPy and onnxruntime alone.

>>> import explainer
>>> explanation = explainer.explain("model.onnx", "photo.jpg")  # doctest: +SKIP
>>> explanation.save("heatmap.png")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Explainer, explain
    from .compare import Comparison, compare
    from .compile import compile
    from .composites import Composite
    from .errors import (
        CompositeError,
        ExplainerError,
        InputError,
        ModelError,
        NumericalError,
        OutputError,
        PreprocessError,
        TargetError,
        UnsupportedError,
    )
    from .explanation import Explanation
    from .heatmap import render, shared_scale
    from .layers import supported
    from .preprocess import Preprocess

__version__ = "0.1.0"

# Loaded when first used: a command that only prints its help needs neither onnx nor onnxruntime.
_HOMES = {
    "Composite": "composites",
    "Comparison": "compare",
    "Explainer": "api",
    "Explanation": "explanation",
    "Preprocess": "preprocess",
    "compare": "compare",
    "compile": "compile",
    "explain": "api",
    "render": "heatmap",
    "shared_scale": "heatmap",
    "supported": "layers",
    **dict.fromkeys(
        (
            "CompositeError",
            "ExplainerError",
            "InputError",
            "ModelError",
            "NumericalError",
            "OutputError",
            "PreprocessError",
            "TargetError",
            "UnsupportedError",
        ),
        "errors",
    ),
}

__all__ = [
    "Comparison",
    "Composite",
    "CompositeError",
    "Explainer",
    "ExplainerError",
    "Explanation",
    "InputError",
    "ModelError",
    "NumericalError",
    "OutputError",
    "Preprocess",
    "PreprocessError",
    "TargetError",
    "UnsupportedError",
    "compare",
    "compile",
    "explain",
    "render",
    "shared_scale",
    "supported",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explainer' has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    # All that live there: a submodule of the same name (compare, compile) must not take its place.
    globals().update(
        {other: getattr(module, other) for other, home in _HOMES.items() if home == _HOMES[name]}
    )
    return globals()[name]
