"""Elementary functions of one value."""

from __future__ import annotations

import math

import numpy as np

from .symbol import Value, primitive


@primitive
def Abs(x: Value) -> Value:
    """ONNX Abs."""
    return np.abs(x)


@primitive
def Sign(x: Value) -> Value:
    """ONNX Sign: −1, 0 or 1."""
    return np.sign(x)


@primitive
def Round(x: Value) -> Value:
    """ONNX Round: to the nearest whole number, halves to the even one."""
    return np.rint(x)


@primitive
def Floor(x: Value) -> Value:
    """ONNX Floor."""
    return np.floor(x)


@primitive
def Ceil(x: Value) -> Value:
    """ONNX Ceil."""
    return np.ceil(x)


@primitive
def Sqrt(x: Value) -> Value:
    """ONNX Sqrt."""
    return np.sqrt(x)


@primitive
def Pow(x: Value, exponent: Value) -> Value:
    """ONNX Pow."""
    return np.asarray(np.power(x, exponent), dtype=x.dtype)


@primitive
def Exp(x: Value) -> Value:
    """ONNX Exp."""
    return np.exp(x)


@primitive
def Log(x: Value) -> Value:
    """ONNX Log."""
    return np.log(x)


@primitive
def Sin(x: Value) -> Value:
    """ONNX Sin."""
    return np.sin(x)


@primitive
def Cos(x: Value) -> Value:
    """ONNX Cos."""
    return np.cos(x)


@primitive
def Tan(x: Value) -> Value:
    """ONNX Tan."""
    return np.tan(x)


@primitive
def Asin(x: Value) -> Value:
    """ONNX Asin."""
    return np.arcsin(x)


@primitive
def Acos(x: Value) -> Value:
    """ONNX Acos."""
    return np.arccos(x)


@primitive
def Atan(x: Value) -> Value:
    """ONNX Atan."""
    return np.arctan(x)


@primitive
def Sinh(x: Value) -> Value:
    """ONNX Sinh."""
    return np.sinh(x)


@primitive
def Cosh(x: Value) -> Value:
    """ONNX Cosh."""
    return np.cosh(x)


@primitive
def Tanh(x: Value) -> Value:
    """ONNX Tanh."""
    return np.tanh(x)


@primitive
def Asinh(x: Value) -> Value:
    """ONNX Asinh."""
    return np.arcsinh(x)


@primitive
def Acosh(x: Value) -> Value:
    """ONNX Acosh."""
    return np.arccosh(x)


@primitive
def Atanh(x: Value) -> Value:
    """ONNX Atanh."""
    return np.arctanh(x)


@primitive
def Sigmoid(x: Value) -> Value:
    """ONNX Sigmoid: 1 / (1 + e⁻ˣ)."""
    # e^-|x| never overflows, and small results keep all their digits.
    small = np.exp(-np.abs(x))
    return np.asarray(np.maximum(small, x >= 0) / (1 + small))


@primitive
def Erf(x: Value) -> Value:
    """ONNX Erf: 2/√π ∫₀ˣ e^(−t²) dt."""
    return np.asarray(_erf(x), dtype=x.dtype)  # NumPy has none: one value at a time, in float64


_erf = np.frompyfunc(math.erf, 1, 1)
