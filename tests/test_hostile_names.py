"""Names out of files are one printable line each, wherever they are printed, drawn, raised or shown."""

import json
import os
import re
import subprocess
import sys
import traceback

import numpy as np
import onnx
import pytest
from hostile import EVIL, HALF, HUGE, hostile, wrong_with
from PIL import Image

import explainer
from explainer.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcödé 猫 🐈 “x”", "plain ünïcödé 猫 🐈 “x”"),
        ("two\nlines\r\n", "two\\nlines\\r\\n"),
        ("\x1b[31m\x9b\x85", "\\x1b[31m\\x9b\\x85"),
        ("\u202eabc\u2066\u200b\ufeff", "\\u202eabc\\u2066\\u200b\\ufeff"),
        ("\u2028\u2029\ud800\x00", "\\u2028\\u2029\\ud800\\x00"),
        ("wide\u3000space, C:\\new\u3164", "wide\u3000space, C:\\new\\u3164"),
        ("", ""),
        (7, "7"),
    ],
)
def test_what_is_seen_stays_and_what_is_not_is_written(text, shown):
    assert printable(text) == shown


def test_of_a_long_name_the_middle_is_left_out_and_the_length_said():
    name = "begin" + "x" * 5_000_000 + "end"
    shown = printable(name)
    assert shown.startswith("beginx") and shown.endswith("xend") and "(5,000,008 characters)" in shown
    assert len(shown) < 250
    assert printable("x" * 200) == "x" * 200


def test_an_error_is_the_lines_that_it_was_made_of():
    error = explainer.ModelError(f"first {EVIL}", *(f"line {number}\nFORGED" for number in range(300)))
    assert not wrong_with(str(error))
    assert len(str(error).split("\n")) == 201 and str(error).endswith("and 101 more lines")
    assert str(explainer.InputError("one")) == "one" and error.args[0] == f"first {EVIL}"


@pytest.fixture(scope="module", params=[EVIL, HUGE], ids=["escapes", "300 kB"])
def model(request):
    return hostile(request.param)


@pytest.fixture(scope="module")
def explanation(model):
    made = explainer.Explainer(model, keep="all", preprocess={"rescale_factor": 0.01})
    return made, made.explain(np.ones((2, 3, 8, 8), np.float32))


def objects(made, explanation):
    """Everything that a user of Python comes by."""
    plan = made.plan
    yield from (made, made.recipe, made.composite, made.labels, made.preprocess, made.method, made.graph)
    yield from (explanation, explanation.audit, explanation.recipe, explanation.ask, explanation.how)
    yield from (plan, plan.anchor, plan.graph, made.graph.source, made.graph.runtime)
    for step in plan.steps:
        yield from (step, step.layer, step.node, step.rule)
    yield from explanation.audit
    yield from (*plan.graph.notes, *made.graph.inputs, *made.graph.nodes)
    yield explainer.compare(explanation, explanation)
    (kept,) = [name for name in explanation.relevances if name.startswith("c")]
    yield from (made.explain(np.ones((1, 3, 8, 8), np.float32), conditions={kept: [1]}), made.start_of("top"))
    yield made.explain(np.ones((1, 3, 8, 8), np.float32), target=(explanation.target_name, np.s_[0, 1:3]))


def test_everything_says_what_it_is_in_printable_letters(explanation):
    for thing in objects(*explanation):
        for show in (str, repr, format):
            longest = 10**9 if thing is explanation[0].labels else 10_000  # they are a dict, whole
            assert not wrong_with(show(thing), longest), (type(thing), show)
        if hasattr(thing, "_repr_html_"):
            html = re.sub(r"base64,[\w+/=]+", "", thing._repr_html_())
            assert not wrong_with(html) and "<script" not in html, type(thing)


def test_pictures_are_titled_with_it(explanation):
    _, found = explanation
    assert found.heatmap(title=found.title()).size and explainer.grid(found).size
    assert explainer.grid([found.relevance[0]], titles=[EVIL + HALF], title=HUGE).size


def test_json_holds_the_exact_names_in_plain_ascii(explanation, tmp_path):
    _, found = explanation
    found.save(tmp_path / "a.json")
    written = (tmp_path / "a.json").read_bytes()
    assert not wrong_with(written.decode("ascii"), 10**9)
    assert json.loads(written)["label"][0] == found.label()


def broken(tmp_path):
    """Questions that are refused, with hostile names in the answer."""
    x = np.ones((1, 3, 8, 8), np.float32)
    made = explainer.Explainer(hostile())
    tensor = made.graph.outputs[0]
    for target in ("nothing", EVIL, HUGE, (EVIL, 1), (tensor, 99), f"{tensor}[7, 1]", 99):
        yield lambda target=target: made.explain(x, target=target)
    yield lambda: made.explain({EVIL: x})
    yield lambda: made.explain(np.ones((1, 4, 8, 8), np.float32))
    yield lambda: made.explain(x * np.nan)
    yield lambda: made.explain("no\x1b[2J\nFORGED.png")
    yield lambda: made.explain(x, conditions={EVIL: [1]})
    yield lambda: made.explain(x).channels(EVIL)
    yield lambda: made.explain(x).save(tmp_path / f"{EVIL[1:5]}\nFORGED.what")
    yield lambda: explainer.Explainer(hostile(), keep=[EVIL]).plan
    yield lambda: explainer.Explainer(hostile(), rules={EVIL: "zplus"}).plan
    yield lambda: explainer.Explainer(hostile(), method=EVIL)
    yield lambda: explainer.Explainer(hostile(), composite=EVIL)
    yield lambda: explainer.Explainer(hostile(), composite={"base": "epsilon", EVIL: 1})
    yield lambda: explainer.Explainer(hostile(), preprocess={EVIL: 1, "do_resize": EVIL})
    yield lambda: explainer.Explainer(hostile(), providers=[EVIL])
    yield lambda: explainer.Explainer(hostile(), custom_ops=["no\nFORGED.so"])
    yield lambda: explainer.Explainer("no\nFORGED.onnx")
    yield lambda: explainer.Explainer(hostile(Relu="Strange")).plan
    yield lambda: explainer.Explainer(hostile(HUGE, Relu="Strange")).explain(x)
    yield lambda: explainer.compile(hostile(Relu="Strange"))
    for misfit in ("w", "v"):  # onnxruntime's own complaints
        odd = hostile()
        (weight,) = [tensor for tensor in odd.graph.initializer if tensor.name.startswith(misfit)]
        weight.dims[1] += 1
        weight.raw_data += b"0" * (len(weight.raw_data) // (weight.dims[1] - 1))
        yield lambda odd=odd: explainer.explain(odd, x)
        yield lambda odd=odd: explainer.compile(odd)
    yield lambda: explainer.compare({EVIL: x, HUGE: x}, {"b": x, "c": x})
    moved = hostile()
    tensor = moved.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=f"../{EVIL}".replace("\x00", ""))
    (tmp_path / "moved.onnx").write_bytes(moved.SerializeToString())
    yield lambda: explainer.Explainer(tmp_path / "moved.onnx")
    for entry in tensor.external_data:
        entry.value = "none\x1b[2J\nFORGED"
    (tmp_path / "missing.onnx").write_bytes(moved.SerializeToString())
    yield lambda: explainer.Explainer(tmp_path / "missing.onnx")
    for name, key in (("labels.onnx", "id2label"), ("how.onnx", "preprocessor_config")):
        odd = hostile(labels=False)
        odd.metadata_props.add(key=key, value=json.dumps([EVIL]))
        onnx.save(odd, tmp_path / name)
        yield lambda name=name: explainer.explain(tmp_path / name, Image.new("RGB", (8, 8)))
    for name in ("rules.toml", "rules.json"):
        (tmp_path / name).write_text(f"base = '{EVIL}'", encoding="utf-8")
        yield lambda name=name: explainer.Explainer(hostile(), composite=tmp_path / name)
    (tmp_path / "named.json").write_text(json.dumps({"base": EVIL + HALF, "rules": {EVIL: HUGE}}))
    yield lambda: explainer.Explainer(hostile(), composite=tmp_path / "named.json").plan
    (tmp_path / "how.json").write_text(json.dumps({"do_" + EVIL: True, EVIL: HUGE}))
    yield lambda: explainer.Explainer(hostile(), preprocess=tmp_path / "how.json")


def test_every_refusal_is_printable_traceback_and_all(tmp_path):
    for number, ask in enumerate(broken(tmp_path)):
        with pytest.raises(explainer.ExplainerError) as caught:
            ask()
        assert not wrong_with(str(caught.value)), number
        assert not wrong_with(repr(caught.value), 10**9), number
        whole = "".join(traceback.format_exception(caught.value))
        assert not wrong_with(whole, 10**9), whole


COMMANDS = {
    "check": ["check", "net.onnx"],
    "explain": ["explain", "net.onnx", "{picture}", "-o", "o.png", *["--scale", "0.01"]],
    "many": ["explain", "net.onnx", "photos", "-o", "maps", *["--scale", "0.01"]],
    "json": ["explain", "net.onnx", "{picture}", "-o", "o.png", "--json", *["--scale", "0.01"]],
    "channels": ["explain", "net.onnx", "{picture}", "-o", "o.png", "--rank", f"c{EVIL}".replace("\x00", ""),
                 *["--scale", "0.01"]],
    "grid": ["explain", "net.onnx", "photos", "-o", "maps", "--grid", "g.png", *["--scale", "0.01"]],
    "target": ["explain", "net.onnx", "{picture}", "-o", "o.png", "--target", "zzz", *["--scale", "0.01"]],
    "no preprocessing": ["explain", "net.onnx", "{picture}", "-o", "o.png"],
    "over itself": ["explain", "net.onnx", "{picture}", "-o", "{picture}", *["--scale", "0.01"]],
    "compile": ["compile", "net.onnx", "-o", "c.onnx"],
    "compile keeping": ["compile", "net.onnx", "-o", "c.onnx", "--keep", "zzz"],
    "check strange": ["check", "strange.onnx"],
    "compile strange": ["compile", "strange.onnx", "-o", "c.onnx"],
    "debug": ["check", "strange.onnx", "--debug"],
    "labels": ["explain", "net.onnx", "{picture}", "-o", "o.png", "--labels", "names.txt",
               *["--scale", "0.01"]],
    "composite": ["check", "net.onnx", "--composite", "rules.toml"],
    "preprocess": ["explain", "net.onnx", "{picture}", "-o", "o.png", "--preprocess", "how.json"],
    "broken pictures": ["explain", "net.onnx", "broken", "-o", "maps", *["--scale", "0.01"]],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with hostile files of all kinds, their names as hostile as the file system takes."""
    folder = tmp_path_factory.mktemp("hostile")
    without_nul = EVIL.replace("\x00", "")  # no file and no argument has one
    onnx.save(hostile(without_nul), folder / "net.onnx")
    onnx.save(hostile(without_nul, Relu="Strange"), folder / "strange.onnx")
    name = "p\x1b[2J\x1b]52;c;cm0=\x07\nFORGED\u202e\u2028"
    for there in ("photos", "broken"):
        (folder / there).mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8), (90, 20, 200)).save(folder / "photos" / f"{name}{number}.png")
        (folder / "broken" / f"{name}{number}.png").write_bytes(b"no picture")
    if sys.platform == "linux":  # elsewhere names are Unicode
        os.rename(folder / "photos" / f"{name}1.png", os.fsencode(folder / "photos" / name) + b"\xff.png")
    (folder / "names.txt").write_text(f"a\x1b[2J\x85\n{EVIL}\nc\nd", encoding="utf-8")
    (folder / "rules.toml").write_text(f"[rules]\n{json.dumps(without_nul)} = 'what\\u001b[2J'")
    (folder / "how.json").write_text(json.dumps({"do_" + EVIL: True}))
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there such names cannot be")
@pytest.mark.parametrize("what", COMMANDS)
def test_no_command_prints_them_as_they_are(what, folder):
    picture = next(os.path.join("photos", name) for name in sorted(os.listdir(folder / "photos")))
    command = [part.format(picture=picture) if "{" in part else part for part in COMMANDS[what]]
    start = "from explainer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", start, *command], cwd=folder, capture_output=True, timeout=120
    )
    for text in (done.stdout, done.stderr):
        assert not wrong_with(text.decode()), text
    assert b"internal error" not in done.stderr
    assert done.stdout or done.stderr
