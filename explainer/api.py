"""The public face: `Explainer` for many images, `explain` for one."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import composites
from .batches import Batches, Run
from .composites import CompositeLike
from .errors import InputError, PreprocessError
from .explanation import Explanation
from .graph import Graph, ModelLike
from .inputs import feeds_of, only_input
from .plan import Plan, make_plan
from .preprocess import Preprocess, missing_message
from .runner import Runner
from .targets import Labels, Start, Target, TargetLike, labels_of, resolve_target
from .tensor import Array, total

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike: TypeAlias = "str | os.PathLike[str] | Image | Array | Mapping[str, Array]"
PreprocessLike: TypeAlias = "Preprocess | Mapping[str, Any] | str | os.PathLike[str]"


class Explainer:
    """Explains one model, many times; safe to share between threads.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Any file that onnxruntime runs.
    composite : str, (str, dict) or Composite
        Which rule at which node; "epsilon" by default.
    eps : float
        Short for ``composite=("epsilon", {"eps": eps})``.
    keep : collection of str, or "all"
        Tensors whose relevance is returned too.
    dtype : "float32" or "float64"
        Of the walk. float64 is the reference mode: the forward pass runs in float64 too, in NumPy.
    preprocess : Preprocess, dict, path or None
        How an image becomes the input; None reads the file's metadata.
    labels : sequence of str, dict of int -> str, or None
        Class names; None reads the file's metadata.

    Raises
    ------
    ModelError
        The file cannot be read.
    CompositeError, PreprocessError
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        composite: CompositeLike = "epsilon",
        eps: float = 1e-6,
        keep: Collection[str] | str = (),
        dtype: Any = "float32",
        preprocess: PreprocessLike | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.graph = Graph.load(model)
        self.composite = composites.get(composite, eps=eps)
        self.keep = keep
        self.dtype = _dtype(dtype)
        self.labels = labels_of(self.graph) if labels is None else _labels(labels)
        self._preprocess = preprocess
        self._runners: dict[Start, Runner] = {}
        self._plans: dict[Start, Plan] = {}
        self._lock = threading.Lock()
        self._batches = Batches(self.graph)

    @property
    def preprocess(self) -> Preprocess | None:
        """How an image becomes the input: as given, or as the file's metadata has it, or None."""
        given = self._preprocess
        if given is None:
            text = self.graph.metadata.get("preprocessor_config")
            return None if text is None else Preprocess.from_metadata(text)
        if isinstance(given, Preprocess):
            return given
        return (
            Preprocess.from_config(given) if isinstance(given, Mapping) else Preprocess.from_file(Path(given))
        )

    @preprocess.setter
    def preprocess(self, how: PreprocessLike | None) -> None:
        self._preprocess = how

    @property
    def plan(self) -> Plan:
        """The plan for the model's first output; print it to see node, operator, layer and rule."""
        return self.plan_for("top")

    def plan_for(self, target: TargetLike) -> Plan:
        """The plan for a target; it depends on the target's tensor only, not on the index.

        Raises
        ------
        TargetError, UnsupportedError
        """
        return self._plan(resolve_target(self.graph, target, self.labels).where)

    def _plan(self, start: Start) -> Plan:
        with self._lock:
            if start not in self._plans:
                self._plans[start] = make_plan(self.graph, self.composite, start, self.keep)
            return self._plans[start]

    def _runner(self, start: Start) -> Runner:
        plan = self._plan(start)
        with self._lock:
            if start not in self._runners:
                self._runners[start] = Runner(plan, self.dtype)
            return self._runners[start]

    def explain(
        self,
        x: ImageLike,
        target: TargetLike = "top",
        start: str = "output",
        against: TargetLike | None = None,
    ) -> Explanation:
        """Explain a batch.

        Parameters
        ----------
        x : array (N, ...), dict of input name -> array, PIL image or path
            Arrays are taken as already preprocessed, images are preprocessed here.
        target, start, against : see `explain`

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            The input does not fit the model.
        TargetError, UnsupportedError, ModelError, NumericalError, PreprocessError
        """
        return self.explain_targets(x, [target], start, against)[0]

    def explain_targets(
        self,
        x: ImageLike,
        targets: Sequence[TargetLike],
        start: str = "output",
        against: TargetLike | None = None,
    ) -> list[Explanation]:
        """Explain a batch for several targets of any kind, one after the other.

        Targets in the same tensor share one forward pass; those in another have their own, which
        returns other inner values.

        Parameters
        ----------
        x, start, against : see `explain`
        targets : sequence of targets
            Each whatever `explain` takes.

        Returns
        -------
        list of Explanation, in the order of `targets`

        Raises
        ------
        As `explain` does, before anything is computed where a target cannot be explained.
        """
        asked = [resolve_target(self.graph, target, self.labels, start, against) for target in targets]
        runners = {target.where: self._runner(target.where) for target in asked}
        photos: tuple[Image, ...] = ()
        layout = "NCHW"
        if not isinstance(x, Mapping | np.ndarray):
            if not isinstance(x, str | os.PathLike) and not hasattr(x, "convert"):
                raise InputError(
                    "an image is a path, a PIL image, an array or {input name: array}, not "
                    f"{type(x).__name__}; for several images call explain for each, or stack prepared arrays"
                )
            x, photos, layout = self.prepare(x)
        elif self._preprocess is not None or "preprocessor_config" in self.graph.metadata:
            layout = getattr(self.preprocess, "layout", layout)
        feeds = feeds_of(self.graph, x)
        found: dict[Target, Explanation] = {}
        for where, runner in runners.items():
            here = [target for target in asked if target.where == where]
            for target, run in zip(here, self._batches.run(runner.run, feeds, here), strict=True):
                found[target] = self._explanation(runner.plan, target, feeds, run, photos, layout)
        return [found[target] for target in asked]

    def prepare(self, image: Any) -> tuple[Array, tuple[Image, ...], str]:
        """An image as the model's input, the image as the model sees it, and the layout.

        Raises
        ------
        PreprocessError
            Neither the file nor the caller says how.
        InputError
        """
        from . import image as images

        how = self.preprocess
        if how is None:
            raise PreprocessError(missing_message(self.graph.title))
        picture = images.open_image(Path(image)) if isinstance(image, str | os.PathLike) else image
        array, photo = images.prepare(picture, how)
        expected = only_input(self.graph)
        if expected.shape is not None:
            images.check_fits(array.shape, expected.shape, how.layout)
        if expected.dtype.kind in "iu":
            array = np.rint(array)
        return array.astype(expected.dtype), (photo,), how.layout

    def _explanation(
        self,
        plan: Plan,
        target: Target,
        feeds: dict[str, Array],
        run: Run,
        photos: tuple[Image, ...],
        layout: str,
    ) -> Explanation:
        samples = len(run.start)
        sources = {name: run.relevance[name] for name in plan.sources}
        arrived = np.sum([total(R, samples) for R in sources.values()], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            conserved = np.where(run.start == 0, np.nan, arrived / run.start)
        return Explanation(
            relevance=next(iter(sources.values())) if len(feeds) == 1 else sources,
            relevances={name: run.relevance[tensor] for name, tensor in plan.keep.items()},
            outputs=run.outputs,
            target=run.target,
            target_name=plan.start.output,
            start=run.start,
            conserved=conserved,
            audit=run.audit,
            kind=target.how,
            score=run.score,
            against=run.against,
            region=str(target) if run.is_region else "",
            labels=self.labels,
            photos=photos * samples,
            layout=layout,
        )


def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    target: TargetLike = "top",
    start: str = "output",
    against: TargetLike | None = None,
    composite: CompositeLike = "epsilon",
    eps: float = 1e-6,
    keep: Collection[str] | str = (),
    dtype: Any = "float32",
    preprocess: PreprocessLike | None = None,
    labels: Labels | None = None,
) -> Explanation:
    """Explain one prediction of an ONNX model by layer-wise relevance propagation.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
    image : path, PIL image, array or dict of input name -> array
        A path or a PIL image is preprocessed as `preprocess` or the file's metadata say; an array
        is taken as already preprocessed.
    target : "top", int, str, array, tuple or dict
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
    composite, eps, keep, dtype, preprocess, labels
        See `Explainer`.

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
    explainer = Explainer(
        model, composite=composite, eps=eps, keep=keep, dtype=dtype, preprocess=preprocess, labels=labels
    )
    return explainer.explain(image, target, start, against)


def _labels(labels: Labels) -> dict[int, str]:
    items = labels.items() if isinstance(labels, Mapping) else enumerate(labels)
    return {int(index): str(label) for index, label in items}


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if dtype is None or kind not in (np.float32, np.float64):
        raise InputError(f"dtype is 'float32' or 'float64', not {dtype!r}")
    return kind
