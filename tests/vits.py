"""A small vision transformer as exporters write one: patches, a class token, a table of positions."""

import numpy as np
import onnx
from building import parse, rng

PICTURE, PATCH, WIDTH, HEADS, HIDDEN, CLASSES = (3, 12, 8), 4, 8, 2, 12, 5
GRID = (PICTURE[1] // PATCH, PICTURE[2] // PATCH)
TOKENS = GRID[0] * GRID[1] + 1

BLOCK = """
    n{i} = LayerNormalization <axis = -1> (x{i}, g{i}, d{i})
    {qkv}
    kt{i} = Transpose <perm = [0, 1, 3, 2]> (kh{i}) s{i} = MatMul (qh{i}, kt{i}) t{i} = Mul (s{i}, scale)
    a{i} = Softmax <axis = -1> (t{i}) v{i} = MatMul (a{i}, vh{i})
    b{i} = Transpose <perm = [0, 2, 1, 3]> (v{i}) c{i} = Reshape (b{i}, whole)
    e{i} = MatMul (c{i}, wo{i}) f{i} = Add (bo{i}, e{i}) r{i} = Add (x{i}, f{i})
    m{i} = LayerNormalization <axis = -1> (r{i}, h{i}, j{i})
    u{i} = MatMul (m{i}, wu{i}) l{i} = Add (bu{i}, u{i}) p{i} = Gelu (l{i})
    o{i} = MatMul (p{i}, wd{i}) y{i} = Add (bd{i}, o{i}) x{k} = Add (r{i}, y{i})
"""


def vit(blocks: int = 2, seed: int = 0) -> onnx.ModelProto:
    """Of `blocks` pre-norm blocks, all weights drawn."""
    draw = rng(seed, 77).standard_normal
    weights = {
        "patches": draw((WIDTH, 3, PATCH, PATCH)) * 0.2, "patches_b": draw(WIDTH) * 0.3,
        "cls": draw((1, 1, WIDTH)), "positions": draw((1, TOKENS, WIDTH)) * 0.5, "scale": np.array(0.5),
        "flat": np.array([0, WIDTH, -1]), "heads": np.array([0, 0, HEADS, WIDTH // HEADS]),
        "whole": np.array([0, 0, WIDTH]), "ends": np.array([1, 1]), "first": np.array(0),
        "gz": draw(WIDTH), "dz": draw(WIDTH) * 0.3, "head": draw((WIDTH, CLASSES)), "head_b": draw(CLASSES),
    }  # fmt: skip
    lines = []
    for i in range(blocks):
        shapes = {"wq": (WIDTH, WIDTH), "wk": (WIDTH, WIDTH), "wv": (WIDTH, WIDTH), "wo": (WIDTH, WIDTH)}
        shapes |= {"wu": (WIDTH, HIDDEN), "wd": (HIDDEN, WIDTH), "bq": (WIDTH,), "bk": (WIDTH,)}
        shapes |= {"bv": (WIDTH,), "bo": (WIDTH,), "bu": (HIDDEN,), "bd": (WIDTH,)}
        shapes |= dict.fromkeys("gdhj", (WIDTH,))
        weights |= {f"{name}{i}": draw(shape) * 0.4 for name, shape in shapes.items()}
        qkv = " ".join(
            f"{z}m{i} = MatMul (n{i}, w{z}{i}) {z}b{i} = Add (b{z}{i}, {z}m{i})"
            f" {z}r{i} = Reshape ({z}b{i}, heads)"
            f" {z}h{i} = Transpose <perm = [0, 2, 1, 3]> ({z}r{i})"
            for z in "qkv"
        )
        lines.append(BLOCK.format(i=i, k=i + 1, qkv=qkv))
    text = f"""vit (float[N,{",".join(map(str, PICTURE))}] x) => (float[N,{CLASSES}] y) {{
        pc = Conv <strides = [{PATCH}, {PATCH}]> (x, patches, patches_b) pf = Reshape (pc, flat)
        pt = Transpose <perm = [0, 2, 1]> (pf)
        samples = Shape <start = 0, end = 1> (x) size = Concat <axis = 0> (samples, ends)
        token = Expand (cls, size) joined = Concat <axis = 1> (token, pt) x0 = Add (joined, positions)
        {"".join(lines)}
        z = LayerNormalization <axis = -1> (x{blocks}, gz, dz) zt = Gather <axis = 1> (z, first)
        y = Gemm (zt, head, head_b)
    }}"""
    return parse(text, **weights)
