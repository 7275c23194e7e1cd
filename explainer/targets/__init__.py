"""Targets: what an explanation starts from, and the relevance put there."""

from .choosing import Chosen, choose, indices_of
from .conditions import Condition, ConditionsLike, conditioned_tensors, paired
from .regions import Region
from .relevance import finish, is_balanced, put_relevance, score, seed
from .resolve import STARTS, Given, Index, Labels, Target, TargetLike, labels_of, resolve_target
from .start import Start, start_at_output, start_at_tensor

__all__ = [
    "STARTS",
    "Chosen",
    "Condition",
    "ConditionsLike",
    "Given",
    "Index",
    "Labels",
    "Region",
    "Start",
    "Target",
    "TargetLike",
    "choose",
    "conditioned_tensors",
    "finish",
    "indices_of",
    "is_balanced",
    "labels_of",
    "paired",
    "put_relevance",
    "resolve_target",
    "score",
    "seed",
    "start_at_output",
    "start_at_tensor",
]
