"""What the zoo's tests measured, for the page."""

import os

import page
import pytest


@pytest.fixture(scope="session")
def zoo():
    """Answers by family, model and exporter; written to docs/zoo.md at the end if that is asked for."""
    answers = {}
    yield answers
    if os.environ.get("ZOO_TABLE"):
        page.write(answers)
