"""Parameters that are fed when the model runs, where they are constants as a rule: refused by their names."""

import itertools

import numpy as np
import pytest
from building import parse

from explainer import UnsupportedError, compile, explain

CONSTANTS = {"k": np.ones((2, 2, 1, 1)), "s": np.ones(2), "b": np.zeros(2), "m": np.zeros(2), "v": np.ones(2)}
NORM = "BatchNormalization ({}, s, b, m, v)"
ORDERS = {
    "alone": f"y = {NORM.format('x')}",
    "behind a Conv": f"c = Conv (x, k) y = {NORM.format('c')}",
    "before a Conv": f"n = {NORM.format('x')} y = Conv (n, k)",
    "behind a ConvTranspose": f"c = ConvTranspose (x, k) y = {NORM.format('c')}",
}
CALLED = {"s": "scale", "b": "shift", "m": "mean", "v": "variance"}


@pytest.mark.parametrize(("order", "fed"), list(itertools.product(ORDERS, CALLED)))
def test_a_parameter_of_batch_normalization(order, fed):
    held = {name: value for name, value in CONSTANTS.items() if name != fed}
    text = f"g (float[N,2,2,2] x, float[2] {fed}) => (float[N,2,2,2] y) {{ {ORDERS[order]} }}"
    feeds = {"x": np.ones((2, 2, 2, 2), np.float32), fed: np.ones(2, np.float32)}
    for call in (
        lambda model: explain(model, feeds),
        lambda model: explain(model, feeds, dtype="float64"),
        compile,
    ):
        with pytest.raises(UnsupportedError, match=f"its {CALLED[fed]} is computed from the input"):
            call(parse(text, **held))
