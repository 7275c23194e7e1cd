"""Small models that look words up in a table, and the same fed what was looked up."""

import numpy as np
import onnx
from building import parse, rng

WORDS, WIDTH, LENGTH = 20, 6, 7
# What lies behind the words' rows `e`: what is added to them, a convolution, a mask, a mean, a dense layer.
BEHIND = """
    h = Transpose <perm = [0, 2, 1]> (s)
    c = Conv <kernel_shape = [3], pads = [1, 1]> (h, k, kb)
    r = Relu (c)
    m = Cast <to = 1> (mask)
    m3 = Unsqueeze (m, one)
    rm = Mul (r, m3)
    p = ReduceMean <keepdims = 0> (rm, two)
    y = Gemm (p, g, gb)
}"""
LOOKUPS = {
    # a table of positions, as long as the text
    "words": "e = Gather (w, ids) s = Add (e, positions)",
    "moved": "i = Reshape (ids, flat) j = Clip (i, least, most) e = Gather (w, j)"
    " e1 = Reshape (e, back) s = Add (e1, positions)",
    # positions from the words themselves, as RoBERTa has them: those that are no padding are counted
    "counted": "padding = Equal (ids, pad) real = Not (padding) number = Cast <to = 7> (real)"
    " count = CumSum (number, one0) places = Mul (count, number) e = Gather (w, ids)"
    " at = Gather (places_of, places) s = Add (e, at)",
    "one hot": "hot = OneHot (ids, depth, off_on) e = MatMul (hot, w) s = Add (e, positions)",
    "quantised": "q = Gather (wq, ids) e = DequantizeLinear (q, scale, zero) s = Add (e, positions)",
    "kinds": "e = Gather (w, ids) of = Gather (kinds, types) s = Add (e, of)",
}
INPUTS = {"kinds": ", int64[N,7] types"}


def constants(zero: bool = False) -> dict[str, np.ndarray]:
    """All that the models hold; with `zero` nothing is added anywhere but to the words."""
    draw = rng(5).standard_normal
    added = 0.0 if zero else 1.0
    return {
        "w": draw((WORDS, WIDTH)),
        "wq": rng(6).integers(-100, 100, (WORDS, WIDTH)).astype(np.int8),
        "scale": np.float32(0.05),
        "zero": np.int8(3),
        "positions": draw((LENGTH, WIDTH)) * added,
        "places_of": draw((LENGTH + 1, WIDTH)) * added,
        "kinds": draw((2, WIDTH)) * added,
        "k": draw((5, WIDTH, 3)),
        "kb": draw(5) * added,
        "g": draw((5, 3)),
        "gb": draw(3) * added,
        "one": np.array([1]),
        "one0": np.array(1),
        "two": np.array([2]),
        "flat": np.array([-1, LENGTH]),
        "back": np.array([-1, LENGTH, WIDTH]),
        "least": np.array(0),
        "most": np.array(WORDS - 1),
        "pad": np.array(1),
        "depth": np.array([WORDS]),
        "off_on": np.array([0.0, 1.0], np.float32),
    }


def tokens(kind: str = "words", zero: bool = False) -> onnx.ModelProto:
    """A model of words."""
    given = f"int64[N,{LENGTH}] ids, int64[N,{LENGTH}] mask{INPUTS.get(kind, '')}"
    return _held(f"g ({given}) => (float[N,3] y) {{ {LOOKUPS[kind]} {BEHIND}", zero)


def embedded(kind: str = "words", zero: bool = False) -> onnx.ModelProto:
    """The same, fed the rows of the words and whatever is added to them."""
    given = f"float[N,{LENGTH},{WIDTH}] e, float[N,{LENGTH},{WIDTH}] added, int64[N,{LENGTH}] mask"
    return _held(f"g ({given}) => (float[N,3] y) {{ s = Add (e, added) {BEHIND}", zero)


def _held(text: str, zero: bool) -> onnx.ModelProto:
    return parse(text, **{name: value for name, value in constants(zero).items() if name in text})


def feeds_for(kind: str = "words", samples: int = 2) -> dict[str, np.ndarray]:
    """Words, a mask that hides the last of each text but the first, and kinds."""
    ids = rng(7).integers(0, WORDS, (samples, LENGTH))
    ids[:, -1] = 1
    mask = np.ones_like(ids)
    mask[1:, -2:] = 0
    return {"ids": ids, "mask": mask, **({"types": (ids > 9).astype(np.int64)} if kind == "kinds" else {})}


def rows_for(kind: str, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What is fed to the same model behind its table."""
    held, ids = constants(), feeds["ids"]
    w = (held["wq"].astype(np.float64) - 3) * 0.05 if kind == "quantised" else held["w"]
    added = np.broadcast_to(held["positions"], (len(ids), LENGTH, WIDTH))
    if kind == "counted":
        added = held["places_of"][np.cumsum(ids != 1, axis=1) * (ids != 1)]
    if kind == "kinds":
        added = held["kinds"][feeds["types"]]
    rows = {"e": w[ids], "added": added}
    return {name: x.astype(np.float32) for name, x in rows.items()} | {"mask": feeds["mask"]}
