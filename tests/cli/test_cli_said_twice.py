"""What is said twice on the command line: of two that differ, neither wins in silence."""

import pytest
from command_line import PHOTO, fails, folder, run

__all__ = ["folder"]  # an automatic fixture: importing it is using it


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("--eps", "0.1", "--option", "eps=0.2"), "--eps and --option eps=... say the same"),
        (("--option", "eps=0.2", "--eps", "0.1"), "--eps and --option eps=... say the same"),
        (("--option", "eps=0.1", "--option", "eps=0.2"), "eps is given twice"),
        (("--option", "n_steps=1", "--option", "n-steps=2"), "n_steps is given twice"),
    ],
)
def test_what_is_said_twice_is_refused(said, message):
    fails(2, message, *PHOTO, *said)


def test_commands_of_one_target_take_one():
    fails(2, "--target is given twice", "check", "full.onnx", "--target", "cat", "--target", "dog")
    compiled = ("compile", "full.onnx", "-o", "out.onnx")
    fails(2, "--target is given twice", *compiled, "--target", "cat", "--target", "dog")


def test_what_can_be_repeated_still_is():
    result = run(
        *PHOTO, "--target", "cat", "--target", "dog", "--keep", "a", "--keep", "c", "--json", "--json"
    )
    assert result.exit_code == 0, result.output


def test_a_scale_that_is_shared_is_found_as_asked():
    result = run("explain", "full.onnx", "photos", "-o", "maps", "--shared-scale", "--outlier-perc", "5")
    assert result.exit_code == 0, result.output
