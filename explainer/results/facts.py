"""An explanation's numbers without its arrays, for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..walk.audit import held
from .explained import Explained


def facts_of(explanation: Explained) -> dict[str, Any]:
    """Target, prediction, conservation and audit, ready for JSON."""
    samples = range(len(explanation.start))
    return {
        "method": explanation.method,
        "composite": explanation.composite,
        "how": dict(explanation.how),
        "recipe": None if explanation.recipe is None else repr(explanation.recipe),
        "ask": None if explanation.ask is None else repr(explanation.ask),
        "target": None if explanation.target is None else explanation.target.tolist(),
        "target_name": explanation.target_name,
        "label": [explanation.label(sample) for sample in samples],
        "region": explanation.region or None,
        "conditions": list(explanation.conditions),
        "kind": explanation.kind,
        "against": None if explanation.against is None else explanation.against.tolist(),
        "score": [_number(value) for value in explanation.score],
        "delta": None if explanation.delta is None else [_number(value) for value in explanation.delta],
        "start": explanation.start.tolist(),
        "conserved": [_number(value) for value in explanation.conserved],
        "amounts": {
            name: [_number(value) for value in amounts] for name, amounts in explanation.amounts.items()
        },
        "remarks": [explanation.remark(sample) or None for sample in samples],
        "audit": [
            {
                "node": step.node,
                "operator": step.operator,
                "rule": step.rule,
                **{name: [_number(value) for value in getattr(step, name)] for name in held(step)},
            }
            for step in explanation.audit
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
