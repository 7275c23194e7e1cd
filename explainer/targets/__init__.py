"""Targets: what an explanation starts from, and the relevance put there."""

from .choosing import Chosen, choose, indices_of
from .conditions import Condition, ConditionsLike, names_of, paired
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
    "finish",
    "indices_of",
    "is_balanced",
    "labels_of",
    "names_of",
    "paired",
    "put_relevance",
    "resolve_target",
    "score",
    "seed",
    "start_at_output",
    "start_at_tensor",
]
