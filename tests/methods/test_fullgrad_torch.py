"""FullGrad beside PyTorch: every constant times its gradient, by autograd in float64."""

import numpy as np
import torch
import torch.nn.functional as F
from building import rng
from vits import HEADS, PICTURE, WIDTH, vit

from explainer import Explainer

X = rng(4, 4).standard_normal((2, *PICTURE)).astype(np.float32)
EPSILON = float(np.float32(1e-5))  # as an attribute of an ONNX file holds it
ADDED = ["patches_b", "cls", "positions", "dz", "head_b"]
ADDED += [f"{name}{i}" for i in (0, 1) for name in ("d", "j", "bq", "bk", "bv", "bo", "bu", "bd")]


def by_torch(target: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """c·∂f/∂c of every constant, x·∂f/∂x, the score, and Σ (z − Jx)·∂f/∂z of all that bends: each (N,)."""
    graph = Explainer(vit()).graph
    p = {name: torch.tensor(np.asarray(graph.constant(name), np.float64)) for name in graph.initializers}
    leaves = {name: p[name].expand(2, *p[name].shape).clone().requires_grad_() for name in ADDED}
    curves: list[tuple[torch.Tensor, torch.Tensor]] = []

    def bent(f, *x):
        """f, with what its tangent leaves remembered."""
        _, tangent = torch.autograd.functional.jvp(f, x, x)
        z = f(*x)
        curves.append((z, (z - tangent).detach()))
        z.retain_grad()
        return z

    def added(x, name):
        c = leaves[name]
        return x + c.reshape(2, *[1] * (x.ndim - c.ndim), *c.shape[1:])

    def norm(x, scale, shift):
        return added(bent(lambda v: F.layer_norm(v, (WIDTH,), p[scale], None, EPSILON), x), shift)

    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    grid = F.conv2d(x, p["patches"], stride=4) + leaves["patches_b"][:, :, None, None]
    h = torch.cat([leaves["cls"][:, 0], grid.flatten(2).transpose(1, 2)], 1) + leaves["positions"][:, 0]
    for i in (0, 1):
        n = norm(h, f"g{i}", f"d{i}")
        q, k, v = (
            added(n @ p[f"w{z}{i}"], f"b{z}{i}").unflatten(2, (HEADS, -1)).transpose(1, 2) for z in "qkv"
        )
        scores = bent(lambda a, b: a @ b.transpose(2, 3), q, k) * p["scale"]
        a = bent(lambda s: s.softmax(-1), scores)
        o = bent(lambda a, b: a @ b, a, v).transpose(1, 2).flatten(2)
        h = h + added(o @ p[f"wo{i}"], f"bo{i}")
        u = added(norm(h, f"h{i}", f"j{i}") @ p[f"wu{i}"], f"bu{i}")
        h = h + added(bent(F.gelu, u) @ p[f"wd{i}"], f"bd{i}")
    score = added(norm(h, "gz", "dz")[:, 0] @ p["head"], "head_b")[:, target]
    score.sum().backward()

    def summed(value):
        return value.detach().flatten(1).sum(1).numpy()

    constants = {name: summed(leaf * leaf.grad) for name, leaf in leaves.items()}
    return (
        constants,
        summed(x * x.grad),
        score.detach().numpy(),
        sum(summed(z.grad * rest) for z, rest in curves),
    )


def test_constants_intercepts_and_input_are_autograds():
    constants, own, score, bent = by_torch(1)
    np.testing.assert_allclose(own + sum(constants.values()) + bent, score, rtol=1e-12)
    how = {"method": "fullgrad", "postprocess": "raw", "dtype": "float64"}
    found = Explainer(vit(), keep=ADDED, **how).explain(X, 1)
    assert abs(found.delta).max() < 1e-12 * abs(score).max()
    for name, wanted in constants.items():
        ours = found.relevances[name].reshape(2, -1).sum(1)
        np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-10, err_msg=name)
    alone = Explainer(vit(), method="input_x_gradient", dtype="float64").explain(X, 1).relevance
    np.testing.assert_allclose(alone.reshape(2, -1).sum(1), own, rtol=1e-9)
