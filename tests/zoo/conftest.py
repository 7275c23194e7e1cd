"""What the zoo's tests measured, for the page."""

import os
from pathlib import Path

import pytest
from keeping import keep


@pytest.fixture(scope="session")
def zoo():
    """Answers by family, model and exporter; kept at the end in a folder that is named, for docs/zoo.md."""
    answers = {}
    yield answers
    for key, answer in answers.items() if os.environ.get("ZOO_ANSWERS") else ():
        keep(Path(os.environ["ZOO_ANSWERS"]), key, answer)
