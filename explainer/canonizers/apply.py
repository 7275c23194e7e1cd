"""Every canonizer in turn."""

from __future__ import annotations

from collections.abc import Collection

from ..model.graph import Graph
from .batchnorm import merge_batchnorm
from .identity import see_through


def canonize(graph: Graph, boundaries: Collection[str] = (), merge: bool = True) -> Graph:
    """Every canonizer in turn.

    Parameters
    ----------
    graph : Graph
    boundaries : collection of str
        Tensors that must stay visible: the target and kept ones.
    merge : bool
        Whether a BatchNormalization and its linear neighbour become one layer.
    """
    view = see_through(graph)
    return merge_batchnorm(view, {view.resolve(name) for name in boundaries}) if merge else view
