"""Time in proportion to the nodes at any depth, and no recursion over them."""

import inspect
import sys
import time

import numpy as np
import pytest
from building import parse, rng, run
from versions import before

from explainer import Explainer, compile

W = rng(0).standard_normal((4, 4))
# How many calls may lie on top of each other, whatever the depth of the model.
SHALLOW = 120


def between(middle, end, **constants):
    """Nodes from y0, behind a product and a Relu, to the tensor `end`, before another product."""
    text = f"c = MatMul(x, w) y0 = Relu(c) {middle} y = MatMul({end}, w)"
    return parse(f"g (float[N,4] x) => (float[N,4] y) {{ {text} }}", w=W, **constants)


def chain(count, line):
    """`count` nodes in a row."""
    middle = " ".join(line.format(x=f"y{k}", y=f"y{k + 1}") for k in range(count))
    return between(middle, f"y{count}", tiny=np.full(4, 1e-3), one=np.ones(4))


def ladder(count):
    """Both halves of a vector swapped, `count` times: 2 ** count paths."""
    stage = (
        "a{k} = Slice(y{k}, zero, two, one) b{k} = Slice(y{k}, two, four, one) "
        "y{next} = Concat<axis=1>(b{k}, a{k})"
    )
    middle = " ".join(stage.format(k=k, next=k + 1) for k in range(count))
    whole = {"zero": 0, "one": 1, "two": 2, "four": 4}
    return between(middle, f"y{count}", **{name: np.array([value]) for name, value in whole.items()})


def blocks(count):
    """Residual blocks, in each nearly a group: the Conv that a BatchNormalization follows is read twice."""
    middle = " ".join(
        f"c{k} = Conv(y{k}, k) n{k} = BatchNormalization(c{k}, s, b, b, s) y{k + 1} = Add(n{k}, c{k})"
        for k in range(count)
    )
    text = f"g (float[N,2,1,1] x) => (float[N,2] y) {{ y0 = Relu(x) {middle} y = Flatten(y{count}) }}"
    return parse(text, k=np.eye(2)[:, :, None, None] / 2, s=np.ones(2), b=np.zeros(2))


CHAINS = {
    "Relu": "{y} = Relu({x})",
    "Identity": "{y} = Identity({x})",
    "Flatten": "{y} = Flatten({x})",
    "Add": "{y} = Add({x}, tiny)",
    "Mul": "{y} = Mul({x}, one)",
    "Softplus": "{y} = Softplus({x})",
}


@pytest.fixture
def shallow():
    """Few calls on top of each other."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + SHALLOW)
    yield
    sys.setrecursionlimit(before)


def seconds(call):
    begin = time.process_time()
    call()
    return time.process_time() - begin


@pytest.mark.slow
@pytest.mark.parametrize("operator", CHAINS)
def test_a_long_chain_is_planned_and_walked_without_recursion(operator, shallow):
    net, x = chain(1000, CHAINS[operator]), np.ones((1, 4), np.float32)
    explanation = Explainer(net, eps=1e-9).explain(x, target=0)
    assert explanation.score[0] == pytest.approx(run(net, {"x": x})[0][0, 0], rel=1e-5)
    if operator not in ("Add", "Softplus"):  # nothing falls to a constant, or is made by a curve
        assert explanation.relevance.sum() == pytest.approx(explanation.score[0], rel=1e-3)


@pytest.mark.skipif(
    before("onnxruntime", "1.25"), reason="this onnxruntime fuses slices into nodes of one name"
)
def test_halves_swapped_many_times_are_one_path_each(shallow):
    net, x = ladder(200), np.ones((1, 4), np.float32)
    explanation = Explainer(net, eps=1e-9).explain(x, target=0)
    whole = Explainer(ladder(0), eps=1e-9).explain(x, target=0)
    np.testing.assert_allclose(explanation.relevance, whole.relevance, rtol=1e-5)


def test_behind_a_ladder_a_relu_still_stands_for_what_it_reads():
    def shortcuts(net):
        return [step.layer.output for step in Explainer(net).plan.steps if step.record != step.layer.output]

    assert shortcuts(ladder(40)) == ["c"]
    # A rule that hands on what does not vanish where x does ends it.
    assert shortcuts(parse("g (float[N,4] x) => (float[N,4] y) { c = MatMul(x, w) y = Relu(c) }", w=W)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "net", [*(chain(3000, line) for line in CHAINS.values()), ladder(600)], ids=[*CHAINS, "ladder"]
)
def test_a_chain_is_compiled_without_recursion(net, shallow):
    compile(net)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda n: chain(n, CHAINS["Relu"]), lambda n: chain(n, CHAINS["Mul"]), ladder, blocks],
    ids=["Relu", "Mul", "ladder", "blocks"],
)
def test_planning_takes_time_in_proportion_to_the_nodes(make):
    def planning(count):
        net = make(count)
        return min(seconds(lambda: Explainer(net).plan) for _ in range(3))

    assert planning(3200) < 24 * planning(400)  # 8 times the nodes; quadratic would be 64 times as long
