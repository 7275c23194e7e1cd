"""Models of many kinds, and what occlusion says of each by hand: onnxruntime asked one by one."""

import numpy as np
from building import parse, rng, run

W = rng(1).standard_normal
K = W((4, 3, 3, 3))
HEAD = "p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, w)"
IMAGE = f"c = Conv (t, k) r = Tanh (c) {HEAD} }}"
WEIGHTS = {"k": K, "w": W((4, 2))}


def numbers(*shape, seed=3):
    return rng(seed).standard_normal(shape).astype(np.float32)


def windows(shape, width, axes):
    """The masks of windows side by side along some axes of a sample, whole along the others."""
    masks = []
    for place in np.ndindex(*(shape[axis] // width for axis in axes)):
        mask = np.zeros(shape, bool)
        cut = [slice(None)] * len(shape)
        for axis, at in zip(axes, place, strict=True):
            cut[axis] = slice(at * width, (at + 1) * width)
        mask[tuple(cut)] = True
        masks.append(mask)
    return masks


def alone(feeds, i, turned):
    return {
        name: x if turned.get(name, 0) is None else x.take([i], turned.get(name, 0))
        for name, x in feeds.items()
    }


def by_hand(model, feeds, masks, hidden=None, index=1, turned=None):
    """What the score loses where a part is hidden, input by input; every question is one sample of its own.

    `turned` are the axes of samples that are not the first, None for inputs without.
    """
    turned, hidden = turned or {}, hidden or {}
    axes = {name: turned.get(name, 0) for name in feeds}
    samples = max((feeds[name].shape[axis] for name, axis in axes.items() if axis is not None), default=1)
    lost = {name: np.zeros((samples, *parts[0].shape)) for name, parts in masks.items()}
    for i in range(samples):
        one = alone(feeds, i, turned)
        score = run(model, one)[0].reshape(-1)[index]
        for name, parts in masks.items():
            for mask in parts:
                x = one[name].copy()
                view = x if axes[name] is None else np.moveaxis(x, axes[name], 0)[0]
                view[mask] = hidden.get(name, 0)
                lost[name][i][mask] += score - run(model, {**one, name: x})[0].reshape(-1)[index]
    return lost


IDS = rng(5).integers(1, 9, (3, 6))
BERT = """g (int64[N,T] ids, int64[N,T] mask, int64[N,T] kinds) => (float[N,2] y) {
    a = Gather (words, ids) b = Gather (segments, kinds) s = Add (a, b) m = Cast <to = 1> (mask)
    u = Unsqueeze (m, two) v = Mul (s, u) h = Tanh (v)
    q = ReduceMean <keepdims = 0> (h, one) y = MatMul (q, w) }"""
TABLES = {
    "words": W((9, 4)),
    "segments": W((2, 4)),
    "two": np.array([2]),
    "one": np.array([1]),
    "w": W((4, 2)),
}
RNN = "h, last = RNN <hidden_size = 4> (t, W, R) l = Squeeze (last, zero) y = MatMul (l, w)"
STEPS = {"W": W((1, 4, 3)), "R": W((1, 4, 4)), "zero": np.array([0]), "w": W((4, 2))}

# name: model, feeds, options, the masks of the parts, what they are hidden with, axes of samples
KINDS = {
    "picture beside a number for all": (
        f"g (float[N,3,6,6] t, float s) => (float[N,2] z) {{ {IMAGE[:-1]} z = Mul (y, s) }}", WEIGHTS,
        {"t": numbers(3, 3, 6, 6), "s": np.array(2, np.float32)},
        {"window": 3, "stride": 3}, {"t": windows((3, 6, 6), 3, (1, 2))}, {}, {"s": None},
    ),
    "picture beside facts": (
        f"g (float[N,3,6,6] t, float[N,2] s) => (float[N,2] z) {{ {IMAGE[:-1]} z = Mul (y, s) }}", WEIGHTS,
        {"t": numbers(2, 3, 6, 6), "s": numbers(2, 2)},
        {"window": {"t": 3}, "stride": {"t": 3}},
        {"t": windows((3, 6, 6), 3, (1, 2)), "s": windows((2,), 1, (0,))}, {}, {},
    ),
    "channels last": (
        f"g (float[N,6,6,3] x) => (float[N,2] y) {{ t = Transpose <perm = [0,3,1,2]> (x) {IMAGE}", WEIGHTS,
        {"x": numbers(2, 6, 6, 3)}, {"window": 3, "stride": 3}, {"x": windows((6, 6, 3), 3, (0, 1))}, {}, {},
    ),
    "channels last, normalised before they are turned": (
        f"""g (float[N,6,6,3] x) => (float[N,2] y) {{ a = Sub (x, m) b = Mul (a, m)
        t = Transpose <perm = [0,3,1,2]> (b) {IMAGE}""", {**WEIGHTS, "m": W(3)},
        {"x": numbers(2, 6, 6, 3)}, {"window": 3, "stride": 3}, {"x": windows((6, 6, 3), 3, (0, 1))}, {}, {},
    ),
    "a series of channels": (
        f"g (float[N,3,8] t) => (float[N,2] y) {{ {IMAGE}", {"k": W((4, 3, 3)), "w": W((4, 2))},
        {"t": numbers(2, 3, 8)}, {"window": 2, "stride": 2}, {"t": windows((3, 8), 2, (1,))}, {}, {},
    ),
    "a volume": (
        f"g (float[N,3,4,4,4] t) => (float[N,2] y) {{ {IMAGE}", {"k": W((4, 3, 3, 3, 3)), "w": W((4, 2))},
        {"t": numbers(2, 3, 4, 4, 4)}, {"window": 2, "stride": 2},
        {"t": windows((3, 4, 4, 4), 2, (1, 2, 3))}, {}, {},
    ),
    "a sound": (
        f"g (float[N,8] x) => (float[N,2] y) {{ t = Unsqueeze (x, one) {IMAGE}",
        {"k": W((4, 1, 3)), "w": W((4, 2)), "one": np.array([1])},
        {"x": numbers(2, 8)}, {"window": 2, "stride": 2}, {"x": windows((8,), 2, (0,))}, {}, {},
    ),
    "a table": (
        "g (float[N,5] x) => (float[N,2] y) { h = MatMul (x, v) r = Tanh (h) y = MatMul (r, w) }",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "a table of whole numbers": (
        """g (int32[N,5] x) => (float[N,2] y) {
        c = Cast <to = 1> (x) h = MatMul (c, v) r = Tanh (h) y = MatMul (r, w) }""",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": rng(3).integers(-3, 4, (3, 5)).astype(np.int32)},
        {"baseline": 7}, {"x": windows((5,), 1, (0,))}, {"x": 7}, {},
    ),
    "a table of truths": (
        """g (bool[N,5] x) => (float[N,2] y) {
        c = Cast <to = 1> (x) h = MatMul (c, v) r = Tanh (h) y = MatMul (r, w) }""",
        {"v": W((5, 4)), "w": W((4, 2))}, {"x": rng(3).integers(0, 2, (3, 5)).astype(bool)},
        {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "pixels": (
        f"g (uint8[N,3,6,6] u) => (float[N,2] y) {{ t = Cast <to = 1> (u) {IMAGE}", {**WEIGHTS, "k": K / 255},
        {"u": rng(3).integers(0, 256, (2, 3, 6, 6)).astype(np.uint8)},
        {"window": 3, "stride": 3, "baseline": 128}, {"u": windows((3, 6, 6), 3, (1, 2))}, {"u": 128}, {},
    ),
    "words, their mask and their segments": (
        BERT, TABLES, {"ids": IDS, "mask": (IDS != 3).astype(np.int64), "kinds": (IDS > 4).astype(np.int64)},
        {"baseline": 8}, {"ids": windows((6,), 1, (0,))}, {"ids": 8}, {},
    ),
    "steps of a recurrent layer": (
        f"g (float[N,6,3] x) => (float[N,2] y) {{ t = Transpose <perm = [1,0,2]> (x) {RNN} }}", STEPS,
        {"x": numbers(2, 6, 3)}, {"window": 2, "stride": 2}, {"x": windows((6, 3), 2, (0,))}, {}, {},
    ),
    "steps that come before the samples": (
        f"g (float[6,N,3] t) => (float[N,2] y) {{ {RNN} }}", STEPS,
        {"t": numbers(6, 2, 3)}, {"window": 2, "stride": 2}, {"t": windows((6, 3), 2, (0,))}, {}, {"t": 1},
    ),
    "the state that a recurrent layer begins with": (
        f"g (float[N,6,3] x, float[1,N,4] s) => (float[N,2] y) {{ t = Transpose <perm = [1,0,2]> (x) {RNN} }}"
        .replace("(t, W, R)", "(t, W, R, , , s)"), STEPS,
        {"x": numbers(2, 6, 3), "s": numbers(1, 2, 4)},
        {"window": 2, "stride": 2}, {"x": windows((6, 3), 2, (0,))}, {}, {"s": 1},
    ),
    "one picture and no samples": (
        f"g (float[3,6,6] x) => (float[1,2] y) {{ t = Unsqueeze (x, zero) {IMAGE}",
        {**WEIGHTS, "zero": np.array([0])},
        {"x": numbers(3, 6, 6)}, {"window": 3, "stride": 3},
        {"x": windows((3, 6, 6), 3, (1, 2))}, {}, {"x": None},
    ),
    "rows, columns, samples, channels": (
        f"g (float[6,6,N,3] x) => (float[N,2] y) {{ t = Transpose <perm = [2,3,0,1]> (x) {IMAGE}", WEIGHTS,
        {"x": numbers(6, 6, 2, 3)}, {"window": 3, "stride": 3},
        {"x": windows((6, 6, 3), 3, (0, 1))}, {}, {"x": 2},
    ),
    "channels, rows, columns, samples": (
        f"g (float[3,6,6,N] x) => (float[N,2] y) {{ t = Transpose <perm = [3,0,1,2]> (x) {IMAGE}", WEIGHTS,
        {"x": numbers(3, 6, 6, 2)}, {"window": 3, "stride": 3},
        {"x": windows((3, 6, 6), 3, (1, 2))}, {}, {"x": 3},
    ),
    "one row and no samples": (
        "g (float[5] x) => (float[2] y) { h = MatMul (x, v) r = Tanh (h) y = MatMul (r, w) }",
        {"v": W((5, 4)), "w": W((4, 2))},
        {"x": numbers(5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {"x": None},
    ),
    "nodes of a graph": (
        """g (float[n,3] x, float[n,n] a) => (float[n,2] y) {
        m = MatMul (a, x) h = MatMul (m, v) r = Tanh (h) p = MatMul (a, r) y = MatMul (p, w) }""",
        {"v": W((3, 4)), "w": W((4, 2))},
        {"x": numbers(6, 3), "a": numbers(6, 6)}, {},
        {"x": windows((6, 3), 1, (0,)), "a": windows((6, 6), 1, (0, 1))}, {}, {"x": None, "a": None},
    ),
    "training mode": (
        f"""g (float[N,3,6,6] x) => (float[N,2] y) {{
        t, a, b = BatchNormalization <training_mode = 1, momentum = 1.0> (x, one, nil, mean, var) {IMAGE}""",
        {**WEIGHTS, "one": np.ones(3), "nil": np.zeros(3), "mean": np.zeros(3), "var": np.ones(3)},
        {"x": numbers(3, 3, 6, 6)}, {"window": 3, "stride": 3}, {"x": windows((3, 6, 6), 3, (1, 2))}, {}, {},
    ),
    "a mean over the batch": (
        """g (float[N,5] x) => (float[N,2] y) {
        m = ReduceMean (x, nil) d = Mul (x, m) h = MatMul (d, v) y = Tanh (h) }""",
        {"v": W((5, 2)), "nil": np.array([0])},
        {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "one scale for the batch": (
        """g (float[N,5] x) => (float[N,2] y) {
        q, s, z = DynamicQuantizeLinear (x) d = DequantizeLinear (q, s, z)
        h = MatMul (d, v) y = Tanh (h) }""",
        {"v": W((5, 2))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
    "a fixed batch": (
        f"g (float[2,3,6,6] t) => (float[2,2] y) {{ {IMAGE}", WEIGHTS,
        {"t": numbers(2, 3, 6, 6)}, {"window": 3, "stride": 3}, {"t": windows((3, 6, 6), 3, (1, 2))}, {}, {},
    ),
    "an output whose samples are not in front": (
        """g (float[N,5] x) => (float y) {
        h = MatMul (x, v) t = Transpose <perm = [1,0]> (h) y = Tanh (t) }""",
        {"v": W((5, 3))}, {"x": numbers(3, 5)}, {}, {"x": windows((5,), 1, (0,))}, {}, {},
    ),
}  # fmt: skip


def of(kind):
    text, weights, feeds, options, masks, hidden, turned = KINDS[kind]
    text = text.replace("(float y)", "(float[] y)")
    return parse(text, **weights), feeds, options, masks, hidden, turned


def maps(explanation, feeds):
    R = explanation.relevance
    return R if isinstance(R, dict) else {next(iter(feeds)): R}
