"""`explain`: one image and one model, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inputs.preprocess import PreprocessLike
from ..inputs.ranges import MAX_PIXELS
from ..model.fixing import FixLike
from ..model.graph import ModelLike
from ..plain.keywords import named
from ..recipe import Recipe, Settings
from ..results.explanation import Explanation
from ..targets import UNSAID, ConditionsLike, LabelsLike, TargetLike
from .explainer import Explainer
from .made import ImageLike

if TYPE_CHECKING:
    from typing import Unpack


@named(Settings, defaults=Recipe())
def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    target: TargetLike = "top",
    start: str = UNSAID,
    against: TargetLike | None = None,
    conditions: ConditionsLike | None = None,
    preprocess: PreprocessLike | None = None,
    labels: LabelsLike | None = None,
    max_pixels: int = MAX_PIXELS,
    fix: FixLike | None = None,
    **how: Unpack[Settings],
) -> Explanation:
    """Explain one prediction of an ONNX model, by layer-wise relevance propagation unless told otherwise.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
    image : path, PIL image, array or dict of input name -> array
        A path or a PIL image is turned as its EXIF says and preprocessed as `preprocess` or the
        file's metadata say; an array is taken as already preprocessed.
    target : "top", int, str, array, tuple, dict or Ask
        "top" is each sample's largest output; an int or a label is a class; an array gives one
        index per sample, or explains one sample several times; ``(output or tensor name, index)``
        and ``{output name: index}`` choose among several outputs; a tensor's name starts from that
        whole tensor, every value its own relevance. An index may be NumPy's, of the whole tensor
        or, one entry shorter, of each sample: ``("masks", np.s_[0, 17])``, as text ``"masks[0, 17]"``;
        or an array of bool. One whole number alone counts through the flattened sample.
    start : str
        What is put on the target: "output" or "logit", its own value; "one"; "probability", its
        softmax or sigmoid; "margin", its value and minus that of `against`; "clrp" and "sglrp",
        contrasts with all other classes: see `explainer.targets.put_relevance`.
    against : as target
        The other side of a margin, in the same tensor; each sample's best other class by default.
    conditions : dict of tensor name -> channels, optional
        Only relevance that passes through these tensors, and there through these channels, one
        tensor after the other: ``{"layer3": [3, 17], "layer2": slice(0, 8)}``. Channels, counted
        along the axis that the graph takes for them, are a number, several, a slice, text ("3,
        10:20"), or a mask of bool: of the channels, of a sample or of the batch. Another axis is
        named: ``{"layer3": {2: [3, 17]}}``. These tensors are kept too. Achtibat et al. 2023.
    preprocess, labels, max_pixels, fix, **how
        Method, composite, rules, options and all else that `Explainer` takes; or a `recipe`.

    Returns
    -------
    Explanation

    Raises
    ------
    ExplainerError
        Its subclasses say what is wrong and what to do.

    References
    ----------
    Bach et al. 2015, PLOS ONE 10(7): e0130140.
    """
    made = Explainer(model, preprocess=preprocess, labels=labels, max_pixels=max_pixels, fix=fix, **how)
    return made.explain(image, target, start, against, conditions=conditions)
