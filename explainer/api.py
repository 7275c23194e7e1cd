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
from .audit import Audit
from .composites import CompositeLike
from .errors import ExplainerError, InputError, ModelError, PreprocessError, TargetError
from .explanation import Explanation
from .graph import Graph, Input, ModelLike, labels_of
from .plan import Plan, make_plan
from .preprocess import Preprocess, missing_message
from .runner import Run, Runner
from .targets import Index, Labels, Start, TargetLike, check_start, resolve_target
from .tensor import Array

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
        eps: float | None = None,
        keep: Collection[str] | str = (),
        dtype: Any = "float32",
        preprocess: PreprocessLike | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.graph = Graph.load(model)
        self.composite = composites.get(composite, **({} if eps is None else {"eps": eps}))
        self.keep = keep
        self.dtype = _dtype(dtype)
        self.labels = labels_of(self.graph) if labels is None else _labels(labels)
        self._preprocess = preprocess
        self._runners: dict[Start, Runner] = {}
        self._plans: dict[Start, Plan] = {}
        self._lock = threading.Lock()
        self._one_by_one = False

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
            x, photos, layout = self.prepare(x)
        elif self._preprocess is not None or "preprocessor_config" in self.graph.metadata:
            layout = getattr(self.preprocess, "layout", layout)
        feeds = self._feeds(x)
        runs = self._run(runner, feeds, index, start)
        return self._explanation(runner.plan, feeds, runs, photos, layout)

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
        expected = self._only_input()
        if expected.shape is not None:
            images.check_fits(array.shape, expected.shape, how.layout)
        if expected.dtype.kind in "iu":
            array = np.rint(array)
        return array.astype(expected.dtype), (photo,), how.layout

    def _only_input(self) -> Input:
        if len(self.graph.inputs) != 1:
            names = ", ".join(repr(value.name) for value in self.graph.inputs)
            raise InputError(f"the model has several inputs ({names}); give a dict of input name -> array")
        return self.graph.inputs[0]

    def _feeds(self, x: Any) -> dict[str, Array]:
        arrays = dict(x) if isinstance(x, Mapping) else {self._only_input().name: x}
        known = {value.name: value for value in self.graph.inputs}
        if arrays.keys() != known.keys():
            raise InputError(f"the model's inputs are {sorted(known)}, not {sorted(arrays)}")
        feeds = {name: fit(np.asarray(array), known[name]) for name, array in arrays.items()}
        sizes = {array.shape[0] for array in feeds.values()}
        if len(sizes) != 1 or 0 in sizes:
            raise InputError(
                f"the inputs hold {sorted(sizes)} samples; they must hold equally many, one or more"
            )
        return feeds

    def _run(self, runner: Runner, feeds: dict[str, Array], index: Index, how: str) -> list[Run]:
        samples = next(iter(feeds.values())).shape[0]
        if isinstance(index, np.ndarray) and len(index) != samples:
            raise TargetError(f"target: {len(index)} indices for {samples} sample(s)")
        fixed = {v.shape[0] for v in self.graph.inputs if v.shape and v.shape[0] is not None}
        if len(fixed) == 1:
            return self._chunks(runner, feeds, index, how, fixed.pop())
        if samples > 1 and not self._one_by_one:
            try:
                return [runner.run(feeds, index, how)]
            except ExplainerError as error:
                # Some files declare a dynamic batch that they do not have: does one sample pass?
                if not isinstance(error, ModelError | TargetError):
                    raise
                runs = self._chunks(runner, feeds, index, how, 1)
                self._one_by_one = True
                warnings.warn(
                    f"{self.graph.title} declares a dynamic batch but fails on {samples} samples "
                    f"({error}); they are fed one by one",
                    stacklevel=3,
                )
                return runs
        return self._chunks(runner, feeds, index, how, 1 if self._one_by_one else samples)

    @staticmethod
    def _chunks(runner: Runner, feeds: dict[str, Array], index: Index, how: str, size: int) -> list[Run]:
        """Batches of a fixed size; the last one is padded with its last sample."""
        samples, runs = next(iter(feeds.values())).shape[0], []
        for begin in range(0, samples, size):
            take = np.minimum(np.arange(begin, begin + size), samples - 1)
            part = feeds if size == samples else {name: array[take] for name, array in feeds.items()}
            where = index[take] if isinstance(index, np.ndarray) else index
            runs.append(_first(runner.run(part, where, how), size, min(size, samples - begin)))
        return runs

    def _explanation(
        self, plan: Plan, feeds: dict[str, Array], runs: list[Run], photos: tuple[Image, ...], layout: str
    ) -> Explanation:
        relevance = {name: _join([run.relevance[name] for run in runs]) for name in runs[0].relevance}
        start = np.concatenate([run.start for run in runs])
        audit = Audit.join([run.audit for run in runs])
        arrived = np.sum(
            [relevance[name].reshape(len(start), -1).sum(1, np.float64) for name in plan.sources], axis=0
        )
        targets = [run.target for run in runs if run.target is not None]
        with np.errstate(divide="ignore", invalid="ignore"):
            conserved = np.where(start == 0, np.nan, arrived / start)
        sources = {name: relevance[name] for name in plan.sources}
        return Explanation(
            relevance=next(iter(sources.values())) if len(feeds) == 1 else sources,
            relevances={name: relevance[tensor] for name, tensor in plan.keep.items()},
            outputs={name: _join([run.outputs[name] for run in runs]) for name in runs[0].outputs},
            target=np.concatenate(targets) if targets else None,
            target_name=plan.start.output,
            start=start,
            conserved=conserved,
            audit=audit,
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
    return explainer.explain(image, target, start)


def _labels(labels: Labels) -> dict[int, str]:
    items = labels.items() if isinstance(labels, Mapping) else enumerate(labels)
    return {int(index): str(label) for index, label in items}


def fit(array: Array, expected: Input) -> Array:
    """An array as the input wants it: a batch axis added to a single sample, the type cast.

    Raises
    ------
    InputError
        Shape or type do not fit, or there is NaN or infinity in it.
    """
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {expected.name!r} wants numbers, not {array.dtype}")
    if expected.shape is not None:
        if array.ndim == len(expected.shape) - 1:
            array = array[None]
        inner = list(zip(array.shape[1:], expected.shape[1:], strict=False))
        if array.ndim != len(expected.shape) or any(
            want is not None and have != want for have, want in inner
        ):
            want = ", ".join("any" if size is None else str(size) for size in ("N", *expected.shape[1:]))
            raise InputError(f"input {expected.name!r} has shape ({want}), the array {array.shape}")
    if array.ndim == 0:
        raise InputError(f"input {expected.name!r} wants an array with a batch axis, not a number")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"the array for input {expected.name!r} has NaN or infinity in it")
        if expected.dtype.kind in "iu":
            raise InputError(f"input {expected.name!r} wants {expected.dtype}, not {array.dtype}")
    return np.ascontiguousarray(array, dtype=expected.dtype)


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind not in (np.float32, np.float64):
        raise InputError(f"dtype is 'float32' or 'float64', not {dtype!r}")
    return kind


def _first(run: Run, size: int, count: int) -> Run:
    """A run without the samples that padded its batch."""
    if count == size:
        return run
    cut = {name: value[:count] if len(value) == size else value for name, value in run.outputs.items()}
    target = None if run.target is None else run.target[:count]
    steps = (
        type(step)(
            step.node,
            step.operator,
            step.rule,
            *(v[:count] for v in (step.R_out, step.R_in, step.bias, step.epsilon)),
        )
        for step in run.audit
    )
    relevance = {name: value[:count] for name, value in run.relevance.items()}
    return Run(relevance, cut, target, run.start[:count], Audit(steps))


def _join(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return (
        np.concatenate(parts)
        if isinstance(parts[0], np.ndarray)
        else [item for part in parts for item in part]
    )
