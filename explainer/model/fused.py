"""Operators that onnxruntime's optimiser makes of transformers: functions whose bodies are in ONNX's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from ..errors import UnsupportedError
from . import fused_products
from .contributed import MICROSOFT
from .fused_attention import attention, multi_head_attention
from .signature import attributes_of
from .types import Types
from .written import Body

# Range has been there since 11, as has a Slice that counts from the end.
OLDEST = 11


def gelu(b: Body) -> None:
    """x·Φ(x), of x or of x + bias."""
    x = _sum(b)
    chance = b("Add", b("Erf", b("Div", x, b.constant(np.sqrt(2)))), b.constant(1))
    b.give(0, b("Mul", b("Mul", x, chance), b.constant(0.5)))


def fast_gelu(b: Body) -> None:
    """Its form by tanh."""
    x = _sum(b)
    cubes = b("Mul", b("Pow", x, b.constant(3)), b.constant(0.044715))
    bent = b("Tanh", b("Mul", b("Add", x, cubes), b.constant(np.sqrt(2 / np.pi))))
    b.give(0, b("Mul", b("Mul", x, b("Add", bent, b.constant(1))), b.constant(0.5)))


def quick_gelu(b: Body) -> None:
    """x·σ(αx): SiLU where α is 1."""
    x, alpha = b.input(0), b.attributes["alpha"]
    gated = x if alpha == 1 else b("Mul", x, b.constant(alpha))
    b.give(0, b("Mul", x, b("Sigmoid", gated)))


def _sum(b: Body) -> str:
    return b("Add", b.input(0), b.input(1)) if b.input(1) else b.input(0)


def embed_layer_normalization(b: Body) -> None:
    """Rows for words, their places and their kinds, added up and normalised; and how long texts are."""
    ids, kinds, mask = b.input(0), b.input(1), b.input(7)
    rows = b("Gather", b.input(2), ids)
    places = b.input(8) or b.counted(b.whole(0), b.size(ids, 1))
    rows = b("Add", rows, b("Gather", b.input(3), places))
    if kinds:
        rows = b("Add", rows, b("Gather", b.input(4), kinds))
    eps = b.attributes["epsilon"]
    b.give(0, b("LayerNormalization", rows, b.input(5), b.input(6), axis=-1, epsilon=eps))
    if b.wants(1):
        counted = mask or b("Sub", ids, ids)
        how = {"axes": [1]} if b.opset < 13 else {}
        axes = () if how else (b.whole([1]),)
        b.give(1, b("ReduceSum", counted, *axes, keepdims=0, **how))
    if b.wants(2):
        b.give(2, b("Identity", rows))


def rotary_embedding(b: Body) -> None:
    """Pairs of numbers turned by an angle that grows with their place."""
    if b.attributes["is_packed_batching"]:
        raise UnsupportedError("it is not explained with texts in one row")
    x, shape, table = b.input(0), b.dims(0), b.dims(2)
    if not table or not isinstance(table[-1], int):
        raise UnsupportedError("the file does not tell how many angles there are")
    turned, apart = 2 * table[-1], shape is not None and len(shape) == 4
    heads = b.attributes["num_heads"]
    if not apart:  # (N, T, H·D) -> (N, T, H, D)
        x = b.shaped(x, 0, 0, heads, -1) if heads else b.shaped(x, 0, 0, -1, turned)
    angles = (_angles(b, x, place, 2 if apart else 1) for place in (2, 3))
    cos, sin = (b.unsqueezed(one, -3 if apart else -2) for one in angles)
    first, second = _pairs(b, x, turned)
    one = b("Sub", b("Mul", first, cos), b("Mul", second, sin))
    other = b("Add", b("Mul", second, cos), b("Mul", first, sin))
    if b.attributes["interleaved"]:
        y = b.shaped(b("Concat", b.unsqueezed(one, 4), b.unsqueezed(other, 4), axis=4), 0, 0, 0, -1)
    else:
        y = b("Concat", one, other, axis=-1)
    if b.attributes["rotary_embedding_dim"]:
        y = b("Concat", y, b.part(x, turned, np.iinfo(np.int64).max, 3), axis=-1)
    b.give(0, b("Identity", y) if apart else b.shaped(y, 0, 0, -1))


def _pairs(b: Body, x: str, turned: int) -> tuple[str, str]:
    """The numbers that are turned together: neighbours, or those of two halves."""
    if b.attributes["interleaved"]:
        return b.part(x, 0, turned, 3, 2), b.part(x, 1, turned, 3, 2)
    return b.part(x, 0, turned // 2, 3), b.part(x, turned // 2, turned, 3)


def _angles(b: Body, x: str, place: int, axis: int) -> str:
    """Cosines or sines by place, (N, T, D/2), or (T, D/2) where texts begin at the same one."""
    where, begins = b.input(1), b.dims(1)
    if begins is None:
        raise UnsupportedError("the file does not tell how many axes its places have")
    if len(begins) == 1:
        where = b("Add", b.counted(b.whole(0), b.size(x, axis)), where)
    return b("Gather", b.input(place), where)


BODIES: dict[str, Callable[[Body], None]] = {
    "Attention": attention,
    "BiasGelu": gelu,
    "EmbedLayerNormalization": embed_layer_normalization,
    "FastGelu": fast_gelu,
    "FusedConv": fused_products.convolution,
    "FusedGemm": fused_products.dense,
    "FusedMatMul": fused_products.product,
    "Gelu": gelu,
    "MultiHeadAttention": multi_head_attention,
    "NhwcFusedConv": fused_products.nhwc_convolution,
    "QuickGelu": quick_gelu,
    "RotaryEmbedding": rotary_embedding,
}


def is_fused(node: onnx.NodeProto) -> bool:
    """Whether a body is written here of what a node calls."""
    return node.domain == MICROSOFT and node.op_type in BODIES


def body_of(node: onnx.NodeProto, opset: int, types: Types, kind: int) -> onnx.FunctionProto:
    """The function that a node calls: see `Body`.

    Raises
    ------
    UnsupportedError
        It is used in a way that none is written for, or its opset is too old to say it in; the message is
        the reason alone.
    """
    if opset < OLDEST:
        raise UnsupportedError(f"it is explained from opset {OLDEST} on, and this is {opset}")
    made = Body(node, opset, types, kind, attributes_of(node, MICROSOFT, 1))
    BODIES[node.op_type](made)
    return made.function()
