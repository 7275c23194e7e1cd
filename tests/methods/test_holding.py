"""Inputs that are held: the others' attributions are those of the model with these fixed."""

import numpy as np
import onnxruntime
import pytest
from building import parse, rng

import explainer
from explainer import InputError, explain

W = {
    "a": rng(1).standard_normal((3, 4)),
    "b": rng(2).standard_normal((2, 4)),
    "o": rng(3).standard_normal((4, 2)),
}
BODY = "p = MatMul (x, a) s = Add (p, q) r = Tanh (s) y = MatMul (r, o) }"
NET = parse(f"g (float[N,3] x, float[N,2] c) => (float[N,2] y) {{ q = MatMul (c, b) {BODY}", **W)
FEEDS = {name: rng(4).standard_normal((3, size)).astype(np.float32) for name, size in (("x", 3), ("c", 2))}
HOWS = {
    "integrated_gradients": {"baseline": 0.2, "n_steps": 6},
    "gradient_shap": {"stdev": 0.1, "n_samples": 4},
    "deeplift": {"baseline": 0.2},
    "smoothgrad": {"stdev": 0.1, "n_samples": 4},
    "vargrad": {"n_samples": 4},
    "occlusion": {},
    "rise": {"n_masks": 9},
}
every_method = pytest.mark.parametrize("method", HOWS)


def fixed(i):
    """The model with the condition of sample i as a constant."""
    constants = {name: value for name, value in W.items() if name != "b"}
    q = FEEDS["c"][i : i + 1] @ W["b"].astype(np.float32)
    return parse(f"g (float[N,3] x) => (float[N,2] y) {{ {BODY}", q=q, **constants)


@every_method
def test_what_is_held_is_a_constant_of_each_sample(method):
    how = {"method": method, "target": 1, **HOWS[method]}
    found = explain(NET, FEEDS, hold="c", **how).relevance
    assert found["c"].shape == FEEDS["c"].shape and not found["c"].any()
    for i in range(3):
        alone = explain(fixed(i), FEEDS["x"][i : i + 1], **how).relevance
        np.testing.assert_allclose(found["x"][i], alone[0], atol=1e-5)
    free = explain(NET, FEEDS, **how).relevance
    assert free["c"].any()


@every_method
def test_names_are_checked(method):
    how = {"method": method, **HOWS[method]}
    with pytest.raises(InputError, match="hold: 'condition' is no input; the inputs are "):
        explain(NET, FEEDS, hold=["condition"], **how)
    with pytest.raises(InputError, match="is held, and nothing is left to explain"):
        explain(NET, FEEDS, hold=("x", "c"), **how)
    with pytest.raises(InputError, match="hold names inputs, not 3"):
        explain(NET, FEEDS, hold=3, **how)


def test_noise_holds_what_the_method_under_it_holds():
    how = {
        "method": "integrated_gradients",
        "n_steps": 4,
        "noise": ("smoothgrad", {"n_samples": 3, "stdev": 0.1}),
    }
    found = explain(NET, FEEDS, target=1, hold="c", **how).relevance
    assert not found["c"].any()
    alone = explain(fixed(0), FEEDS["x"][:1], target=1, **how).relevance
    np.testing.assert_allclose(found["x"][0], alone[0], atol=1e-5)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_shap", "deeplift", "smoothgrad"])
def test_compiled_files_hold_too(method):
    how = {"method": method, "target": 1, "hold": "c", **HOWS[method]}
    wanted = explain(NET, FEEDS, **how).relevance
    session = onnxruntime.InferenceSession(
        explainer.compile(NET, **how).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for name, value in zip("xc", session.run(["relevance/x", "relevance/c"], FEEDS), strict=True):
        np.testing.assert_allclose(value, wanted[name], atol=1e-5)
    with pytest.raises(InputError, match="hold: 'd' is none of the inputs 'x', 'c'"):
        explainer.compile(NET, **{**how, "hold": "d"})


def test_whole_numbers_can_be_held():
    """Integrated Gradients cannot ask between them, and need not where they are held."""
    net = parse(
        "g (float[N,3] x, int32[N,2] c) => (float[N,2] y) { f = Cast <to = 1> (c) q = MatMul (f, b) " + BODY,
        **W,
    )
    feeds = {"x": FEEDS["x"], "c": np.array([[1, 2], [3, 4], [5, 6]], np.int32)}
    with pytest.raises(InputError, match="holds whole numbers"):
        explain(net, feeds, target=1, method="integrated_gradients")
    found = explain(net, feeds, target=1, method="integrated_gradients", hold="c")
    assert found.relevance["x"].any() and np.abs(found.delta).max() < 1e-4
