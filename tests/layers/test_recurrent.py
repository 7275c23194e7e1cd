"""Recurrent nets: Arras' rule by hand, finite differences, onnxruntime, the compiled file."""

import numpy as np
import onnx
import pytest
from building import rng, run
from versions import before

import explainer
from explainer.testing import check_layer

STEPS, FEATURES, HIDDEN = 5, 3, 4
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
CASES = [
    ("RNN", "", "h"), ("RNN", 'activations=["Relu", "Tanh"], direction="bidirectional"', "h"),
    ("GRU", "", "h"), ("GRU", "linear_before_reset=1", "y"),
    ("GRU", 'linear_before_reset=1, direction="bidirectional"', "y"), ("GRU", 'direction="reverse"', "h"),
    ("LSTM", "", "h"), ("LSTM", "", "y"), ("LSTM", 'direction="reverse"', "h"), ("LSTM", "clip=0.7", "y"),
    ("LSTM", 'direction="bidirectional"', "y"), ("LSTM", "", "c"), ("LSTM", "", "sum"),
    ("LSTM", "peepholes", "y"), ("LSTM", "input_forget=1, clip=0.9", "y"), ("GRU", "clip=0.6", "y"),
    ("GRU", 'activations=["HardSigmoid", "Softsign"], activation_alpha=[0.3], activation_beta=[0.4]', "y"),
    ("LSTM", 'activations=["HardSigmoid", "ScaledTanh", "LeakyRelu"], activation_alpha=[0.25, 1.7, 0.2], '
             'activation_beta=[0.45, 0.66]', "y"),
    ("LSTM", "lengths", "y"), ("LSTM", "lengths", "c"), ("GRU", 'direction="bidirectional", lengths', "y"),
    ("GRU", 'direction="bidirectional", lengths', "h"), ("RNN", 'direction="reverse", lengths', "h"),
]  # fmt: skip


def model(operator: str, how: str, output: str, biased: bool = True, states: str = "") -> onnx.ModelProto:
    """x (N, T, F) -> the operator -> two outputs of a dense layer."""
    directions, gates = 2 if "bidirectional" in how else 1, GATES[operator]
    peepholes, lengths = how == "peepholes", "lengths" in how
    how = how.replace("lengths", "").strip(", ") if lengths else how
    how = ", ".join(filter(None, (f"hidden_size={HIDDEN}", "" if peepholes else how)))
    random = rng(3, 1)
    arrays = {
        "w": random.standard_normal((directions, gates * HIDDEN, FEATURES)) * 0.5,
        "r": random.standard_normal((directions, gates * HIDDEN, HIDDEN)) * 0.5,
        "b": random.standard_normal((directions, 2 * gates * HIDDEN)) * 0.3 * biased,
        "p": random.standard_normal((directions, 3 * HIDDEN)) * 0.3,
        "v": random.standard_normal(
            (STEPS * directions * HIDDEN if output == "y" else directions * HIDDEN, 2)
        ),
        "flat": np.array([0, -1]),
    }
    names = [name for name in states.split(", ") if name]
    turned = " ".join(f"t_{name} = Transpose <perm = [1, 0, 2]> ({name})" for name in names)
    places = ["lengths"] if lengths else [""][: len(names)]
    inputs = ", ".join(["t, w, r, b", *places, *(f"t_{name}" for name in names)])
    inputs += ", , , , p" if peepholes else ""
    outputs = "y, h, c" if operator == "LSTM" else "y, h"
    read = {"sum": "hc = Add (h, c) m = Transpose <perm = [1, 0, 2]> (hc)"}.get(
        output,
        "m = Transpose <perm = [2, 0, 1, 3]> (y)"
        if output == "y"
        else f"m = Transpose <perm = [1, 0, 2]> ({output})",
    )
    given = "".join(f", float[N,{directions},{HIDDEN}] {name}" for name in names)
    given += ", int32[N] lengths" * lengths
    text = f"""
        <ir_version: 8, opset_import: ["": 17]>
        g (float[N,{STEPS},{FEATURES}] x{given}) => (float[N,2] out) {{
            t = Transpose <perm = [1, 0, 2]> (x)
            {turned}
            {outputs} = {operator} <{how}> ({inputs})
            {read}
            f = Reshape (m, flat)
            out = MatMul (f, v)
        }}"""
    made = onnx.parser.parse_model(text)
    for name, value in arrays.items():
        if name == "p" and not peepholes:
            continue
        value = value if value.dtype.kind == "i" else value.astype(np.float32)
        made.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    return made


# In steps of 2⁻¹², so that what is moved by one is so in float32 too.
X = rng(7, 7).integers(-8000, 8000, (2, STEPS, FEATURES)).astype(np.float32) / 4096
STEP = 2.0**-12


def feeds(how: str, x: np.ndarray = X) -> dict[str, np.ndarray]:
    """x, and where samples have lengths of their own these, which are held."""
    return {"x": x, **({"lengths": np.array([3, STEPS], np.int32)[: len(x)]} if "lengths" in how else {})}


def of_x(relevance):
    return relevance["x"] if isinstance(relevance, dict) else relevance


@pytest.mark.parametrize(("operator", "how", "output"), CASES)
def test_the_forward_pass_is_onnxruntimes_and_the_gradient_that_of_differences(operator, how, output):
    net = model(operator, how, output)
    ex = explainer.Explainer(net, method="gradient", dtype="float64")
    found = ex.explain(feeds(how), target=1)
    np.testing.assert_allclose(found.outputs["out"], run(net, feeds(how))[0], rtol=1e-4, atol=1e-5)
    for place in [(0, 0, 1), (1, 2, 0), (0, 4, 2)]:
        moved = np.zeros(X.shape)
        moved[place] = STEP
        above, below = (ex.explain(feeds(how, X + sign * moved), target=1).score for sign in (1, -1))
        slope = (above - below)[place[0]] / (2 * STEP)
        np.testing.assert_allclose(slope, of_x(found.relevance)[place], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("operator", "how", "output"), CASES)
def test_what_goes_out_comes_in_but_for_constants(operator, how, output):
    found = explainer.Explainer(model(operator, how, output), dtype="float64", eps=1e-9).explain(
        feeds(how, X[:1]), target=1
    )
    for step in found.audit:
        assert np.all(np.abs(step.residual) < 1e-10 * (np.abs(step.R_out) + np.abs(step.R_in) + 1))
    unbiased = explainer.Explainer(model(operator, how, output, biased=False), dtype="float64", eps=1e-9)
    np.testing.assert_allclose(unbiased.explain(feeds(how), target=1).conserved, 1, atol=1e-6)


@pytest.mark.parametrize(("operator", "how", "output"), CASES)
def test_it_compiles(operator, how, output, tmp_path):
    explainer.compile(model(operator, how, output), tmp_path / "compiled.onnx")
    check_layer(operator, (model(operator, how, output), feeds(how)), compiled=False)


def test_the_rule_is_that_of_arras_2017_written_out():
    """LSTM, the last h: eqs. 1-4 with δ = 0, sample by sample."""
    net = model("LSTM", "", "h")
    w, r, b, v = (
        onnx.numpy_helper.to_array(entry).astype(np.float64)
        for name in "wrbv"
        for entry in net.graph.initializer
        if entry.name == name
    )
    w, r, b, eps = w[0], r[0], b[0, : 4 * HIDDEN] + b[0, 4 * HIDDEN :], 1e-3
    found = explainer.Explainer(net, dtype="float64", eps=eps).explain(X, target=1)
    for sample, x in enumerate(X.astype(np.float64)):
        h, c, past = np.zeros(HIDDEN), np.zeros(HIDDEN), []
        for row in x:
            z = w @ row + r @ h + b
            i, o, f = (1 / (1 + np.exp(-part)) for part in np.split(z, 4)[:3])
            g = np.tanh(z[3 * HIDDEN :])
            past.append((row, h, c, z[3 * HIDDEN :], i * g, f * c, c := f * c + i * g))
            h = o * np.tanh(c)
        st = lambda z: z + np.where(z >= 0, eps, -eps)  # noqa: E731
        score = h @ v[:, 1]
        R_h, R_c, R_x = h * v[:, 1] * score / st(score), np.zeros(HIDDEN), np.zeros(x.shape)
        for t, (row, earlier, _, z, written, kept, c) in reversed(list(enumerate(past))):
            R_c = R_c + R_h
            R_g, R_c = written * R_c / st(c), kept * R_c / st(c)
            R_h = earlier * (r[3 * HIDDEN :].T @ (R_g / st(z)))
            R_x[t] = row * (w[3 * HIDDEN :].T @ (R_g / st(z)))
        np.testing.assert_allclose(found.relevance[sample], R_x, rtol=1e-9, atol=1e-12)


def test_states_that_are_inputs_get_relevance_and_gradients():
    net, feeds = model("LSTM", "", "h", biased=False, states="h0, c0"), {"x": X}
    feeds |= {
        name: rng(8, ord(name[0])).integers(-4000, 4000, (2, 1, HIDDEN)).astype(np.float32) / 4096
        for name in ("h0", "c0")
    }
    found = explainer.Explainer(net, dtype="float64", eps=1e-9).explain(feeds, target=1)
    assert set(found.relevance) == set(feeds)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    ex = explainer.Explainer(net, method="gradient", dtype="float64")
    gradient = ex.explain(feeds, target=1).relevance
    for name in ("h0", "c0"):
        moved = np.zeros((2, 1, HIDDEN))
        moved[1, 0, 2] = STEP
        above, below = (
            ex.explain(feeds | {name: feeds[name] + sign * moved}, target=1).score for sign in (1, -1)
        )
        np.testing.assert_allclose((above - below)[1] / (2 * STEP), gradient[name][1, 0, 2], rtol=1e-5)


def test_what_is_not_computed_here_is_refused_by_name():
    with pytest.raises(explainer.UnsupportedError, match="Gelu"):
        explainer.Explainer(model("RNN", 'activations=["Gelu"]', "h")).plan  # noqa: B018


def test_constant_states_take_their_share():
    net = model("LSTM", "", "h", biased=False, states="h0, c0")
    del net.graph.input[1:]
    for name in ("h0", "c0"):
        state = rng(8, ord(name[0])).standard_normal((1, 1, HIDDEN)).astype(np.float32)
        net.graph.initializer.append(onnx.numpy_helper.from_array(state, name))
    found = explainer.Explainer(net, dtype="float64", eps=1e-9).explain(X[:1], target=1)
    (step,) = (step for step in found.audit if step.operator == "LSTM")
    assert abs(step.bias[0]) > 1e-3 * abs(step.R_out[0])
    np.testing.assert_allclose(step.R_in + step.bias + step.epsilon, step.R_out, rtol=1e-10)
    np.testing.assert_allclose(found.start - step.bias, found.conserved * found.start, rtol=1e-6)


FUNCTIONS = {
    **dict.fromkeys(("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus"), ""),
    "Affine": "activation_alpha=[0.7], activation_beta=[0.2]",
    "LeakyRelu": "activation_alpha=[0.3]",
    "Elu": "activation_alpha=[0.6]",
    "ThresholdedRelu": "activation_alpha=[0.1]",
    "ScaledTanh": "activation_alpha=[1.2], activation_beta=[0.8]",
    "HardSigmoid": "activation_alpha=[0.4], activation_beta=[0.3]",
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("given", [True, False])
def test_every_function_of_onnxruntimes_is_that_one_with_its_numbers_and_without(name, given):
    if not given and name in ("LeakyRelu", "Elu", "HardSigmoid") and before("onnxruntime", "1.30"):
        pytest.skip("this onnxruntime takes numbers for it that nobody gave; the walk says so")
    how = ", ".join(filter(None, (f'activations=["{name}"]', FUNCTIONS[name] * given)))
    net = model("RNN", how, "h")
    found = explainer.Explainer(net, method="gradient", dtype="float64").explain(X, target=1)
    np.testing.assert_allclose(found.outputs["out"], run(net, {"x": X})[0], rtol=1e-4, atol=1e-5)
    (bound,) = (step.layer for step in explainer.Explainer(net).plan.steps if step.node.operator == "RNN")
    ((function,),) = bound.squashings
    z = np.array([-2.3, -0.4, 0.05, 0.6, 3.1])
    slope = (function(z + 1e-6) - function(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(function.slope(z, function(z)), slope, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(function(np.zeros(1)), function.at_0)


def test_what_lies_behind_a_samples_length_gets_nothing():
    for how in ("lengths", 'direction="reverse", lengths', 'direction="bidirectional", lengths'):
        found = explainer.Explainer(model("GRU", how, "h"), dtype="float64").explain(feeds(how), target=1)
        found = of_x(found.relevance)
        assert not found[0, 3:].any()
        assert found[0, :3].any()
        assert found[1].all()


@pytest.mark.parametrize(("operator", "how"), [("LSTM", ""), ("GRU", "linear_before_reset=1"), ("GRU", "")])
def test_gamma_is_asked_for_and_boosts_the_candidates_map_alone(operator, how):
    net = model(operator, how, "h", biased=False)
    by = {
        gamma: explainer.Explainer(
            net, rules={"recurrent": f"signal_takes_all:1e-9,gamma={gamma}"}, dtype="float64", eps=1e-9
        ).explain(X, target=1)
        for gamma in (0, 1e-7, 0.5)
    }
    np.testing.assert_allclose(by[1e-7].relevance, by[0].relevance, rtol=1e-4, atol=1e-6)
    assert not np.allclose(by[0.5].relevance, by[0].relevance, rtol=1e-2)
    np.testing.assert_allclose(by[0.5].conserved, 1, atol=1e-6)
    explainer.compile(net, rules={"recurrent": "signal_takes_all:gamma=0.5"})


CTC = f"""
    <ir_version: 8, opset_import: ["": 17]>
    g (float[N,2,4,6] picture) => (float[N,6,5] letters) {{
        c = Conv <kernel_shape = [4, 3], pads = [0, 1, 0, 1]> (picture, k)
        a = Relu (c)
        s = Squeeze (a, height)
        t = Transpose <perm = [2, 0, 1]> (s)
        y = LSTM <hidden_size = {HIDDEN}, direction = "bidirectional"> (t, w, r)
        m = Transpose <perm = [2, 0, 1, 3]> (y)
        f = Reshape (m, flat)
        l = MatMul (f, v)
        letters = Softmax (l)
    }}"""


def test_of_a_line_of_text_one_letter_at_one_time_is_explained():
    """Conv, BiLSTM, Linear and Softmax over steps, as text recognisers are: class 3 at time 2."""
    net = onnx.parser.parse_model(CTC)
    random = rng(5)
    shapes = {"k": (3, 2, 4, 3), "w": (2, 4 * HIDDEN, 3), "r": (2, 4 * HIDDEN, HIDDEN), "v": (2 * HIDDEN, 5)}
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    arrays |= {"height": np.array([2]), "flat": np.array([0, 6, -1])}
    for name, array in arrays.items():
        net.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    picture = random.standard_normal((2, 2, 4, 6)).astype(np.float32)
    found = explainer.explain(net, picture, target="letters[2, 3]", dtype="float64", eps=1e-9)
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)
    other = explainer.explain(net, picture, target="letters[4, 3]", dtype="float64", eps=1e-9)
    assert not np.allclose(found.relevance, other.relevance)


@pytest.mark.parametrize(("operator", "how", "output"), CASES)
def test_x_times_the_gradient_with_gates_held_is_arras_rule_without_its_epsilon(operator, how, output):
    net, x, how = model(operator, how, output), feeds(how), {"target": 1, "dtype": "float64"}
    wanted = of_x(explainer.explain(net, x, composite="cp_lrp", **how).relevance)
    found = of_x(explainer.explain(net, x, method="input_x_gradient", composite="libragrad", **how).relevance)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * abs(wanted).max())


@pytest.mark.parametrize(("operator", "how", "output"), CASES)
def test_deeplift_is_complete(operator, how, output):
    found = explainer.explain(
        model(operator, how, output), feeds(how), target=1, method="deeplift", dtype="float64"
    )
    size = abs(of_x(found.relevance)).sum((1, 2))
    assert size.all()
    assert np.all(np.abs(found.delta) < 1e-10 * size)


def test_deeplift_of_states_that_are_inputs_is_complete():
    net, x = model("LSTM", "", "h", states="h0, c0"), {"x": X}
    x |= {name: rng(8, ord(name[0])).standard_normal((2, 1, HIDDEN)) for name in ("h0", "c0")}
    found = explainer.explain(net, x, target=1, method="deeplift", dtype="float64", baseline=0.3)
    assert all(part.any() for part in found.relevance.values())
    np.testing.assert_allclose(found.delta, 0, atol=1e-10)
