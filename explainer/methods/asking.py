"""Which methods that ask for scores alone can ask a model, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.graph import Graph


def askable(graph: Graph) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Methods of scores alone that can ask a model, the plainest first, each with the options it needs."""
    pictures = all(
        value.dtype.kind == "f" and value.shape is not None and len(value.shape) >= 3
        for value in graph.inputs
    )
    return (("occlusion", {}), ("rise", {})) if pictures and graph.inputs else ()
