"""Arrays in an .npz: each under a name of its own, read back by it, and no path out of a folder."""

import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import numpy as np
import pytest
from building import parse
from hypothesis import example, given
from hypothesis import strategies as st

from explainer import Explainer, InputError, OutputError, compare
from explainer.results.keys import key_of

X = np.array([[1, 2, 3, 4]], dtype=np.float32)
OURS = ["relevance", "start", "conserved", "score", "target", "against", "file", "args", "allow_pickle"]
ODD = ["../../x", "..", ".", "/x", "x", "x.npy", "x/", "a\\b", "a/b", "a\0b", "a%00b", "ß\n", " ", "a:0", ""]


def explained(*names: str, **settings):
    """Of y = 1·a + 2·b + 3·c + …: every input has another relevance."""
    sums = [f"s{i} = Mul (x{i}, c{i})" for i in range(len(names))]
    end = f"y = Sum ({', '.join(f's{i}' for i in range(len(names)))})"
    inputs = ", ".join(f"float[N,4] x{i}" for i in range(len(names)))
    constants = {f"c{i}": np.float32(i + 1) for i in range(len(names))}
    model = parse(f"g ({inputs}) => (float[N,4] y) {{ {' '.join(sums)} {end} }}", **constants)
    renamed = {f"x{i}": name for i, name in enumerate(names)}
    for value in model.graph.input:
        value.name = renamed[value.name]
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return Explainer(model, **settings).explain(dict.fromkeys(names, X), 2)


@pytest.mark.parametrize("name", [*OURS, *filter(None, ODD)])
def test_no_input_takes_the_place_of_a_number_or_of_another(name, tmp_path):
    others = [other for other in ("x", "x.npy", "a/b", "a%00b", "b") if other != name]
    found = explained(name, *others, keep=["s0"])
    found.save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as stored:
        arrays = dict(stored)
    assert len(arrays) == 1 + len(others) + 1 + 4
    for other, relevance in found.relevance.items():
        np.testing.assert_array_equal(arrays[key_of(other)], relevance)
    np.testing.assert_array_equal(arrays["relevance/s0"], found.relevances["s0"])
    for number in ("start", "conserved", "score", "target"):
        np.testing.assert_array_equal(arrays[number], getattr(found, number))


def test_an_only_input_is_relevance_whatever_its_name(tmp_path):
    for name in ("score", "relevance", "file"):
        found = explained(name, keep=[name])
        found.save(tmp_path / "r.npz")
        with np.load(tmp_path / "r.npz") as stored:
            assert set(stored.files) == {
                *("relevance", f"relevance/{name}", "start", "conserved", "score", "target")
            }
            np.testing.assert_array_equal(stored["relevance"], found.relevance)


@given(st.lists(st.text(max_size=8) | st.sampled_from(ODD), unique=True, max_size=6))
@example(ODD)
def test_every_name_has_a_key_of_its_own_that_is_read_back(tmp_path_factory, names):
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names)
    assert [unquote(key.removeprefix("relevance/")) for key in keys] == names
    path = tmp_path_factory.mktemp("keys") / "r.npz"
    np.savez(path, **{key: np.array(place) for place, key in enumerate(keys)})
    with np.load(path) as stored:
        assert [int(stored[key]) for key in keys] == list(range(len(names)))
    for member in zipfile.ZipFile(path).namelist():
        for kind in (PurePosixPath, PureWindowsPath):
            assert not kind(member).is_absolute() and ".." not in kind(member).parts


def test_usual_names_stay_readable():
    assert (
        key_of("/layer3/layer3.5/relu_1/Relu_output_0") == "relevance//layer3/layer3.5/relu_1/Relu_output_0"
    )
    assert key_of("serving_default_x:0") == "relevance/serving_default_x:0"
    assert key_of("Größe.1") == "relevance/Größe.1"


def test_a_name_that_no_zip_file_holds_is_refused(tmp_path):
    found = explained("b", "x" * 70_000)
    with pytest.raises(OutputError, match="its name has 70000 letters"):
        found.save(tmp_path / "r.npz")
    assert not list(tmp_path.iterdir())
    found = explained("b", "x" * 65_000)
    found.save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as stored:
        np.testing.assert_array_equal(stored[key_of("x" * 65_000)], found.relevance["x" * 65_000])


def test_one_array_does_not_stand_for_several_inputs(tmp_path):
    with pytest.raises(InputError, match=r"there are 2 inputs with relevance: save as \.npz"):
        explained("a", "b").save(tmp_path / "r.npy")
    assert not list(tmp_path.iterdir())


def test_a_comparison_sees_the_input_and_a_kept_tensor_called_relevance():
    found = explained("relevance", keep=["relevance", "s0"])
    assert set(compare(found, found)) == {"relevance", "relevance/relevance", "s0"}
