"""check_canonizer passes what is right, and says of what is wrong what and where."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from building import parse, rng

from explainer import CompositeError
from explainer.canonizers import BatchNorm, Canonizer, Pattern
from explainer.testing import check_canonizer

NET = """g (float[N,3,6,6] x) => (float[N,4,4,4] y) {
    a = Conv (x, w)
    b = BatchNormalization (a, gamma, beta, mean, variance)
    y = Relu (b)
}"""


def net() -> onnx.ModelProto:
    random = rng(0)
    vectors = {name: random.standard_normal(4) for name in ("gamma", "beta", "mean")}
    return parse(NET, w=random.standard_normal((4, 3, 3, 3)), variance=random.uniform(0.5, 2, 4), **vectors)


def fails(message, canonizer, **how):
    with pytest.raises(AssertionError, match=message):
        check_canonizer(canonizer, net(), **how)


class Changed(Canonizer):
    """The canonizer here, and then something is changed."""

    def __call__(self, graph, visible):
        view = BatchNorm()(graph, self.seen(visible))
        nodes = (self.changed(node) if node.members else node for node in view.nodes)
        return view.having(nodes=tuple(nodes))

    def seen(self, visible):
        return visible

    def changed(self, group):
        return group


def test_the_one_here_passes_by_name_and_as_it_is():
    (note,) = check_canonizer("batchnorm", net())
    assert note.nodes == ("a", "b") and note.layer == "a" and not note.refused
    x = rng(3).standard_normal((5, 3, 6, 6)).astype(np.float32)
    assert check_canonizer(BatchNorm(), net(), {"x": x}) == (note,)
    check_canonizer(Changed(), net())


def test_a_pattern_of_ones_own_passes_and_another_function_does_not():
    class Mish(Pattern):
        patterns = ("s = Softplus (x); t = Tanh (s); y = Mul (x, t)",)

        def group(self, match):
            return match.becomes("Mish", [match["x"]])

    class Gelu(Mish):
        def group(self, match):
            return match.becomes("Gelu", [match["x"]], attributes={"approximate": "none"})

    model = parse("g (float[N,5] x) => (float[N,5] y) { s = Softplus (x) t = Tanh (s) y = Mul (x, t) }")
    check_canonizer(Mish(), model)
    with pytest.raises(AssertionError, match="the model: Gelu 'y': forward is off by"):
        check_canonizer(Gelu(), model)


def test_what_it_does_not_change_it_says_why():
    class Idle(Canonizer):
        def __call__(self, graph, visible):
            return graph

    fails("makes nothing of it; it says: nothing", Idle())
    fails("makes nothing of it; it says: batchnorm: .*'a' must stay visible", "batchnorm", visible=["a"])
    with pytest.raises(CompositeError, match="no canonizer 'batchnrm'"):
        check_canonizer("batchnrm", net())


def test_what_must_stay_visible():
    class Blind(Changed):
        def seen(self, visible):
            return frozenset({"y"})

    check_canonizer(Blind(), net())
    fails("'a' must stay visible, and is gone", Blind(), visible=["a"])


def test_a_group_that_computes_something_else():
    class Swapping(Changed):
        """β and the mean in each other's place."""

        def changed(self, group):
            conv, norm = group.members
            h, gamma, beta, mean, variance = norm.inputs
            return replace(group, members=(conv, replace(norm, inputs=(h, gamma, mean, beta, variance))))

    fails("Conv 'a': forward is off by", Swapping())


def test_a_group_that_makes_what_is_nowhere():
    class Elsewhere(Changed):
        def changed(self, group):
            return replace(group, outputs=("other",))

    fails("makes 'other', which the file does not compute", Elsewhere())


def test_a_group_that_reads_what_is_nowhere():
    class Reading(Changed):
        def changed(self, group):
            return replace(group, inputs=("x", "other"))

    fails("reads 'other', which neither the file nor the view has", Reading())
