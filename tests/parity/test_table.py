"""docs/parity.md lists what the tests compare, all of it, and no error over its limit."""

import os

import compared
import pytest

pytestmark = pytest.mark.skipif("PARITY_TABLE" in os.environ, reason="the page is being written")


def test_the_page_has_the_tables_of_the_tests():
    tables = compared.read(compared.PAGE.read_text(encoding="utf-8"))
    assert list(tables) == [section.title for section in compared.SECTIONS]


@pytest.mark.parametrize("section", compared.SECTIONS, ids=lambda section: section.title)
def test_a_table_has_every_comparison_and_no_error_over_its_limit(section):
    errors = compared.read(compared.PAGE.read_text(encoding="utf-8"))[section.title]
    assert list(errors) == list(section.errors)
    assert max(errors.values()) < section.limit


def test_a_page_is_read_back_as_it_was_written():
    section = compared.Section("Some", "A note.", 1e-3, "row", [("a", "x"), ("a", "y"), ("b", "y")])
    for cell, error in zip(section.errors, (1e-4, 0, 3e-16), strict=True):
        section.record(*cell, error)
    section.record("a", "x", 1e-5)  # the largest counts
    found = {("a", "x"): 1e-4, ("a", "y"): 0, ("b", "y"): 3e-16}
    assert compared.read(f"# Page\n\n{section}\n") == {"Some": found}


def test_what_is_not_declared_is_not_recorded():
    with pytest.raises(KeyError):
        compared.BY_ZENNIT.record("epsilon", "alexnet", 0.0)
