"""Problems for the methods that change the input: any function as the model, and the shipped network."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from explainer import Explainer
from explainer.model.told import Axes

MODELS = Path(__file__).resolve().parents[2] / "models"


def axes(rank, layout):
    """Those of a picture, a series or a table."""
    if rank < 3:
        return Axes(channel=1 if rank == 2 else None)
    channel = 1 if layout == "NCHW" else rank - 1
    return Axes(tuple(axis for axis in range(1, rank) if axis != channel), channel)


class Problem:
    """A function (feeds, rows) -> scores as the model; remembers what it was asked."""

    def __init__(self, function, layout="NCHW", **feeds):
        self.function = function
        self.dtype = np.dtype(np.float32)
        self.axes = {name: axes(x.ndim, layout) for name, x in feeds.items()}
        self.held, self.feeds = {}, feeds
        self.samples = len(next(iter(feeds.values())))
        self.asked = []  # (feeds, rows) of every batch

    def score(self, feeds, rows):
        self.asked.append((feeds, rows))
        scores = np.asarray(self.function(feeds, rows))
        assert scores.shape == rows.shape
        return scores

    def everything(self, name):
        """All that was asked, as one array."""
        return np.concatenate([feeds[name] for feeds, _ in self.asked])


def smooth(seed, *shapes):
    """A function that every value of every input matters to, differently, and not additively."""
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(int(np.prod(shape))) for shape in shapes]

    def function(feeds, rows):
        z = sum(
            x.reshape(len(x), -1).astype(np.float64) @ w for x, w in zip(feeds.values(), weights, strict=True)
        )
        return np.tanh(z / 5) + 0.1 * z + rows  # the row's own target

    return function


def scenes(count, probability):
    """Scenes that the shipped network classifies rightly, as a problem, and the masks of their shapes."""
    sys.path.insert(0, str(MODELS))
    try:
        import scenes as module
    finally:
        sys.path.remove(str(MODELS))
    path = MODELS / "shapes.onnx"
    how = Explainer(path).preprocess
    images, labels, masks = module.render_many(1, count)
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (how.mean, how.std))
    x = ((images.transpose(0, 3, 1, 2) * how.scale - mean) / std).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def function(feeds, rows):
        (logits,) = session.run(None, feeds)
        assert logits.shape == (len(rows), 8)
        if probability:
            logits = np.exp(logits - logits.max(1, keepdims=True))
            logits /= logits.sum(1, keepdims=True)
        return logits[np.arange(len(rows)), labels[rows]]

    right = session.run(None, {name: x})[0].argmax(1) == labels
    x, labels, masks = x[right], labels[right], masks[right]
    return Problem(function, **{name: x}), masks


def mass_inside(relevance, masks):
    """Share of the positive relevance that lies inside the masks (Arras et al. 2022), per sample."""
    positive = np.maximum(relevance.sum(1), 0)
    return (positive * masks).sum((1, 2)) / positive.sum((1, 2))
