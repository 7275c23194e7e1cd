"""Class names as the caller gives them, and where they would stand beside the wrong numbers."""

import io
import itertools
import json
import pickle
import re

import numpy as np
import onnx
import pytest
from building import parse, rng
from command_line import NAMES
from residual import picture, residual_net

import explainer
from explainer import Ask, Explainer, InputError, TargetError
from explainer.targets import labels_given


def classes() -> int:
    return Explainer(residual_net()).explain(picture(1)).outputs["y"].shape[1]


def two_outputs() -> onnx.ModelProto:
    return parse(
        "g (float[N,3] x) => (float[N,4] y, float[N,5] h) { h = Gemm (x, w) y = Gemm (h, v) }",
        w=rng(0).standard_normal((3, 5)),
        v=rng(1).standard_normal((5, 4)),
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            "classes.txt",
            "labels: 'classes.txt' cannot be read (No such file or directory); a text is the path",
        ),
        ("x" * 10000, "cannot be read"),
        ("a\0b", "cannot be read"),
        ("", "cannot be read"),
        (3, "labels: a list of class names"),
        (b"cat", "labels: a list of class names"),
        (np.array("cat"), "labels: a list of class names"),
        (itertools.repeat("cat"), "labels: a list of class names"),
        ({"cat", "dog"}, "labels: a list of class names"),
        ([["cat"]], "labels: a class name is a text, not ['cat']"),
        ([None], "labels: a class name is a text, not None"),
        ([["cat", "tabby"]], "labels: a class name is a text, not ['cat', 'tabby']"),
        ({"cat": 0}, "labels: a dict's keys are the classes' indices, not 'cat'"),
        ({1.5: "cat"}, "labels: a dict's keys are the classes' indices, not 1.5"),
        ({True: "cat"}, "labels: a dict's keys are the classes' indices, not True"),
        ({-1: "cat"}, "labels: a dict's keys are the classes' indices, not -1"),
        ({1: "cat", "1": "dog"}, "labels: several names for one index"),
    ],
)
def test_what_are_no_labels_is_refused(labels, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Explainer(residual_net(), labels=labels)
    with pytest.raises(InputError, match=re.escape(message)):
        explainer.explain(residual_net(), picture(1), labels=labels)


def test_a_list_has_a_name_for_each_class():
    count = classes()
    names = [f"class {number}" for number in range(count)]
    made = Explainer(residual_net(), labels=names)
    assert made.explain(picture(1), f"class {count - 1}").label() == f"class {count - 1}"
    for wrong in (names[:1], [*names, "one more"], tuple(names[:-1])):
        short = Explainer(residual_net(), labels=wrong)
        message = f"labels: there are {len(wrong)} names, but 'y' has {count} classes"
        for made in (short, pickle.loads(pickle.dumps(short)) if isinstance(wrong, tuple) else short):
            with pytest.raises(InputError, match=message):
                made.explain(picture(2), 0)
    assert Explainer(residual_net(), labels={0: "only"}).explain(picture(1), 0).label() == "only"
    # No class is asked about.
    assert Explainer(residual_net(), labels=names[:1]).explain(picture(1), "c1").target is None


def test_a_dict_has_no_name_for_a_class_that_there_is_not():
    count = classes()
    assert (
        Explainer(residual_net(), labels={count - 1: "last"}).explain(picture(1)).labels[count - 1] == "last"
    )
    with pytest.raises(
        InputError, match=f"a name for class {count}, but 'y' has the classes 0 to {count - 1}"
    ):
        Explainer(residual_net(), labels={0: "cat", count: "dog"}).explain(picture(1))
    # The file's own metadata may have more: nobody here can mend it.
    model = residual_net()
    model.metadata_props.add(
        key="id2label", value=json.dumps({str(i): f"class {i}" for i in range(count + 5)})
    )
    assert Explainer(model).explain(picture(1), 1).label() == "class 1"


# One list of names, in every form that a file of them has.
ANIMALS = ["cat", "dog, hound", "red fox", "Mèo"]
PAIRS = {str(index): [f"n0212304{index}", name] for index, name in enumerate(ANIMALS)}
FORMS = {
    "lines": "\n".join(ANIMALS),
    "lines of Windows": "\ufeff" + "\r\n".join(ANIMALS) + "\r\n\r\n",
    "numbered": "\n".join(f"{index} {name}" for index, name in enumerate(ANIMALS)),
    "numbered, in another order": "\n".join(f"{index}\t{ANIMALS[index]}" for index in (2, 0, 3, 1)),
    "with colons": "\n".join(f"{index}: {name}" for index, name in enumerate(ANIMALS)),
    "with commas": "\n".join(f"{index},{name}" for index, name in enumerate(ANIMALS)),
    "as MNIST's": "\n".join(f"{index} - {name}" for index, name in enumerate(ANIMALS)),
    "synsets": "\n".join(f"n0212304{index} {name}" for index, name in enumerate(ANIMALS)),
    "numbered synsets": "\n".join(f"{index} n0212304{index} {name}" for index, name in enumerate(ANIMALS)),
    "JSON": json.dumps(ANIMALS),
    "JSON by index": json.dumps(dict(enumerate(ANIMALS))),
    "id2label": json.dumps({"id2label": dict(enumerate(ANIMALS)), "label2id": {}}, ensure_ascii=False),
    "Keras' pairs": json.dumps(PAIRS),
    "a list of pairs": json.dumps(list(PAIRS.values())),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_of_names(tmp_path, form):
    path = tmp_path / "names"
    path.write_text(FORMS[form], "utf-8", newline="")
    for given in (path, str(path)):
        assert dict(labels_given(given)) == dict(enumerate(ANIMALS))


def test_pairs_are_understood_wherever_names_are_given():
    assert labels_given(PAIRS) == labels_given(list(PAIRS.values())) == dict(enumerate(ANIMALS))
    model = residual_net()
    model.metadata_props.add(key="id2label", value=json.dumps(PAIRS))
    assert Explainer(model).labels == dict(enumerate(ANIMALS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n", "is empty: it holds no names"),
        ("1 cat\n2 dog\n3 fox", "numbered from 1 to 3, and not from 0 to 2"),
        ("281 tabby\n282 tiger cat", "numbered from 281 to 282, and not from 0 to 1"),
        ("n02119789 1 kit_fox\nn02100735 2 English_setter", "numbered from 1 to 2, and not from 0 to 1"),
        ("{", "is not a JSON list of names"),
        ('{"0": "cat", "0": "dog"}', "one index has several names"),
        ('{"0": "cat", "00": "dog"}', "several names for one index"),
        ('{"cat": 0}', "a dict's keys are the classes' indices, not 'cat'"),
        ('{"0": ["cat"]}', "a class name is a text, not ['cat']"),
        ('{"0": 3}', "a class name is a text, not 3"),
        ("[" * 100_000, "is not a JSON list of names"),
    ],
)
def test_a_file_that_holds_no_names(tmp_path, text, message):
    path = tmp_path / "names"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        labels_given(path)
    assert str(path) in str(error.value)
    for wrong, said in ((b"\xff\xfe", "not a text file"), (b"a" * (1 << 24) + b"bc", "more than 16 MiB")):
        path.write_bytes(wrong)
        with pytest.raises(InputError, match=said):
            labels_given(path)
    with pytest.raises(InputError, match="cannot be read"):
        labels_given(tmp_path)


def test_numbers_that_belong_to_the_names_stay_there(tmp_path):
    path = tmp_path / "cars"
    path.write_text("2012 Tesla Model S\n2012 Fiat 500\n1998 Honda Odyssey")
    assert labels_given(path)[1] == "2012 Fiat 500"
    path.write_text("7 up\ncola")
    assert labels_given(path)[0] == "7 up"


def test_names_of_one_output_say_nothing_of_another():
    x = np.ones((2, 3), np.float32)
    made = Explainer(two_outputs(), labels=NAMES)
    assert made.explain(x, "dog").label() == "dog"
    assert made.explain(x, ("h", 4)).target.tolist() == [4, 4]
    with pytest.raises(InputError, match="there are 3 names, but 'h' has 5 classes"):
        Explainer(two_outputs(), labels=NAMES[:3]).explain(x, ("h", 4))


def test_labels_stay_as_they_were_given():
    given = {0: "cat"}
    made = Explainer(residual_net(), labels=given)
    given[0] = "dog"
    assert made.labels == {0: "cat"} and labels_given(made.labels) is made.labels
    with pytest.raises(TypeError):
        made.labels[0] = "dog"
    kept = pickle.loads(pickle.dumps(labels_given(NAMES)))
    assert kept == dict(enumerate(NAMES)) and kept.listed
    assert not pickle.loads(pickle.dumps(made.labels)).listed


def test_a_margin_against_itself_is_refused_whoever_turns_out_to_be_the_top():
    names = [f"class {number}" for number in range(classes())]
    made, x = Explainer(residual_net(), labels=names), picture(3)
    tops = made.explain(x).target.tolist()
    for target, against in (("top", tops[1]), (tops[1], tops[1]), (np.array(tops), np.array(tops))):
        for method in ("lrp", "occlusion"):
            other = Explainer(residual_net(), labels=names, method=method, recipe=None)
            with pytest.raises(
                TargetError, match=r"against: it is the target itself.*index \d+ \('class \d+'\)"
            ):
                other.explain(x, target, start="margin", against=against)
    with pytest.raises(TargetError, match=f"itself, index {tops[0]}"):
        made.explain(x[:1], start="margin", against=f"class {tops[0]}")


@pytest.mark.parametrize("against", ["nosuch", ("y", "nosuch"), "nosuch[3]", 99, 0.5, [0.5, 1]])
def test_what_is_wrong_with_the_other_side_is_said_of_it(against):
    made = Explainer(residual_net())
    with pytest.raises(TargetError, match=r"^against: "):
        made.explain(picture(1), 0, start="margin", against=against)
    with pytest.raises(TargetError, match=r"^target: "):
        made.explain(picture(1), against, start="margin", against=0)
    with pytest.raises(TargetError, match=r"^against: "):
        made.explain(picture(1), Ask(0, start="margin", against=against))


@pytest.mark.parametrize("mode", ["r", "rb"])
@pytest.mark.parametrize(
    "text", ["cat\ndog\n", "0 cat\r\n1 dog", '["cat", "dog"]', '{"0": "cat", "1": "dog"}']
)
def test_an_open_file_is_read_as_its_path_is(tmp_path, text, mode):
    path = tmp_path / "names.txt"
    path.write_bytes(text.encode())
    with open(path, mode, **({} if mode == "rb" else {"encoding": "utf-8"})) as file:
        assert dict(labels_given(file)) == dict(labels_given(path)) == {0: "cat", 1: "dog"}
    with pytest.raises(InputError, match=r"names\.txt' cannot be read"):
        labels_given(file)


def test_lines_have_no_ends():
    assert dict(labels_given(["cat\n", "dog\r\n"])) == {0: "cat", 1: "dog"}
    assert dict(labels_given(io.StringIO("cat\ndog\n"))) == {0: "cat", 1: "dog"}
    with pytest.raises(InputError, match="the open file is empty"):
        labels_given(io.StringIO(""))
