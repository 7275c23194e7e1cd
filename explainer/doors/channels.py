"""Which channels made a class, and where: the question that conditions are mostly asked for."""

from __future__ import annotations

from ..errors import InputError
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

    Returns
    -------
    list of Explanation
        The first channel's first: what reaches the input through it alone. `explainer.grid` draws
        them together.

    Raises
    ------
    InputError
        Several samples, or a tensor without channels.
    TargetError, UnsupportedError, ModelError, NumericalError, PreprocessError

    References
    ----------
    Achtibat et al. 2023, Nature Machine Intelligence 5, 1006–1019.
    """
    if not isinstance(explained, Explainer):
        raise InputError(f"concepts: an Explainer, not {explained!r}")
    if not isinstance(tensor, str):
        raise InputError(f"concepts: a tensor's name, not {tensor!r}")
    all_of_it = explained.explain(x, target, start, against, conditions={tensor: slice(None)})
    if len(all_of_it.start) != 1:
        raise InputError(f"concepts: one sample at a time, not {len(all_of_it.start)}; give x[:1]")
    ranking = all_of_it.ranking(tensor, top=top, signed=signed)
    chosen = [{tensor: entry.channel} for entry in ranking]
    return explained.explain_targets(x, [target], start, against, conditions=chosen)
