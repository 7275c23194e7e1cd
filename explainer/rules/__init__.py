"""What a rule says: arithmetic over a map, an input and a relevance. No operator is known here."""

from .base import Rule, Stabilized, Terms
from .curved import Held, HeldGradient, Linearised, Taylor
from .first import Flat, WSquare, ZBox
from .handed import Division, Handed, Kept, Moved, Sloped
from .linear import AlphaBeta, Epsilon, Gamma, Norm, PlainGamma, PlainZPlus, Zero, ZPlus
from .passing import Average, BetaSmooth, Deconvnet, Gradient, GuidedBackprop, Pass, Route, Winner
from .recurrent import SignalTakesAll
from .reference import Chained, Halved, Rescale
from .relevance import Denominator, Exact, Relevance, Stabilizer
from .text import RULES, parse, register

__all__ = [
    "RULES",
    "AlphaBeta",
    "Average",
    "BetaSmooth",
    "Chained",
    "Deconvnet",
    "Denominator",
    "Division",
    "Epsilon",
    "Exact",
    "Flat",
    "Gamma",
    "Gradient",
    "GuidedBackprop",
    "Halved",
    "Handed",
    "Held",
    "HeldGradient",
    "Kept",
    "Linearised",
    "Moved",
    "Norm",
    "Pass",
    "PlainGamma",
    "PlainZPlus",
    "Relevance",
    "Rescale",
    "Route",
    "Rule",
    "SignalTakesAll",
    "Sloped",
    "Stabilized",
    "Stabilizer",
    "Taylor",
    "Terms",
    "WSquare",
    "Winner",
    "ZBox",
    "ZPlus",
    "Zero",
    "parse",
    "register",
]
