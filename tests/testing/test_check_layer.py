"""check_layer passes what is right, and says of what is wrong what and where."""

import re
from pathlib import Path

import numpy as np
import pytest
from building import parse, rng
from examples import EXAMPLES, IN_NETS

import explainer.testing
from explainer import UnsupportedError
from explainer.layers import REGISTRY, Layer, register
from explainer.layers.activations import Activation
from explainer.layers.affine import Gemm
from explainer.layers.elementwise import Neg
from explainer.layers.kinds import ACTIVATION, SUM
from explainer.tensor import Abs, Bundle, Relu, Where, above
from explainer.testing import check_layer
from explainer.testing.comparing import drawn

TESTING = sorted(Path(explainer.testing.__file__).parent.glob("*.py"))

# onnx counts a last window of ceil_mode that starts beyond the input; onnxruntime does not.
MISINFERRED = "kernel_shape=[2, 2] strides=[2, 3] ceil_mode=1"


@pytest.fixture(autouse=True)
def registry():
    before = dict(REGISTRY)
    del REGISTRY["Shrink"]  # it is written anew here
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


@pytest.mark.parametrize("operator", sorted(set(REGISTRY) - IN_NETS - {"Shrink"}))
def test_every_layer_here_passes(operator):
    examples = [example for example in EXAMPLES if example.operator == operator]
    for example in examples[:3]:
        compiles = MISINFERRED not in str(example)
        check_layer(operator, (example.model(), example.feeds()), compiled=compiles)


SHRINK = """g (float[N,2,6] x) => (float[N,6] y) {
    s = Shrink <lambd=0.5, bias=0.3> (x)
    y = ReduceSum <keepdims=0> (s, axis)
}"""


def shrink():
    return parse(SHRINK, axis=np.array([1]))


class Shrink(Activation):
    """As the registered one."""

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
    @register("Floor", replace=True)
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


# What was missed once.


def test_a_transpose_that_is_not_turned_on_a_layer_that_keeps_its_shape():
    """⟨A x, x⟩ = ⟨x, A x⟩, whatever A is: what it is tried with must not be the input itself."""
    model = parse("g (float[N,4] x) => (float[N,4] y) { y = Gemm (x, w) }", w=rng(2).standard_normal((4, 4)))
    wrong = instead(transpose=lambda self, s, at: s @ at.p["w"])
    fails("Gemm 'y': .* transpose is not the transpose of forward", wrong, model)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 6, 5), (4,)])
def test_no_check_draws_what_a_model_is_fed_or_what_another_draws(shape):
    names = set(re.findall(r"drawn\(f?\"(.*?)\"\)", "".join(f.read_text("utf-8") for f in TESTING)))
    assert len(names) > 7
    seeds = range(50)
    seen = [np.random.default_rng(seed).standard_normal(shape) for seed in seeds]
    seen += [drawn(name.format(name="w")).standard_normal(shape) for name in names]
    assert len({values.tobytes() for values in seen}) == len(names) + len(seeds)
    assert not any(
        "default_rng" in file.read_text("utf-8") for file in TESTING if file.name != "comparing.py"
    )


def test_a_weight_that_rules_cannot_reach():
    neg = "g (float[N,4] x) => (float[N,4] y) { y = Neg (x) }"

    def of(forward, transpose):
        REGISTRY["Neg"] = type("Wrong", (Neg,), {"forward": forward, "transpose": transpose})
        return "Neg", parse(neg)

    def plain(self, x, p):
        return -x

    def back(self, s, at):
        return -s

    fails(r"Neg 'y': with every weight doubled, forward is off .* p\.implied", *of(plain, back))
    fails(r"with every weight doubled, forward is off .* take_operand", *of(plain, Neg.transpose))
    fails(r"with every weight doubled, transpose is off", *of(Neg.forward, back))


def test_a_bias_that_stays():
    wrong = instead(unbiased=lambda self, p: p)
    fails(r"Gemm 'y': without_bias\(\) is not A x", wrong, dense())


def test_the_gradient_compiles_too():
    @register("Shrink")
    class Wrong(Shrink):
        """The derivative alone, which no walk of relevance asks for, is not in primitives."""

        def forward(self, x, p):
            shrunk = x - Where(x > 0, x * 0 + self.get("bias"), x * 0 - self.get("bias"))
            return shrunk * super().derivative(x, p)

        def derivative(self, x, p):
            return np.where(abs(x) > self.get("lambd"), 1, 0).astype(x.dtype)

    check_layer(Wrong, shrink(), compiled=False)
    with pytest.raises(TypeError, match=r"abs\(\): 'Symbol'"):
        check_layer(Wrong, shrink())


@pytest.mark.parametrize(
    "how", [{"method": "gradient"}, {"composite": "zero"}, {"method": "integrated_gradients"}, {"eps": 0.1}]
)
def test_settings_with_an_epsilon_and_without(how):
    check_layer("Gemm", dense(), **how)


def test_what_a_layer_does_not_say():
    model = parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    body = {"kind": SUM, "forward": lambda self, x, p: Relu(x), "transpose": lambda self, s, at: s}

    def without(name, base=Layer, **more):
        REGISTRY["Relu"] = type("Mine", (base,), {key: f for key, f in (body | more).items() if key != name})
        return "Relu", model

    fails(r"Relu 'y': its layer Mine has no forward\(self, x, p\).*adding-an-op", *without("forward"))
    fails(r"Relu 'y': its layer Mine has no transpose\(self, s, at\)", *without("transpose"))
    fails(r"Mine has no derivative\(self, x, p\)", *without("transpose", Activation, kind=ACTIVATION))
    fails("forward returns NoneType, not an array", *without("", forward=lambda self, x, p: None))
    fails("transpose returns NoneType, not an array", *without("", transpose=lambda self, s, at: None))
    pair = {"transpose": lambda self, s, at: Bundle((s, s))}
    fails("transpose returns a Bundle of 2 inputs, and the layer has one input", *without("", **pair))


def test_a_node_that_the_layer_refuses():
    class Picky(Gemm):
        def __init__(self, node, graph, output=0):
            raise UnsupportedError("it is no good")

    REGISTRY["Gemm"] = Picky
    fails("Gemm 'y': it is no good", Picky, dense())
