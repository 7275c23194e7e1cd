"""What operators take the axes of their operands for, whether they have a layer or not."""

from __future__ import annotations


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Every value comes from those at its own place; operands broadcast.
ELEMENTWISE = _named("""
    Abs Acos Add And Asin Atan BitShift Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear Div Dropout
    Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity ImageScaler IsInf IsNaN
    LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow QuantizeLinear Reciprocal
    Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu
    Where Xor
    com.microsoft.BiasGelu com.microsoft.FastGelu com.microsoft.Gelu com.microsoft.QLinearAdd
    com.microsoft.QLinearLeakyRelu com.microsoft.QLinearMul com.microsoft.QLinearSigmoid
    com.microsoft.QuickGelu
""")
# The output has the axes of the first operand, whatever is computed along them.
ALIKE = _named("""
    BatchNormalization CumSum GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization
    LogSoftmax LpNormalization MeanVarianceNormalization Pad RMSNormalization Resize Slice Softmax Split Tile
    SimplifiedLayerNormalization TopK Trilu Upsample ai.onnx.ml.Imputer ai.onnx.ml.Normalizer
    ai.onnx.ml.Scaler com.microsoft.QLinearSoftmax com.microsoft.SkipLayerNormalization
    com.microsoft.SkipSimplifiedLayerNormalization
""")
# (N, C, ...) becomes (N, others, ...), or (N, ..., C) likewise.
CHANNELS_FIRST = _named("""
    AveragePool Conv ConvInteger ConvTranspose DeformConv DepthToSpace GlobalAveragePool GlobalLpPool
    GlobalMaxPool GridSample LpPool MaxPool MaxUnpool QLinearConv SpaceToDepth com.microsoft.FusedConv
    com.microsoft.QLinearAveragePool com.microsoft.QLinearGlobalAveragePool
""")
CHANNELS_LAST = _named("com.microsoft.NhwcConv com.microsoft.NhwcFusedConv com.microsoft.NhwcMaxPool")
# (N, C, ...) stays as it is.
NORMALISING = _named("BatchNormalization GroupNormalization InstanceNormalization LRN")
# (T, N, F), or (N, T, F) where the layout is 1.
RECURRENT = _named("GRU LSTM RNN")
# Which operands are multiplied as matrices.
PRODUCTS = {"MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}
# Rows in, rows out.
BY_ROWS = _named("""
    ai.onnx.ml.LinearClassifier ai.onnx.ml.LinearRegressor ai.onnx.ml.SVMClassifier ai.onnx.ml.SVMRegressor
    ai.onnx.ml.TreeEnsemble ai.onnx.ml.TreeEnsembleClassifier ai.onnx.ml.TreeEnsembleRegressor
    ai.onnx.ml.ZipMap
""")
REDUCING = _named("""
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare
""")
# How many rows come out is decided by the values, those of all samples together.
BY_VALUES = _named("NonMaxSuppression NonZero Unique")
EMBEDDING = "com.microsoft.EmbedLayerNormalization"
# Operand whose values are indices -> the operand that they are looked up in.
LOOKUPS = {("Gather", 1): 0, ("OneHot", 0): None, (EMBEDDING, 0): 2, (EMBEDDING, 1): 4}
# One scale for all that comes in.
BY_THE_LARGEST = _named("""
    DynamicQuantizeLinear com.microsoft.DynamicQuantizeLSTM com.microsoft.DynamicQuantizeMatMul
""")
