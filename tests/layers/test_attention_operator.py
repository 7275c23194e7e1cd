"""ONNX's Attention as one operator, explained through its body, beside PyTorch's and the papers' formulas."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from building import relative, rng
from versions import before

import explainer

pytestmark = pytest.mark.skipif(before("onnx", "1.19"), reason="Attention is newer")

# name -> q, k, v's shapes, attributes, the mask's shape and type
CASES = {
    "plain": ((2, 2, 5, 4), (2, 2, 6, 4), (2, 2, 6, 3), "", None, ""),
    "causal": ((2, 2, 5, 4), (2, 2, 5, 4), (2, 2, 5, 3), "is_causal = 1", None, ""),
    "scaled and capped": ((2, 2, 5, 4), (2, 2, 6, 4), (2, 2, 6, 3), "scale = 0.3, softcap = 2.0", None, ""),
    "grouped heads": ((2, 4, 5, 4), (2, 2, 6, 4), (2, 2, 6, 3), "", None, ""),
    "a mask that is added": ((2, 2, 5, 4), (2, 2, 6, 4), (2, 2, 6, 3), "", (2, 1, 5, 6), "float"),
    "a mask of truth values": ((2, 2, 5, 4), (2, 2, 6, 4), (2, 2, 6, 3), "", (5, 6), "bool"),
    "heads side by side": ((2, 5, 8), (2, 6, 8), (2, 6, 8), "q_num_heads = 2, kv_num_heads = 2", None, ""),
}
# The root of a body's scale, and held weights, are onnxruntime's: float32.
ROUNDED = 5e-7


def model(q, k, v, attributes, mask, kind) -> onnx.ModelProto:
    shapes = {"q": q, "k": k, "v": v} | ({"m": mask} if mask else {})
    given = ", ".join(
        f"{kind if name == 'm' else 'float'}[{', '.join(map(str, shape))}] {name}"
        for name, shape in shapes.items()
    )
    out = "float[a, b, c]" if len(q) == 3 else "float[a, b, c, d]"
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 23]> g ({given}) => ({out} y) {{'
        f" y = Attention{f' <{attributes}>' if attributes else ''} ({', '.join(shapes)}) }}"
    )


def number(attributes: str, name: str, otherwise: float) -> float:
    found = [part.split("=") for part in attributes.split(",") if name in part]
    return float(found[0][1]) if found else otherwise


class Problem:
    """One case in float64: its model and inputs, and PyTorch's own attention."""

    def __init__(self, name: str) -> None:
        self.q, self.k, self.v, self.attributes, mask, kind = CASES[name]
        self.model = model(*CASES[name])
        random = rng(7)
        self.feeds = {
            n: random.standard_normal(s).astype(np.float32) for n, s in zip("qkv", CASES[name], strict=False)
        }
        if mask:
            drawn = random.standard_normal(mask)
            self.feeds["m"] = drawn > -0.7 if kind == "bool" else drawn.astype(np.float32)
        self.x = {n: torch.tensor(a.astype(np.float64), requires_grad=True)
                  for n, a in self.feeds.items() if a.dtype != bool}  # fmt: skip
        self.index = (1, 2) if len(self.q) == 3 else (1, 2, 1)

    def heads(self, name: str) -> torch.Tensor:
        x = self.x[name]
        if x.ndim == 4:
            count = self.q[1] // x.shape[1]
            return x.repeat_interleave(count, 1)
        return x.unflatten(-1, (2, -1)).transpose(1, 2)

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        scores = q @ k.mT * number(self.attributes, "scale", q.shape[-1] ** -0.5)
        if "m" in self.feeds and self.feeds["m"].dtype == bool:
            scores = scores.masked_fill(~torch.tensor(self.feeds["m"]), -torch.inf)
        elif "m" in self.x:
            scores = scores + self.x["m"]
        if "causal" in self.attributes:
            scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
        cap = number(self.attributes, "softcap", 0)
        return cap * torch.tanh(scores / cap) if cap else scores

    def joined(self, y: torch.Tensor) -> torch.Tensor:
        return y if len(self.q) == 4 else y.transpose(1, 2).flatten(2)

    def answer(self, hold: bool = False) -> torch.Tensor:
        weights = torch.softmax(self.scores(self.heads("q"), self.heads("k")), -1)
        return self.joined((weights.detach() if hold else weights) @ self.heads("v"))

    def explained(self, **how):
        return explainer.explain(self.model, self.feeds, target=("y", self.index), dtype="float64", **how)


@pytest.fixture(params=CASES)
def problem(request) -> Problem:
    return Problem(request.param)


def test_the_written_out_formula_is_pytorchs_own():
    for name in ("plain", "causal", "grouped heads"):
        p = Problem(name)
        q, k, v = map(p.heads, "qkv")
        wanted = F.scaled_dot_product_attention(q, k, v, is_causal=name == "causal")
        torch.testing.assert_close(p.answer(), wanted, rtol=1e-12, atol=1e-12)


def test_a_gradient_is_pytorchs(problem):
    found = problem.explained(method="gradient").relevance
    y = problem.answer()
    wanted = torch.autograd.grad(y[:, *problem.index].sum(), [problem.x[name] for name in found])
    for name, gradient in zip(found, wanted, strict=True):
        assert relative(found[name], gradient.numpy()) < ROUNDED
    assert set(found) == set(problem.x)


def test_held_weights_leave_all_to_the_values(problem):
    """CP-LRP (Ali et al. 2022): v times the gradient with the weights held constant."""
    explanation = problem.explained(composite="cp_lrp", eps=1e-12)
    found = explanation.relevance
    y = problem.answer(hold=True)
    (wanted,) = torch.autograd.grad(y[:, *problem.index].sum(), [problem.x["v"]])
    R = found["v"] if isinstance(found, dict) else found
    assert relative(R, (problem.x["v"].detach() * wanted).numpy()) < ROUNDED
    np.testing.assert_allclose(explanation.conserved, 1, atol=ROUNDED)


@pytest.mark.parametrize("name", ["plain", "causal", "grouped heads", "a mask of truth values"])
def test_attnlrp_is_the_papers_formula(name):
    """Achtibat et al. 2024: half to each factor of a product, the Softmax by its tangent at x."""
    p = Problem(name)
    found = p.explained(composite="attnlrp", eps=1e-12).relevance
    q, k, v = (p.heads(letter).detach() for letter in "qkv")
    scores = p.scores(q, k)
    A = torch.softmax(scores, -1)
    y = A @ v
    R = torch.zeros_like(y)
    R[:, *p.index] = y[:, *p.index]
    s = R / (2 * y)
    R_v, R_A = v * (A.mT @ s), A * (s @ v.mT)
    x = torch.where(scores.isinf(), 0, scores)
    R_x = x * (R_A - A * R_A.sum(-1, keepdim=True))
    s = R_x / torch.where(scores.isinf(), 1, 2 * x) * number(p.attributes, "scale", q.shape[-1] ** -0.5)
    R_q, R_k = q * (s @ k), k * (s.mT @ q)
    for letter, wanted in {"q": R_q, "k": R_k, "v": R_v}.items():
        heads = p.x[letter].shape[1]
        wanted = wanted.unflatten(1, (heads, -1)).sum(2)  # of heads that share one
        assert relative(found[letter], wanted.numpy()) < ROUNDED


@pytest.mark.parametrize("composite", ["epsilon", "attnlrp"])
def test_it_compiles(problem, composite):
    given = {"target": ("y", problem.index), "composite": composite}
    explainer.compile(problem.model, **given)
