"""What is mutated: small models of every family of operators, the shipped ones, real ones where they are."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "models"

# Graphs as text; every tensor that no node makes is a weight, drawn for the shape that stands here.
GRAPHS = {
    "dense": """g (float[N,6] x) => (float[N,4] y) {
        a = Gemm (x, m66, v6) b = Relu (a) y = Gemm (b, m64, v4) }""",
    "matmul": """g (float[N,6] x) => (float[N,4] y) {
        a = MatMul (x, m66) b = Add (a, v6) c = LeakyRelu <alpha = 0.1> (b) d = MatMul (c, m64)
        e = Add (d, v4)
        y = Softmax <axis = -1> (e) }""",
    "conv": """g (float[N,3,8,8] x) => (float[N,4] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w43, v4) b = Relu (a)
        c = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b)
        d = Conv (c, w44, v4) e = Relu (d) f = GlobalAveragePool (e) h = Flatten (f)
        y = Gemm (h, m44, v4) }""",
    "residual": """g (float[N,3,8,8] x) => (float[N,4] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w43) n = BatchNormalization (a, p4, v4, u4, q4) b = Relu (n)
        c = Conv <pads = [1, 1, 1, 1]> (b, w44) m = BatchNormalization (c, p4, v4, u4, q4) s = Add (m, b)
        r = Relu (s) k = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        f = GlobalAveragePool (k) h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "branches": """g (float[N,3,8,8] x) => (float[N,4] y, float[N,8,8,8] c) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w43, v4)
        b = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (x, w43, u4)
        c = Concat <axis = 1> (a, b) d, e = Split <axis = 1, num_outputs = 2> (c) s = Sub (d, e) t = Relu (s)
        f = ReduceMean <keepdims = 0> (t, axes) y = Gemm (f, m44, v4) }""",
    "gate": """g (float[N,3,8,8] x) => (float[N,4] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w43, v4) f = GlobalAveragePool (a) g = Conv (f, w44k, v4)
        s = Sigmoid (g) m = Mul (a, s) r = Relu (m) p = GlobalMaxPool (r) h = Flatten (p)
        y = MatMul (h, m44) }""",
    "nhwc": """g (float[N,8,8,3] x) => (float[N,4] y) {
        t = Transpose <perm = [0, 3, 1, 2]> (x) a = Conv <strides = [2, 2]> (t, w43, v4) b = Relu (a)
        f = GlobalAveragePool (b) h = Flatten (f) y = Gemm <transB = 1> (h, m44, v4) }""",
    "normalised": """g (float[N,3,8,8] x) => (float[N,4] y) {
        z = Sub (x, mean) n = Div (z, std) a = Conv <pads = [1, 1, 1, 1]> (n, w43, v4) b = Relu (a)
        f = GlobalAveragePool (b) h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "depthwise": """g (float[N,4,8,8] x) => (float[N,4] y) {
        a = Conv <group = 4, pads = [1, 1, 1, 1]> (x, w41, v4) b = Clip (a, zero, six)
        c = Conv (b, w44k, u4) d = Clip (c, zero, six) e = Pad (d, pads) f = GlobalAveragePool (e)
        h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "series": """g (float[N,3,16] x) => (float[N,4] y) {
        a = Conv <strides = [2]> (x, w433, v4) b = Relu (a) c = MaxPool <kernel_shape = [2]> (b)
        d = GlobalAveragePool (c) h = Squeeze (d, last) y = Gemm (h, m44, v4) }""",
    "up": """g (float[N,3,8,8] x) => (float[N,4,8,8] y) {
        a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w43, v4) b = Relu (a)
        y = ConvTranspose <strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]> (b, w44, v4) }""",
    "shapes": """g (float[N,3,8,8] x) => (float[N,4] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, w43, v4) s = Shape (a) n = Gather <axis = 0> (s, nil)
        u = Unsqueeze (n, nils) k = Concat <axis = 0> (u, minus) r = Reshape (a, k) b = Relu (r)
        c = Slice (b, nils, fours, ones) y = Gemm (c, m44, v4) }""",
    "two": """g (float[N,6] x, float[N,6] z) => (float[N,4] y) {
        a = Gemm (x, m66, v6) b = Mul (a, z) c = Tanh (b) d = Concat <axis = 1> (c, z)
        y = MatMul (d, m124) }""",
    "scalars": """g (float[N,6] x) => (float[N,4] y) {
        s = ReduceSum <keepdims = 0> (x) a = Abs (s) b = Add (a, one) d = Mul (x, b) c = Greater (s, zero)
        k = If (c) <then_branch = t () => (float[N,6] p) { p = Relu (d) },
                    else_branch = e () => (float[N,6] q) { q = Neg (d) }>
        y = Gemm (k, m64, v4) }""",
    "scaled": """g (float[N,6] x) => (float[N,4] y) {
        a = Gemm (x, m66, v6) m = ReduceMean <keepdims = 0> (a) b = Mul (a, m) y = MatMul (b, m64) }""",
    "words": """g (int64[N,5] ids, float[N,5] mask) => (float[N,4] y) {
        e = Gather (table, ids) u = Unsqueeze (mask, last) m = Mul (e, u)
        s = ReduceSum <keepdims = 0> (m, nils1)
        r = Relu (s) y = Gemm (r, m64, v4) }""",
    "recurrent": """g (float[N,5,6] x) => (float[N,4] y) {
        t = Transpose <perm = [1, 0, 2]> (x) a, h = LSTM <hidden_size = 2> (t, lw, lr) q = Squeeze (h, nils)
        y = Gemm (q, m24, v4) }""",
    "bytes": """g (uint8[N,3,8,8] x) => (float[N,4] y) {
        k = Cast <to = 1> (x) z = Div (k, big) a = Conv <pads = [1, 1, 1, 1]> (z, w43, v4) b = Relu (a)
        f = GlobalAveragePool (b) h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "quantised": """g (float[N,3,8,8] x) => (float[N,4] y) {
        q = QuantizeLinear (x, scale, point) k = DequantizeLinear (q, scale, point)
        w = DequantizeLinear (wq, scale, spoint) a = Conv (k, w, v4) b = Relu (a) f = GlobalAveragePool (b)
        h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "integers": """g (float[N,3,8,8] x) => (float[N,4] y) {
        q = QuantizeLinear (x, scale, point)
        a = QLinearConv (q, scale, point, wq, scale, spoint, scale, point)
        m = MaxPool <kernel_shape = [2, 2]> (a) k = DequantizeLinear (m, scale, point)
        f = GlobalAveragePool (k) h = Flatten (f) y = Gemm (h, m44, v4) }""",
    "dynamic": """g (float[N,3,8,8] x) => (float[N,4] y) {
        q, s, z = DynamicQuantizeLinear (x) i = ConvInteger (q, wq, z) k = Cast <to = 1> (i)
        both = Mul (s, scale) a = Mul (k, both) b = Relu (a) f = GlobalAveragePool (b)
        h = Flatten (f) y = Gemm (h, m44, v4) }""",
}
FLOATS = {
    **{
        "m66": (6, 6),
        "m64": (6, 4),
        "m44": (4, 4),
        "m124": (12, 4),
        "m24": (2, 4),
        "table": (9, 6),
        "v6": (6,),
        "v4": (4,),
        "u4": (4,),
    },
    **{
        "w43": (4, 3, 3, 3),
        "w44": (4, 4, 3, 3),
        "w44k": (4, 4, 1, 1),
        "w41": (4, 1, 3, 3),
        "w433": (4, 3, 3),
    },
    **{"lw": (1, 8, 6), "lr": (1, 8, 2)},
    **{"mean": (1, 3, 1, 1), "mean4": (1, 4, 1, 1)},
}
EXACT = {
    **{"p4": np.float32([1, 0.5, 2, 1.5]), "q4": np.float32([1, 0.5, 2, 1.5])},
    **{
        "grow": np.int64([0, 0, 1, 1, 0, 0, 1, 1]),
        "from": np.int64([0, 0, 1, 1]),
        "till": np.int64([9, 4, 7, 7]),
    },
    **{"same": np.int64([1, 4, 6, 6]), "std4": np.float32([0.5, 1, 2, -1]).reshape(1, 4, 1, 1)},
    **{"std": np.float32([0.5, 1, 2]).reshape(1, 3, 1, 1), "zero": np.float32(0), "six": np.float32(6)},
    **{"axes": np.int64([2, 3]), "last": np.int64([2]), "nil": np.int64(0), "nils": np.int64([0])},
    **{"one": np.float32(1), "nils1": np.int64([1])},
    **{"minus": np.int64([-1]), "fours": np.int64([4]), "ones": np.int64([1]), "big": np.float32(255)},
    **{"pads": np.int64([0, 0, 1, 1, 0, 0, 1, 1]), "scale": np.float32(0.02), "point": np.uint8(128)},
    **{"spoint": np.int8(0), "wq": (np.arange(108).reshape(4, 3, 3, 3) % 41 - 20).astype(np.int8)},
}
# Real ones: how much of the work they may take is what they cost.
REAL = ("mnist-8", "resnet20-cifar10", "mlperftiny-resnet8-cifar10-int8", "vit-cifar10-pgd-2-3-16", "iris")


@dataclass(frozen=True)
class Base:
    """A model to mutate, as a file has it."""

    name: str
    data: bytes
    small: bool = True

    def feeds(self, rng: np.random.Generator, samples: int = 1) -> dict[str, np.ndarray]:
        """An input that the unchanged model takes."""
        graph = onnx.load_from_string(self.data).graph
        weights = {item.name for item in graph.initializer}
        return {item.name: _drawn(item, rng, samples) for item in graph.input if item.name not in weights}


def _drawn(item: onnx.ValueInfoProto, rng: np.random.Generator, samples: int) -> np.ndarray:
    kind = item.type.tensor_type
    shape = [size.dim_value or samples for size in kind.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 9, shape).astype(dtype)


@functools.cache
def bases() -> tuple[Base, ...]:
    """All of them, the small ones first."""
    made = [Base(name, _parsed(text).SerializeToString()) for name, text in GRAPHS.items()]
    made += [
        Base(name, (ROOT / "models" / f"{name}.onnx").read_bytes(), False) for name in ("digits", "shapes")
    ]
    real = [SHARED / f"{name}.onnx" for name in REAL]
    return tuple(made + [Base(file.stem, file.read_bytes(), False) for file in real if file.exists()])


# Blocks that keep the shape (N, 4, H, W): {x} is what they read, {y} what they make, {n} a name of their own.
BLOCKS = (
    "{y} = Relu ({x})",
    "{y} = LeakyRelu <alpha = 0.2> ({x})",
    "{y} = Conv <pads = [1, 1, 1, 1]> ({x}, w44, v4)",
    '{y} = Conv <auto_pad = "SAME_UPPER"> ({x}, w44)',
    "{y} = Conv <group = 4, pads = [2, 2, 2, 2], dilations = [2, 2]> ({x}, w41, u4)",
    "{y} = Conv ({x}, w44k, v4)",
    "{y} = BatchNormalization ({x}, p4, v4, u4, q4)",
    "{y} = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({x})",
    '{y} = MaxPool <kernel_shape = [2, 2], auto_pad = "SAME_LOWER"> ({x})',
    "{y} = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({x})",
    "{n}a = Conv <pads = [1, 1, 1, 1]> ({x}, w44, v4) {n}b = Relu ({n}a) {y} = Add ({n}b, {x})",
    "{n}a = Conv ({x}, w44k, u4) {n}b = Concat <axis = 1> ({n}a, {x})"
    " {y}, {n}c = Split <axis = 1, num_outputs = 2> ({n}b)",
    "{n}a, {n}b = Split <axis = 1, num_outputs = 2> ({x}) {y} = Concat <axis = 1> ({n}b, {n}a)",
    "{n}a = GlobalAveragePool ({x}) {n}b = Conv ({n}a, w44k, v4) {n}c = Sigmoid ({n}b) {y} = Mul ({x}, {n}c)",
    "{n}a = Transpose <perm = [0, 2, 3, 1]> ({x}) {n}b = MatMul ({n}a, m44)"
    " {y} = Transpose <perm = [0, 3, 1, 2]> ({n}b)",
    "{n}a = Mul ({x}, std4) {y} = Add ({n}a, mean4)",
    "{n}a = Sub ({x}, mean4) {y} = Div ({n}a, std4)",
    "{n}a = Shape ({x}) {n}b = Flatten ({x}) {y} = Reshape ({n}b, {n}a)",
    "{n}a = Pad ({x}, grow) {y} = Slice ({n}a, from, till)",
    "{n}a = Neg ({x}) {y} = Sub ({n}a, {x})",
    "{y} = Clip ({x}, zero, six)",
    "{y} = Max ({x}, zero)",
    "{n}a = Sigmoid ({x}) {n}b = Tanh ({x}) {y} = Mul ({n}a, {n}b)",
    "{n}a = Unsqueeze ({x}, nils) {n}b = Squeeze ({n}a, nils) {y} = Identity ({n}b)",
    "{n}a = ConvTranspose <pads = [1, 1, 1, 1]> ({x}, w44, v4) {y} = Elu ({n}a)",
    "{n}a = Expand ({x}, same) {y} = Dropout ({n}a)",
    "{n}a = GlobalMaxPool ({x}) {y} = Sub ({x}, {n}a)",
)
HEADS = (
    "f = GlobalAveragePool ({x}) h = Flatten (f) y = Gemm (h, m44, v4)",
    "f = GlobalMaxPool ({x}) h = Flatten (f) y = MatMul (h, m44)",
    "f = ReduceMean <keepdims = 0> ({x}, axes) l = Gemm <transB = 1> (f, m44) y = Softmax (l)",
    "f = ReduceSum <keepdims = 0> ({x}, axes) y = Identity (f)",
    "y = Relu ({x})",
)


def composed(rng: np.random.Generator) -> Base:
    """A net of a few blocks, one after the other or reading an earlier one."""
    tensors, lines = ["x"], []
    for place in range(rng.integers(1, 7)):
        block = BLOCKS[int(rng.integers(len(BLOCKS)))]
        read = tensors[-1] if rng.integers(4) else tensors[int(rng.integers(len(tensors)))]
        lines.append(block.format(x=read, y=f"t{place}", n=f"b{place}"))
        tensors.append(f"t{place}")
    last = tensors[-1]
    if len(tensors) > 2 and rng.integers(2):
        lines.append(f"t = Add ({last}, {tensors[int(rng.integers(len(tensors)))]})")
        last = "t"
    lines.append(HEADS[int(rng.integers(len(HEADS)))].format(x=last))
    output = "float[N,4,6,6]" if lines[-1].startswith("y = Relu") else "float[N,4]"
    text = f"g (float[N,4,6,6] x) => ({output} y) {{ {' '.join(lines)} }}"
    return Base("composed", _parsed(text).SerializeToString())


def _parsed(text: str) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {text}')
    made = {name for node in model.graph.node for name in node.output} | {i.name for i in model.graph.input}
    read = {name for node in model.graph.node for name in node.input} - made
    rng = np.random.default_rng(7)
    scale = {name: 1 / np.sqrt(max(np.prod(shape[1:]), 1)) for name, shape in FLOATS.items()}
    weights = {
        name: (scale[name] * rng.standard_normal(shape)).astype(np.float32) for name, shape in FLOATS.items()
    }
    for name in sorted(read):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray((weights | EXACT)[name]), name))
    return model
