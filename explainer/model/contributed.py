"""Operators that onnxruntime has and the onnx package has no schema of: what they take, by domain and name.

Some are in ONNX's own domain: what onnxruntime makes of a normalisation written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import AttributeProto

MICROSOFT = "com.microsoft"
# An attribute is a float of 32 bits, and so is its default.
EPSILON, SKIPS_EPSILON = (float(np.float32(value)) for value in (1e-5, 1e-12))
_NORM = {
    "types": {"axis": AttributeProto.INT, "epsilon": AttributeProto.FLOAT, "stash_type": AttributeProto.INT},
    "defaults": {"axis": -1, "epsilon": EPSILON, "stash_type": 1},
}
_SKIP = {
    "types": {"epsilon": AttributeProto.FLOAT},
    "defaults": {"epsilon": SKIPS_EPSILON},
    "outputs": (1, 4),
}
_INT, _FLOAT = AttributeProto.INT, AttributeProto.FLOAT
_ATTENTION = {
    "types": {"num_heads": _INT, "unidirectional": _INT, "mask_filter_value": _FLOAT, "scale": _FLOAT},
    "defaults": {"unidirectional": 0, "mask_filter_value": -10000.0, "scale": 0.0},
    "required": ("num_heads",),
}
_WIDER = {
    "do_rotary": _INT,
    "past_present_share_buffer": _INT,
    "qkv_hidden_sizes": AttributeProto.INTS,
    "rotary_embedding_dim": _INT,
}
_TURNS = {"interleaved": 0, "is_packed_batching": 0, "num_heads": 0, "rotary_embedding_dim": 0}
_BENT = {"types": {}, "defaults": {}, "inputs": (1, 2), "outputs": (1, 1)}
_POOL = {
    "types": {
        "auto_pad": AttributeProto.STRING,
        "ceil_mode": _INT,
        "channels_last": _INT,
        "count_include_pad": _INT,
        "kernel_shape": AttributeProto.INTS,
        "pads": AttributeProto.INTS,
        "strides": AttributeProto.INTS,
    },
    "defaults": {"auto_pad": "NOTSET", "ceil_mode": 0, "channels_last": 0, "count_include_pad": 0},
    "required": ("kernel_shape",),
}
_FUSED_CONV = {
    "types": {
        **dict.fromkeys(("activation", "auto_pad"), AttributeProto.STRING),
        **dict.fromkeys(("dilations", "kernel_shape", "pads", "strides"), AttributeProto.INTS),
        "activation_params": AttributeProto.FLOATS,
        "group": _INT,
    },
    "defaults": {"auto_pad": "NOTSET", "group": 1},
    "inputs": (2, 4),
    "outputs": (1, 1),
}
_FLIPS = ("transA", "transB", "transBatchA", "transBatchB")
_ONE = {"types": {}, "defaults": {}, "inputs": (4, 5), "outputs": (1, 1)}
_TWO = {"types": {}, "defaults": {}, "inputs": (7, 8), "outputs": (1, 1)}
_REDUCED = {
    "types": {"axes": AttributeProto.INTS, "keepdims": _INT},
    "defaults": {},
    "required": ("keepdims",),
}
_CAST = {"types": {"axis": _INT}, "defaults": {"axis": 1}, "inputs": (2, 3), "outputs": (1, 1)}
# (domain, operator) -> its fewest and most inputs and outputs, attributes' types and defaults.
CONTRIBUTED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("", "SimplifiedLayerNormalization"): {**_NORM, "inputs": (2, 2), "outputs": (1, 2)},
    ("", "LayerNormalization"): {**_NORM, "inputs": (2, 3), "outputs": (1, 3)},  # before opset 17
    ("", "ImageScaler"): {  # before opset 10
        "types": {"scale": _FLOAT, "bias": AttributeProto.FLOATS},
        "defaults": {"scale": 1.0},
        "inputs": (1, 1),
        "outputs": (1, 1),
    },
    (MICROSOFT, "Attention"): {
        **_ATTENTION,
        "types": {**_ATTENTION["types"], **_WIDER},  # type: ignore[dict-item]
        "inputs": (2, 7),
        "outputs": (1, 2),
    },
    (MICROSOFT, "MultiHeadAttention"): {**_ATTENTION, "inputs": (1, 10), "outputs": (1, 4)},
    (MICROSOFT, "EmbedLayerNormalization"): {
        "types": {"epsilon": _FLOAT, "mask_index_type": _INT},
        "defaults": {"epsilon": SKIPS_EPSILON, "mask_index_type": 0},
        "inputs": (7, 9),
        "outputs": (1, 3),
    },
    (MICROSOFT, "RotaryEmbedding"): {
        "types": {**dict.fromkeys(_TURNS, _INT), "scale": _FLOAT},
        "defaults": {**_TURNS, "scale": 1.0},
        "inputs": (4, 4),
        "outputs": (1, 1),
    },
    (MICROSOFT, "BiasGelu"): {**_BENT, "inputs": (2, 2)},
    (MICROSOFT, "FastGelu"): _BENT,
    (MICROSOFT, "FusedConv"): _FUSED_CONV,
    (MICROSOFT, "FusedGemm"): {
        "types": {
            **dict.fromkeys(("transA", "transB"), _INT),
            **dict.fromkeys(("alpha", "beta", "activation_alpha", "activation_beta"), _FLOAT),
            "activation_gamma": _FLOAT,
            "activation": AttributeProto.STRING,
        },
        "defaults": {
            **{"transA": 0, "transB": 0, "alpha": 1.0, "beta": 1.0},
            **{"activation_alpha": 0.0, "activation_beta": 0.0, "activation_gamma": 0.0},
        },
        "inputs": (2, 3),
        "outputs": (1, 1),
    },
    (MICROSOFT, "FusedMatMul"): {
        "types": {**dict.fromkeys(_FLIPS, _INT), "alpha": _FLOAT},
        "defaults": {**dict.fromkeys(_FLIPS, 0), "alpha": 1.0},
        "inputs": (2, 2),
        "outputs": (1, 1),
    },
    (MICROSOFT, "NhwcFusedConv"): _FUSED_CONV,
    (MICROSOFT, "Gelu"): {**_BENT, "inputs": (1, 1)},
    (MICROSOFT, "QuickGelu"): {
        "types": {"alpha": _FLOAT},
        "defaults": {"alpha": float(np.float32(1.702))},
        "inputs": (1, 1),
        "outputs": (1, 1),
    },
    (MICROSOFT, "SkipLayerNormalization"): {**_SKIP, "inputs": (3, 5)},
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): {**_SKIP, "inputs": (3, 4)},
    (MICROSOFT, "QuantizeLinear"): _CAST,
    (MICROSOFT, "DequantizeLinear"): _CAST,
    (MICROSOFT, "QGemm"): {
        "types": {"alpha": _FLOAT, "transA": _INT, "transB": _INT},
        "defaults": {"alpha": 1.0, "transA": 0, "transB": 0},
        "inputs": (6, 9),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearAdd"): _TWO,
    (MICROSOFT, "QLinearAveragePool"): {**_POOL, "inputs": (4, 5), "outputs": (1, 1)},
    (MICROSOFT, "QLinearConv"): {
        "types": {
            "auto_pad": AttributeProto.STRING,
            **dict.fromkeys(("dilations", "kernel_shape", "pads", "strides"), AttributeProto.INTS),
            **dict.fromkeys(("channels_last", "group"), _INT),
        },
        "defaults": {"auto_pad": "NOTSET", "channels_last": 0, "group": 1},
        "inputs": (8, 9),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearConcat"): {
        "types": {"axis": _INT},
        "defaults": {},
        "required": ("axis",),
        "inputs": (3, 1 << 31),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearGlobalAveragePool"): {
        "types": {"channels_last": _INT},
        "defaults": {"channels_last": 0},
        "inputs": (5, 5),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearLeakyRelu"): {
        "types": {"alpha": _FLOAT},
        "defaults": {"alpha": float(np.float32(0.01))},
        "inputs": (4, 5),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearMul"): _TWO,
    (MICROSOFT, "QLinearReduceMean"): {**_REDUCED, "inputs": (4, 5), "outputs": (1, 1)},
    (MICROSOFT, "QLinearSigmoid"): _ONE,
    (MICROSOFT, "QLinearSoftmax"): {
        "types": {"axis": _INT, "opset": _INT},
        "defaults": {"axis": -1},
        "required": ("opset",),
        "inputs": (5, 5),
        "outputs": (1, 1),
    },
    (MICROSOFT, "QLinearWhere"): {"types": {}, "defaults": {}, "inputs": (9, 9), "outputs": (1, 1)},
}
