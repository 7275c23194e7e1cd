"""The proofs that the project's own layers, rules and canonizers have to pass, for those of other people.

Each check raises an AssertionError that says what is wrong and where; so any test runner shows it.
"""

from .canonizers import check_canonizer
from .dense import Dense
from .layers import check_layer
from .maps import check_adjoint, check_derivative, check_forward, check_weights
from .recording import check_recording
from .rules import check_rule

__all__ = [
    "Dense",
    "check_adjoint",
    "check_canonizer",
    "check_derivative",
    "check_forward",
    "check_layer",
    "check_recording",
    "check_rule",
    "check_weights",
]
