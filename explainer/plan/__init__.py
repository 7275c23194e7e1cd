"""The plan: which layer and which rule at every node between target and input."""

from .make import looking, make_plan
from .steps import Gathering, Plan, Step

__all__ = ["Gathering", "Plan", "Step", "looking", "make_plan"]
