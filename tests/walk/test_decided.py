"""What truth values of the input choose is relevant; they themselves are parameters of the call."""

import numpy as np
import onnx
import pytest
import torch
from building import parse, rng, run

import explainer
from explainer import Explainer, TargetError

W, B = (rng(seed).standard_normal(shape).astype(np.float32) for seed, shape in ((1, (4, 3)), (2, 4)))
CONSTANTS = {"w": W, "b": B, "zero": np.zeros(()), "tenth": np.full((), 0.1), "ten": np.full((), 10.0)}
NETS = {
    "a leaky rectifier": (
        "g = Greater (x, zero) m = Mul (x, tenth) l = Where (g, x, m)",
        lambda x: torch.where(x > 0, x, x * 0.1),
    ),
    "what is small is replaced": (
        "g = LessOrEqual (x, zero) l = Where (g, b, x)",
        lambda x: torch.where(x <= 0, torch.from_numpy(B), x),
    ),
    "a hard gate": (
        "g = Greater (x, b) c = Cast <to = 1> (g) l = Mul (c, x)",
        lambda x: (x > torch.from_numpy(B)) * x,
    ),
    "a Cast to truth values": (
        "r = Relu (x) g = Cast <to = 9> (r) h = Not (g) l = Where (h, x, b)",
        lambda x: torch.where(x <= 0, x, torch.from_numpy(B)),
    ),
    "the guard behind a Softmax": (
        "s = Softmax <axis = -1> (x) g = IsNaN (s) l = Where (g, zero, s)",
        lambda x: torch.softmax(x, -1),
    ),
    "logic": (
        "p = Greater (x, zero) q = Less (x, b) k = And (p, q) g = Xor (p, k) l = Where (g, x, tenth)",
        lambda x: torch.where((x > 0) ^ ((x > 0) & (x < torch.from_numpy(B))), x, 0.1),
    ),
    "a step": (
        "g = Greater (x, tenth) c = Cast <to = 1> (g) d = Mul (c, ten) l = Add (x, d)",
        lambda x: x + (x > 0.1) * 10,
    ),
}
every = pytest.mark.parametrize("name", NETS)


def net(body):
    constants = {key: value for key, value in CONSTANTS.items() if f"({key}," in body or f" {key}" in body}
    text = f"g (float[N,4] x) => (float[N,3] y) {{ {body} y = MatMul (l, w) }}"
    return parse(text, **constants, w=W)


def picture():
    return rng(3).standard_normal((3, 4)).astype(np.float32)


@every
def test_gradients_are_autograds(name):
    body, torch_net = NETS[name]
    found = explainer.explain(net(body), picture(), target=1, method="gradient", dtype="float64")
    x = torch.from_numpy(picture()).double().requires_grad_()
    (torch_net(x) @ torch.from_numpy(W.astype(np.float32)).double())[:, 1].sum().backward()
    np.testing.assert_allclose(found.relevance, x.grad, rtol=1e-6, atol=1e-7)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_share_is_accounted_for(name, dtype):
    for composite in ("epsilon", "zplus", "gamma"):
        found = Explainer(net(NETS[name][0]), composite=composite, dtype=dtype).explain(picture())
        assert all(np.abs(step.residual).max() < 1e-5 for step in found.audit)


@every
def test_the_compiled_file_says_the_same(name, tmp_path):
    model = net(NETS[name][0])
    explainer.compile(model, tmp_path / "lrp.onnx")
    made = onnx.load(tmp_path / "lrp.onnx")
    named = dict(zip([value.name for value in made.graph.output], run(made, {"x": picture()}), strict=True))
    found = explainer.explain(model, picture())
    np.testing.assert_allclose(named["relevance"], found.relevance, rtol=1e-4, atol=1e-5)


def test_a_number_that_the_input_chooses_is_no_bias():
    step = explainer.explain(net(NETS["a step"][0]), picture()).audit[-1]
    assert not step.bias.any() and step.intercept.any()
    held = "g (float[N,4] x, float[N,4] m) => (float[N,4] y) { c = Greater (m, zero) y = Where (c, x, b) }"
    made = Explainer(parse(held, zero=CONSTANTS["zero"], b=B), fix={"m": np.full((3, 4), -1, np.float32)})
    step = made.explain({"x": picture()}).audit[-1]
    assert step.bias.any() and not step.intercept.any()


def test_truth_values_alone_hand_nothing_on():
    body = "h = MatMul (x, v) g = Greater (h, zero) c = Cast <to = 1> (g) l = Mul (c, ten)"
    model = parse(
        f"g (float[N,4] x) => (float[N,3] y) {{ {body} y = MatMul (l, w) }}",
        **{name: CONSTANTS[name] for name in ("zero", "ten", "w")},
        v=rng(4).standard_normal((4, 4)),
    )
    for how in ({}, {"method": "gradient"}):
        with pytest.raises(TargetError, match=r"by truth values alone, those of Greater 'g'") as caught:
            explainer.explain(model, picture(), **how)
        assert "target='h'" in str(caught.value) and "occlusion" in str(caught.value)
        explainer.explain(model, picture(), target="h", **how)
