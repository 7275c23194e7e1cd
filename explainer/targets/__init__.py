"""Targets: what an explanation starts from, and the relevance put there."""

from .anchor import Anchor, anchor_at_output, anchor_at_tensor, numbers_of
from .ask import STARTS, UNSAID, Ask, TargetLike
from .choosing import Chosen, check_choice, choose, indices_of
from .conditions import Condition, ConditionsLike, conditioned_tensors, paired
from .labels import (
    Labels,
    LabelsLike,
    Names,
    declared_outputs,
    labels_given,
    labels_of,
    refuse_itself,
    shape_by_sample,
)
from .regions import Region
from .relevance import check_scored, finish, is_balanced, put_relevance, score, seed
from .resolve import Fed, Index, Target, resolve_target

__all__ = [
    "STARTS",
    "UNSAID",
    "Anchor",
    "Ask",
    "Chosen",
    "Condition",
    "ConditionsLike",
    "Fed",
    "Index",
    "Labels",
    "LabelsLike",
    "Names",
    "Region",
    "Target",
    "TargetLike",
    "anchor_at_output",
    "anchor_at_tensor",
    "check_choice",
    "check_scored",
    "choose",
    "conditioned_tensors",
    "declared_outputs",
    "finish",
    "indices_of",
    "is_balanced",
    "labels_given",
    "labels_of",
    "numbers_of",
    "paired",
    "put_relevance",
    "refuse_itself",
    "resolve_target",
    "score",
    "seed",
    "shape_by_sample",
]
