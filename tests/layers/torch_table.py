"""The oracle's functions by the names of their ONNX operators.

Each takes a node's attributes and its operands in the node's order, float64 tensors and integer lists,
None where one is absent, and returns the outputs.
"""

from collections.abc import Callable
from typing import Any

Operator = Callable[..., Any]
TORCH: dict[str, Operator] = {}


def operator(function: Operator) -> Operator:
    """Declare the function as the ONNX operator of its name."""
    TORCH[function.__name__] = function
    return function
