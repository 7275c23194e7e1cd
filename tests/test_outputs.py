"""No result replaces a file that was read: whatever it was read for, however it is called, whoever writes."""

import json
import os
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import tiny
from PIL import Image

import explainer
from explainer import Explainer, ExplainerError, OutputError, Preprocess, Recipe
from explainer.files import Files, check, opened, read, recording, write_whole

HOW = {"do_rescale": True, "rescale_factor": 0.0039, "size": {"height": 8, "width": 8}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with every kind of file that is read, all called as results could be."""
    monkeypatch.chdir(tmp_path)
    proto = tiny()
    onnx.save_model(proto, "model.png", save_as_external_data=True, location="weights.png", size_threshold=0)
    (tmp_path / "how.json").write_text(json.dumps(HOW))
    (tmp_path / "rules.json").write_text('{"base": "epsilon"}')
    Image.new("RGB", (8, 8), (90, 200, 30)).save("photo.png")
    np.save("x.npy", np.ones((1, 3, 8, 8), np.float32))
    return tmp_path


def everything():
    """Every file with what it holds, and which it is."""
    return {path: (path.stat().st_ino, path.read_bytes()) for path in Path().iterdir() if path.is_file()}


READ = ["model.png", "weights.png", "how.json", "rules.json", "photo.png"]


def explained():
    made = Explainer("model.png", preprocess="how.json", composite="rules.json")
    return made.explain("photo.png")


def spelled(name, way):
    """Another name of a file."""
    if way == "itself":
        return name
    if way == "dotted":
        return os.path.join(".", "..", os.path.basename(os.getcwd()), name)
    if way == "whole":
        return os.path.abspath(name)
    if way == "folder link":
        os.symlink(".", "again", target_is_directory=True)
        return os.path.join("again", name)
    alias = f"alias{os.path.splitext(name)[1]}"
    (os.link if way == "hard link" else os.symlink)(name, alias)
    return alias


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("way", ["itself", "dotted", "whole", "link", "hard link", "folder link"])
@pytest.mark.parametrize("name", READ)
def test_an_explanation_is_saved_over_nothing_that_it_was_made_from(name, way):
    explanation, path = explained(), spelled(name, way)
    before = everything()
    with pytest.raises(OutputError, match="would overwrite a file that is read") as caught:
        explanation.save(path)
    assert path in str(caught.value)
    assert everything() == before
    explanation.save("new.json")


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("way", ["itself", "link", "hard link"])
@pytest.mark.parametrize("name", READ[:2] + READ[3:4])
def test_compile_writes_over_nothing_that_it_read(name, way):
    path = spelled(name, way)
    before = everything()
    # onnx reads no weights of which there is a hard link.
    with pytest.raises(ExplainerError, match=r"would overwrite|hard link"):
        explainer.compile("model.png", path, composite="rules.json")
    assert everything() == before


def test_what_was_read_long_before_and_given_as_a_value():
    recipe, how = Recipe(composite="rules.json"), Preprocess.from_file("how.json")
    explanation = Explainer("model.png", recipe=recipe, preprocess=how).explain("photo.png")
    for name in READ:
        with pytest.raises(OutputError, match="would overwrite"):
            explanation.save(name)


def test_a_picture_that_is_open_and_an_array_that_is_mapped():
    made = Explainer("model.png", preprocess="how.json")
    with Image.open("photo.png") as picture, pytest.raises(OutputError):
        made.explain(picture).save("photo.png")
    mapped = np.load("x.npy", mmap_mode="r")
    for x in (mapped, mapped[:1], {"image": mapped}):
        with pytest.raises(OutputError):
            made.explain(x).save("x.npy")
    made.explain(np.load("x.npy")).save("x.npy")  # an array like any other


def test_a_result_may_be_written_again_and_again_and_be_a_model_for_others():
    for _ in range(2):
        explainer.compile("model.png", "compiled.png")
        explained().save("map.png")
        Explainer("compiled.png")
        Explainer("model.png", preprocess="how.json").explain("map.png")


def test_a_pickled_explanation_still_knows():
    again = pickle.loads(pickle.dumps(explained()))
    with pytest.raises(OutputError):
        again.save("photo.png")


def test_threads_know_of_their_own_files_alone(folder):
    made, failures = Explainer("model.png", preprocess="how.json"), []

    def work(number):
        try:
            photo, other = (f"photo{n}.png" for n in (number, (number + 1) % 4))
            explanation = made.explain(photo)
            with pytest.raises(OutputError):
                explanation.save(photo)
            explanation.save(f"map{number}.png")
            assert other not in explanation.files and photo in explanation.files
        except BaseException as error:
            failures.append(error)

    for number in range(4):
        Image.new("RGB", (8, 8), (90, number, 30)).save(f"photo{number}.png")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_nothing_grows_in_a_process_that_lives_long(folder):
    from explainer import files

    made = Explainer("model.png", preprocess="how.json")
    held = len(files._PROCESS._held), len(made.explain("photo.png").files._held)
    for number in range(20):
        os.replace("photo.png" if number == 0 else f"photo{number - 1}.png", f"photo{number}.png")
        found = made.explain(f"photo{number}.png")
    assert (len(files._PROCESS._held), len(found.files._held)) == held
    few = Files(most=3)
    for number in range(9):
        (folder / f"{number}.txt").write_text("")
        few.add(f"{number}.txt")
    assert len(few._held) == len(few._names) == 3 and "8.txt" in few and "1.txt" not in few


def test_the_number_of_a_file_that_is_gone_may_be_anothers(folder):
    (folder / "old").write_text("old")
    held = Files()
    held.add("old")
    number = os.stat("old").st_ino
    os.unlink("old")
    (folder / "other").write_text("")
    held._names[os.stat("other").st_dev, os.stat("other").st_ino] = os.path.realpath("old")
    assert number and "other" not in held and "old" in held


def test_blocks_of_reading(folder):
    with recording() as outer:
        with recording() as inner, opened("photo.png") as file:
            assert file.read(4) == b"\x89PNG"
            with pytest.raises(OutputError):
                check(["photo.png"])
        read("how.json", "nowhere")
        assert "photo.png" in inner and "photo.png" in outer
        assert "how.json" in outer and "how.json" not in inner
    check(["photo.png", "how.json"])
    with pytest.raises(OutputError, match="photo"), write_whole("photo.png", outer):
        raise AssertionError("not to be reached")


@pytest.mark.usefixtures("links")
def test_two_results_of_one_name(folder):
    os.symlink("a.png", "b.png")
    for other in ("a.png", "./a.png", "b.png", os.path.abspath("a.png")):
        with pytest.raises(OutputError, match="one result would overwrite the other"):
            check(["a.png", other])
    (folder / "a.png").write_text("")
    os.link("a.png", "c.png")
    check(["a.png", "c.png"])  # a rename parts them


def test_a_device_may_be_read_and_written():
    with recording(), opened(os.devnull), write_whole(os.devnull) as file:
        file.write(b"gone")


@pytest.mark.skipif(sys.platform != "linux", reason="where a file system can be told to make no difference")
def test_other_capitals_are_the_same_file_where_the_file_system_says_so(monkeypatch):
    held = Files()
    held.add("photo.png")
    status = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: status(str(path).replace("PHOTO", "photo"), **more))
    assert "PHOTO.png" in held
