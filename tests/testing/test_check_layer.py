"""check_layer passes what is right, and says of what is wrong what and where."""

import numpy as np
import pytest
from building import parse, rng
from examples import EXAMPLES

from explainer.layers import REGISTRY, Layer, register
from explainer.layers.activations import Activation
from explainer.layers.affine import Gemm
from explainer.layers.kinds import SUM
from explainer.tensor import Abs, Relu, Where, above
from explainer.testing import check_layer

# onnx counts a last window of ceil_mode that starts beyond the input; onnxruntime does not.
MISINFERRED = "kernel_shape=[2, 2] strides=[2, 3] ceil_mode=1"


@pytest.fixture(autouse=True)
def registry():
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


@pytest.mark.parametrize("operator", sorted(REGISTRY))
def test_every_layer_here_passes(operator):
    examples = [example for example in EXAMPLES if example.operator == operator]
    for example in examples[:3]:
        check_layer(operator, (example.model(), example.feeds()), compiled=MISINFERRED not in str(example))


SHRINK = """g (float[N,2,6] x) => (float[N,6] y) {
    s = Shrink <lambd=0.5, bias=0.3> (x)
    y = ReduceSum <keepdims=0> (s, axis)
}"""


def shrink():
    return parse(SHRINK, axis=np.array([1]))


class Shrink(Activation):
    """As docs/adding-an-operator.md has it."""

    def forward(self, x, p):
        shrunk = x - Where(x > 0, x * 0 + self.get("bias"), x * 0 - self.get("bias"))
        return shrunk * self.derivative(x, p)

    def derivative(self, x, p):
        return above(Abs(x), self.get("lambd"))


def fails(message: str, layer, *examples, **how):
    with pytest.raises(AssertionError, match=message):
        check_layer(layer, *examples, **how)


def test_a_layer_of_ones_own_passes_by_its_name_and_by_its_class():
    register("Shrink")(Shrink)
    check_layer("Shrink", shrink())
    check_layer(Shrink, shrink(), (shrink(), {"x": rng(1).standard_normal((3, 2, 6)).astype(np.float32)}))


def test_what_is_not_there_is_said():
    fails("Shrink: no layer is registered", "Shrink", shrink())
    fails("Shrink: register it for an operator first", Shrink, shrink())
    register("Shrink")(Shrink)
    fails("Shrink: give an example model", "Shrink")
    fails("the model: no node is Relu", "Relu", shrink())


def test_a_wrong_forward():
    @register("Shrink")
    class Wrong(Shrink):
        def forward(self, x, p):
            return super().forward(x, p) * 1.001

    fails(r"^Shrink 's': forward is off by 0.001 of onnxruntime's largest value", Wrong, shrink())


def test_a_forward_in_another_type():
    @register("Shrink")
    class Wrong(Shrink):
        def forward(self, x, p):
            return super().forward(x, p).astype(np.float64)

    fails("Shrink 's': forward makes float64 of float32", Wrong, shrink())


def test_a_wrong_derivative():
    @register("Shrink")
    class Wrong(Shrink):
        def transpose(self, s, at):
            return super().transpose(s, at) * 0.999

    fails("Shrink 's': along a random direction the transpose says", Wrong, shrink())


def test_what_does_not_compile():
    @register("Shrink")
    class Wrong(Shrink):
        def derivative(self, x, p):
            return np.asarray(abs(np.asarray(x)) > 0.5, x.dtype)

    check_layer(Wrong, shrink(), method="gradient", eps=None, compiled=False)
    with pytest.raises(TypeError, match="Symbol"):  # at the line where it stands
        check_layer(Wrong, shrink(), method="gradient", eps=None)


DENSE = "g (float[N,4] x) => (float[N,3] y) { y = Gemm (x, w, b) }"


def dense():
    return parse(DENSE, w=rng(2).standard_normal((4, 3)), b=rng(3).standard_normal(3))


def instead(**body):
    """Gemm with other methods, registered in its place."""
    layer = type("Wrong", (Gemm,), body)
    REGISTRY["Gemm"] = layer
    return layer


def test_a_wrong_transpose():
    wrong = instead(transpose=lambda self, s, at: Gemm.transpose(self, s, at) * 1.01)
    fails("Gemm 'y': ⟨A x, s⟩ is .* transpose is not the transpose of forward", wrong, dense())


def test_a_transpose_of_another_shape():
    wrong = instead(transpose=lambda self, s, at: Gemm.transpose(self, s, at)[:, :3])
    fails(r"Gemm 'y': transpose has shape \(2, 3\), its input \(2, 4\)", wrong, dense())


def test_a_bias_that_is_not_declared():
    wrong = instead(bias=lambda self, at: None)
    fails("Gemm 'y': of .* bias, bias_share or degree is wrong", wrong, dense())


def test_an_edge_everywhere_is_not_stepped_over():
    @register("Floor")
    class Floor(Activation):
        def forward(self, x, p):
            return np.floor(x * 1e5) / 1e5

        def derivative(self, x, p):
            return x * 0

    model = parse("g (float[N,6] x) => (float[N,6] y) { y = Floor (x) }")
    fails("forward (is off|has an edge)", Floor, model)


def test_a_model_whose_output_hangs_on_no_input():
    model = parse("g (float[N,3] x) => (float[3] y) { h = Relu (x) y = Relu (c) }", c=np.ones(3))
    fails("no output depends on the values of an input", "Relu", model)


class Lossy(Layer):
    """A sum whose transpose forgets a summand, and whose forward is right."""

    kind = SUM

    def forward(self, x, p):
        return Relu(x)

    def transpose(self, s, at):
        return s


def test_no_linear_layer_passes_as_one_when_it_bends():
    REGISTRY["Relu"] = Lossy
    fails("Relu 'y'", "Relu", parse("g (float[N,8] x) => (float[N,8] y) { y = Relu (x) }"))
