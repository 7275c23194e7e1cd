"""What a compiled file is checked against: onnx's checker, the original file and NumPy's walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx

from ..errors import ExplainerError, InputError, ModelError
from ..inputs.preprocess import Preprocess
from ..model.graph import Graph, Input
from ..model.runtime import Runtime
from ..model.session import Session
from ..targets import Target
from ..tensor import Array
from .choices import Choice

# An emitted walk and NumPy's must point the same way; the two forward passes are fused differently,
# and float32 epsilon-LRP amplifies that, so a largest error says little about a right graph.
COSINE = 0.999
# Rounding of some hundred layers, fused differently, relative to the largest output.
AGREEMENT = {np.dtype(np.float16): 5e-2, np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}

Reference: TypeAlias = Callable[[Mapping[str, Array], Sequence[Target]], "list[dict[str, Array]]"]


@dataclass(frozen=True)
class Examples:
    """Random inputs of a model's own shapes, for tracing and for the proof."""

    inputs: tuple[Input, ...]
    sizes: tuple[int, int] | None
    asked: bool = False

    @classmethod
    def of(cls, graph: Graph, image_size: int | tuple[int, int] | None) -> Examples:
        """Decide the dynamic spatial sizes."""
        asked = image_size is not None
        if isinstance(image_size, int):
            image_size = (image_size, image_size)
        text = graph.metadata.get("preprocessor_config")
        if image_size is None and text is not None:
            how = Preprocess.from_metadata(text)
            size = how.crop or how.size
            image_size = (size, size) if isinstance(size, int) else size
        return cls(graph.inputs, image_size, asked)

    def shape(self, value: Input, samples: int) -> tuple[int, ...]:
        """A whole shape of an input, the batch where it is dynamic."""
        if value.shape is None:
            raise InputError(f"input {value.name!r} declares no shape; it cannot be compiled")
        batch, *inner = value.shape
        unknown = [axis for axis, size in enumerate(inner) if size is None]
        if self.asked and not unknown and self.sizes not in (tuple(inner[:2]), tuple(inner[-2:])):
            raise InputError(
                f"input {value.name!r} has the fixed shape {['N', *inner]}; leave image_size out"
            )
        if unknown and (self.sizes is None or len(unknown) != 2):
            raise InputError(
                f"input {value.name!r} has the dynamic shape {['N', *inner]}: spatial sizes must be fixed; "
                "give image_size (--image-size)"
            )
        sizes = dict(zip(unknown, self.sizes or (), strict=False))
        return (batch or samples, *(size or sizes[axis] for axis, size in enumerate(inner)))

    @property
    def is_dynamic(self) -> bool:
        """Whether the batch is free."""
        return any(value.shape is not None and value.shape[0] is None for value in self.inputs)

    def feeds(self, samples: int) -> dict[str, Array]:
        """Seeded inputs."""
        rng = np.random.default_rng(samples)
        feeds = {}
        for value in self.inputs:
            x = rng.standard_normal(self.shape(value, samples))
            pixels = rng.integers(0, 255, x.shape) if value.dtype.kind in "iu" else x
            feeds[value.name] = np.asarray(pixels, dtype=value.dtype)
        return feeds


def prove(
    proto: onnx.ModelProto,
    original: Graph,
    relevance: Reference,
    names: Mapping[str, str],
    target: Target,
    examples: Examples,
    choices: Sequence[Choice] = (),
) -> None:
    """Check the emitted file, and run it beside the original and beside NumPy.

    A further batch size shows whether the traced one was baked in, further targets whether the
    default was.

    Parameters
    ----------
    proto : onnx.ModelProto
        The compiled model.
    original : Graph
    relevance : callable
        What NumPy makes of feeds and targets: a dict of tensor -> relevance for each target.
    names : dict of emitted output -> tensor
    target : Target
        As it was compiled.
    examples : Examples
    choices : sequence of Choice
        The inputs that choose another target.

    Raises
    ------
    ModelError
        The file is invalid, or it disagrees.
    """
    session = loaded(proto, [*original.outputs, *names], original.runtime)
    reference = original.session(original.outputs)
    for samples in (1, 3) if examples.is_dynamic else (1,):
        feeds = examples.feeds(samples)
        batch = next(iter(feeds.values())).shape[0]
        trials = [(target, feeds)]
        for choice in choices:
            indices = choice.others(batch)
            trials.append((choice.made(target, indices), {**feeds, choice.name: indices}))
        answers = [session.run(given) for _, given in trials]
        wanted = reference.run(feeds)
        for name in original.outputs:
            _agree(name, answers[0][name], wanted[name])
        try:
            found = relevance(feeds, [tried for tried, _ in trials])
        except ExplainerError:
            if samples == 1 or batch == 1:
                raise
            continue
        for got, values in zip(answers, found, strict=True):
            for name, tensor in names.items():
                _point_alike(name, got[name], values[tensor])


def loaded(proto: onnx.ModelProto, outputs: Sequence[str], runtime: Runtime) -> Session:
    """A file that onnx's checker and onnxruntime accept.

    Raises
    ------
    ModelError
    """
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # ValidationError and InferenceError share no base but Exception
        raise ModelError(f"the compiled model is not valid: {str(error).strip()[:400]}") from error
    return Session(proto.SerializeToString(), outputs, title="the compiled model", runtime=runtime)


def _agree(name: str, got: Any, wanted: Any) -> None:
    if not isinstance(wanted, np.ndarray) or wanted.dtype.kind != "f":
        return
    scale = float(np.max(np.abs(wanted), initial=0)) or 1.0
    error = float(np.max(np.abs(got.astype(np.float64) - wanted), initial=0)) / scale
    if not error <= AGREEMENT[wanted.dtype]:
        raise ModelError(f"the compiled model's output {name!r} differs from the original's by {error:.2g}")


def _point_alike(name: str, got: Array, wanted: Array) -> None:
    a, b = got.astype(np.float64).ravel(), wanted.astype(np.float64).ravel()
    if a.shape != b.shape or not alike(a, b):
        raise ModelError(f"the compiled {name!r} differs from NumPy's; please report this model")


def alike(a: Array, b: Array) -> bool:
    """Whether two vectors point the same way; of two that are 0, both do."""
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) >= COSINE * norms if norms else not a.any() and not b.any()
