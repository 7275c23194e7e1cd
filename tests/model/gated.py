"""What the tests of the gate share: a small graph, and being refused at the gate."""

import numpy as np
import onnx
import pytest
from building import parse, rng

from explainer import ModelError
from explainer.model.graph import Graph

W = rng(1).standard_normal((4, 4)).astype(np.float32)
X = rng(2).standard_normal((2, 4)).astype(np.float32)


def refused(model, *parts: str) -> None:
    with pytest.raises(ModelError) as caught:
        Graph.load(model)
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"


def body(lines: str) -> str:
    return f"g (float[N,4] x) => (float[N,4] y) {{ {lines} }}"


def changed(text: str, change, **constants) -> onnx.ModelProto:
    model = parse(text, **constants)
    change(model)
    return model
