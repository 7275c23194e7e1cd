"""What a rule says: arithmetic over a map, an input and a relevance. No operator is known here."""

from .base import Division, Rule, Stabilized, Terms
from .first import Flat, WSquare, ZBox
from .linear import AlphaBeta, Epsilon, Gamma, Norm, PlainGamma, PlainZPlus, Zero, ZPlus
from .passing import Average, BetaSmooth, Deconvnet, Gradient, GuidedBackprop, Pass, Route, Winner
from .reference import Rescale
from .text import RULES, parse, register

__all__ = [
    "RULES",
    "AlphaBeta",
    "Average",
    "BetaSmooth",
    "Deconvnet",
    "Division",
    "Epsilon",
    "Flat",
    "Gamma",
    "Gradient",
    "GuidedBackprop",
    "Norm",
    "Pass",
    "PlainGamma",
    "PlainZPlus",
    "Rescale",
    "Route",
    "Rule",
    "Stabilized",
    "Terms",
    "WSquare",
    "Winner",
    "ZBox",
    "ZPlus",
    "Zero",
    "parse",
    "register",
]
