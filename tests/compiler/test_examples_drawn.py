"""What a file is proved on where a model makes no numbers of N(0, 1)."""

import numpy as np
import pytest
from building import parse, rng
from compiled import run

import explainer
from explainer import Explainer, NumericalError

WEIGHTS = {"w": rng(1).standard_normal((4, 3)), "one": np.float32(1), "root": np.float32(0.5)}
FRONTS = {
    "Log": "h = Log(x)",
    "Sqrt": "h = Sqrt(x)",
    "Pow": "h = Pow(x, root)",
    "logit": "e = Sub(one, x) i = Div(x, e) h = Log(i)",
    "Asin": "h = Asin(x)",
}


def model(front: str):
    return parse(f"g (float[N,4] x) => (float[N,3] y) {{ {front} y = MatMul(h, w) }}", **WEIGHTS)


@pytest.mark.parametrize("front", FRONTS)
def test_it_is_drawn_from_where_they_are(front):
    compiled = explainer.compile(model(FRONTS[front]), composite="flat", target=1)
    x = rng(2).uniform(0.1, 0.9, (2, 4)).astype(np.float32)
    right = Explainer(model(FRONTS[front]), composite="flat").explain(x, 1).relevance
    np.testing.assert_allclose(run(compiled, x)["relevance"], right, rtol=1e-5)
    assert np.isfinite(Explainer(model(FRONTS[front])).example()["x"]).all()


def test_where_no_such_are_it_is_refused():
    with pytest.raises(NumericalError, match=r"N\(0, 1\), and on amounts and shares of them"):
        explainer.compile(model("e = Acosh(x) i = Sub(e, e) j = Asin(x) k = Add(i, j) h = Log(k)"), target=1)
