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
    (MICROSOFT, "Gelu"): {**_BENT, "inputs": (1, 1)},
    (MICROSOFT, "QuickGelu"): {
        "types": {"alpha": _FLOAT},
        "defaults": {"alpha": float(np.float32(1.702))},
        "inputs": (1, 1),
        "outputs": (1, 1),
    },
    (MICROSOFT, "SkipLayerNormalization"): {**_SKIP, "inputs": (3, 5)},
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): {**_SKIP, "inputs": (3, 4)},
}
