"""How far two explanations are apart."""

import numpy as np
import pytest
from residual import picture, residual_net

from explainer import Explainer, InputError, compare


def test_the_same_is_the_same():
    found = Explainer(residual_net(), keep=["c1", "y"]).explain(picture(2))
    comparison = compare(found, found)
    assert set(comparison) == {"relevance", "c1", "y"}
    assert comparison.error == 0
    for difference in comparison.values():
        assert (difference.error, difference.overlap) == (0, 1)
        assert np.isclose(difference.cosine, 1)


def test_numbers_by_hand():
    a, b = np.array([[3.0, 4.0, 0, 0]]), np.array([[4.0, 3.0, 0, 0]])
    (difference,) = compare(a, b, top=0.25).values()
    assert difference.error == 0.25
    assert np.isclose(difference.cosine, 24 / 25)
    assert difference.overlap == 0
    assert compare(a, b, top=0.5)["relevance"].overlap == 1


def test_the_reference_is_the_second():
    a, b = np.array([[1.0, 0]]), np.array([[2.0, 0]])
    assert compare(a, b).error == 0.5
    assert compare(b, a).error == 1


def test_the_worst_sample_counts_and_pixels_are_averaged():
    b = np.eye(4)
    a = b.copy()
    a[2] = -a[2]
    a[3] = 0
    (difference,) = compare(a, b, top=0.25).values()
    assert difference.error == 2
    assert difference.cosine == -1
    # Where nothing stands out, the first pixels are the top.
    assert difference.overlap == 0.5


@pytest.mark.parametrize(
    ("a", "b", "error", "cosine"),
    [
        ([[0.0, 0]], [[0.0, 0]], 0, 1),
        ([[1.0, 0]], [[0.0, 0]], np.inf, 0),
        ([[0.0, 0]], [[1.0, 0]], 1, 0),
    ],
)
def test_nothing_at_all_on_a_side(a, b, error, cosine):
    (difference,) = compare(a, b).values()
    assert (difference.error, difference.cosine) == (error, cosine)


def test_common_tensors_are_compared_and_single_ones_whatever_their_names():
    one = {"a": np.ones((1, 2)), "b": np.zeros((1, 2)), "c": np.ones((1, 3))}
    other = {"b": np.ones((1, 2)), "c": np.ones((1, 3))}
    assert list(compare(one, other)) == ["b", "c"]
    assert list(compare({"a": np.ones((1, 2))}, {"z": np.ones((1, 2))})) == ["z"]
    found = Explainer(residual_net()).explain(picture(1))
    assert compare(found, found.relevance).error == 0
    assert compare(found.relevance, found).error == 0


def test_what_cannot_be_compared():
    with pytest.raises(InputError, match="share no tensor"):
        compare({"a": np.ones(2), "b": np.ones(2)}, {"c": np.ones(2), "d": np.ones(2)})
    with pytest.raises(InputError, match=r"shapes \(1, 2\) and \(1, 3\)"):
        compare(np.ones((1, 2)), np.ones((1, 3)))
    for top in (0, -1, 1.5):
        with pytest.raises(InputError, match="top is a share"):
            compare(np.ones((1, 2)), np.ones((1, 2)), top=top)


def test_printing_shows_a_table():
    text = str(compare(np.ones((1, 2)), np.ones((1, 2))))
    assert text.splitlines()[0].split() == ["tensor", "error", "cosine", "overlap"]
    assert text.splitlines()[1].split()[0] == "relevance"


def test_a_comparison_and_an_audit_show_themselves():
    found = Explainer(residual_net()).explain(picture(2))
    comparison = compare({"<i>": np.ones((1, 2))}, {"<i>": np.ones((1, 2))})
    assert repr(comparison) == "<Comparison of 1 tensor(s): error 0 at most>"
    assert "<td>&lt;i&gt;</td><td>0</td>" in comparison._repr_html_()
    page = found.audit._repr_html_()
    assert page.count("<tr>") == len(found.audit) + 1
    assert f"<td>{found.audit[0].R_out[0]:.5g}</td>" in page
