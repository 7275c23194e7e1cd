"""How far it is from the door to a rule: the calls that a reader follows."""

import sys
from pathlib import Path

import numpy as np
import pytest
from building import parse, rng

import explainer
from explainer.rules import Epsilon, Gradient

PACKAGE = str(Path(explainer.__file__).parent)
# Calls, the door and the rule included: at most, and at revision eb73c27.
ROUTES = {
    "one walk": ({}, 7, 10),
    "many walks": ({"method": "integrated_gradients", "engine": "numpy"}, 10, 14),
    "many walks under noise": ({"method": "gradient", "noise": "smoothgrad", "engine": "numpy"}, 11, 15),
    "a traced walk": ({"method": "integrated_gradients", "engine": "onnxruntime"}, 12, 20),
}


def called(frame) -> list[str]:
    """The functions of the package on the stack, the door first.

    A comprehension is no call: it has a frame of its own before Python 3.12 alone.
    """
    names = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE) and not code.co_name.endswith("comp>"):
            names.append(f"{Path(code.co_filename).stem}.{code.co_name}")
        frame = frame.f_back
    return names[::-1]


@pytest.mark.parametrize("route", ROUTES)
def test_calls_from_explain_to_the_first_rule(route, monkeypatch):
    how, most, _ = ROUTES[route]
    stacks = []
    for rule in (Epsilon, Gradient):

        def watched(self, layer, x, R, real=rule.__call__):
            stacks.append([*called(sys._getframe(1)), type(self).__name__])
            return real(self, layer, x, R)

        monkeypatch.setattr(rule, "__call__", watched)
    model = parse(
        "g (float[N,3] x) => (float[N,2] y) { h = Gemm (x, w) t = Relu (h) y = Gemm (t, v) }",
        w=rng(0).standard_normal((3, 4)),
        v=rng(1).standard_normal((4, 2)),
    )
    explainer.explain(model, np.ones((2, 3), np.float32), target=1, **how)
    assert stacks[0][0] == "explain.explain"
    assert len(stacks[0]) <= most, "\n".join(stacks[0])
