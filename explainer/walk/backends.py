"""Forward, walk and number type: three choices, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..inputs.feeds import dtype_of
from ..plain.checks import is_one_of

# What runs the model: onnxruntime, or the layers' own NumPy bodies; "auto" is by the number type.
FORWARDS = ("auto", "onnxruntime", "numpy")
# What walks from many points: whichever is faster, NumPy alone, or onnxruntime alone.
ENGINES = ("auto", "numpy", "onnxruntime")
# From how many points on a walk in onnxruntime pays: it is made once for some 1.1 s, and a point takes
# 0.08 s instead of 0.11 s (ResNet-18, of one core's time, measured).
MANY = 40


@dataclass(frozen=True)
class Backends:
    """What runs the model, what walks, and in which number type: three choices.

    Attributes
    ----------
    dtype : numpy dtype
    engine : str
        What walks from many points, a name of `ENGINES`; one walk is NumPy's, which is audited.
    forward : str
        What runs the model, "onnxruntime" or "numpy".
    audit : bool or "numerics"
        Whether NumPy's walk is checked at every step; or how far float32 can be believed there is measured.
    """

    dtype: np.dtype[Any]
    engine: str = "auto"
    forward: str = "onnxruntime"
    audit: bool | str = True

    @classmethod
    def of(
        cls, dtype: Any = "float32", engine: str = "auto", forward: str = "auto", audit: bool | str = True
    ) -> Backends:
        """The choices as a user makes them.

        Raises
        ------
        InputError
            No such type or backend, or two that do not go together.
        """
        kind = dtype_of(dtype)
        for what, name, known in (("engine", engine, ENGINES), ("forward", forward, FORWARDS)):
            if not is_one_of(name, known):
                raise InputError(f"{what} is {name!r}; there is: {', '.join(known)}")
        if not (isinstance(audit, bool) or is_one_of(audit, ("numerics",))):
            raise InputError(f"audit is {audit!r}; there is: True, False, 'numerics'")
        if engine == "onnxruntime" and kind == np.float64:
            raise InputError("engine 'onnxruntime' walks in float32; for dtype 'float64' leave it out")
        if forward == "auto":  # onnxruntime has no double convolution on the CPU
            forward = "numpy" if kind == np.float64 else "onnxruntime"
        return cls(kind, engine, forward, audit)

    @property
    def least(self) -> float:
        """From how many points on onnxruntime walks."""
        if self.engine == "numpy" or self.dtype == np.float64:
            return np.inf
        return 0 if self.engine == "onnxruntime" else MANY
