"""Products and what onnxruntime fuses with them: an activation behind, Transposes and a factor in front."""

from __future__ import annotations

from typing import Any

from ..errors import UnsupportedError
from .written import Body

# What an activation's numbers are called, in their order.
NUMBERS: dict[str, tuple[str, ...]] = {
    "": (),
    "Clip": ("min", "max"),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
}
OF_PRODUCTS = frozenset({"activation", "activation_alpha", "activation_beta", "activation_gamma"})


def convolution(b: Body) -> None:
    """f(Conv + z)."""
    told = {name: value for name, value in b.attributes.items() if not name.startswith("activation")}
    y = b("Conv", *filter(None, map(b.input, range(3))), **told)
    if b.input(3):
        y = b("Add", y, b.input(3))
    b.give(0, _activated(b, y, list(b.attributes.get("activation_params") or ())))


def nhwc_convolution(b: Body) -> None:
    """The same of pictures whose channels are their last axis."""
    told = {name: value for name, value in b.attributes.items() if not name.startswith("activation")}
    x = b.moved(b.input(0), 0, 3, 1, 2)
    y = b.moved(b("Conv", x, *filter(None, map(b.input, (1, 2))), **told), 0, 2, 3, 1)
    if b.input(3):
        y = b("Add", y, b.input(3))
    b.give(0, _activated(b, y, list(b.attributes.get("activation_params") or ())))


def dense(b: Body) -> None:
    """f(Gemm)."""
    told = {name: value for name, value in b.attributes.items() if name not in OF_PRODUCTS}
    y = b("Gemm", *filter(None, map(b.input, range(3))), **told)
    b.give(0, _activated(b, y, [b.attributes[f"activation_{name}"] for name in ("alpha", "beta", "gamma")]))


def product(b: Body) -> None:
    """alpha·A'B', each of them turned as it is said."""
    turned = [_turned(b, place, letter) for place, letter in enumerate("AB")]
    y, alpha = b("MatMul", *turned), b.attributes["alpha"]
    b.give(0, y if alpha == 1 else b("Mul", y, b.constant(alpha)))


def _turned(b: Body, place: int, letter: str) -> str:
    x, last, batches = b.input(place), b.attributes[f"trans{letter}"], b.attributes[f"transBatch{letter}"]
    if not last and not batches:
        return x
    dims = b.dims(place)
    if dims is None:
        raise UnsupportedError("the file does not tell how many axes its operands have")
    perm = list(range(len(dims)))
    if batches:  # the first axis goes behind those that follow it
        perm = [*perm[1:-1], 0, perm[-1]]
    if last:
        perm[-2:] = perm[:-3:-1]
    return b.moved(x, *perm)


def _activated(b: Body, y: str, numbers: list[Any]) -> str:
    activation = b.attributes.get("activation") or ""
    if activation not in NUMBERS:
        raise UnsupportedError(f"its activation is {activation}")
    if not activation:
        return y
    if activation == "Clip":
        return b("Clip", y, *map(b.constant, numbers[:2]))
    return b(activation, y, **dict(zip(NUMBERS[activation], numbers, strict=False)))
