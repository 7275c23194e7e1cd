"""The public face: `Explainer` for many images, `explain` for one."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import composites
from .batches import Run, in_batches
from .composites import CompositeLike, RulesLike
from .errors import InputError, ModelError, PreprocessError, TargetError
from .explanation import Explanation
from .graph import Graph, ModelLike
from .inputs import feeds_of, only_input
from .plan import Plan, make_plan
from .preprocess import Preprocess, defaults_from, missing_message, of_metadata
from .runner import Runner
from .targets import Index, Labels, Start, TargetLike, check_start, labels_of, resolve_target
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
    composite : str, (str, dict), dict, path or Composite
        Which rule at which node; "epsilon" by default. See `explainer.composites.get`.
    rules : dict of str -> str or Rule
        Rules of one's own, tried before the composite's: ``{"Conv": "zplus", "/layer1/*": "gamma:0.1"}``.
    dialect : str, optional
        "zennit", "captum", "innvestigate" or "attnlrp": whose form of the rules is meant.
    eps : float, optional
        The composite's stabiliser: short for ``composite=(name, {"eps": eps})``.
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
        rules: RulesLike = (),
        dialect: str | None = None,
        eps: float | None = None,
        keep: Collection[str] | str = (),
        dtype: Any = "float32",
        preprocess: PreprocessLike | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.graph = Graph.load(model)
        self._preprocess = preprocess
        bounds = defaults_from(lambda: self.preprocess)
        self.composite = composites.get(composite, rules=rules, dialect=dialect, eps=eps, defaults=bounds)
        self.keep = keep
        self.dtype = _dtype(dtype)
        self.labels = labels_of(self.graph) if labels is None else _labels(labels)
        self._runners: dict[Start, Runner] = {}
        self._plans: dict[Start, Plan] = {}
        self._lock = threading.Lock()
        self._one_by_one = False

    @property
    def preprocess(self) -> Preprocess | None:
        """How an image becomes the input: as given, or as the file's metadata has it, or None."""
        given = self._preprocess
        if given is None:
            return of_metadata(self.graph.metadata)
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
        return self._plan(resolve_target(self.graph, target, self.labels)[0])

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

    def explain(self, x: ImageLike, target: TargetLike = "top", start: str = "output") -> Explanation:
        """Explain a batch.

        Parameters
        ----------
        x : array (N, ...), dict of input name -> array, PIL image or path
            Arrays are taken as already preprocessed, images are preprocessed here.
        target : see `explain`
        start : "output" or "one"
            The relevance put on the target: its own value, or 1.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            The input does not fit the model.
        TargetError, UnsupportedError, ModelError, NumericalError, PreprocessError
        """
        where, index = resolve_target(self.graph, target, self.labels)
        check_start(start, index)
        runner = self._runner(where)
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
        run = self._run(runner, feeds, index, start)
        return self._explanation(runner.plan, feeds, run, photos, layout)

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

    def _run(self, runner: Runner, feeds: dict[str, Array], index: Index, how: str) -> Run:
        samples = len(next(iter(feeds.values())))
        if isinstance(index, np.ndarray) and len(index) != samples:
            raise TargetError(f"target: {len(index)} indices for {samples} sample(s)")

        def run(part: Mapping[str, Array], where: Index) -> Run:
            return runner.run(part, where, how)

        fixed = {value.shape[0] for value in self.graph.inputs if value.shape and value.shape[0] is not None}
        if len(fixed) == 1:
            return in_batches(run, feeds, index, fixed.pop())
        if samples == 1 or self._one_by_one:
            return in_batches(run, feeds, index, 1)
        try:
            return run(feeds, index)
        except (ModelError, TargetError) as error:
            # Some files declare a dynamic batch that they do not have: does one sample pass?
            result = in_batches(run, feeds, index, 1)
            self._one_by_one = True
            warnings.warn(
                f"{self.graph.title} declares a dynamic batch but fails on {samples} samples "
                f"({error}); they are fed one by one",
                stacklevel=3,
            )
            return result

    def _explanation(
        self, plan: Plan, feeds: dict[str, Array], run: Run, photos: tuple[Image, ...], layout: str
    ) -> Explanation:
        sources = {name: run.relevance[name] for name in plan.sources}
        arrived = np.sum([total(R, len(run.start)) for R in sources.values()], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            conserved = np.where((run.start == 0) | plan.gradient, np.nan, arrived / run.start)
        return Explanation(
            relevance=next(iter(sources.values())) if len(feeds) == 1 else sources,
            relevances={name: run.relevance[tensor] for name, tensor in plan.keep.items()},
            outputs=run.outputs,
            target=run.target,
            target_name=plan.start.output,
            start=run.start,
            conserved=conserved,
            audit=run.audit,
            labels=self.labels,
            photos=photos,
            layout=layout,
        )


def explain(
    model: ModelLike,
    image: ImageLike,
    *,
    target: TargetLike = "top",
    start: str = "output",
    composite: CompositeLike = "epsilon",
    rules: RulesLike = (),
    dialect: str | None = None,
    eps: float | None = None,
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
        index per sample; ``(output or tensor name, index)`` and ``{output name: index}`` choose
        among several outputs; a tensor's name starts from that whole tensor, every value its own
        relevance.
    start : "output" or "one"
        The relevance put on the target: its own value, or 1.
    composite, rules, dialect, eps, keep, dtype, preprocess, labels
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
        model,
        composite=composite,
        rules=rules,
        dialect=dialect,
        eps=eps,
        keep=keep,
        dtype=dtype,
        preprocess=preprocess,
        labels=labels,
    )
    return explainer.explain(image, target, start)


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
