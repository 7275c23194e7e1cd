"""Kinds: the role that a layer plays, by which composites choose its rule and rules say what they are for."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

from ..errors import RegistrationError


@dataclass(frozen=True)
class Kind:
    """The role of a layer: what rules, selectors and presets know of it in place of its operator.

    A kind says what may be done with its layers, never which rule they get: that a composite says,
    by the kind's name. A new kind is one of these and an entry in `explainer.composites.ROLES`. It
    equals its name, so that a function that matches layers may ask ``layer.kind == "dense"``.

    Parameters
    ----------
    name : str
        In lower case: what selectors and complaints call it.
    meaning : str
        What its layers do, in a line.
    weighted : bool
        They have a matrix of weights: "first" and "last" count these, globs and places mean these.
    linear : bool
        z = Wx + b, with weights W that a rule may change.
    shares : bool
        Relevance can be shared by contributions: R_in = x·Jᵀ(R / n·z), n the layer's degree.
    one_to_one : bool
        Every value comes from the one at its own place, so relevance can be handed on unchanged.
    routes : bool
        Every value comes from one value of the input as it is: relevance can be sent back there.

    Raises
    ------
    RegistrationError
        The name is no lower-case word, or the name of one of these abilities.
    """

    name: str
    meaning: str
    weighted: bool = False
    linear: bool = False
    shares: bool = False
    one_to_one: bool = False
    routes: bool = False

    def __post_init__(self) -> None:
        abilities = {entry.name for entry in fields(self)} - {"name", "meaning"}
        if not self.name.isidentifier() or self.name != self.name.lower() or self.name in abilities:
            raise RegistrationError(
                f"{self.name!r} cannot be a kind's name: it must be a word in lower case, and none of "
                f"{', '.join(sorted(abilities))}"
            )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.name == other
        return isinstance(other, Kind) and astuple(self) == astuple(other)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def words(self) -> frozenset[str]:
        """What a rule may ask for: the kind's own name, and every ability that it has."""
        return frozenset(
            {self.name, *(entry.name for entry in fields(self) if getattr(self, entry.name) is True)}
        )

    def __str__(self) -> str:
        return self.name


_LINEAR: dict[str, Any] = {"linear": True, "shares": True}

CONVOLUTION = Kind("convolution", "weights that slide over places, and a bias", weighted=True, **_LINEAR)
DENSE = Kind("dense", "a matrix of weights, and a bias", weighted=True, **_LINEAR)
SCALE = Kind("scale", "each value times a factor of its own", one_to_one=True, **_LINEAR)
SUM = Kind("sum", "sums and means: relevance is shared by contributions", **_LINEAR)
PRODUCT = Kind("product", "activations multiplied, no weights: each gets its equal share", shares=True)
NORMALIZATION = Kind(
    "normalization", "x divided by its own deviation or length, which may be held constant", shares=True
)
QUOTIENT = Kind("quotient", "one activation divided by another, which may be held constant", shares=True)
CURVED = Kind(
    "curved", "values along a curve, not from 0 or not alone: relevance follows the tangent at x", shares=True
)
ACTIVATION = Kind("activation", "one value to one value: relevance passes unchanged", one_to_one=True)
MOVEMENT = Kind("movement", "values change places: relevance goes where they came from", routes=True)
WINNER = Kind(
    "winner", "the largest of several: relevance goes to the one that won", shares=True, routes=True
)

RECURRENT = Kind("recurrent", "a net over steps: the signal takes all, gates get nothing")

# Every kind that a registered layer has, by name.
KINDS: dict[str, Kind] = {}
