"""Deployed models of voice activity, whose Ifs ask for a sampling rate and for sizes."""

import numpy as np
import pytest
from building import rng, run

from explainer import Explainer, UnsupportedError
from explainer.model.graph import Graph


def feeds(rate: int, samples: int) -> dict[str, np.ndarray]:
    sound = 0.1 * rng(1).standard_normal((1, samples)).astype(np.float32)
    state = 0.1 * rng(2).standard_normal((2, 1, 128)).astype(np.float32)
    return {"input": sound, "state": state, "sr": np.array(rate)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rate", "sizes"),
    [
        ("silero-vad-op15.onnx", 16000, {"batch": 1, "sequence": 576}),
        ("silero-vad-ifless.onnx", 16000, {}),
        ("silero-vad-ifless.onnx", 8000, {}),
    ],
)
def test_a_rate_that_is_held_and_sizes_that_are_said_leave_no_if(deployed, name, rate, sizes):
    path = deployed / name
    given = feeds(rate, 576 if rate == 16000 else 288)
    graph = Graph.load(path, fix={"sr": rate, **sizes})
    assert "If" not in {node.operator for node in graph.nodes}
    assert [value.name for value in graph.inputs if value.name == "sr"] == []
    left = {key: value for key, value in given.items() if key != "sr"}
    found = graph.session(graph.outputs).run(left)
    for ours, theirs in zip(found.values(), run(path.read_bytes(), given), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_what_is_not_said_is_asked_for(deployed):
    with pytest.raises(UnsupportedError, match="--fix sr=VALUE"):
        Explainer(deployed / "silero-vad-ifless.onnx").plan  # noqa: B018
    with pytest.raises(UnsupportedError, match="--fix batch=SIZE --fix sequence=SIZE"):
        Explainer(deployed / "silero-vad-op15.onnx", fix={"sr": 16000}).plan  # noqa: B018
