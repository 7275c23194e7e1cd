"""PyTorch to ONNX, in files that say how to prepare a picture and what the classes are called.

The names below load on first use, so that ``import exporter`` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from exporter.errors import ExportError

if TYPE_CHECKING:
    from exporter.architecture import Architecture
    from exporter.classifiers import architectures
    from exporter.exporting import Report, export
    from exporter.metadata import read_labels
    from exporter.naming import build

__all__ = ["Architecture", "ExportError", "Report", "architectures", "build", "export", "read_labels"]

_HOMES = {
    "Architecture": "exporter.architecture",
    "architectures": "exporter.classifiers",
    "build": "exporter.naming",
    "Report": "exporter.exporting",
    "export": "exporter.exporting",
    "read_labels": "exporter.metadata",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
