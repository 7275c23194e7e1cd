"""onnxruntime's Attention and MultiHeadAttention in ONNX's own operators, as its kernels have them."""

from __future__ import annotations

import itertools

import numpy as np
import onnx

from ..errors import UnsupportedError
from .written import Body


def attention(b: Body) -> None:
    """Projection of x by one matrix for q, k and v side by side, and attention."""
    b.refuse({6: "a length of its past"})
    if b.attributes.get("do_rotary"):
        raise UnsupportedError("it is not explained with a rotation inside")
    qkv = b("MatMul", b.input(0), b.input(1))
    if b.input(2):
        qkv = b("Add", qkv, b.input(2))
    ends = np.cumsum([0, *_sizes(b)])
    q, k, v = (b.part(qkv, begin, end, 2) for begin, end in itertools.pairwise(ends))
    q, k, v = (_heads(b, x) for x in (q, k, v))
    if past := b.input(4):
        k, v = (b("Concat", b.picked(past, place, 0), x, axis=2) for place, x in enumerate((k, v)))
    if b.wants(1):
        b.give(1, b("Concat", b.unsqueezed(k, 0), b.unsqueezed(v, 0), axis=0))
    b.give(0, _attended(b, q, k, v, mask=3, bias=5))


def multi_head_attention(b: Body) -> None:
    """Attention of q to k and v, apart or packed, with a bias of its own for each."""
    b.refuse({8: "a length of its past", 9: "beams in its past"})
    if b.wants(3):
        raise UnsupportedError("its scores are an output")
    q, k, v = _packed(b)
    if bias := b.input(3):
        q, k, v = _biased(b, bias, q, k, v)
    # Cross attention is given k and v with their heads apart.
    q, k, v = (_heads(b, x) if _rank(b, x) == 3 else x for x in (q, k, v))
    if b.input(6):
        k, v = b("Concat", b.input(6), k, axis=2), b("Concat", b.input(7), v, axis=2)
    for place, x in ((1, k), (2, v)):
        if b.wants(place):
            b.give(place, b("Identity", x))
    b.give(0, _attended(b, q, k, v, mask=4, bias=5))


def _sizes(b: Body) -> list[int]:
    """How wide q, k and v are."""
    if given := b.attributes.get("qkv_hidden_sizes"):
        return list(given)
    for place in (1, 2):
        dims = b.dims(place)
        if dims and isinstance(dims[-1], int):
            return [dims[-1] // 3] * 3
    raise UnsupportedError("the file does not tell how wide its weights are")


def _packed(b: Body) -> tuple[str, str, str]:
    """q, k and v as they are given, each (N, T, H·D), or with its heads apart."""
    q, k, v = (b.input(place) for place in (0, 1, 2))
    if not k:  # (N, T, H, 3, D)
        q, k, v = (b.shaped(b.picked(q, place, 3), 0, 0, -1) for place in (0, 1, 2))
    elif not v:  # (N, T, H, 2, D)
        k, v = (b.shaped(b.picked(k, place, 3), 0, 0, -1) for place in (0, 1))
    return q, k, v


def _biased(b: Body, bias: str, q: str, k: str, v: str) -> tuple[str, str, str]:
    """q, k and v with their parts of one bias, as wide as each of them."""
    whole = b.dims(3)
    wide = next((d[-1] for d in (b.dims(0), b.dims(1)) if d and len(d) == 3 and isinstance(d[-1], int)), 0)
    if not whole or not isinstance(whole[0], int):
        raise UnsupportedError("the file does not tell how wide its bias is")
    wide = wide or whole[0] // 3
    parts = ((0, wide), (wide, 2 * wide), (2 * wide, whole[0]))
    return tuple(
        b("Add", x, b.part(bias, *part, axis=0)) if _rank(b, x) == 3 else x
        for x, part in zip((q, k, v), parts, strict=True)
    )  # type: ignore[return-value]


def _rank(b: Body, x: str) -> int:
    """How many axes q, k or v has: three, but where it is given with four."""
    for place in (1, 2):
        if x == b.input(place):
            return len(b.dims(place) or (0, 0, 0))
    return 3


def _heads(b: Body, x: str) -> str:
    """(N, T, H·D) -> (N, H, T, D)."""
    return b.moved(b.shaped(x, 0, 0, b.attributes["num_heads"], -1), 0, 2, 1, 3)


def _attended(b: Body, q: str, k: str, v: str, mask: int, bias: int) -> str:
    """softmax(q·kᵀ·scale + masks)·v, its heads side by side."""
    scores = b("Mul", b("MatMul", q, b.moved(k, 0, 1, 3, 2)), _scale(b, q))
    nothing = b.constant(0)
    if b.input(mask):
        hidden = b.constant(b.attributes["mask_filter_value"])
        scores = b("Add", scores, b("Where", _seen(b, mask, k), nothing, hidden))
    if b.attributes.get("unidirectional"):
        lowest = b.constant(np.finfo(onnx.helper.tensor_dtype_to_np_dtype(b.kind)).min)
        scores = b("Add", scores, b("Where", _later(b, q, k), lowest, nothing))
    if b.input(bias):
        scores = b("Add", scores, b.input(bias))
    context = b("MatMul", b("Softmax", scores, axis=-1), v)
    return b.shaped(b.moved(context, 0, 2, 1, 3), 0, 0, -1)


def _scale(b: Body, q: str) -> str:
    """The one that is given, or 1/√D."""
    if given := b.attributes.get("scale"):
        return b.constant(given)
    wide = b("Cast", b.size(q, 3), to=b.kind)
    return b("Reciprocal", b("Sqrt", wide))


def _later(b: Body, q: str, k: str) -> str:
    """Where a key comes after a query, (T, S): the queries are the last of the keys."""
    keys, whole = b.size(q, 2), b.size(k, 2)
    asked = b.shaped(b.counted(b("Sub", whole, keys), whole), -1, 1)
    return b("Greater", b.counted(b.whole(0), whole), asked)


def _seen(b: Body, place: int, k: str) -> str:
    """Which keys are seen, as it broadcasts to (N, H, T, S).

    A mask has a truth value for each, or tells where texts end, and perhaps where they begin.
    """
    dims, batch = b.dims(place), (b.dims(0) or (None,))[0]
    if dims is None:
        raise UnsupportedError("the file does not tell how many axes its mask has")
    mask = b("Cast", b.input(place), to=onnx.TensorProto.INT64)
    if len(dims) == 2:
        return b("Greater", b.shaped(mask, 0, 1, 1, -1), b.whole(0))
    if len(dims) == 3:
        return b("Greater", b.unsqueezed(mask, 1), b.whole(0))
    if len(dims) != 1:
        raise UnsupportedError(f"its mask has {len(dims)} axes")
    places = b.counted(b.whole(0), b.size(k, 2))
    count = dims[0]
    if count == batch or isinstance(count, str):
        return b("Less", places, b.shaped(mask, -1, 1, 1, 1))
    if not isinstance(batch, int) or count != 2 * batch:
        raise UnsupportedError(f"its mask holds {count} numbers for {batch or 'some'} texts")
    ends, begins = (b.shaped(b.part(mask, n * batch, (n + 1) * batch, 0), -1, 1, 1, 1) for n in (0, 1))
    return b("And", b("Less", places, ends), b("Not", b("Less", places, begins)))
