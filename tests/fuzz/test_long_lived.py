"""An explainer that is asked for days answers as on its first, and holds no more."""

import sys

import long_lived
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory and open files are read from /proc"),
]


def test_eight_threads_ask_mixed_questions(request):
    left = long_lived.run(5000 if request.config.option.fuzz else 400)
    assert left.wrong == 0
    assert left.files <= 0
    assert left.grown < 64 * 2**20, f"{left.grown / 2**20:.0f} MB more after {left.questions} questions"
