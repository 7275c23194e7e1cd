"""Every member of the zoo is explained as docs/zoo.md says: a quick part always, all of them by --all."""

from __future__ import annotations

import os
from importlib.util import find_spec

import page
import pytest
import torch  # noqa: F401  # so that it is known to need it: each test is a process that imports it
from catalogue import KINDS
from members import members
from running import run

CASES = [
    pytest.param(family, member, exporter, id=f"{family}-{member.name}-{exporter}", marks=marks)
    for family, member in members()
    for exporter in member.exporters
    for marks in [[] if member.quick and exporter == member.exporters[0] else [pytest.mark.long]]
]
ROWS = page.read(page.PAGE.read_text(encoding="utf-8"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each is measured in a process that is forked")
@pytest.mark.parametrize(("family", "member", "exporter"), CASES)
def test_a_member_is_explained_as_the_page_says(family, member, exporter, zoo):
    if member.needs and find_spec(member.needs) is None:
        pytest.skip(f"no {member.needs} here: it comes with the extra zoo")
    answer = {"name": member.name, "exporter": exporter, **run(family, member.name, exporter)}
    zoo[family, member.name, exporter] = answer
    row = dict(zip(page.EXPLAINED, ROWS.get((family, member.name, exporter), ()), strict=False))
    assert "failed" not in answer, answer
    if len(row) != len(page.EXPLAINED):
        return  # nothing is promised
    assert "sum" in answer, answer
    assert answer["top"]
    # ε takes what it takes of a score that is next to nothing, as an untrained model's may be.
    assert answer["sum"] + answer["intercept"] + answer["epsilon"] == pytest.approx(1, abs=1e-9)
    assert abs(answer["epsilon"]) < 1e-4
    assert answer["residual"] < 1e-10
    assert row["compiled"] == "refused" or answer["compiled"] < max(1e-4, 10 * answer.get("rounding", 0))
    # An exporter computes weights that are standardised, or a scale made of a shape, in float32 once for all.
    assert answer["gradient"] < 1e-6
    assert answer.get("own", answer["gradient"]) < 1e-9


def test_the_kinds_are_members():
    names = {(family, member.name) for family, member in members()}
    assert names.issuperset((family, name) for family, those in KINDS.items() for name in those)
    assert sum(map(len, KINDS.values())) == 96


def test_what_is_read_from_the_page_is_written_so():
    assert page.written(ROWS) == page.PAGE.read_text(encoding="utf-8")


def test_every_gradient_on_the_page_is_autograds():
    told = [row[page.EXPLAINED.index("gradient")] for row in ROWS.values() if page.is_explained(row)]
    assert all(float(one.split(" ")[0]) < 1e-9 and "quotient" not in one for one in told)
