"""Equations of Einsum, read as the standard has them."""

import pytest

from explainer.model.equations import Equation


@pytest.mark.parametrize(
    ("text", "ranks", "spelled"),
    [
        ("ij,jk->ik", (2, 2), "ij,jk->ik"),
        (" i j , j k ", (2, 2), "ij,jk->ik"),
        ("ba", (2,), "ba->ab"),
        ("Ba", (2,), "Ba->Ba"),
        ("ii", (2,), "ii->"),
        ("ij,ij", (2, 2), "ij,ij->"),
        ("...i,...i->...", (3, 3), "abi,abi->ab"),
        ("...ij,jk", (3, 2), "aij,jk->aik"),
        ("...i,...i", (3, 2), "abi,bi->ab"),
        ("a...->...a", (3,), "abc->bca"),
        ("a...,b->ab", (2, 1), "ac,b->ab"),
        ("...i->...", (1,), "i->"),
        (",i->i", (0, 1), ",i->i"),
    ],
)
def test_a_letter_for_every_axis(text, ranks, spelled):
    assert str(Equation.of(text).spelled(ranks)) == spelled


def test_behind_dots_there_may_be_anything_where_the_rank_is_not_known():
    assert Equation.of("...i,j->...ij").spelled((None, 1)) is None
    assert Equation.of("...i,j->...ij").spelled((1, None)) is not None
    assert str(Equation.of("...i, j -> ...ij")) == "...i,j->...ij"
