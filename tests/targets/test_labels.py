"""Class names as the caller gives them, and where they would stand beside the wrong numbers."""

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
        ("classes.txt", "labels: a list of class names, or a dict of index -> name, not 'classes.txt'"),
        (3, "labels: a list of class names"),
        ({"cat", "dog"}, "labels: a list of class names"),
        ([["cat"]], "labels: a class name is a text, not ['cat']"),
        ([None], "labels: a class name is a text, not None"),
        ({"cat": 0}, "labels: a dict's keys are the classes' indices, not ['cat']"),
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
