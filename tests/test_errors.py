"""What is said of a name that nothing has."""

import pytest

from explainer.errors import near, no_such

LABELS = ["tabby", "tiger cat", "car", "concatenated"]


@pytest.mark.parametrize(
    ("name", "groups", "found"),
    [
        ("cat", [LABELS], ["tiger cat", "concatenated"]),  # before `car`, which is spelled nearly so
        ("CAT", [LABELS], ["tiger cat", "concatenated"]),
        ("tigger cat", [LABELS], ["tiger cat"]),
        ("prob", [["a prob"], ["prob_out"], ["x/prob"]], ["a prob", "prob_out", "x/prob"]),
        (
            "probs",
            [["prob"], ["probe", "prob/Softmax_output_0"]],
            ["prob", "probe"],
        ),  # outputs before tensors
        ("scroes", [["scores"], ["x"]], ["scores"]),
        ("grad_cm", [["grad_cam", "vargrad", "grad_cam_plus_plus"]], ["grad_cam"]),
        ("wolf", [LABELS], []),
        ("", [LABELS], []),
        (3, [LABELS], []),
        ("x" * 10_000, [["y" * 10_000, "x" * 9_999]], []),
    ],
)
def test_what_was_meant(name, groups, found):
    assert near(name, *groups) == found


def test_it_is_said_in_one_way():
    known = ["grad_cam", "occlusion"]
    assert no_such("method", "grad_cm", known) == "no method 'grad_cm'; did you mean 'grad_cam'?"
    assert no_such("method", "xyz", known, " or none") == (
        "no method 'xyz'; there are: grad_cam, occlusion or none"
    )
    assert no_such("method", "cam", known, lists="onnx-lrp methods").endswith("`onnx-lrp methods` lists all")
