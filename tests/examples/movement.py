"""What moves, spreads and chooses values."""

import numpy as np

from .example import X1, X2, F, I, W, add

add("Concat", X2, (2, 2, 7, 6), axis=1)
add("Concat", X2, X2, (2, 4, 7, 1), axis=-1)
add("Concat", (2, 3), W(2, 2), (2, 1), W(2, 1), axis=1, batch=False)
add("Concat", (2, 3), W(1, 3), axis=0, batch=False)
add("Split", X2, outputs=2, axis=1, opset=11)
add("Split", X2, outputs=2, axis=1, split=[1, 3], opset=11)
add("Split", X2, I(2, 4, 1), outputs=3, axis=-2)
add("Split", X2, outputs=2, axis=1, opset=13)
add("Split", X2, outputs=3, axis=2, num_outputs=3)  # 3 + 3 + 1
add("Slice", X2, starts=[1, 0], ends=[3, -2], axes=[1, 3], opset=9)
add("Slice", X2, starts=[0, 1], ends=[2, 9], opset=7, batch=False)
add("Slice", X2, I(1), I(9), I(-1), I(2))
add("Slice", X2, I(-1), I(-99), I(2), I(-1))
add("Slice", X2, I(5, 3), I(0, -99), I(3, 1), I(-2, -1), opset=10)
add("Slice", X2, I(0, 1), I(1, 3), batch=False)
add("Slice", X2, np.int32([1]), np.int32([3]), np.int32([1]))
add("Reshape", X2, I(0, -1))
add("Reshape", X2, I(-1, 2, 2, 42), opset=7)
add("Reshape", X2, I(8, 42), allowzero=1, batch=False)
for axis in (1, 2, -1, 0):
    add("Flatten", X2, axis=axis, batch=axis == 1)
add("Flatten", X2, opset=7)
add("Gather", X2, I(2, 1, 0), axis=1)
add("Gather", X2, I(0, -1, 0, 3), axis=-1, opset=11)
add("Gather", X2, np.array(1, dtype=np.int64), axis=2)
add("Gather", X2, np.array([[0, 1], [1, 3]], dtype=np.int32), axis=2)
add("Gather", X2, I(1, 0, 1), batch=False)
add("Squeeze", (2, 1, 3, 1), axes=[1, -1], opset=11)
add("Squeeze", (2, 1, 3, 1), I(-1))
add("Squeeze", (2, 1, 3, 1), batch=False)
add("Unsqueeze", (2, 3), axes=[1, 3], opset=11)
add("Unsqueeze", (2, 3), I(-1, 1))
add("Unsqueeze", (2, 3), np.array(1))
add("Transpose", X2, perm=[0, 2, 3, 1])
add("Transpose", X2, perm=[3, 0, 1, 2], batch=False)
add("Transpose", X2, batch=False)
add("Pad", X2, pads=[0, 0, 1, 2, 0, 0, 0, 1], opset=7)
add("Pad", X2, pads=[0, 1, 0, 0, 0, 0, 0, 2], value=0.7, opset=10)
add("Pad", X2, I(0, 0, 1, 2, 0, 0, 0, 1))
add("Pad", X2, I(0, 1, 0, -2, 0, 0, -1, 2), F(-0.3))
add("Pad", X2, I(1, 2, 0, 1), None, I(-1, 1))
for mode in ("reflect", "edge", "wrap"):
    add("Pad", X2, I(0, 0, 1, 2, 0, 0, 2, 1), mode=mode)
add("Pad", X2, I(0, 0, 1, -2, 0, 0, 2, 1), mode="edge")
add("Expand", (2, 4, 1, 1), I(2, 4, 3, 5), batch=False)
add("Expand", (2, 1, 3), I(4, 1))
add("Expand", (2, 1, 3), np.array([[4], [1]]))
add("Tile", X2, I(1, 2, 1, 3))
add("Tile", X2, I(2, 1, 1, 1), batch=False)
MASK = W(4, 7, 6) > 0
add("Where", MASK, X2, X2)
add("Where", MASK, X2, (2, 4, 1, 1))
add("Where", MASK, X2, W(7, 6))
add("Where", MASK, F(0.5), X2)
for upper in (0, 1):
    add("Trilu", X2, upper=upper)
    add("Trilu", X2, np.array(-1), upper=upper)
    add("Trilu", (2, 3, 5), np.array(2), upper=upper)
for mode in ("DCR", "CRD"):
    add("DepthToSpace", (2, 8, 3, 2), blocksize=2, mode=mode)
add("SpaceToDepth", (2, 3, 4, 6), blocksize=2)
SCALES = np.array([1, 1, 1.5, 0.6], dtype=np.float32)
for rule in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"):
    for mode in ("nearest", "linear", "cubic"):
        add("Resize", X2, None, SCALES, mode=mode, coordinate_transformation_mode=rule)
for nearest in ("floor", "ceil", "round_prefer_ceil"):
    add("Resize", X2, None, None, I(2, 4, 9, 3), mode="nearest", nearest_mode=nearest, batch=False)
add("Resize", X2, None, None, I(9, 5), mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
add("Resize", X2, None, SCALES, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
for rule in ("half_pixel", "align_corners", "asymmetric"):
    for mode in ("linear", "cubic"):
        sizes = I(2, 4, 3, 2)
        add("Resize", X2, None, None, sizes, mode=mode, coordinate_transformation_mode=rule, antialias=1,
            batch=False)  # fmt: skip
add("Resize", X2, None, None, I(2, 4, 3, 9), mode="cubic", antialias=1, exclude_outside=1, batch=False)
add("Resize", X2, SCALES, mode="nearest", opset=10)
add("Upsample", X2, np.array([1, 1, 2, 3], dtype=np.float32), mode="nearest", opset=9)
add("Upsample", X2, scales=[1.0, 1.0, 2.0, 3.0], opset=7)
add("Upsample", X2, np.array([1, 1, 2, 3], dtype=np.float32), mode="linear", opset=9)
add("Upsample", X2, scales=[1.0, 1.0, 1.5, 2.5], mode="linear", opset=7)
add("Upsample", X1, np.array([1, 1, 1.6], dtype=np.float32), mode="nearest", opset=9)
add("Resize", X1, np.array([1, 1, 0.6], dtype=np.float32), mode="nearest", opset=10)
add("Resize", X2, SCALES, mode="linear", opset=10)
