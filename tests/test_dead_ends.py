"""No dead ends: what a refusal recommends is a whole command, or a whole call, and works for this model."""

import shlex

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import fails, folder, run
from PIL import Image

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it

EYE = np.eye(4)
KERNEL = rng(0).standard_normal((4, 3, 3, 3)) / 5
UNKNOWN = "com.microsoft.Gelu"  # onnxruntime runs it
IMAGE = "g (float[N,3,8,8] x) => "
POOL = "p = GlobalAveragePool (r) f = Flatten (p)"
LOGITS = f"c = Conv <pads=[1,1,1,1]> (x, k) r = Relu (c) {POOL} logits = MatMul (f, w)"
LABEL = np.array([[1, 0, 0, 0]] * 4)

# name -> (graph, constants); what comes in is chosen by the inputs' shapes and types.
ZOO = {
    "nothing before it": (
        IMAGE + "(float[N,3,1,1] y) { s = com.microsoft.Gelu (x) y = GlobalAveragePool (s) }",
        {},
    ),
    "a layer before it": (IMAGE + f"(float[N,4] y) {{ {LOGITS} y = com.microsoft.Gelu (logits) }}", {}),
    "in the middle": (
        IMAGE
        + f"(float[N,4] y) {{ c = Conv (x, k) s = {UNKNOWN} (c) r = Relu (s) {POOL} y = MatMul (f, w) }}",
        {},
    ),
    "argmax first": (
        IMAGE
        + f"(int64[N] label, float[N,4] logits) {{ {LOGITS} label = ArgMax <axis=1, keepdims=0> (logits) }}",
        {},
    ),
    "argmax alone": (
        IMAGE + f"(int64[N] label) {{ {LOGITS} label = ArgMax <axis=1, keepdims=0> (logits) }}",
        {},
    ),
    "argmax of a softmax": (
        IMAGE
        + f"(int64[N] label) {{ {LOGITS} s = Softmax (logits) label = ArgMax <axis=1, keepdims=0> (s) }}",
        {},
    ),
    "argmax of what has no layer": (
        IMAGE
        + f"(int64[N] label) {{ {LOGITS} s = {UNKNOWN} (logits) label = ArgMax <axis=1, keepdims=0> (s) }}",
        {},
    ),
    "top two": (
        IMAGE + f"(float[N,2] v, int64[N,2] i) {{ {LOGITS} v, i = TopK (logits, two) }}",
        {"two": np.array([2])},
    ),
    "whole numbers": (IMAGE + f"(int64[N,4] y) {{ {LOGITS} y = Cast <to=7> (logits) }}", {}),
    "the shape first": (IMAGE + f"(int64[4] shape, float[N,4] logits) {{ shape = Shape (x) {LOGITS} }}", {}),
    "a constant first": (
        IMAGE + f"(float[4] same, float[N,4] logits) {{ same = Identity (same4) {LOGITS} }}",
        {"same4": np.ones(4)},
    ),
    "in training": (
        IMAGE + f"(float[N,4] y) {{ {LOGITS} y = Dropout (logits, half, true) }}",
        {"half": np.float32(0.5), "true": np.array(True)},
    ),
    "normalised by the batch": (
        IMAGE + f"(float[N,4] y) {{ {LOGITS}"
        " y, m, v = BatchNormalization <training_mode=1> (logits, ones4, ones4, nil4, ones4) }",
        {"ones4": np.ones(4), "nil4": np.zeros(4)},
    ),
    "suppressed": (
        "g (float[1,3,8,8] x) => (int64[M,3] kept, float[1,4,4] boxes) {"
        f" {LOGITS} boxes = Mul (logits, corners) scores = Mul (logits, ones)"
        " kept = NonMaxSuppression (boxes, scores, two) }",
        {"corners": np.ones((1, 4, 4)), "ones": np.ones((1, 1, 4)), "two": np.array([2])},
    ),
    "odd names": (
        IMAGE + "(float[N,4] y) { " + LOGITS.replace("logits", "ODD") + " y = com.microsoft.Gelu (ODD) }",
        {},
    ),
    "numbers as names": (
        IMAGE + "(float[N,4] y) { " + LOGITS.replace("logits", "ODD") + " y = com.microsoft.Gelu (ODD) }",
        {},
    ),
    "a branch": (
        IMAGE
        + f"(float[N,4] y, float[N,4] logits) {{ {LOGITS} t = {UNKNOWN} (logits) y = Add (t, logits) }}",
        {},
    ),
    "words": (
        "g (int64[N,5] ids) => (float[N,4] y) { t = Gather (table, ids) u = Transpose <perm=[0,2,1]> (t)"
        " m = MatMul (t, u) s = com.microsoft.Gelu (m) v = MatMul (s, t)"
        " y = ReduceMean <axes=[1], keepdims=0> (v) }",
        {"table": rng(1).standard_normal((9, 4))},
    ),
    "a table": ("g (float[N,4] x) => (float[N,4] y) { s = com.microsoft.Gelu (x) y = MatMul (s, w) }", {}),
    "a series": (
        "g (float[N,6,4] x) => (float[N,4] y) { s = com.microsoft.Gelu (x)"
        " m = ReduceMean <axes=[1], keepdims=0> (s)"
        " y = MatMul (m, w) }",
        {},
    ),
    "two inputs": (
        "g (float[N,3,8,8] rgb, float[N,1,8,8] depth) => (float[N,3,1,1] y) { s = Add (rgb, depth)"
        " t = com.microsoft.Gelu (s) y = GlobalAveragePool (t) }",
        {},
    ),
    "bytes": (
        "g (uint8[N,3,8,8] x) => (float[N,3,1,1] y) { f = Cast <to=1> (x) s = com.microsoft.Gelu (f)"
        " y = GlobalAveragePool (s) }",
        {},
    ),
    "quantised": (
        IMAGE + "(float[N,4] y) { q = QuantizeLinear (x, scale, zero) d = DequantizeLinear (q, scale, zero)"
        f" {LOGITS.replace('(x, k)', '(d, k)')} y = Relu (logits) }}",
        {"scale": np.float32(0.1), "zero": np.uint8(128)},
    ),
}
ODD = {"odd names": 'a [0]\'s "$x" #1', "numbers as names": "24"}


def model_of(name):
    text, constants = ZOO[name]
    given = {"k": KERNEL, "w": EYE, **constants}
    model = parse(
        f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> {text}',
        **{n: v for n, v in given.items() if f"{n})" in text or f"{n}," in text},
    )
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, tensor in enumerate(names):
                names[place] = ODD.get(name, tensor) if tensor == "ODD" else tensor
    return model


def inputs_of(model):
    found = {}
    for value in model.graph.input:
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        found[value.name] = rng(2).integers(0, 9, shape).astype(kind)
    return found


def commands(output):
    """The commands that a message ends with, as their arguments."""
    lines = output.partition("What this model does answer:\n")[2].splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.fixture
def given(folder, request):
    """The arguments that give a model its inputs: a picture where it takes one, else arrays."""
    model = model_of(request.param)
    onnx.save(model, "the model.onnx")
    inputs = inputs_of(model)
    arguments = []
    for name, array in inputs.items():
        if array.ndim == 4 and array.shape[1] == 3:
            Image.fromarray(array[0].transpose(1, 2, 0).astype(np.uint8)).save("a photo.png")
            arguments += ["a photo.png", "--scale", "1"]
        else:
            np.save(f"{name}.npy", array)
            arguments += ["--input", f"{name}={name}.npy"]
    return arguments


each = pytest.mark.parametrize("given", ZOO, indirect=True)


@pytest.mark.slow
@each
def test_what_explain_recommends_works(given):
    result = run("explain", "the model.onnx", *given, "-o", "map.png")
    assert result.exit_code == 1, result.output
    found = commands(result.output)
    assert found, result.output
    for arguments in found:
        again = run(*arguments)
        assert again.exit_code == 0, f"{arguments}: {again.output}"


@pytest.mark.parametrize("size", ["8,8", "72,96", "H,W", "12,9"])
@pytest.mark.parametrize("dtype", ["float", "uint8"])
def test_what_is_recommended_without_a_preprocessing_works_as_pasted(size, dtype, folder):
    """The options first, which fit the model; with them the commands, which have them."""
    body = LOGITS.replace("(x, k)", "(z, k)")
    text = (
        f"g ({dtype}[N,3,{size}] x) => (float[N,4] y) {{ z = Cast <to=1> (x) {body} y = {UNKNOWN} (logits) }}"
    )
    onnx.save(parse(text, k=KERNEL, w=EYE), "the model.onnx")
    Image.new("RGB", (12, 9), "red").save("a photo.png")
    asked = ["explain", "the model.onnx", "a photo.png", "-o", "map.png"]
    first = run(*asked)
    assert first.exit_code == 1 and "does not say how a picture becomes its input" in first.output
    options = shlex.split(first.output.splitlines()[1])
    assert size == "H,W" or options[:2] == ["--size", size]
    found = commands(run(*asked, *options).output)
    assert found
    for arguments in found if size == "8,8" else found[:1]:
        again = run(*arguments)
        assert again.exit_code == 0, f"{arguments}: {again.output}"


@each
def test_what_check_and_compile_recommend_works(given):
    for command in (["check", "the model.onnx"], ["compile", "the model.onnx", "-o", "compiled.onnx"]):
        result = run(*command)
        assert result.exit_code == 1, result.output
        found = commands(result.output)
        assert found, result.output
        for arguments in found:
            assert arguments[0] in ("check", command[0])
            again = run(*arguments)
            assert again.exit_code == 0, f"{arguments}: {again.output}"


def test_what_compile_recommends_is_compiled(folder):
    """`check` of a target said nothing of whether a file can be made that returns it."""
    onnx.save(model_of("a layer before it"), "the model.onnx")
    command = ["compile", "the model.onnx", "-o", "compiled.onnx", "--keep", "r"]
    found = commands(run(*command).output)
    assert [arguments[0] for arguments in found] == ["compile"] and set(command) <= set(found[0])
    assert run(*found[0]).exit_code == 0
    assert "relevance/r" in {value.name for value in onnx.load("compiled.onnx").graph.output}
    with pytest.raises(explainer.UnsupportedError) as caught:
        explainer.compile("the model.onnx", keep=["r"])
    (way,) = caught.value.ways
    eval(way.call, {"explainer": explainer, "path": "again.onnx"})
    assert onnx.load("again.onnx").graph.output == onnx.load("compiled.onnx").graph.output
    onnx.save(model_of("nothing before it"), "none.onnx")
    for arguments in commands(run("compile", "none.onnx", "-o", "compiled.onnx").output):
        assert arguments[0] in ("check", "compile") and run(*arguments).exit_code == 0


def test_what_cannot_be_compiled_is_not_recommended(folder, monkeypatch):
    """A file is made before its command is said; where none can be, `check` has what `explain` answers."""
    from explainer.compiler import compiling

    kept = compiling._emitted

    def but_c(original, sizes, recipe, asked, *rest):
        if asked.target == "c" or recipe.stop:
            raise explainer.InputError("not this one")
        return kept(original, sizes, recipe, asked, *rest)

    onnx.save(model_of("in the middle"), "the model.onnx")
    command = ["compile", "the model.onnx", "-o", "compiled.onnx"]
    assert {arguments[0] for arguments in commands(run(*command).output)} == {"compile"}
    monkeypatch.setattr(compiling, "_emitted", but_c)
    found = commands(run(*command).output)
    assert {arguments[0] for arguments in found} == {"check"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_what_python_recommends_works(name, folder):
    model = model_of(name)
    onnx.save(model, "the model.onnx")
    for given in (model, "the model.onnx"):
        with pytest.raises(explainer.ExplainerError) as caught:
            explainer.explain(given, inputs_of(model))
        calls = [line.strip() for line in str(caught.value).partition("does answer:\n")[2].splitlines()]
        assert calls == [f"{way.call}  # {way.why}" for way in caught.value.ways] != []
        for call in calls:
            found = eval(call, {"explainer": explainer, "model": model, "image": inputs_of(model)})
            assert isinstance(found, explainer.Explanation)


def test_what_a_score_is_where_nothing_before_it_can_be_explained(folder):
    onnx.save(model_of("argmax of what has no layer"), "the model.onnx")
    found = commands(run("check", "the model.onnx").output)
    assert ["check", "the model.onnx", "--target", "s[top]", "--method", "occlusion"] in found


def test_what_was_asked_beside_is_kept_where_it_can_be(folder):
    onnx.save(model_of("in the middle"), "the model.onnx")
    how = ["--rule", "Conv=gamma:0.1", "--eps", "0.5", "--option", "gamma=0.25", "--composite", "gamma"]
    first, *_ = commands(run("check", "the model.onnx", *how).output)
    assert first[:2] == ["check", "the model.onnx"] and set(how) <= set(first)
    assert first[first.index("--target") + 1] == "c"
    result = run(*first)
    assert "gamma:0.1" in result.output


def test_what_stands_against_another_target_is_left_out(folder):
    onnx.save(model_of("argmax first"), "the model.onnx")
    asked = ["--start", "margin", "--against", "2", "--keep", "f"]
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("photo.png")
    command = ["explain", "the model.onnx", "photo.png", "-o", "map.png", "--scale", "1", *asked]
    for arguments in commands(run(*command).output):
        assert "--against" not in arguments and "--scale" in arguments
        assert run(*arguments).exit_code == 0


def test_what_a_branch_draws_has_no_score_either(folder):
    """Occlusion and RISE were recommended, and refused: asked again, the model answers something else."""
    branches = (
        "then_branch = g () => (float[N,4] a) { r = RandomNormalLike (logits) a = Add (logits, r) },"
        " else_branch = h () => (float[N,4] b) { b = Identity (logits) }"
    )
    steady = "a = Identity (logits)"
    for then, has_ways in ((branches, False), (branches.replace("a = Add (logits, r)", steady), True)):
        text = IMAGE + f"(float[N,4] y) {{ {LOGITS} m = ReduceMax <keepdims = 0> (x) t = Greater (m, nil)"
        if has_ways:
            then = then.replace("r = RandomNormalLike (logits)", "")
        text += f" y = If <{then}> (t) }}"
        onnx.save(parse(text, k=KERNEL, w=EYE, nil=np.float32(0)), "the model.onnx")
        found = list(commands(run("check", "the model.onnx").output))
        assert any("occlusion" in arguments for arguments in found) == has_ways


def test_a_file_that_nothing_runs_has_no_ways(folder):
    text = """<ir_version: 8, opset_import: ["": 17, "com.example": 1]>
    g (float[N,3,8,8] x) => (float[N,3,8,8] y) { r = Relu (x) y = com.example.Unheard (r) }"""
    onnx.save(parse(text), "custom.onnx")
    result = run("check", "custom.onnx")
    assert "com.example.Unheard x1 (this operator has no layer)" in result.output
    assert "Nothing else can be asked of it: custom.onnx: onnxruntime cannot load it" in result.output
    assert "--custom-ops" in result.output and not commands(result.output)


def test_a_class_that_is_called_as_an_output_does_not_lead_elsewhere(folder):
    onnx.save(model_of("argmax first"), "the model.onnx")
    with pytest.raises(explainer.TargetError) as caught:
        explainer.Explainer("the model.onnx", labels=["logits", "f", "r", "c"]).plan  # noqa: B018
    for way in caught.value.ways:
        assert way.settings.get("target", "") in ("logits[top]", "")


def test_nothing_is_recommended_that_does_not_work():
    fails(1, "no such model file", "check", "none.onnx")
    assert "does answer" not in run("check", "none.onnx").output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        (
            "bytes of a layer",
            {"method": "integrated_gradients"},
            "holds whole numbers: this method asks at points",
        ),
        ("a table of a layer", {"method": "grad_cam"}, "no convolution on the way"),
        ("a number for all", {}, "input 's' is the same for all samples"),
    ],
)
def test_another_method(name, how, message):
    model = parse(*OTHERS[name][:1], **OTHERS[name][1])
    with pytest.raises(explainer.InputError, match=message) as caught:
        explainer.explain(model, inputs_of(model), **how)
    ways = caught.value.ways
    assert ways
    for way in ways:
        found = eval(way.call, {"explainer": explainer, "model": model, "image": inputs_of(model)})
        assert isinstance(found, explainer.Explanation)


OTHERS = {
    "bytes of a layer": (
        "g (uint8[N,3,8,8] x) => (float[N,4,6,6] y) { f = Cast <to=1> (x) y = Conv (f, k) }",
        {"k": KERNEL},
    ),
    "a table of a layer": ("g (float[N,4] x) => (float[N,4] y) { y = MatMul (x, w) }", {"w": EYE}),
    "a number for all": (
        "g (float[2,3,8,8] x, float s) => (float[2,4,6,6] y) { c = Conv (x, k) y = Mul (c, s) }",
        {"k": KERNEL},
    ),
}
