"""Small residual networks with everything on board, as files."""

import numpy as np
import onnx
from building import parse, rng

TEXT = """g (float[N,3,12,12] x) => (float[N,5] y) {
    shifted = Sub (x, mean0) scaled = Div (shifted, std0)
    c0 = Conv <pads = [1, 1, 1, 1]> (scaled, w0, b0)
    n0 = BatchNormalization (c0, gamma0, beta0, mu0, var0)
    r0 = Relu (n0)
    p0 = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (r0)
    c1 = Conv <pads = [1, 1, 1, 1]> (p0, w1)
    n1 = BatchNormalization (c1, gamma1, beta1, mu1, var1)
    r1 = Relu (n1)
    c2 = Conv <pads = [1, 1, 1, 1], group = 2> (r1, w2, b2)
    n2 = BatchNormalization (c2, gamma2, beta2, mu2, var2)
    s2 = Add (n2, p0)
    r2 = Relu (s2)
    c3 = Conv <strides = [2, 2]> (r2, w3)
    a3 = AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (r2)
    j3 = Concat <axis = 1> (c3, a3)
    r3 = Relu (j3)
    m3 = GlobalAveragePool (r3)
    f3 = Flatten (m3)
    h3 = Gemm (f3, wa, ba)
    rh = Relu (h3)
    y = Gemm <transB = 1> (rh, wb, bb)
}"""
SHAPES = {"w0": (4, 3, 3, 3), "w1": (4, 4, 3, 3), "w2": (4, 2, 3, 3), "w3": (4, 4, 1, 1)}
DENSE = {"wa": (8, 6), "ba": (6,), "wb": (5, 6), "bb": (5,), "b0": (4,), "b2": (4,)}


def residual_net(seed: int = 0) -> onnx.ModelProto:
    """Convolutions, normalizations, a skip connection, a fork, pools and dense layers, all random."""
    random = rng(seed, 99)
    weights = {}
    for name, shape in SHAPES.items():
        weights[name] = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    for name, shape in DENSE.items():
        weights[name] = random.standard_normal(shape) * 0.4
    for index in range(3):
        weights[f"gamma{index}"] = random.uniform(0.5, 1.5, 4)
        weights[f"beta{index}"] = random.standard_normal(4) * 0.3
        weights[f"mu{index}"] = random.standard_normal(4) * 0.3
        weights[f"var{index}"] = random.uniform(0.5, 2, 4)
    weights["mean0"] = random.standard_normal((3, 1, 1)) * 0.2
    weights["std0"] = random.uniform(0.5, 1.5, (3, 1, 1))
    return parse(TEXT, **weights)


def picture(samples: int = 2, seed: int = 0) -> np.ndarray:
    return rng(seed, samples, 98).standard_normal((samples, 3, 12, 12)).astype(np.float32)
