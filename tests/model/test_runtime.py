"""What onnxruntime's sessions are opened with: providers, threads, libraries of custom operators."""

import copy
import pickle

import native
import numpy as np
import onnxruntime
import pytest
from building import parse, relative, rng
from residual import picture, residual_net

from explainer import Explainer, InputError, ModelError, compile, explain
from explainer.model.graph import Graph
from explainer.model.runtime import Runtime
from explainer.model.session import Session


@pytest.fixture
def opened(monkeypatch):
    """(threads, providers) of every session."""
    found, real = [], onnxruntime.InferenceSession

    def opening(model, options, providers, **more):
        found.append((options.intra_op_num_threads, providers))
        return real(model, options, providers=providers, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    return found


ASKED = {"threads": 3, "providers": [("CPUExecutionProvider", {"use_arena": 0})]}


def net():
    """A net with a constant that is computed, so that constants need a session too."""
    return parse(
        """g (float[N,3,4,4] x) => (float[N,2] y) {
            two = Add (one, one)
            h = Mul (x, two)
            f = Flatten (h)
            y = Gemm (f, w)
        }""",
        one=np.ones(1, np.float32),
        w=rng(0).standard_normal((48, 2)),
    )


def pixels():
    return rng(1).standard_normal((1, 3, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("how", "sessions"),
    [
        ({}, 2),  # the computed constant, the plan
        ({"dtype": "float64"}, 2),
        ({"method": "occlusion"}, 1),  # scores
        ({"method": "integrated_gradients", "n_steps": 50}, 4),  # scores, and the walk itself
    ],
    ids=str,
)
def test_every_session_of_an_explanation_is_opened_with_what_was_asked_for(opened, how, sessions):
    x = pixels()
    found = explain(net(), x, **how, **ASKED)
    assert opened == [(3, [("CPUExecutionProvider", {"use_arena": "0"})])] * sessions
    assert relative(found.relevance, explain(net(), x, **how).relevance) < 1e-6


def test_every_session_of_a_compiled_file_too(opened):
    compile(net(), **ASKED)
    assert len(opened) >= 3 and {threads for threads, _ in opened} == {3}
    del opened[:]
    compile(residual_net(), method="integrated_gradients", n_steps=20, **ASKED)
    assert len(opened) >= 4 and {threads for threads, _ in opened} == {3}


def test_unless_asked_it_is_the_cpu_on_onnxruntimes_threads(opened):
    explain(net(), pixels())
    assert set(map(str, opened)) == {str((0, ["CPUExecutionProvider"]))}


def test_what_a_provider_cannot_run_the_cpu_does(opened):
    other = [name for name in onnxruntime.get_available_providers() if name != "CPUExecutionProvider"]
    if not other:
        pytest.skip("this onnxruntime has no provider but the CPU")
    x = picture(2)
    found = explain(residual_net(), x, providers=other[:1])
    assert {tuple(providers) for _, providers in opened} == {(other[0], "CPUExecutionProvider")}
    assert relative(found.relevance, explain(residual_net(), x).relevance) < 1e-3


def test_an_unknown_provider_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"no 'CUDAExecution', 'x'; there is: .*CPUExecutionProvider"):
        Explainer(net(), providers=["CUDAExecution", "x"])
    with pytest.raises(InputError, match="no 'x'"):
        compile(net(), providers=["x"])


def test_a_provider_that_cannot_be_started_is_an_error_and_not_another_provider(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["GPU", "CPUExecutionProvider"])
    real = onnxruntime.InferenceSession

    def opening(model, options, providers, **more):
        assert providers == ["GPU", "CPUExecutionProvider"]
        return real(model, options, providers=providers[1:], **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    with pytest.raises(ModelError, match="cannot start GPU on this machine"):
        explain(net(), pixels(), providers=["GPU"])


@pytest.mark.parametrize("threads", [-1, True, 1.5, "many"])
def test_threads_are_a_whole_number(threads):
    with pytest.raises(InputError, match=f"threads is {threads!r}; give a whole number"):
        Explainer(net(), threads=threads)


@pytest.mark.parametrize("providers", [[3], [("a", 1)], [("a", {}, {})], [""], [None]], ids=str)
def test_a_provider_is_a_name_with_or_without_options(providers):
    with pytest.raises(InputError, match="neither a name"):
        Runtime(providers)


def test_it_is_a_value():
    options = {"b": 2, "a": 1}
    one = Runtime([("CUDAExecutionProvider", options), "CPUExecutionProvider"], np.int64(2), "lib.so")
    assert one == Runtime(one.providers, one.threads, one.custom_ops) == eval(repr(one))
    assert one == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)
    assert len({one, Runtime(), Runtime(None, None, ())}) == 2
    assert one != Runtime(one.providers, 3, one.custom_ops)
    assert one.names == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_graph_keeps_it_whatever_canonizers_make_of_it():
    ex = Explainer(net(), threads=2)
    assert ex.graph.runtime == ex.plan.graph.runtime == Runtime(threads=2)


# Custom operators.


def test_a_library_that_is_none_is_named(tmp_path):
    (tmp_path / "text.so").write_text("no library")
    for name, reason in {"none.so": "no such file", "text.so": "onnxruntime cannot load it"}.items():
        with pytest.raises(ModelError, match=f"custom_ops: {tmp_path / name}: {reason}"):
            Explainer(net(), custom_ops=[tmp_path / name])
    with pytest.raises(InputError, match="3 is not the path"):
        Explainer(net(), custom_ops=[3])


def test_a_library_is_never_looked_up_among_the_systems():
    with pytest.raises(ModelError, match=r"libc.so.6: no such file"):
        Explainer(net(), custom_ops=["libc.so.6"])


def test_without_its_library_a_model_says_what_it_needs():
    model = native.scaled()
    with pytest.raises(ModelError, match=r"MyScale.*name that: custom_ops \(--custom-ops\)"):
        explain(model, np.ones((1, 3, 6, 6)), method="occlusion", window=3)


def test_a_custom_operator_runs_in_every_session(opened):
    library = native.library()
    x = rng(2).standard_normal((2, 3, 6, 6)).astype(np.float32)
    graph = Graph.load(native.scaled(), Runtime(custom_ops=[library]))
    (y,) = graph.session(["y"]).run({"x": x}).values()
    function = Session(native.scaled(function=True).SerializeToString(), ["y"])
    assert relative(y, function.run({"x": x})["y"]) < 1e-6
    # Scores alone need no layer for it.
    how = {"method": "occlusion", "window": 3, "target": 1}
    found = explain(native.scaled(), x, custom_ops=[library, library], **how)
    wanted = explain(native.scaled(function=True), x, **how)
    assert relative(found.relevance, wanted.relevance) < 1e-5
