"""A small network with everything that a composite tells apart, and its rules by node."""

import numpy as np
import onnx
from building import parse, rng

from explainer import Explainer

# Two weighted layers in a row, a skip connection, pools, a head of two dense layers.
NET = """g (float[N,3,8,8] x) => (float[N,4] y) {
    c0 = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
    n0 = BatchNormalization (c0, gamma, beta, mu, var)
    r0 = Relu (n0)
    p0 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r0)
    c1 = Conv <pads = [1, 1, 1, 1]> (p0, w1, b1)
    s1 = Add (c1, p0)
    r1 = Relu (s1)
    m = GlobalAveragePool (r1)
    f = Flatten (m)
    h = Gemm (f, wa, ba)
    rh = Relu (h)
    y = MatMul (rh, wb)
}"""
SHAPES = {
    **{"w0": (5, 3, 3, 3), "b0": (5,), "w1": (5, 5, 3, 3), "b1": (5,), "u0": (2, 3, 3, 3), "v": (1, 3, 1, 1)},
    **{"wa": (5, 6), "ba": (6,), "wb": (6, 4), "gamma": (5,), "beta": (5,), "mu": (5,)},
    **{"g3": (3,), "b3": (3,), "m3": (3,), "w33": (3, 3, 3, 3)},
    **{"w8": (5, 8, 3, 3), "wf": (192, 4), "wc": (4, 4)},
}


WEIGHTS = {name: rng(3, *shape).standard_normal(shape) * 0.3 for name, shape in SHAPES.items()}
WEIGHTS |= {
    "var": rng(4).uniform(0.5, 2, 5),
    "v3": rng(4).uniform(0.5, 2, 3),
    "std": rng(5).uniform(0.5, 2, (1, 3, 1, 1)),
}


def net(text: str = NET, **metadata: str) -> onnx.ModelProto:
    """A model with all these weights, whichever it reads."""
    model = parse(text, **WEIGHTS)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model


def body(*lines: str) -> str:
    """A graph from x (N,3,8,8) to y."""
    return "g (float[N,3,8,8] x) => (float[N] y) {" + " ".join(lines) + "}"


def x_for(samples: int = 2) -> np.ndarray:
    return rng(6).standard_normal((samples, 3, 8, 8)).astype(np.float32)


def rules_of(model: onnx.ModelProto, target="top", **options) -> dict[str, str]:
    """Node -> rule, as `check` prints it."""
    plan = Explainer(model, **options).plan_for(target)
    return {step.node.name: str(step.rule) for step in plan.steps}


def having(model: onnx.ModelProto, rule: str, target="top", **options) -> set[str]:
    """The nodes that have a rule."""
    return {node for node, text in rules_of(model, target, **options).items() if text == rule}
