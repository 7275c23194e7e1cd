"""Deployed models of voice activity, whose Ifs ask for a sampling rate and for sizes, their state held."""

import numpy as np
import pytest
from building import run

import explainer
from explainer import Explainer, InputError, UnsupportedError
from explainer.model.graph import Graph

RATE = 16000
# What holds the state and the rate, and says the sizes that an If asks for.
HELD = {
    "silero-vad-op15.onnx": {"sr": RATE, "state": 0, "batch": 1, "sequence": 576},
    "silero-vad-openvino.onnx": {"state": 0},
    "silero-vad-sequence.onnx": {"h": 0, "c": 0},
    "silero-vad-ifless.onnx": {"sr": RATE, "batch": 1, "state": 0},
}


def voice(samples: int = 576) -> np.ndarray:
    """A vowel: the harmonics of 120 Hz under two formants."""
    t = np.arange(samples) / RATE
    phase = 2 * np.pi * np.cumsum(120 * (1 + 0.05 * np.sin(6 * np.pi * t))) / RATE
    k = np.arange(1, 30)[:, None]
    loud = np.exp(-(((k * 120 - 600) / 500) ** 2)) + 0.5 * np.exp(-(((k * 120 - 1500) / 400) ** 2))
    sound = (loud * np.sin(k * phase)).sum(axis=0)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)[None]


def feeds(graph: Graph) -> dict[str, np.ndarray]:
    """What the file as it is takes: the vowel, states of zeros, the rate."""
    made = {value.name: np.zeros([size or 1 for size in value.shape], value.dtype) for value in graph.inputs}
    return made | {"input": voice()} | ({"sr": np.array(RATE)} if "sr" in made else {})


@pytest.mark.slow
@pytest.mark.parametrize("name", HELD)
def test_a_rate_and_a_state_that_are_held_leave_no_if_and_the_same_answer(deployed, name):
    path = deployed / name
    as_it_is, graph = Graph.load(path), Graph.load(path, fix=HELD[name])
    assert "If" not in {node.operator for node in graph.nodes}
    assert [value.name for value in graph.inputs] == ["input"]
    found = graph.session(graph.outputs).run({"input": voice()})
    wanted = run(path.read_bytes(), feeds(as_it_is))
    for ours, theirs in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"composite": "gradient"}])
def test_four_exports_of_one_network_have_one_explanation(deployed, how):
    """They were written by two exporters, with and without an If, and converted by hand."""
    first, *others = (
        Explainer(deployed / name, fix=fix, dtype="float64", **how).explain(voice(), target).relevance
        for name, fix in HELD.items()
        # Of the one that ends in its Sigmoid, which is cut, the probability is asked for by name.
        for target in ["speech_probs" if name == "silero-vad-sequence.onnx" else "top"]
    )
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-4 * np.abs(first).max())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*computes across the samples")  # the sequence is its LSTM's time
@pytest.mark.parametrize("name", HELD)
def test_what_is_compiled_answers_alike(deployed, name):
    fix = HELD[name] | ({"sequence": 576} if name == "silero-vad-ifless.onnx" else {})
    made = explainer.compile(deployed / name, fix=fix)
    explained = Explainer(deployed / name, fix=fix).explain(voice()).relevance
    names = [value.name for value in made.graph.output]
    found = run(made, {"input": voice()})[names.index("relevance")]
    np.testing.assert_allclose(found, explained, atol=1e-4 * np.abs(explained).max())


@pytest.mark.slow
def test_what_is_not_said_is_asked_for(deployed):
    with pytest.raises(UnsupportedError, match="--fix sr=VALUE"):
        Explainer(deployed / "silero-vad-ifless.onnx").plan  # noqa: B018
    with pytest.raises(UnsupportedError, match="--fix batch=SIZE --fix sequence=SIZE"):
        Explainer(deployed / "silero-vad-op15.onnx", fix={"sr": RATE}).plan  # noqa: B018
    made = Explainer(deployed / "silero-vad-openvino.onnx")
    with pytest.raises(InputError, match=r"'state' has its samples on axis 1.*--fix state=0"):
        made.explain({"input": voice(), "state": np.zeros((2, 1, 128), np.float32)})
