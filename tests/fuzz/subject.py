"""A model that is asked, and its answers as arrays that can be compared."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import onnxruntime

import explainer
from explainer import ExplainerError
from explainer.methods.drawn import drawn
from explainer.model.graph import Graph

Feeds = dict[str, np.ndarray]
TINY = 1e-30


class Wrong(Exception):
    """An answer that is not right: what was asked, and by how much."""


def session_of(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def gap(a: np.ndarray, b: np.ndarray) -> float:
    """The length of a − b relative to the length of b."""
    a, b = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    if a.shape != b.shape:
        return np.inf
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), TINY))


def parts(relevance) -> Feeds:
    """Relevance by input, for one input as for several."""
    return dict(relevance) if isinstance(relevance, dict) else {"": relevance}


def flat(relevance) -> np.ndarray:
    found = [np.asarray(part, dtype=np.float64).ravel() for _, part in sorted(parts(relevance).items())]
    return np.concatenate(found) if found else np.zeros(0)


def ran(session: onnxruntime.InferenceSession, feeds: Feeds) -> Feeds:
    """What a session answers; where its batch is larger, and fixed, it is filled up and cut again."""
    names = [item.name for item in session.get_outputs()]
    sizes = {item.name: item.shape[0] for item in session.get_inputs() if item.shape}
    types = {item.name: item.type.removeprefix("tensor(").removesuffix(")") for item in session.get_inputs()}
    feeds = {name: cast(x, types[name]) for name, x in feeds.items() if name in types}
    fixed = {size for name, size in sizes.items() if name in feeds and isinstance(size, int)}
    count = len(next(iter(feeds.values()))) if feeds and all(x.ndim for x in feeds.values()) else 0
    if not count or len(fixed) != 1 or fixed == {count}:
        return dict(zip(names, session.run(None, feeds), strict=True))
    filled = {name: np.resize(x, (*fixed, *x.shape[1:])) for name, x in feeds.items()}
    found = dict(zip(names, session.run(None, filled), strict=True))
    return {name: value[:count] for name, value in found.items() if np.shape(value)[:1] == (*fixed,)}


def cast(x: np.ndarray, kind: str) -> np.ndarray:
    """Whole numbers as the model declares them, which an explainer sees to as well."""
    floats = {"float": "float32", "double": "float64"}
    taken = kind in floats or kind.lstrip("u").startswith("int")
    return x.astype(floats.get(kind, kind)) if x.dtype.kind in "iu" and taken else x


class Subject:
    """A model as bytes, an input, and its answer by ε-LRP."""

    def __init__(self, data: bytes, feeds: Feeds) -> None:
        self.data, self.feeds = data, feeds
        self.given = feeds if len(feeds) != 1 else next(iter(feeds.values()))
        self.answer = explainer.explain(data, self.given)
        self._session = None
        if len(feeds) == 1:  # by the name that it has now
            with contextlib.suppress(UnicodeDecodeError):
                self.feeds = {self.session.get_inputs()[0].name: self.given}

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """onnxruntime on the file; without the shapes that it declares inside, where these are wrong."""
        if self._session is None:
            try:
                self._session = session_of(self.data)
            except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
                if "ShapeInferenceError" not in str(error):
                    raise
                bare = onnx.ModelProto.FromString(self.data)
                del bare.graph.value_info[:]
                self._session = session_of(bare.SerializeToString())
        return self._session

    def run(self, feeds: Feeds | None = None) -> Feeds:
        """The model's outputs, of as many samples as were asked."""
        return ran(self.session, feeds or self.feeds)

    def steady(self) -> bool:
        """Whether the model answers alike again: one that draws random numbers may not.

        onnxruntime draws none for a Dropout behind an If, and does where the branch stands in its place.
        """
        first, second = self.run(), self.run()
        return not drawn(Graph.load(self.data)) and all(
            np.array_equal(first[name], second[name], equal_nan=np.asarray(first[name]).dtype.kind == "f")
            for name in first
        )

    def again(self, **how):
        """The same question another way; None where that is refused, which it may be."""
        try:
            return explainer.explain(self.data, self.given, **how)
        except ExplainerError as error:
            if "report" in str(error):
                raise Wrong(f"{how}: {error}") from None
            return None
