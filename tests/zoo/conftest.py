"""What the zoo's tests measured, for the page."""

import os
import sys
from pathlib import Path

import pytest
from keeping import keep

# The operators as PyTorch has them, for a file's own gradient.
sys.path.append(str(Path(__file__).resolve().parent.parent / "layers"))


@pytest.fixture(scope="session")
def zoo():
    """Answers by family, model and exporter; kept at the end in a folder that is named, for docs/zoo.md."""
    answers = {}
    yield answers
    for key, answer in answers.items() if os.environ.get("ZOO_ANSWERS") else ():
        keep(Path(os.environ["ZOO_ANSWERS"]), key, answer)
