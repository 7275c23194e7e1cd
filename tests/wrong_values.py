"""Values that are wrong for most parameters, and some that mean nothing anywhere."""

import collections
import datetime
import decimal
import fractions
import itertools
import os
from pathlib import Path

import numpy as np
from PIL import Image

from explainer import Ask, Explainer, Preprocess, Recipe

# Made anew for every call: iterators are used up.
VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    **{
        repr(n): lambda n=n: n
        for n in (5, 0, -1, 0.5, float("nan"), float("inf"), -(2**63), "", "zz", "a\0b")
    },
    "10**400": lambda: 10**400,
    "long": lambda: "x" * 10000,
    "surrogate": lambda: "\ud800",
    "no bytes": lambda: b"",
    "bytearray": lambda: bytearray(b"x"),
    "class": lambda: Explainer,
    "class of pictures": lambda: Image.Image,
    "function": lambda: lambda *values: 1 / 0,
    **{repr(v): lambda v=v: v for v in ([], [None], [[1], [1, 2]], (), (None, None), ("zz", {}), ("zz", 3))},
    **{
        repr(v): lambda v=v: v
        for v in (
            ("zz", {3: 4}),
            ("gamma", {1: 2}),
            ("smoothgrad", {1: 2}),
            ({}, {}),
            ([], {}),
            {},
            {1: 2},
            {None: None},
        )
    },
    **{repr(v): lambda v=v: v for v in ({"zz": [[1], [2, 3]]}, {"rules": 3}, {"y": "zz"}, {1, "a"})},
    "dict of objects": lambda: {"x": object()},
    "frozenset": lambda: frozenset({b"x"}),
    "generator": lambda: (one for one in (1, "a", None)),
    "iterator": lambda: itertools.repeat("zz", 5),
    "range": lambda: range(3),
    "slice": lambda: slice(None),
    "...": lambda: ...,
    "objects": lambda: np.array([object(), None]),
    "texts": lambda: np.array(["a", "b"]),
    "complex": lambda: np.array([1j, 2]),
    "durations": lambda: np.array([1], "timedelta64[s]"),
    "empty": lambda: np.empty(0),
    "empty of axes": lambda: np.empty((0, 3, 2)),
    **{f"0-d {v!r}": lambda v=v: np.array(v) for v in (3.0, 3, None)},
    **{repr(v): lambda v=v: np.array(v) for v in ([np.nan, 1], [1, 2], [True, False], [[1.0, 1], [1, 1]])},
    **{f"{kind.__name__}(1)": lambda kind=kind: kind(1) for kind in (np.float16, np.float32, np.longdouble)},
    **{f"{kind.__name__}(2)": lambda kind=kind: kind(2) for kind in (np.int64, np.uint8, np.bool_, np.str_)},
    "Fraction": lambda: fractions.Fraction(1, 2),
    "Decimal": lambda: decimal.Decimal("0.5"),
    "Path": lambda: Path("zz"),
    "picture": lambda: Image.new("RGB", (3, 3)),
    "Ask": lambda: Ask(1),
    "Recipe": Recipe,
    "Preprocess": Preprocess,
    "dtype": lambda: np.dtype("f4"),
    "defaultdict": lambda: collections.defaultdict(list),
}


def holding_itself(kind):
    held = kind()
    if kind is dict:
        held["x"] = held
    else:
        held.append(held)
    return held


def nested(wrap, held=1.0):
    for _ in range(5000):
        held = wrap(held)
    return held


MASKED = {
    "all masked": lambda: np.ma.masked,
    "masked": lambda: np.ma.masked_array([1.0, 2], mask=[1, 0]),
    "masked whole numbers": lambda: np.ma.masked_array([1, 2]),
    "masked in a list": lambda: [np.ma.masked_array([1, 2], mask=[1, 0])],
    "masked in a tuple": lambda: (np.ma.masked, 1),
    "masked in a dict": lambda: {"x": np.ma.masked_array([[1.0]], mask=True)},
}
# What means nothing wherever it is given.
NONSENSE = {
    **MASKED,
    "list of itself": lambda: holding_itself(list),
    "dict of itself": lambda: holding_itself(dict),
    "list in a dict": lambda: {"x": holding_itself(list)},
    "name beside it": lambda: ("y", holding_itself(list)),
    "deep list": lambda: nested(lambda held: [held]),
    "deep tuple": lambda: nested(lambda held: (held,)),
    "deep dict": lambda: nested(lambda held: {"x": held}),
    "object": object,
    "1j": lambda: 1j,
    "bytes": lambda: b"\xff\0zz",
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "date": lambda: datetime.datetime(2020, 1, 1),
    "module": lambda: os,
    "records": lambda: np.zeros(2, [("a", "f4")]),
    "NotImplemented": lambda: NotImplemented,
    "exception": lambda: ValueError("x"),
    "slice of objects": lambda: slice("a", object()),
}
