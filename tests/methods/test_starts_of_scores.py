"""What says how a walk begins is refused where scores alone are asked for."""

import numpy as np
import pytest
from building import parse, rng

import explainer

MODEL = parse(
    "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }",
    w=rng(0).standard_normal((48, 2)),
)
X = np.float32(rng(1).standard_normal((1, 3, 4, 4)))


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_what_a_walk_begins_with(method):
    made = explainer.Explainer(MODEL, method=method)
    for start in ("one", "clrp"):
        for asked in (lambda s=start: made.explain(X, start=s), lambda s=start: made.check_target(start=s)):
            with pytest.raises(explainer.TargetError, match=f"start: '{start}' says what a walk begins with"):
                asked()
    for start in ("output", "logit", "probability", "margin"):
        assert made.explain(X, start=start).relevance.shape == X.shape
