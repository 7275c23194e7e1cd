"""Where an explanation starts, and with what: every form of target."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng
from onnx import helper

from explainer import Explainer, InputError, TargetError, explain

LABELS = {0: "cat, house cat", 1: "Dog", 2: "goldfish", 3: "dog", 4: "bird"}
SHAPES = {"w": (3, 6), "b": (6,), "v": (6, 5), "u": (6, 4)}
HIDDEN = "h = Gemm (x, w, b) a = Relu (h)"
TWO = f"g (float[N,3] x) => (float[N,5] y, float[N,4] z) {{ {HIDDEN} y = Gemm (a, v) z = Gemm (a, u) }}"


def net(text: str = TWO) -> onnx.ModelProto:
    return parse(text, **{name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()})


def x_for(samples: int = 3) -> np.ndarray:
    return rng(12).standard_normal((samples, 3)).astype(np.float32)


@pytest.fixture
def explainer() -> Explainer:
    return Explainer(net(), dtype="float64", eps=1e-9, labels=LABELS)


def logits(explainer, name="y"):
    return explainer.explain(x_for()).outputs[name]


def test_the_default_is_each_samples_largest_output(explainer):
    found, y = explainer.explain(x_for()), logits(explainer)
    np.testing.assert_array_equal(found.target, y.argmax(1))
    np.testing.assert_allclose(found.start, y.max(1), rtol=1e-6)
    assert found.target_name == "y"


def test_an_index_a_label_and_an_array_name_the_same(explainer):
    by_index = explainer.explain(x_for(), 2)
    assert by_index.target.tolist() == [2, 2, 2]
    np.testing.assert_allclose(by_index.start, logits(explainer)[:, 2], rtol=1e-6)
    for target in (
        "goldfish",
        "Goldfish",
        np.int64(2),
        np.array(2),
        [2, 2, 2],
        ("y", 2),
        {"y": 2},
        ("y", "goldfish"),
    ):
        again = explainer.explain(x_for(), target)
        np.testing.assert_array_equal(again.relevance, by_index.relevance)


def test_one_index_per_sample(explainer):
    mixed = explainer.explain(x_for(), np.array([4, 0, 2]))
    assert mixed.target.tolist() == [4, 0, 2]
    for sample, index in enumerate([4, 0, 2]):
        alone = explainer.explain(x_for()[sample], index)
        assert relative(mixed.relevance[sample], alone.relevance[0]) < 1e-12


def test_labels_know_synonyms_and_prefer_the_exact_spelling(explainer):
    assert explainer.explain(x_for(1), "house cat").target.tolist() == [0]
    assert explainer.explain(x_for(1), "HOUSE CAT").target.tolist() == [0]
    assert explainer.explain(x_for(1), "dog").target.tolist() == [3]
    assert explainer.explain(x_for(1), "Dog").target.tolist() == [1]
    with pytest.raises(TargetError, match=r"several classes are called 'DOG': \[1, 3\]"):
        explainer.explain(x_for(1), "DOG")


@pytest.mark.parametrize("target", [("z", 3), {"z": 3}, ("z", np.array([3, 3, 3]))])
def test_another_output_and_its_index(explainer, target):
    found = explainer.explain(x_for(), target)
    assert found.target_name == "z"
    np.testing.assert_allclose(found.start, logits(explainer, "z")[:, 3], rtol=1e-6)


def test_the_largest_of_another_output(explainer):
    found = explainer.explain(x_for(), ("z", "top"))
    np.testing.assert_array_equal(found.target, logits(explainer, "z").argmax(1))


@pytest.mark.parametrize("name", ["y", "z", "a", "h", "x"])
def test_a_tensors_name_alone_starts_from_all_its_values(explainer, name):
    found = explainer.explain(x_for(), name)
    assert found.target is None
    assert found.target_name == name
    keep = Explainer(net(), dtype="float64", eps=1e-9, keep=[name])
    values = keep.explain(x_for(), name).relevances[name]
    np.testing.assert_allclose(found.start, values.sum(1), rtol=1e-12)
    # The tensor's own values are its relevance: z_k at every k adds up what single indices start.
    single = sum(explainer.explain(x_for(), (name, k)).relevance for k in range(values.shape[1]))
    assert relative(found.relevance, single) < 1e-9


def test_a_tensor_and_an_index(explainer):
    found = explainer.explain(x_for(), ("h", 4), start="one")
    weights = {t.name: onnx.numpy_helper.to_array(t).astype(float) for t in net().graph.initializer}
    h = x_for() @ weights["w"] + weights["b"]
    wanted = x_for() * weights["w"][:, 4] / h[:, 4:5]
    assert relative(found.relevance, wanted) < 1e-6


def test_a_tuple_index_into_a_tensor_with_several_axes():
    model = parse(
        "g (float[N,2,4,4] x) => (float[N,3,3,2] y) { y = Conv (x, w) }",
        w=rng(1).standard_normal((3, 2, 2, 3)),
    )
    explainer = Explainer(model, dtype="float64")
    x = rng(2).standard_normal((2, 2, 4, 4)).astype(np.float32)
    at = explainer.explain(x, ("y", (2, 1, 0)))
    flat = explainer.explain(x, ("y", 2 * 6 + 1 * 2 + 0))
    np.testing.assert_array_equal(at.relevance, flat.relevance)
    assert at.target.tolist() == [14, 14]
    np.testing.assert_allclose(at.start, at.outputs["y"][:, 2, 1, 0], rtol=1e-5)
    with pytest.raises(TargetError, match=r"does not fit 'y', which is \[3, 3, 2\] per sample"):
        explainer.explain(x, ("y", (2, 1, 2)))
    with pytest.raises(TargetError, match="does not fit"):
        explainer.explain(x, ("y", (2, 1)))


def test_start_one_scales_the_relevance_of_start_output(explainer):
    value, one = explainer.explain(x_for(), 1), explainer.explain(x_for(), 1, start="one")
    np.testing.assert_array_equal(one.start, 1)
    assert relative(one.relevance * value.start[:, None], value.relevance) < 1e-12


@pytest.mark.parametrize(
    ("target", "start", "message"),
    [
        (5, "output", r"index 5 is out of range; 'y' has 0 to 4"),
        (-1, "output", r"index -1 is out of range"),
        ([0, 1, 9], "output", "index 9 is out of range"),
        ([0, 1], "output", "2 indices for 3 sample"),
        (1.5, "output", "a whole number"),
        ([[1, 2]], "output", "a whole number"),
        ([[1], [1, 2]], "output", "a whole number"),
        (["a", "b"], "output", "a whole number"),
        (True, "output", "a whole number"),
        ([], "output", "a whole number|0 indices"),
        (None, "output", "a whole number"),
        ("golfish", "output", "'golfish'; did you mean 'goldfish'"),
        (("y", "golfish"), "output", "no class is called 'golfish'; did you mean 'goldfish'"),
        (("q", 1), "output", "no class and no tensor is called 'q'"),
        ({"y": 1, "z": 2}, "output", "names one output"),
        ({}, "output", "names one output"),
        ("a", "margin", "'margin' needs an index"),
        (1, "two", "start: 'two' is none of output, one, probability, margin, clrp, sglrp, logit"),
        ("w", "output", "no class and no tensor is called 'w'"),
    ],
)
def test_wrong_targets_say_what_is_wrong(explainer, target, start, message):
    with pytest.raises((TargetError, InputError), match=message):
        explainer.explain(x_for(), target, start)


def test_a_label_without_labels_says_so():
    with pytest.raises(TargetError, match="the model has no labels"):
        explain(net(), x_for(), target="goldfish")


CUTS = {
    "alone": "y = {cut} (l)",
    "flattened": "s = {cut} (l) y = Flatten (s)",
    "reshaped": "r = Reshape (l, four) s = {cut} (r) y = Reshape (s, flat)",
    "transposed": (
        "r = Reshape (l, four) s = {cut} (r) t = Transpose <perm = [0, 3, 2, 1]> (s) y = Flatten (t)"
    ),
    "handed on": "s = {cut} (l) i = Identity (s) d = Dropout (i) y = Cast <to = 1> (d)",
    "squeezed": "r = Reshape (l, thin) s = {cut} (r) y = Squeeze (s, last)",
    "behind an Identity": "i = Identity (l) y = {cut} (i)",
}


def cut_net(form: str, cut: str) -> onnx.ModelProto:
    body = CUTS[form].format(cut=cut)
    text = f"g (float[N,3] x) => (float[N,Q] y) {{ {HIDDEN} l = Gemm (a, u) {body} }}"
    weights = {name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    shapes = {"four": [0, 1, 2, 2], "flat": [0, -1], "thin": [0, 4, 1], "last": [2]}
    return parse(text, **weights, **{k: np.array(v, dtype=np.int64) for k, v in shapes.items()})


@pytest.mark.parametrize("form", CUTS)
@pytest.mark.parametrize("cut", ["Softmax <axis = 1>", "LogSoftmax <axis = 1>", "Sigmoid"])
def test_a_softmax_is_cut_and_the_index_mapped_back(form, cut):
    explainer = Explainer(cut_net(form, cut), dtype="float64")
    uncut = Explainer(net(TWO), dtype="float64")  # its z is this model's l
    top = explainer.explain(x_for())
    np.testing.assert_array_equal(top.target, top.outputs["y"].argmax(1))
    for index in range(4):
        found = explainer.explain(x_for(), index)
        back = [0, 2, 1, 3][index] if form == "transposed" else index
        wanted = uncut.explain(x_for(), ("z", back))
        np.testing.assert_allclose(found.start, wanted.start, rtol=1e-12)
        assert relative(found.relevance, wanted.relevance) < 1e-12
    assert "(the input of " in str(explainer.plan)
    assert "cut before output 'y'" in str(explainer.plan)


def test_a_permuted_cut_maps_back_the_other_way_round():
    # Not its own inverse: (2, 3) per sample becomes (3, 2).
    text = f"""g (float[N,3] x) => (float[N,6] y) {{
        {HIDDEN} l = Gemm (a, q) r = Reshape (l, two) s = Sigmoid (r)
        t = Transpose <perm = [0, 2, 1]> (s) y = Flatten (t)
    }}"""
    weights = {name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    model = parse(text, two=np.array([0, 2, 3]), q=rng(1).standard_normal((6, 6)), **weights)
    explainer = Explainer(model, dtype="float64", keep=["l"])
    for index in range(6):
        found = explainer.explain(x_for(), index)
        row, column = index % 2, index // 2
        assert np.flatnonzero(found.relevances["l"][0]).tolist() == [row * 3 + column]
        np.testing.assert_allclose(1 / (1 + np.exp(-found.start)), found.outputs["y"][:, index], atol=1e-6)


@pytest.mark.parametrize("target", ["s", ("s", 1)])
def test_a_tensor_that_the_user_names_is_never_cut(target):
    plan = Explainer(cut_net("flattened", "Softmax <axis = 1>")).plan_for(target)
    assert str(next(s.rule for s in plan.steps if s.node.operator == "Softmax")) == "linearised"


def test_naming_the_output_with_an_index_cuts_and_alone_does_not():
    explainer = Explainer(cut_net("alone", "Softmax <axis = 1>"))
    assert explainer.plan_for(("y", 1)).anchor.tensor == "l"
    assert explainer.plan_for("y").steps[0].node.operator == "Softmax"


@pytest.mark.parametrize(
    "rest",
    [
        "s = Softmax (l) y = Gemm (s, q)",  # attention-like
        "s = Softmax (l) y = Relu (s)",
        "s = Softmax (l) t = Softmax (s) y = Identity (t)",
    ],
)
def test_any_other_softmax_on_the_path_follows_its_tangent(rest):
    text = f"g (float[N,3] x) => (float[N,4] y) {{ {HIDDEN} l = Gemm (a, u) {rest} }}"
    weights = {name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    plan = Explainer(parse(text, q=rng(1).standard_normal((4, 4)), **weights)).plan
    assert "linearised" in [str(step.rule) for step in plan.steps if step.node.operator == "Softmax"]


def test_an_inner_sigmoid_is_an_activation_and_the_last_one_is_cut():
    text = f"""g (float[N,3] x) => (float[N,4] y) {{
        {HIDDEN} s = Sigmoid (a) l = Gemm (s, u) p = Sigmoid (l) y = Identity (p)
    }}"""
    weights = {name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    explainer = Explainer(parse(text, **weights), dtype="float64", keep=["s", "a"])
    assert explainer.plan.anchor.tensor == "l"
    found = explainer.explain(x_for())
    assert np.any(found.relevances["s"])
    np.testing.assert_array_equal(found.relevances["a"], found.relevances["s"])


def test_an_activation_written_out_is_no_last_sigmoid():
    text = f"g (float[N,3] x) => (float[N,4] y) {{ {HIDDEN} l = Gemm (a, u) s = Sigmoid (l) y = Mul (s, l) }}"
    weights = {name: rng(11, *shape).standard_normal(shape) for name, shape in SHAPES.items()}
    plan = Explainer(parse(text, **weights)).plan
    assert plan.anchor.tensor == "y"
    assert [step.node.operator for step in plan.steps[:2]] == ["Swish", "Gemm"]
    divided = Explainer(parse(text.replace("Mul", "Div"), **weights)).plan
    assert divided.anchor.tensor == "y"
    assert [step.node.operator for step in divided.steps[:2]] == ["Div", "Sigmoid"]


def test_plan_and_session_are_cached_by_tensor_and_the_index_varies(explainer, monkeypatch):
    import onnxruntime

    made, real = [], onnxruntime.InferenceSession

    def counting(*args, **options):
        made.append(1)
        return real(*args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counting)
    for target in ("top", 0, 1, "goldfish", [1, 2, 3], ("y", 4), {"y": 0}):
        explainer.explain(x_for(), target)
        explainer.explain(x_for(), target, start="one")
    assert len(made) == 1
    assert explainer.plan is explainer.plan_for(3) is explainer.plan_for(("y", 1))
    explainer.explain(x_for(), ("z", 0))
    explainer.explain(x_for(), ("z", 1))
    assert len(made) == 2


def test_a_target_in_a_model_without_a_batch_axis():
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3])],
        [helper.make_tensor_value_info("y", 1, [1, 2])],
        [onnx.numpy_helper.from_array(rng(1).standard_normal((3, 2)).astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = Explainer(model).explain(x_for(3), [0, 1, 0])
    assert found.target.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.start, found.outputs["y"][[0, 1, 2], [0, 1, 0]], rtol=1e-6)


@pytest.mark.parametrize("method", ["lrp", "occlusion"])
def test_an_output_of_nothing_has_nothing_to_explain(method):
    text = "g (float[N,3] x) => (float[N,0] y) { y = Slice (x, zero, zero, one) }"
    model = parse(text, zero=np.array([0]), one=np.array([1]))
    with pytest.raises(TargetError, match=r"has no values|nothing"):
        explain(model, np.ones((1, 3), np.float32), method=method)


@pytest.mark.parametrize("pair", [("cat", "dog"), ("cat", 1)])
def test_a_pair_of_classes_is_no_tensor_and_an_index(pair):
    model = parse("g (float[N,4] x) => (float[N,3] y) { y = Gemm (x, w) }", w=np.ones((4, 3)))
    x, names = np.ones((1, 4), np.float32), ["cat", "dog", "fox"]
    with pytest.raises(
        TargetError, match="'cat' is a class; several targets are a list, for explain_targets"
    ):
        explain(model, x, target=pair, labels=dict(enumerate(names)))
    assert explain(model, x, target=("y", "dog"), labels=dict(enumerate(names))).target == [1]
