"""What has no place in a file, and how a file is proved before it is returned."""

import json

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from compiled import CLOSE, options, run
from residual import picture, residual_net

import explainer
from explainer import Explainer, InputError, ModelError, NumericalError, UnsupportedError
from explainer.compiler import emitting, proof
from explainer.compiler.writing import names_of
from explainer.methods import DeepLift, Sampling, Single
from explainer.walk.walker import NumpyWalker


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"method": "occlusion"},
            "compile: Occlusion asks for scores alone: there is no walk to put into a file",
        ),
        ({"method": "rise"}, "compile: Rise asks for scores alone"),
        ({"method": "occlusion", "noise": "smoothgrad"}, "compile: Occlusion asks for scores alone"),
        (
            {"method": "integrated_gradients", "noise": "vargrad"},
            "compile: IntegratedGradients under noise asks again",
        ),
        ({"method": "deeplift", "noise": "smoothgrad"}, "compile: DeepLift under noise asks again and again"),
        ({"method": "grad_cam", "noise": "smoothgrad"}, "compile: GradCam under noise asks again and again"),
        (
            {"method": "integrated_gradients", "baseline": "mean"},
            "a baseline for each sample has no place in a file",
        ),
        (
            {"method": "deeplift", "baseline": np.zeros((2, 3, 12, 12))},
            "a baseline for each sample has no place",
        ),
        (
            {"method": "integrated_gradients", "baseline": (0.0,) * 12},
            "baseline has 12 numbers, input 'x' has 3",
        ),
        ({"method": "integrated_gradients", "baseline": {"y": 1.0}}, "'y' is none of the inputs"),
        ({"method": "smoothgrad", "keep": "all"}, "keep: Noise gives inner tensors no relevance"),
        ({"method": "integrated_gradients", "n_steps": 0}, "n_steps must be a whole number from 1 on"),
    ],
)
def test_what_has_no_place_in_a_file(how, message):
    with pytest.raises(InputError, match=message):
        explainer.compile(residual_net(), **how)


def test_whole_numbers_have_nothing_between_them():
    text = "g (uint8[N,3] u) => (float[N,2] y) { x = Cast <to = 1> (u) y = Gemm (x, w) }"
    model = parse(text, w=rng(1).standard_normal((3, 2)))
    for method in ("integrated_gradients", "deeplift", "smoothgrad"):
        with pytest.raises(InputError, match="input 'u' holds whole numbers"):
            explainer.compile(model, method=method)
    x = rng(2).integers(0, 255, (2, 3)).astype(np.uint8)
    found = run(explainer.compile(model, method="input_x_gradient", target=1), x)["relevance"]
    assert relative(found, Explainer(model, method="input_x_gradient").explain(x, 1).relevance) < CLOSE


def test_contrasts_are_no_gradient():
    with pytest.raises(explainer.TargetError, match="'clrp' contrasts two walks"):
        explainer.compile(residual_net(), method="gradient", start="clrp")
    how = {"method": "lrp", "noise": "smoothgrad", "n_samples": 2, "eps": 1e-2}
    compiled, x = explainer.compile(residual_net(), start="clrp", target=1, **how), picture(2)
    wanted = Explainer(residual_net(), **how).explain(x, 1, "clrp")
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < 1e-3


def test_a_model_whose_numbers_leave_their_range_is_proved_on_smaller_ones():
    text = """g (float[N,3] x) => (float[N,2] y) {
        h = MatMul (x, w) e = Exp (h) a = Add (e, two) q = Reciprocal (a) y = MatMul (q, v) }"""
    w, v = 100 * rng(1).standard_normal((3, 4)), rng(2).standard_normal((4, 2))
    model, x = parse(text, w=w, v=v, two=np.float32(2)), rng(3).standard_normal((2, 3)).astype(np.float32)
    with pytest.raises(NumericalError, match="'e'"):
        explainer.explain(model, 10 * x, target=1)
    found = run(explainer.compile(model, target=1), x / 100)["relevance"]
    assert relative(found, explainer.explain(model, x / 100, target=1).relevance) < CLOSE
    with pytest.raises(NumericalError, match="not finite"):
        explainer.compile(parse(text, w=1e9 * w, v=v, two=np.float32(2)), target=1)


SUBGRAPH = """g (float[N,3,4] x) => (float[N,2] y) {
    s = Shape (x) n = Gather (s, zero) big = Greater (n, zero)
    k = If (big) <then_branch = t () => (int64[2] p) { p = Concat <axis = 0> (n, rest) },
                  else_branch = e () => (int64[2] q) { q = Concat <axis = 0> (n, rest) }>
    r = Reshape (x, k) h = Gemm (r, w) y = Tanh (h) }"""


def test_a_model_with_subgraphs_is_not_asked_again():
    """Its own run is there to walk from; at another point the subgraph would have to be copied."""
    constants = {"zero": np.array([0]), "rest": np.array([-1]), "w": rng(1).standard_normal((12, 2))}
    model, x = parse(SUBGRAPH, **constants), rng(2).standard_normal((3, 3, 4)).astype(np.float32)
    found = run(explainer.compile(model, method="gradient", target=1), x)["relevance"]
    assert relative(found, Explainer(model, method="gradient").explain(x, 1).relevance) < CLOSE
    for method in ("integrated_gradients", "deeplift"):
        with pytest.raises(UnsupportedError, match=r"If '.*': a model with subgraphs cannot be asked again"):
            explainer.compile(model, method=method, target=1)


def test_what_the_walk_does_not_read_is_not_computed_at_every_step():
    text = "g (float[N,3] x) => (float[N,2] y, float[N,3] z) { h = Gemm (x, w) y = Tanh (h) z = Sin (x) }"
    compiled = explainer.compile(
        parse(text, w=rng(1).standard_normal((3, 2))), target=("y", 1), method="smoothgrad"
    )
    (loop,) = [node for node in compiled.graph.node if node.op_type == "Loop"]
    assert "Sin" not in [node.op_type for node in loop.attribute[0].g.node]


def test_the_file_says_what_was_compiled():
    compiled = explainer.compile(residual_net(), target=2, **options("integrated_gradients"))
    facts = json.loads({p.key: p.value for p in compiled.metadata_props}["onnx_lrp"])
    assert facts["method"] == "integrated_gradients" and facts["composite"] == "gradient"
    assert facts["target"] == "2" and facts["inputs"] == {"target": 2}


@pytest.mark.slow
def test_the_proof_of_many_steps_costs_few(monkeypatch):
    """Whatever the steps, a few of them are run; the file in hand has them all."""
    points = []
    real = NumpyWalker.__call__

    def counted(self, feeds, targets, *rest, **named):
        points.append(len(next(iter(feeds.values()))))
        return real(self, feeds, targets, *rest, **named)

    monkeypatch.setattr(NumpyWalker, "__call__", counted)
    costs = []
    for n_steps in (3, 60):
        points.clear()
        compiled = explainer.compile(residual_net(), target=2, method="integrated_gradients", n_steps=n_steps)
        costs.append(sum(points))
    # Three rounds of each of four trials are walked whole, of one sample and of three under two targets; of
    # the larger ones the last round twice, since nine points are asked eight at once.
    assert costs == [2 * 3 * 1 + 2 * (3 + 1) * 3] * 2
    x = picture(2)
    wanted = Explainer(residual_net(), method="integrated_gradients", n_steps=60, engine="numpy").explain(
        x, 2
    )
    assert relative(run(compiled, x)["relevance"], wanted.relevance) < CLOSE


BROKEN = {
    "the sum of a loop": (Sampling, "integrated_gradients", lambda R: {k: -v for k, v in R.items()}),
    "a walk beside a reference": (DeepLift, "deeplift", lambda R: {k: v * 0 for k, v in R.items()}),
    "numbers that are none": (
        Single,
        "gradient",
        lambda R: {k: v * np.float32(np.nan) for k, v in R.items()},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BROKEN)
def test_the_proof_sees_what_is_broken(what, monkeypatch):
    kind, method, change = BROKEN[what]
    real = kind.emit
    monkeypatch.setattr(kind, "emit", lambda *given: change(real(*given)))
    with pytest.raises(ModelError, match=r"differs from NumPy's|is not finite where NumPy's is"):
        explainer.compile(residual_net(), target=2, **options(method))


@pytest.mark.parametrize("drawn", range(2))
@pytest.mark.parametrize("kind", ["float16", "float", "double"])
def test_the_proof_sees_one_factor_that_is_off_by_1e_4(monkeypatch, kind, drawn):
    """Whatever the file computes in, and whichever example is drawn."""
    text = f"g ({kind}[N,6] x) => ({kind}[N,3] y) {{ a = Gemm (x, u, b) r = Relu (a) y = Gemm (r, w) }}"
    model = parse(text)
    dtype = {"float16": np.float16, "float": np.float32, "double": np.float64}[kind]
    for name, shape in {"u": (6, 5), "b": (5,), "w": (5, 3)}.items():
        values = rng(drawn).standard_normal(shape).astype(dtype)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    explainer.compile(model, target=1)
    real = emitting.written

    def wrong(*given):
        proto = real(*given)
        (end,) = [node for node in proto.graph.node if "relevance" in node.output]
        off = onnx.numpy_helper.from_array(np.float32(1.0001).reshape(()), "off")
        proto.graph.initializer.append(off)
        proto.graph.node.append(onnx.helper.make_node("Mul", [end.input[0], "off"], ["relevance"]))
        proto.graph.node.remove(end)
        return proto

    monkeypatch.setattr(emitting, "written", wrong)
    with pytest.raises(ModelError, match=r"differs from NumPy's by 0\.0001 of its length"):
        explainer.compile(model, target=1)


def test_the_proof_sees_a_loop_that_changes_with_its_steps(monkeypatch):
    real = explainer.methods.IntegratedGradients.point

    def point(self, x, origin, row):
        shifted = real(self, x, origin, row)
        return shifted if self.n_steps <= 3 else -shifted

    monkeypatch.setattr(explainer.methods.IntegratedGradients, "point", point)
    with pytest.raises(ModelError, match="changes with its number of steps"):
        explainer.compile(residual_net(), method="integrated_gradients", n_steps=9)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["integrated_gradients", "vargrad", "deeplift"])
def test_names_that_are_taken_already(method):
    how = options(method)
    model = residual_net()
    plain = explainer.compile(model, target=1, **how)
    taken = sorted(
        name for name in names_of(plain.graph) if name.startswith(("lrp/loop/", "lrp/reference/"))
    )[0]
    for node in model.graph.node:
        node.input[:] = [taken if name == "c1" else name for name in node.input]
        node.output[:] = [taken if name == "c1" else name for name in node.output]
    compiled, x = explainer.compile(model, target=1, **how), picture(2)
    np.testing.assert_array_equal(run(compiled, x)["relevance"], run(plain, x)["relevance"])
    with pytest.raises(ModelError, match="was it compiled before"):
        explainer.compile(plain, **how)


def test_names_inside_subgraphs_are_taken_too():
    model = parse(SUBGRAPH, zero=np.array([0]), rest=np.array([-1]), w=rng(1).standard_normal((12, 2)))
    (branching,) = [node for node in model.graph.node if node.op_type == "If"]
    inner = branching.attribute[0].g
    inner.node[0].output[0] = inner.output[0].name = "lrp/p"
    compiled = explainer.compile(model, method="gradient", target=1)
    added = [name for node in compiled.graph.node for name in node.output if name.startswith("lrp")]
    assert added and all(name.startswith("lrp_/") for name in added)


@pytest.mark.parametrize("method", ["lrp", "deeplift", "smoothgrad"])
@pytest.mark.parametrize("seed", range(3))
def test_a_float16_file_whose_ends_are_float32(seed, method):
    """As onnxruntime's converter leaves them: the outputs' own type is no measure of their rounding."""
    text = """g (float[N,3,6,6] x) => (float[N,3] y) { h = Cast<to=10>(x) c = Conv<pads=[1,1,1,1]>(h, k, b)
        r = Elu(c) d = Conv<pads=[1,1,1,1]>(r, l) s = Relu(d) p = GlobalAveragePool(s)
        f = Flatten(p)
        z = Gemm(f, w, v) y = Cast<to=1>(z) }"""
    shapes = {"k": (5, 3, 3, 3), "b": (5,), "l": (4, 5, 3, 3), "w": (4, 3), "v": (3,)}
    weights = {
        name: (rng(seed).standard_normal(shape) / 3).astype(np.float16) for name, shape in shapes.items()
    }
    x = rng(seed).random((2, 3, 6, 6)).astype(np.float32)
    more = {"n_samples": 2} if method == "smoothgrad" else {}
    compiled = explainer.compile(parse(text, **weights), method=method, target=1, **more)
    if method != "smoothgrad":
        wanted = Explainer(parse(text, **weights), method=method).explain(x, 1).relevance
        assert relative(run(compiled, x)["relevance"], wanted) < 0.05


def test_a_map_that_is_lost_in_a_saturated_sigmoid():
    """Its gradient at -18 is 1.5e-8 in NumPy and 0 in onnxruntime: nothing, beside the other samples."""
    text = "g (float[N,3] x) => (float[N,2] y) { a = Gemm(x, k) r = Sigmoid(a) y = Gemm(r, w) }"
    for seed in range(4):
        weights = {"k": 10 * rng(seed).standard_normal((3, 4)), "w": rng(2).standard_normal((4, 2))}
        explainer.compile(parse(text, **weights), method="guided_backprop", target=0)


def test_outputs_may_differ_by_what_fusing_changes_in_the_original():
    # 1000.3 − 1000.25: folded into one bias nothing is lost, but what is read alone is not folded.
    model = parse(
        """g (float[N,3,4,4] x) => (float[N,2,4,4] y) {
            c = Conv (x, w, b) n = BatchNormalization (c, s, z, m, v) y = Relu (n)
        }""",
        **{"w": rng(0).standard_normal((2, 3, 1, 1)), "b": np.array([1000.3, 1000.2]), "s": np.ones(2)},
        **{"z": np.zeros(2), "m": np.array([1000.25, 1000.15]), "v": np.ones(2)},
    )
    assert explainer.compile(model, target="y[0,1,1]", keep=["c"])


def test_outputs_that_fusing_does_not_account_for_are_refused():
    wanted = np.array([1, 2], dtype=np.float32)
    for moved, fused in ((2e-5, 1e-5), (1e-6, 0)):
        proof._agree("y", wanted + moved, wanted, 4, lambda fused=fused: {"y": wanted + fused})
    with pytest.raises(ModelError, match=r"'y' differs from the original's by 0\.001"):
        proof._agree("y", wanted + 2e-3, wanted, 4, lambda: {"y": wanted + 1e-5})
