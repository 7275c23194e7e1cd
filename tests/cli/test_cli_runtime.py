"""The command line's options for onnxruntime reach its sessions."""

import native
import onnx
import onnxruntime
import pytest
from command_line import FLAGS, PHOTO, fails, folder, run

__all__ = ["folder"]  # an automatic fixture: importing it is using it


@pytest.fixture
def threads(monkeypatch):
    """The threads that every session was opened with."""
    found, real = [], onnxruntime.InferenceSession

    def opening(model, options, **more):
        found.append(options.intra_op_num_threads)
        return real(model, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    return found


def test_threads_and_providers_reach_the_sessions(threads):
    asked = ("--threads", "2", "--provider", "CPUExecutionProvider")
    assert run(*PHOTO, *asked).exit_code == 0
    assert threads == [2]
    assert run("compile", "full.onnx", "-o", "compiled.onnx", *asked).exit_code == 0
    assert set(threads) == {2} and len(threads) > 2
    assert run("check", "full.onnx", *asked).exit_code == 0


def test_what_there_is_not_is_said():
    fails(1, "no 'GPU'; there is:", *PHOTO, "--provider", "GPU")
    fails(2, "-2 is not in the range x>=1", "check", "full.onnx", "--threads", "-2")
    fails(1, "threads is 5000; give a whole number", "check", "full.onnx", "--threads", "5000")
    fails(1, "none.so: no such file", "compile", "full.onnx", "-o", "new.onnx", "--custom-ops", "none.so")
    fails(2, "threads has its own place on the command line: --threads", *PHOTO, "--option", "threads=2")


def test_a_library_of_custom_operators():
    library = str(native.library())
    onnx.save(native.scaled(), "scaled.onnx")
    small = [flag if flag != "8" else "6" for flag in FLAGS]
    asked = ("explain", "scaled.onnx", "photos/one.png", "-o", "map.png", "--method", "occlusion", *small)
    fails(1, "name that: custom_ops (--custom-ops)", *asked)
    assert run(*asked, "--custom-ops", library).exit_code == 0
