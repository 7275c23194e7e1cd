"""The papers' formulas on dense matrices: what every rule is compared with.

A layer is z = W x + b with W (outputs, inputs), all vectors flat. Nothing here knows the library.
"""

from typing import NamedTuple

import numpy as np


class Shares(NamedTuple):
    """R_in by input, and what falls to the bias and to the stabiliser by output."""

    R_in: np.ndarray
    bias: np.ndarray
    epsilon: np.ndarray


def sign(z: np.ndarray) -> np.ndarray:
    """+1 or -1, with sign(0) = +1."""
    return np.where(z < 0, -1.0, 1.0)


def epsilon(W: np.ndarray, b: np.ndarray, x: np.ndarray, R: np.ndarray, eps: float) -> Shares:
    """R_j = Σ_k x_j w_kj / (z_k + ε·sign(z_k)) · R_k (Bach et al. 2015, eq. 58)."""
    z = W @ x + b
    s = R / (z + eps * sign(z))
    messages = W * x * s[:, None]
    return Shares(messages.sum(axis=0), b * s, eps * sign(z) * s)


def route(W: np.ndarray, R: np.ndarray) -> Shares:
    """Relevance goes where the value came from; what came from no input is the bias's."""
    kept = (W != 0).any(axis=1)
    return Shares(W.T @ R, np.where(kept, 0.0, R), np.zeros_like(R))
