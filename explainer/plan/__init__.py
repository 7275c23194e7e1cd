"""The plan: which layer and which rule at every node between target and input."""

from .make import make_plan
from .steps import Plan, Step

__all__ = ["Plan", "Step", "make_plan"]
