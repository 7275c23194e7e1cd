"""`Explainer`: one model, made once and asked many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import InputError, PreprocessError
from ..files import Files, recording
from ..inputs.feeds import check_images, given
from ..inputs.preprocess import PreprocessLike, reading
from ..inputs.ranges import MAX_PIXELS, pixel_limit
from ..methods import Progress
from ..methods.behind import from_inputs, holding_less
from ..methods.explaining import explanation_of
from ..model.fixing import FixLike, fixed_of
from ..model.graph import Graph, ModelLike
from ..model.runtime import PathLike, ProviderLike, Runtime
from ..plain.keywords import Nothing, named, refuse_unknown
from ..plan import Plan
from ..recipe import Recipe, Settings
from ..recipe.stopping import goal_of, stopped
from ..results.explanation import Explanation
from ..targets import (
    UNSAID,
    Anchor,
    Ask,
    ConditionsLike,
    LabelsLike,
    Target,
    TargetLike,
    labels_given,
    labels_of,
    paired,
)
from .made import ASKED, OF_EXPLAINER, ImageLike, Made
from .prepared import Prepared

if TYPE_CHECKING:
    from typing import Unpack


class Explainer(Made):
    """Explains one model, many times; safe to share between threads.

    It stays as it was made: other rules or another preprocessing are another explainer. Pickled, a
    model that is a file is named, not held, and refused where it has changed when it is read again.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Any file that onnxruntime runs.
    recipe : Recipe
        All that is listed from `method` to `options`, in one value; in their place.
    method : str
        "lrp", or another of `explainer.methods.NAMES`: "integrated_gradients", "grad_cam", ...
    noise : str or (str, dict), optional
        "smoothgrad", "smoothgrad_sq" or "vargrad" around the method.
    composite : str, (str, dict), dict, path or Composite
        Which rule at which node; "epsilon" by default. See `explainer.composites.get`. A method of
        gradients takes those that hand back gradients, such as "beta_smooth".
    rules : dict of str -> str or Rule
        Rules of one's own, tried before the composite's: ``{"Conv": "zplus", "/layer1/*": "gamma:0.1"}``.
    dialect : str, optional
        "zennit", "captum", "innvestigate", "attnlrp" or "cp_lrp": whose form of the rules is meant.
    eps : float, optional
        The composite's stabiliser: short for ``composite=(name, {"eps": eps})``.
    keep : collection of str, or "all"
        Tensors whose relevance is returned too, and constants that layers add: a class token, a bias.
    stop : str or collection of str
        Tensors at which walks end in place of the inputs, which are held as they are: relevance, gradients
        and what methods change are theirs. A model of tokens ends at its embedding by itself.
    dtype : "float32" or "float64"
        Of the walk. float64 is the reference mode: the forward pass runs in float64 too, in NumPy.
    forward : str
        What runs the model: "onnxruntime", on the file as it is; "numpy", the layers' own bodies in
        the type of the walk, checked against onnxruntime; or "auto", NumPy for float64, onnxruntime
        for float32. A float64 walk on onnxruntime's activations has their float32 error.
    engine : str
        What walks for methods that do so from many points: "numpy", "onnxruntime", or "auto", the
        faster one. The numbers differ by rounding alone.
    audit : bool or "numerics"
        Whether every step of a walk in NumPy is checked, that what goes out is what came in, and its
        shares are noted in `Explanation.audit`. False saves a little time. "numerics" also measures how
        much relevance there is and how ill-conditioned each step is, which takes three to four times
        as long: see docs/checking.md.
    options : dict
        The method's own: ``n_steps=200``; of "lrp" and methods that are composites, the composite's.
        They can also be given by name, as here; plugins' own in this dict alone.
    preprocess : Preprocess, dict, path or None
        How an image becomes the input; None reads the file's metadata.
    labels : sequence of str, dict of int -> str, path or None
        Class names; None reads the file's metadata. A file has a name a line, with or without its index
        or ImageNet's synset before it, or JSON: a list, a dict of index to name, or Keras'
        ``imagenet_class_index.json``.
    max_pixels : int
        How many pixels a picture may have, before and after it is prepared; a larger one is refused
        before it is decoded. Decoding takes about 20 bytes a pixel.
    providers : sequence of str or (str, dict), optional
        onnxruntime's execution providers, the preferred first: ``["CUDAExecutionProvider"]``. The CPU
        alone by default.
    threads : int, optional
        How many threads an operator may use in onnxruntime, and a matrix product of a walk in NumPy (whose
        number is the whole process's while it walks). None is onnxruntime's own choice, and in NumPy one
        thread for small nets, all for others.
    custom_ops : sequence of path, optional
        Shared libraries of custom operators that the model uses. They are code, and run in this
        process: loaded because they are named here, never because a model names them.
    fix : dict of str -> number or array, optional
        What is the same in every run: an input at a value, which is no input any more, a sampling rate say,
        or a state (a number fills all of it where its sizes are told); an open axis, by its name in the file
        or as ``"input[1]"``, at a size. So an `If` that asks for them is the branch that is taken:
        ``{"sr": 16000, "state": 0, "batch": 1, "sequence": 576}``.

    Attributes
    ----------
    recipe : Recipe
        How it explains.
    graph : Graph
    method : Method
    composite : Composite
    dtype : numpy dtype
    labels : dict of int -> str
    max_pixels : int

    Raises
    ------
    ModelError
        The file cannot be read.
    CompositeError, InputError, PreprocessError
    """

    @named(Settings, defaults=Recipe())
    def __init__(
        self,
        model: ModelLike,
        *,
        preprocess: PreprocessLike | None = None,
        labels: LabelsLike | None = None,
        max_pixels: int = MAX_PIXELS,
        providers: Sequence[ProviderLike] | None = None,
        threads: int | None = None,
        custom_ops: Sequence[PathLike] = (),
        fix: FixLike | None = None,
        **how: Unpack[Settings],
    ) -> None:
        with recording() as self._files:
            self.recipe = Recipe.of(how)
            self.max_pixels = pixel_limit(max_pixels)
            runtime = Runtime(providers, threads, custom_ops)
            self.graph = Graph.load(model, runtime, fix)
            self._preprocess = reading(preprocess, self.graph.metadata)
            self.method, self.composite = self.recipe.made(self._preprocess)
            self.labels = labels_of(self.graph) if labels is None else labels_given(labels)
        self.name, self.how, self.keep = self.recipe.method, self.recipe.how, self.recipe.keep
        backends = self.recipe.backends
        self.dtype = backends.dtype
        self._given: dict[str, Any] = {
            "preprocess": None if preprocess is None else self.preprocess,
            "labels": None if labels is None else self.labels,
            "max_pixels": self.max_pixels,
            "providers": runtime.providers or None,
            "threads": runtime.threads or None,
            "custom_ops": runtime.custom_ops,
            "fix": None if not fix else dict(fixed_of(fix)),
        }
        self._parts = stopped(self.graph, self.recipe, self.method)
        walked = self.graph if self._parts is None else self._parts.rest
        self.method = holding_less(self.method, walked)
        self._prepared = Prepared(walked, self.composite, self.keep, self.method, backends)
        self._front = None if self._parts is None else self._prepared.front(self._parts)
        self._is_made = True

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Explainer, recipe=self.recipe, **self._given), (self.graph.source,)

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
        with self._asked(Ask.of(target)).advising():
            return self._prepared.plan(self.start_of(target))

    def check_target(
        self,
        target: TargetLike = "top",
        start: str = UNSAID,
        against: TargetLike | None = None,
        conditions: ConditionsLike | None = None,
    ) -> Plan | None:
        """Refuse a question that cannot be answered, before anything is computed.

        Parameters
        ----------
        target, start, against, conditions : see `explain`

        Returns
        -------
        Plan or None
            None where the method asks for scores alone.

        Raises
        ------
        TargetError, UnsupportedError, InputError
        """
        ask = Ask.of(target, start, against, conditions)
        goal = goal_of(self.graph, self._parts, ask, self.labels)
        with self._asked(ask).advising():
            plan = self._prepared.plans([goal])[goal.anchor]
            self._check(goal, plan)
        return plan

    def start_of(self, target: TargetLike) -> Anchor:
        """The tensor that a target starts from, and what was cut behind it; no plan is made.

        Raises
        ------
        TargetError
        """
        return goal_of(self.graph, self._parts, Ask.of(target), self.labels).anchor

    @named(Nothing)
    def explain(
        self,
        x: ImageLike,
        target: TargetLike = "top",
        start: str = UNSAID,
        against: TargetLike | None = None,
        progress: Progress | None = None,
        conditions: ConditionsLike | None = None,
        **unknown: Unpack[Nothing],
    ) -> Explanation:
        """Explain a batch.

        Parameters
        ----------
        x : array (N, ...), dict of input name -> array, PIL image or path
            Arrays are taken as already preprocessed, images are preprocessed here, turned as their
            EXIF says.
        target, start, against, conditions : see `explain`
        progress : callable, optional
            Called with (done, total) by methods that ask a model many times.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            The input does not fit the model.
        TargetError, UnsupportedError, ModelError, NumericalError, PreprocessError
        """
        refuse_unknown("explain", unknown, (*ASKED, "target", "progress"), OF_EXPLAINER)
        only = None if conditions is None else [conditions]
        return self.explain_targets(x, [target], start, against, progress, only)[0]

    @named(Nothing)
    def explain_targets(
        self,
        x: ImageLike,
        targets: Sequence[TargetLike],
        start: str = UNSAID,
        against: TargetLike | None = None,
        progress: Progress | None = None,
        conditions: ConditionsLike | Sequence[ConditionsLike | None] | None = None,
        **unknown: Unpack[Nothing],
    ) -> list[Explanation]:
        """Explain a batch for several targets of any kind, or under several conditions.

        Targets in the same tensor share one forward pass where the method is one walk; those in
        another tensor have their own, which returns other inner values.

        Parameters
        ----------
        x, start, against, progress : see `explain`
        targets : sequence of targets
            Each whatever `explain` takes.
        conditions : dict, or sequence of dict or None
            The same for all targets, or one for each; a single target is explained under each.

        Returns
        -------
        list of Explanation, in the order of `targets` or `conditions`

        Raises
        ------
        As `explain` does, before anything is computed where a target cannot be explained.
        """
        refuse_unknown("explain_targets", unknown, (*ASKED, "targets", "progress"), OF_EXPLAINER)
        if progress is not None and not callable(progress):
            raise InputError(f"progress: a function that is called with (done, total), not {progress!r}")
        asks = [Ask.of(one, start, against, through) for one, through in paired(targets, conditions)]
        asked = [goal_of(self.graph, self._parts, ask, self.labels) for ask in asks]
        try:
            check_images(self.graph, x, self._preprocess)
        except (InputError, PreprocessError) as error:
            self.check_first(asks, error)
            raise
        asked_first = self._asked(asks[0] if asks else Ask())
        with asked_first.advising():
            walkers = self._prepared.walkers(asked)
        with recording() as files:
            input_ = given(self.graph, x, self._preprocess, self.max_pixels)
        method = self.method
        if self._parts is not None and self._front is not None:
            method = from_inputs(method, self.graph, self._parts.rest, input_, self._front)
            input_ = replace(input_, feeds=self._front(input_.feeds))
        made_of = Files([self._files, files])
        found: dict[Target, Explanation] = {}
        for anchor, here in walkers.items():
            these = [target for target in asked if target.anchor == anchor]
            with asked_first.advising():
                runs = method.answer(here, input_, these, progress)
            told = replace(input_, remarks=(*input_.remarks, *here.remarks(input_.samples)))
            for run, target in zip(runs, these, strict=True):
                answer = explanation_of(
                    run, target, told, self._prepared.graph, here.plan, self.method, self.labels
                )
                found[target] = replace(
                    answer,
                    method=self.name,
                    composite=self.composite.name if self.method.walks else "",
                    how=self.how,
                    recipe=self.recipe,
                    files=made_of,
                )
        return [replace(found[target], ask=ask) for target, ask in zip(asked, asks, strict=True)]
