"""Which channels made a class, and where: the question that conditions are mostly asked for."""

from __future__ import annotations

from ..errors import InputError, shown
from ..model.channels import channel_of
from ..plain.checks import is_whole
from ..plain.keywords import only_named
from ..results.explanation import Explanation
from ..targets import UNSAID, TargetLike
from .explainer import Explainer
from .made import ImageLike


@only_named()
def concepts(
    explained: Explainer,
    x: ImageLike,
    tensor: str,
    *,
    target: TargetLike = "top",
    start: str = UNSAID,
    against: TargetLike | None = None,
    top: int = 5,
    signed: bool = False,
    axis: int | None = None,
) -> list[Explanation]:
    """The channels of an inner tensor that matter most, each with its own map.

    Parameters
    ----------
    explained : Explainer
    x : image or array (1, ...)
        One sample.
    tensor : str
        Its channels stand for concepts: a late convolution's output, behind its activation.
    target, start, against : see `explain`
    top, signed : see `Explanation.ranking`
    axis : int, optional
        Where the tensor has its channels; that which the graph takes for them by default.

    Returns
    -------
    list of Explanation
        The first channel's first: what reaches the input through it alone. `explainer.grid` draws
        them together.

    Raises
    ------
    InputError
        Several samples.
    TargetError
        The tensor has no channels, or nothing tells which axis has them.
    UnsupportedError, ModelError, NumericalError, PreprocessError

    References
    ----------
    Achtibat et al. 2023, Nature Machine Intelligence 5, 1006–1019.
    """
    if not isinstance(explained, Explainer):
        raise InputError(f"concepts: an Explainer, not {explained!r}")
    if not isinstance(tensor, str):
        raise InputError(f"concepts: a tensor's name, not {tensor!r}")
    if axis is not None and not is_whole(axis):
        raise InputError(f"concepts: axis is a whole number, not {shown(axis)}")
    whole = slice(None) if axis is None else {axis: slice(None)}
    all_of_it = explained.explain(x, target, start, against, conditions={tensor: whole})
    if len(all_of_it.start) != 1:
        raise InputError(f"concepts: one sample at a time, not {len(all_of_it.start)}; give x[:1]")
    along = channel_of(explained.graph, tensor, all_of_it.relevances[tensor].ndim) if axis is None else axis
    assert along is not None  # else the condition was refused
    ranking = all_of_it.ranking(tensor, top=top, signed=signed, axis=along)
    chosen = [{tensor: entry.channel if axis is None else {axis: entry.channel}} for entry in ranking]
    return explained.explain_targets(x, [target], start, against, conditions=chosen)
