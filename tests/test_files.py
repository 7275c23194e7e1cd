"""Writing results whole or not at all."""

import os
import stat
import subprocess
import sys

import pytest

from explainer.errors import OutputError
from explainer.files import write_whole


def test_it_writes_what_the_block_wrote_and_nothing_else(tmp_path):
    path = tmp_path / "result.bin"
    with write_whole(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["result.bin"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, BrokenPipeError])
def test_a_failing_block_leaves_the_older_file_and_no_trace(tmp_path, failure):
    path = tmp_path / "result.bin"
    path.write_bytes(b"older")
    # An OSError while writing is about the file; anything else is the block's own.
    with pytest.raises(OutputError if issubclass(failure, OSError) else failure), write_whole(path) as file:
        file.write(b"half")
        raise failure
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["result.bin"]


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    with write_whole(tmp_path / "ours") as file:
        file.write(b"")
    (tmp_path / "plain").write_bytes(b"")
    ours, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain"))
    assert ours == plain


@pytest.mark.usefixtures("links")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"older")
    (tmp_path / "link").symlink_to("real")
    with write_whole(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_device_is_written_and_never_replaced():
    with write_whole(os.devnull) as file:
        file.write(b"gone")
    assert not os.path.isfile(os.devnull)


@pytest.mark.skipif(sys.platform == "win32", reason="there the whole path is what is too long")
def test_the_longest_name_a_folder_takes(tmp_path):
    path = tmp_path / ("x" * 255)
    with write_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_file_for_a_folder_is_refused_with_the_next_step(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cases = {
        tmp_path: "is a folder",
        tmp_path / "missing" / "a.png": "create it",
        tmp_path / "file" / "a.png": "create it",
        tmp_path / ("x" * 256): "choose another",
    }
    for path, message in cases.items():
        with pytest.raises(OutputError, match=message) as caught, write_whole(path) as file:
            file.write(b"")
        assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_file_is_kept(tmp_path):
    path = tmp_path / "kept"
    path.write_bytes(b"older")
    path.chmod(0o444)
    with pytest.raises(OutputError, match="read-only"), write_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"older"


def test_a_full_disk_is_an_output_error(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="No space left"), write_whole("/dev/full") as file:
        file.write(b"new")


LIMITED = """
import os, resource, sys
import numpy as np, onnx, explainer
folder, text = sys.argv[1:]
model = onnx.parser.parse_model(text)
weights = np.random.default_rng(0).standard_normal((768, 9)).astype(np.float32)
model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
found = explainer.explain(model, np.random.default_rng(1).random((1, 3, 16, 16)).astype(np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))
for name in ("a.png", "a.npz", "a.npy", "a.json", "a.onnx"):
    path = os.path.join(folder, name)
    try:
        explainer.compile(model, path) if name == "a.onnx" else found.save(path)
    except explainer.OutputError as error:
        print(error)
"""
SMALL = """<ir_version: 8, opset_import: ["": 17]> g (float[N,3,16,16] x) => (float[N,9] y) {
    f = Flatten (x) y = MatMul (f, w) }"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
def test_no_writer_leaves_half_a_file_on_a_full_disk(tmp_path):
    for name in ("a.png", "a.onnx"):
        (tmp_path / name).write_bytes(b"older")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), SMALL], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and all("cannot be written: File too large" in line for line in lines), done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.png"]
    assert all(path.read_bytes() == b"older" for path in tmp_path.iterdir())


WRITING = """
import sys, time
from explainer.files import write_whole
with write_whole(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there an open file is what cannot be removed")
def test_what_a_killed_process_left_is_swept_and_what_another_writes_is_not(tmp_path):
    def start(name):
        command = [sys.executable, "-c", WRITING, str(tmp_path / name)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"writing\n"
        return process

    def parts():
        return set(tmp_path.glob(".onnx-lrp-*.part"))

    (tmp_path / ".notes.part").write_text("somebody's")
    killed = start("a")
    left = parts()
    killed.kill()
    killed.communicate()
    assert len(left) == 1 and parts() == left
    running = start("b")
    assert len(parts()) == 1 and not parts() & left
    once = "import sys, explainer.files as f\nwith f.write_whole(sys.argv[1]) as o: o.write(b'c')"
    subprocess.run([sys.executable, "-c", once, str(tmp_path / "c")], check=True)
    assert (tmp_path / "c").read_bytes() == b"c" and len(parts()) == 1
    running.kill()
    running.communicate()
    subprocess.run([sys.executable, "-c", once, str(tmp_path / "d")], check=True)
    assert not parts() and (tmp_path / ".notes.part").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="folders are brought to the disk on other systems")
def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_it_returns(tmp_path, monkeypatch):
    done, sync, rename = [], os.fsync, os.replace

    def noted(file):
        done.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        sync(file)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("name"), rename(old, new)))
    with write_whole(tmp_path / "a") as file:
        file.write(b"new")
    assert done == ["file", "name", "folder"]
