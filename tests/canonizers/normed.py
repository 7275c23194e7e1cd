"""A linear layer and a BatchNormalization, in either order."""

from dataclasses import replace

import numpy as np
import onnx
from building import parse, relative, rng

from explainer import Explainer, composites

EPS = 1e-3
BN = "BatchNormalization <epsilon = 0.25>"
SIZES = {"Conv": (2, 4, 6, 5), "ConvTranspose": (2, 4, 6, 5), "Gemm": (2, 4)}
LINEAR = {
    "plain": ("Conv", "", (6, 4, 3, 2)),
    "strided": ("Conv", "<strides = [2, 1], dilations = [1, 2]>", (6, 4, 2, 2)),
    "valid": ("Conv", '<auto_pad = "VALID">', (6, 4, 3, 2)),
    "grouped": ("Conv", "<group = 2>", (6, 2, 3, 2)),
    "depthwise": ("Conv", "<group = 4>", (8, 1, 3, 3)),
    "padded": ("Conv", "<pads = [1, 1, 1, 0]>", (6, 4, 3, 2)),
    "same": ("Conv", '<auto_pad = "SAME_UPPER">', (6, 4, 3, 2)),
    "transposed": ("ConvTranspose", "<strides = [2, 1]>", (4, 6, 3, 2)),
    "transposed grouped": ("ConvTranspose", "<group = 2>", (4, 3, 3, 2)),
    "gemm": ("Gemm", "", (4, 6)),
    "gemm scaled": ("Gemm", "<alpha = 0.5, beta = 2.0, transB = 1>", (6, 4)),
}
MERGES_BEFORE = {"plain", "strided", "valid", "grouped", "depthwise", "gemm", "gemm scaled"}


def outputs_of(kind: str) -> int:
    operator, options, shape = LINEAR[kind]
    if operator == "ConvTranspose":
        return shape[1] * (2 if "group" in options else 1)
    return shape[0] if operator == "Conv" or "transB" in options else shape[1]


def norm(channels: int, shift: bool = True, seed: int = 1) -> dict[str, np.ndarray]:
    random = rng(seed, channels)
    values = {name: random.standard_normal(channels).astype(np.float32) for name in ("gamma", "beta", "mean")}
    values["variance"] = random.uniform(0.5, 2, channels).astype(np.float32)
    return values if shift else {**values, "beta": values["beta"] * 0, "mean": values["mean"] * 0}


def scale_and_shift(values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta, mean, variance = (np.asarray(value, dtype=np.float64) for value in values.values())
    scale = gamma / np.sqrt(variance + 0.25)
    return scale, beta - mean * scale


def model(kind: str, order: str, biased: bool = True, shift: bool = True, extra: str = "") -> onnx.ModelProto:
    """Linear then BatchNormalization ("after"), or the other way round ("before")."""
    operator, options, shape = LINEAR[kind]
    size = "N,4,6,5" if len(SIZES[operator]) == 4 else "N,4"
    b = ", b" if biased else ""
    norm_inputs = "gamma, beta, mean, variance"
    if order == "after":
        body = f"h = {operator} {options} (x, w{b}) y = {BN} (h, {norm_inputs})"
        channels = outputs_of(kind)
    else:
        body = f"h = {BN} (x, {norm_inputs}) y = {operator} {options} (h, w{b})"
        channels = 4
    constants = {"w": rng(2).standard_normal(shape), **norm(channels, shift)}
    if biased:
        constants["b"] = rng(3).standard_normal(outputs_of(kind))
    return parse(f"g (float[{size}] x) => (float[N] y) {{ {body} {extra} }}", **constants)


def x_for(kind: str) -> np.ndarray:
    return rng(4).standard_normal(SIZES[LINEAR[kind][0]]).astype(np.float32)


def check_apart(proto: onnx.ModelProto, x: np.ndarray, target="y", keep=()) -> Explainer:
    """Nothing is merged, and the relevance is that without the canonizer."""
    explainer = Explainer(proto, eps=EPS, dtype="float64", keep=keep)
    found = explainer.explain(x, target=target)
    assert not any(step.node.members for step in explainer.plan_for(target).steps)
    plain = replace(composites.get("epsilon", eps=EPS), canonizers=())
    wanted = Explainer(proto, composite=plain, dtype="float64", keep=keep).explain(x, target=target)
    assert relative(found.relevance, wanted.relevance) < 1e-13
    return explainer
