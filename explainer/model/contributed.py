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
# (domain, operator) -> its fewest and most inputs and outputs, attributes' types and defaults.
CONTRIBUTED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("", "SimplifiedLayerNormalization"): {**_NORM, "inputs": (2, 2), "outputs": (1, 2)},
    ("", "LayerNormalization"): {**_NORM, "inputs": (2, 3), "outputs": (1, 3)},  # before opset 17
    (MICROSOFT, "SkipLayerNormalization"): {**_SKIP, "inputs": (3, 5)},
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): {**_SKIP, "inputs": (3, 4)},
}
