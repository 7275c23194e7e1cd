"""Normalisations: by their own statistics, a length, or the channels around."""

from versions import before

from .example import X1, X2, W, add

for axis, sizes in ((-1, (6,)), (2, (7, 6))):
    add("LayerNormalization", X2, W(*sizes), W(*sizes), axis=axis)
    add("LayerNormalization", X2, W(*sizes), axis=axis, epsilon=0.1)
    if not before("onnx", "1.19"):
        add("RMSNormalization", X2, W(*sizes), axis=axis, opset=23)
add("InstanceNormalization", X2, W(4), W(4))
add("InstanceNormalization", X1, W(3), W(3), epsilon=0.1)
add("GroupNormalization", X2, W(4), W(4), num_groups=2)
add("GroupNormalization", X1, W(3), W(3), num_groups=1, epsilon=0.1)
add("GroupNormalization", X2, W(2), W(2), num_groups=2, epsilon=0.1, opset=18)
for p in (1, 2):
    add("LpNormalization", X1, p=p)
add("LpNormalization", X2, axis=1)
for size in (1, 3, 5):
    add("LRN", X2, size=size, alpha=0.7, beta=0.75, bias=2.0)
SKIPPED = ((2, 5, 6), (2, 5, 6))
add("com.microsoft.SkipLayerNormalization", *SKIPPED, W(6), W(6), W(6), epsilon=0.1, opset=17)
add("com.microsoft.SkipLayerNormalization", *SKIPPED, W(6), epsilon=0.1, opset=17)
add("com.microsoft.SkipSimplifiedLayerNormalization", *SKIPPED, W(6), W(6), epsilon=0.1, opset=17)
add("com.microsoft.SkipSimplifiedLayerNormalization", (2, 5, 6), W(2, 5, 6), W(6), opset=17, batch=False)
add("MeanVarianceNormalization", X2, axes=[2, 3])
add("MeanVarianceNormalization", X2, axes=[1, -1])
