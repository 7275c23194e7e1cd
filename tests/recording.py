"""A formula over primitives recorded on symbols: by default one node of it."""

from functools import partial

from explainer.testing import check_recording
from explainer.testing.recording import recorded

__all__ = ["check", "recorded"]

check = partial(check_recording, nodes=1)
