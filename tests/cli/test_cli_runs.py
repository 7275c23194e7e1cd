"""Runs that are stopped, killed, cut short, and gone on with: real processes, real signals."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo-terminals are other systems'"),
]

COUNT = 12
COMMAND = [sys.executable, "-c", "from explainer.cli import main; main()"]
TEXT = """
<ir_version: 8, opset_import: ["": 17]>
g (float[N,3,256,256] x) => (float[N,8] y) {
    c = Conv <pads=[2,2,2,2]> (x, k)
    r = Relu (c)
    d = Conv <pads=[2,2,2,2]> (r, l)
    p = GlobalAveragePool (d)
    y = Flatten (p)
}
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A model that takes its time, and pictures for it."""
    folder = tmp_path_factory.mktemp("given")
    model = onnx.parser.parse_model(TEXT)
    rng = np.random.default_rng(0)
    for name, shape in {"k": (16, 3, 5, 5), "l": (8, 16, 5, 5)}.items():
        weights = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, name))
    onnx.save(model, folder / "net.onnx")
    (folder / "photos").mkdir()
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number:02}.png")
    return folder


@pytest.fixture(autouse=True)
def folder(given, tmp_path, monkeypatch):
    for name in ("net.onnx", "photos"):
        os.symlink(given / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explaining(*more, images=("photos",), output="maps"):
    return [*COMMAND, "explain", "net.onnx", *images, "-o", output, "--scale", "0.0039", *more]


class Started:
    """A command that runs, with what it prints; on a terminal, or into pipes."""

    def __init__(self, command, terminal=False, into=None):
        self.shown = bytearray()
        ours, theirs = os.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen(command, stdout=into or theirs, stderr=theirs)
        os.close(theirs)
        self.reader = threading.Thread(target=self.read, args=(ours,), daemon=True)
        self.reader.start()

    def read(self, end):
        try:
            while part := os.read(end, 4096):
                self.shown += part
        except OSError:  # a terminal whose other side is gone
            pass

    def stop(self, number, maps=0):
        """Send a signal when there are so many maps; return the status and the text."""
        wait_for(lambda: len(list(Path("maps").glob("*.png"))) >= maps or self.process.poll() is not None)
        self.process.send_signal(number)
        return self.end()

    def end(self):
        status = self.process.wait(timeout=60)
        self.reader.join(timeout=10)
        return status, self.shown.decode()


def wait_for(true, seconds=60):
    begin = time.monotonic()
    while not true():
        assert time.monotonic() < begin + seconds
        time.sleep(0.005)


def parts():
    return [path.name for path in Path().rglob(".*.part")]


def maps():
    return sorted(path.name for path in Path("maps").glob("*.png"))


@pytest.mark.parametrize("terminal", [False, True])
def test_a_killed_run_has_a_line_for_every_map_and_the_next_one_goes_on(terminal):
    with open("all.jsonl", "ab") as out:
        running = Started(explaining("--json"), terminal, into=out)
        running.stop(signal.SIGKILL, maps=5)
    there, lines = maps(), Path("all.jsonl").read_text().splitlines()
    assert 5 <= len(there) < COUNT
    # Between a map and its line lies less than a millisecond.
    assert len(there) - 1 <= len(lines) <= len(there)
    made = [f"photos/{name.removesuffix('.png')}" for name in there]
    assert [json.loads(line)["image"] for line in lines] == made[: len(lines)]
    with open("all.jsonl", "ab") as out:
        status, text = Started(explaining("--json", "--skip-existing"), terminal, into=out).end()
    assert status == 0 and f"{len(there)} of {COUNT} are there already" in text
    assert len(maps()) == COUNT and not parts()
    written = [json.loads(line)["image"] for line in Path("all.jsonl").read_text().splitlines()]
    assert len(written) == len(set(written)) >= COUNT - 1


def test_a_file_of_lines_has_each_result_once_whatever_the_run_was_killed_at():
    for maps_before in (3, 6):
        running = Started(explaining("--json-lines", "all.jsonl", "--skip-existing"))
        running.stop(signal.SIGKILL, maps=maps_before)
    lines = Path("all.jsonl").read_bytes().splitlines(keepends=True)
    # As if it had been killed between a map and its line, and in the middle of a line.
    lost = json.loads(lines[0])["image"]
    Path("all.jsonl").write_bytes(b"".join(lines[1:]) + b'{"image": "half')
    os.unlink(json.loads(lines[-1])["written"][0])
    status, text = Started(explaining("--json-lines", "all.jsonl", "--skip-existing")).end()
    assert status == 0, text
    written = [json.loads(line)["image"] for line in Path("all.jsonl").read_text().splitlines()]
    assert sorted(written) == [f"photos/{number:02}.png" for number in range(COUNT)]
    assert lost in text and len(maps()) == COUNT
    before = Path("all.jsonl").read_bytes()
    status, text = Started(explaining("--json-lines", "all.jsonl", "--skip-existing")).end()
    assert status == 0 and f"{COUNT} of {COUNT} are there already" in text
    assert Path("all.jsonl").read_bytes() == before


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_how_far_it_came(number, expected, terminal):
    status, text = Started(explaining(), terminal).stop(number, maps=3)
    there = len(maps())
    assert status == expected
    assert f"{there} of {COUNT} done; the same command with --skip-existing goes on" in text
    assert "Traceback" not in text and "Error" not in text and "Aborted" not in text and not parts()
    for name in maps():
        Image.open(Path("maps", name)).verify()
    status, text = Started([*explaining("--skip-existing")], terminal).end()
    assert status == 0 and f"{there} of {COUNT} are there already" in text and len(maps()) == COUNT


def test_a_count_of_a_thousand_has_its_comma():
    os.mkdir("many")
    os.mkdir("maps")
    for number in range(1000):
        os.link("photos/00.png", f"many/{number:04}.png")
        if number < 949:
            Path("maps", f"{number:04}.png.png").write_bytes(b"")
    running = Started(explaining("--skip-existing", images=["many"]))
    wait_for(lambda: b"949 of 1,000 are there already" in running.shown)
    status, text = running.stop(signal.SIGINT)
    assert status == 130
    assert "of 1,000 done; the same command with --skip-existing goes on" in text


def test_what_is_drawn_at_the_end_begins_anew():
    running = Started(explaining("--shared-scale"))
    wait_for(lambda: Path("maps").exists())
    status, text = running.stop(signal.SIGINT)
    assert status == 130 and f"0 of {COUNT} done" in text and "begins anew" in text and not maps()
    status, text = Started(explaining("--shared-scale", "--skip-existing")).end()
    assert status == 2 and "--fixed-scale" in text


# The signal comes as a module is looked for, or in the middle of the work: never after a time.
AS_IT_LOADS = """
class Stops:
    def find_spec(self, name, path=None, target=None):
        if name == {0!r}:
            sys.meta_path.remove(self)
            stop()
sys.meta_path.insert(0, Stops())
"""
AS_IT_WORKS = """
from explainer.model.session import Session
real, asked = Session.run, []
def run(self, *given):
    asked.append(1)
    len(asked) == {0} and stop()
    return real(self, *given)
Session.run = run
"""
STOPPING = """
import os, signal, sys
def stop():
    os.write(2, b"now\\n")
    os.kill(os.getpid(), signal.SIGINT)
{0}
from explainer.cli import main
main()
"""


def stopping_itself(moment, arguments):
    return Started([sys.executable, "-c", STOPPING.format(moment), *arguments]).end()


def test_one_picture_that_is_stopped():
    asked = ("--method", "occlusion", "--option", "stride=16")
    command = explaining(*asked, images=["photos/00.png"], output="a.png")[len(COMMAND) :]
    assert stopping_itself(AS_IT_WORKS.format(3), command) == (130, "now\nstopped\n")
    assert not Path("a.png").exists() and not parts()


# The rooms of the package that a command loads late, and what they load; each command reaches some of them.
LOADED = ["click", "explainer.cli.group", "numpy", "onnx", "explainer.model", "onnxruntime", "PIL", "json"]


@pytest.mark.parametrize("module", LOADED)
@pytest.mark.parametrize("what", ["explain", "check", "compile", "operators"])
def test_it_can_be_stopped_while_it_loads(what, module):
    commands = {
        "explain": explaining()[len(COMMAND) :],
        "check": ["check", "net.onnx"],
        "compile": ["compile", "net.onnx", "-o", "c.onnx"],
        "operators": ["operators"],
    }
    status, text = stopping_itself(AS_IT_LOADS.format(module), commands[what])
    if "now" not in text:
        assert status == 0 and module not in (LOADED if what == "explain" else LOADED[:4]), text
        return
    assert status == 130 and "Traceback" not in text and "Exception ignored" not in text and not parts(), text
    said = text.rpartition("now\n")[2].splitlines()
    assert said == ["stopped"] or (len(said) == 1 and f" of {COUNT} done" in said[0]), text


@pytest.mark.parametrize("method", ["occlusion", "rise", "integrated_gradients", "smoothgrad"])
@pytest.mark.parametrize("images", [["photos/00.png"], ["photos/00.png", "photos/01.png"]])
def test_a_terminal_shows_how_far_the_questions_are(method, images):
    count = {"occlusion": "stride=32", "rise": "n_masks=96", "smoothgrad": "n_samples=4"}.get(
        method, "n_steps=40"
    )
    output = "a.png" if len(images) == 1 else "maps"
    asked = explaining("--method", method, "--option", count, images=images, output=output)
    for terminal in (True, False):
        status, text = Started(asked, terminal).end()
        assert status == 0 and all(image in text for image in images), text
        shown = re.findall(r"asking the model .*?([\d,]+)(?:/| of )([\d,]+)", text)
        assert bool(shown) == terminal and ("\r" in text) == terminal
        for done, total in shown:
            assert int(done) <= int(total)
        if terminal:
            assert shown[-1][0] == shown[-1][1]


def test_two_runs_into_one_folder_leave_each_other_alone():
    first = Started(explaining(images=[f"photos/{number:02}.png" for number in range(0, 6)]))
    second = Started(explaining(images=[f"photos/{number:02}.png" for number in range(6, 12)]))
    assert (first.end()[0], second.end()[0]) == (0, 0)
    assert len(maps()) == COUNT and not parts()


def test_a_pipe_that_closes_ends_it_quietly():
    command = " ".join(f"'{part}'" for part in explaining("--json"))
    done = subprocess.run(f"{command} | head -c 10", shell=True, capture_output=True, timeout=120)
    assert done.stdout == b'{"image": ' and done.stderr == b"" and not parts()
    for quick in (["check", "net.onnx"], ["operators"], ["--help"]):
        whole = " ".join(f"'{part}'" for part in [*COMMAND, *quick])
        done = subprocess.run(f"{whole} | head -c 1", shell=True, capture_output=True, timeout=120)
        assert done.stderr == b"", quick


def test_a_full_disk_says_so_and_leaves_nothing():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(explaining("--json"), stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1 and b"No space left" in done.stderr and b"Traceback" not in done.stderr
    status, text = Started(explaining("--json-lines", "/dev/full")).end()
    assert status == 1 and "No space left" in text and not parts()


def test_a_file_that_holds_something_else_is_no_file_of_lines():
    Path("notes.txt").write_text("mine\n")
    status, text = Started(explaining("--json-lines", "notes.txt", "--skip-existing")).end()
    assert status == 2 and "line 1 is none of these" in text and Path("notes.txt").read_text() == "mine\n"
    status, text = Started(explaining("--json-lines", "photos/00.png")).end()
    assert status == 2 and "would overwrite a file that is read" in text
    status, text = Started(explaining("--json-lines", "maps/00.png.png")).end()
    assert status == 2 and "one result would overwrite the other" in text


def test_pictures_of_one_name_in_many_folders():
    for name in ("a", "b", "A"):
        os.makedirs(f"in/{name}", exist_ok=True)
        os.link("photos/00.png", f"in/{name}/one.png")
    images = ["in/a/one.png", "in/b/one.png", "in/A/one.png"]
    status, text = Started(
        explaining("--save-relevance", "--target", "1", "--target", "2", images=images)
    ).end()
    assert status == 0, text
    assert len(maps()) == 6 and len(list(Path("maps").glob("*.npz"))) == 6
