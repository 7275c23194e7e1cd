"""No dead ends: what a refusal recommends is a whole command, or a whole call, and works for this model."""

import shlex

import numpy as np
import onnx
import pytest
from building import parse
from command_line import fails, folder, run
from dead_ends import EYE, IMAGE, KERNEL, LOGITS, OTHERS, POOL, UNKNOWN, ZOO, commands, inputs_of, model_of
from PIL import Image

import explainer

__all__ = ["folder"]  # an automatic fixture: importing it is using it


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
    """Commands that have its options too, which fit the model; and these alone where it can be explained."""
    body = LOGITS.replace("(x, k)", "(z, k)")
    text = (
        f"g ({dtype}[N,3,{size}] x) => (float[N,4] y) {{ z = Cast <to=1> (x) {body} y = {UNKNOWN} (logits) }}"
    )
    onnx.save(parse(text, k=KERNEL, w=EYE), "the model.onnx")
    Image.new("RGB", (12, 9), "red").save("a photo.png")
    asked = ["explain", "the model.onnx", "a photo.png", "-o", "map.png"]
    scored = run(*asked, "--method", "occlusion")
    assert scored.exit_code == 1 and "does not say how a picture becomes its input" in scored.output
    options = shlex.split(scored.output.splitlines()[1])
    assert size == "H,W" or options[:2] == ["--size", size]
    first = run(*asked)
    assert first.exit_code == 1 and "does not say how" not in first.output
    found = commands(first.output)
    assert found and all(set(options) <= set(arguments) for arguments in found)
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


def test_what_is_recommended_is_written_out_however_long_it_gets():
    """Nobody has a variable called stop: the name stood for several tensors with long ones."""
    stops = tuple(letter * 150 for letter in "ab")
    unknown = " ".join(f"{name} = {UNKNOWN} (c)" for name in stops)
    text = f"c = Conv (x, k) {unknown} r = Add ({', '.join(stops)}) {POOL} y = MatMul (f, w)"
    opsets = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'
    model = parse(f"{opsets} {IMAGE} (float[N,4] y) {{ {text} }}", k=KERNEL, w=EYE)
    with pytest.raises(explainer.UnsupportedError) as caught:
        explainer.explain(model, inputs_of(model))
    calls = [way.call for way in caught.value.ways if "stop" in way.settings]
    assert calls == [f"explainer.explain(model, image, stop={stops!r})"]


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
