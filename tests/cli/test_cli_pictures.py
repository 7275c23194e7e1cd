"""Pictures that are none, too many in one file, or too large, on the command line."""

import pytest
from command_line import PHOTO, fails, folder, parted, run
from PIL import Image

__all__ = ["folder"]  # an automatic fixture: importing it is using it


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_the_code_that_it_comes_from():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    result = parted("explain", "full.onnx", "moving.gif", "-o", "map.png")
    assert result.exit_code == 0
    assert result.stderr == "Warning: moving.gif holds several pictures: the first one is explained\n"


def test_a_limit_of_pixels():
    fails(1, "photos/one.png: it is too large: 30 x 20 = 600 pixels", *PHOTO, "--max-pixels", "599")
    fails(1, "max_pixels is 0", *PHOTO, "--max-pixels", "0")
    assert run(*PHOTO, "--max-pixels", "600").exit_code == 0


def test_a_folders_pictures_are_those_that_are_read(folder):
    (folder / "photos" / "notes.ppm").write_bytes(b"P6 1 1 255 abc")
    assert run("explain", "full.onnx", "photos", "-o", "maps").exit_code == 0
