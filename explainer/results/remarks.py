"""What a map has to be read with: that it is empty, or that hardly anything of the relevance is in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..tensor import Array
from .explained import Explained

# Less of the relevance than this in a map is said beside it.
LITTLE = 0.1
# A smaller share is no figure of its own.
SEEN = 0.0005
# So many inputs have their share said by name.
MOST_NAMED = 4
# More than this, of either sign, is said too: biases or ε gave it, and the amounts measure nothing.
MUCH = 10
# Score methods subtract scores, whose own rounding moved maps of constant models by half an ulp of the score;
# a model's sums add a few.
ULPS = 4


def remark_on(explanation: Explained, sample: int) -> str:
    """One line on a sample's map; "" where it says what it seems to say."""
    parts = (_of_map(explanation, sample), _of_inputs(explanation, sample), *explanation.given)
    return "; ".join(filter(None, (explanation.stopped, *parts)))


def _of_map(explanation: Explained, sample: int) -> str:
    values = explanation.drawn[sample]
    if not np.any(values):
        return f"{_which(explanation)} is 0 everywhere{_why(explanation, sample)}"
    if rounding := _rounding(explanation, sample):
        return f"{_which(explanation)} is 0 everywhere{rounding}"
    if explanation.placeless is not None:
        return _beside_the_map(float(explanation.placeless[sample]), float(np.sum(values)))
    kept = float(explanation.conserved[sample])
    if MUCH < abs(kept) < math.inf:
        return (
            f"{kept:.3g} times the target's relevance reaches {_where(explanation)}, and biases or epsilon "
            "make up for it: places can be compared, amounts say nothing of the score"
        )
    if not abs(kept) < LITTLE:
        return ""
    takers = {
        **{_constants(explanation): "bias", "epsilon": "epsilon"},
        **{"intercepts": "intercept", "constants that are kept": "kept", "conditions": "masked"},
    }
    shares = {taker: _share(explanation, name, sample) for taker, name in takers.items()}
    arrived, *took = percents([kept, *shares.values()])
    taken = [
        f"{taker} took {text}"
        for (taker, share), text in zip(shares.items(), took, strict=True)
        if abs(share) >= SEEN
    ]
    return (
        f"{arrived} of the relevance reaches {_where(explanation)}{': ' if taken else ''}{', '.join(taken)}"
    )


def _beside_the_map(placeless: float, laid: float) -> str:
    """Of terms that were laid on the input: what lies on none of its places."""
    if abs(placeless) < LITTLE * abs(placeless + laid):
        return ""
    return (
        f"the map sums to {laid:.4g}; terms on no place of it, a class token's or a dense layer's, to "
        f"{placeless:.4g}"
    )


def _of_inputs(explanation: Explained, sample: int) -> str:
    """Of several inputs one is drawn: how much of the relevance is in the others."""
    amounts = {name: float(amount[sample]) for name, amount in explanation.amounts.items()}
    whole = math.fsum(amounts.values())
    if len(amounts) < 2 or not 0 < whole < math.inf:
        return ""
    drawn = explanation.pictured if explanation.pictured in amounts else next(iter(amounts))
    names = [drawn, *sorted(amounts.keys() - {drawn}, key=lambda name: (-amounts[name], name))]
    named, rest = names[:MOST_NAMED], math.fsum(amounts[name] for name in names[MOST_NAMED:])
    texts = percents([*(amounts[name] / whole for name in named), rest / whole])
    others = [f"{name!r} has {text}" for name, text in zip(named[1:], texts[1:], strict=False)]
    if left := len(names) - len(named):
        others.append(f"{left} more have {texts[-1]}")
    return f"the map is that of {drawn!r}, with {texts[0]} of all amounts of relevance; {', '.join(others)}"


def whole_of(explanation: Explained, sample: int) -> tuple[float, str] | None:
    """The amount that a sample's map is a part of, and its name.

    That is the target's relevance; of methods that compare scores the score; or else all amounts of the map.
    """
    if of_scores(explanation):
        score = abs(float(explanation.score[sample]))
        return (score, "score") if 0 < score < math.inf and not _is_squared(explanation) else None
    start = abs(float(explanation.start[sample]))
    if np.isfinite(explanation.conserved[sample]) and start > 0:
        return start, "total"
    amount = amount_of(explanation.drawn[sample])
    return None if amount is None else (amount, "total")


def of_scores(explanation: Explained) -> bool:
    """Whether its map is made of differences between scores, without a walk."""
    return not explanation.composite


def amount_of(values: Array) -> float | None:
    """Σ|values|, if that is a number to divide by."""
    whole = float(np.sum(np.abs(values), dtype=np.float64))
    return whole if 0 < whole < math.inf else None


def percents(shares: Sequence[float]) -> list[str]:
    """Shares of one whole for people, in tenths of a per cent.

    What adds up to 1 adds up to 100.0 as it is printed: the largest takes what rounding leaves.
    """
    if not all(map(math.isfinite, shares)):
        return [f"{100 * share:.1f} %" for share in shares]
    tenths = [round(1000 * share) for share in shares]
    if abs(math.fsum(shares) - 1) < SEEN:
        largest = max(range(len(shares)), key=lambda place: abs(shares[place]))
        tenths[largest] += 1000 - sum(tenths)
    alone = sum(map(bool, shares)) == 1
    return [_percent(tenth, share, alone) for tenth, share in zip(tenths, shares, strict=True)]


def _percent(tenths: int, share: float, alone: bool) -> str:
    if tenths == 0:
        return "less than 0.1 %" if share else "0 %"
    if tenths == 1000:
        return "100 %" if alone else "more than 99.9 %"
    return f"{tenths / 10:.1f} %"


def _where(explanation: Explained) -> str:
    return "where the walk ends" if _is_ended(explanation) else "the input"


def _constants(explanation: Explained) -> str:
    """What the share of constants is of: beside a walk's ends, positions and shortcuts are held too."""
    return "biases and what is held" if _is_ended(explanation) else "biases"


def _is_ended(explanation: Explained) -> bool:
    return bool(explanation.stopped or (explanation.recipe is not None and explanation.recipe.stop))


def _which(explanation: Explained) -> str:
    relevance = explanation.relevance
    if isinstance(relevance, dict) and any(map(np.any, relevance.values())):
        name = explanation.pictured if explanation.pictured in relevance else next(iter(relevance))
        return f"the map of {name!r}"
    return "the map"


def _rounding(explanation: Explained, sample: int) -> str:
    """What is said of a map of differences between scores that are all within the scores' own rounding."""
    if not of_scores(explanation) or _is_squared(explanation):
        return ""
    values, score = explanation.drawn[sample], abs(float(explanation.score[sample]))
    if explanation.repeats:  # what is drawn of a place is a channel's part of it
        values = values.sum(axis=0 if explanation.layout == "NCHW" else -1)
    largest = float(np.max(np.abs(values)))
    output = explanation.outputs.get(explanation.target_name)
    kind = output.dtype if output is not None and output.dtype.kind == "f" else np.dtype(np.float32)
    if not largest <= ULPS * float(np.finfo(kind).eps) * score:
        return ""
    return f" as far as {kind} tells: {largest:.2g} at most, of a score of {score:.6g}, is rounding"


def _is_squared(explanation: Explained) -> bool:
    return explanation.how.get("noise") in ("smoothgrad_sq", "vargrad")


def _why(explanation: Explained, sample: int) -> str:
    if explanation.how.get("signed", "False") == "False" and explanation.method.startswith("grad_cam"):
        return ": nothing positive speaks for the target; the option signed shows what speaks against it"
    if explanation.method != "lrp" or "noise" in explanation.how:
        return ""
    if not explanation.start[sample] and explanation.kind not in ("clrp", "sglrp"):
        return ": the relevance at the target is 0"
    if explanation.conditions and _share(explanation, "masked", sample):
        return ": nothing passes the conditions"
    return f": no relevance reaches {_where(explanation)}"


def _share(explanation: Explained, name: str, sample: int) -> float:
    """What all steps together take of the target's relevance."""
    start = float(explanation.start[sample])
    amounts = [float(getattr(step, name)[sample]) for step in explanation.audit]
    return math.fsum(amounts) / start if start and all(map(math.isfinite, amounts)) else 0.0
