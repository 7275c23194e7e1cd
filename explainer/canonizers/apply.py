"""The view that a walk reads: nodes that hand a value on taken out, then one canonizer after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..errors import CompositeError, shown
from ..model.graph import Graph
from ..plain.checks import several
from .base import Canonizer, CanonizerLike, get
from .identity import see_through
from .quantised import dequantised

# What a framework has as one module, and exporters write out.
FORMS: tuple[CanonizerLike, ...] = (
    *(
        "norms",
        "norm_weights",
        "softmax",
        "gelu",
        "gelu_tanh",
        "quick_gelu",
        "silu",
        "hard_swish",
        "hard_sigmoid",
        "mish",
        "sigmoid",
        "falling_sigmoid",
        "softplus",
        "log_sigmoid",
    ),
)
# What a composite names where it says nothing.
DEFAULT_CANONIZERS: tuple[CanonizerLike, ...] = (*FORMS, "batchnorm", "linear")


def canonize(
    graph: Graph, boundaries: Collection[str] = (), canonizers: Iterable[CanonizerLike] = DEFAULT_CANONIZERS
) -> Graph:
    """The view of a graph that a walk reads.

    Parameters
    ----------
    graph : Graph
    boundaries : collection of str
        Tensors that must stay visible: the target and kept ones.
    canonizers : sequence of str or Canonizer
        In the order in which they see the graph.

    Raises
    ------
    CompositeError
        No canonizer has such a name, or one returns no graph.
    """
    view = see_through(graph)
    view = dequantised(view, frozenset(view.resolve(name) for name in (*graph.outputs, *boundaries)))
    visible = frozenset(view.resolve(name) for name in (*graph.outputs, *boundaries))
    for canonizer in resolve(canonizers):
        view = canonizer.applied(view, visible)
    return view


def resolve(canonizers: Iterable[CanonizerLike]) -> tuple[Canonizer, ...]:
    """Canonizers as objects, those given by name looked up.

    Raises
    ------
    CompositeError
    """
    named = None if isinstance(canonizers, str | bytes) else several(canonizers)
    if named is None:
        raise CompositeError(f"canonizers: a tuple of names or Canonizer objects, not {shown(canonizers)}")
    return tuple(map(get, named))
