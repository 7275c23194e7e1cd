"""Nodes that only hand a value on are seen through, and no others."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, ExplainerError, UnsupportedError, explain

CHAIN = "g (float[N,4] x) => (float[N,6] y) {{ h = Gemm (x, w) {} }}"


@pytest.mark.parametrize(
    "middle",
    [
        "i = Identity (h) y = Relu (i)",
        "i = Dropout (h) y = Relu (i)",
        "i, mask = Dropout (h) y = Relu (i)",
        "i = Dropout (h, half) y = Relu (i)",
        "i = Dropout (h, half, no) y = Relu (i)",
        "d = Cast <to = 11> (h) i = Cast <to = 1> (d) y = Relu (i)",
        "h2 = Identity (h) h3 = Dropout (h2) i = Identity (h3) y = Relu (i)",
        "i = Relu (h) y = Identity (i)",
        "x2 = Identity (x) h0 = Gemm (x2, w) i = Relu (h0) y = Dropout (i)",
    ],
)
def test_nodes_that_hand_a_value_on_are_seen_through(middle):
    constants = {"w": rng(1).standard_normal((4, 6)), "half": np.float32(0.5), "no": np.array(False)}
    explainer = Explainer(parse(CHAIN.format(middle), **constants), keep=["i"], dtype="float64")
    assert [step.node.operator for step in explainer.plan.steps] == ["Relu", "Gemm"]
    x = rng(4).standard_normal((2, 4)).astype(np.float32)
    plain = Explainer(parse(CHAIN.format("y = Relu (h)"), **constants), dtype="float64").explain(x)
    found = explainer.explain(x)
    np.testing.assert_array_equal(found.relevance, plain.relevance)
    assert set(found.relevances) == {"i"}
    assert found.outputs.keys() == {"y"}


@pytest.mark.parametrize(
    "middle",
    [
        "i = Dropout (h, half, yes) y = Relu (i)",
        "i, mask = Dropout (h) m = Cast <to = 1> (mask) y = Add (i, m)",
        "i = Cast <to = 7> (h) j = Cast <to = 1> (i) y = Relu (j)",
    ],
)
def test_nodes_that_change_the_value_are_not(middle):
    constants = {"w": rng(1).standard_normal((4, 6)), "half": np.float32(0.5), "yes": np.array(True)}
    with pytest.raises(UnsupportedError):
        Explainer(parse(CHAIN.format(middle), **constants)).plan  # noqa: B018


def test_a_mode_of_several_values_is_refused_by_whoever_runs_it():
    text = "g (float[N,4] x) => (float[N,4] y) { y = Dropout (x, half, modes) }"
    model = parse(text, half=np.float32(0.5), modes=np.array([True, False]))
    with pytest.raises(ExplainerError):
        explain(model, np.ones((1, 4), np.float32))
