"""The equation of an Einsum: a letter for every axis of its operands and of its output."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# What stands for the three dots while an equation is read.
DOTS = "."


@dataclass(frozen=True)
class Equation:
    """Which axes are which: "ij,jk->ik" is a matrix product.

    Attributes
    ----------
    operands : tuple of str
        A letter for each axis; for an ellipsis a dot, until `spelled`.
    output : str
    """

    operands: tuple[str, ...]
    output: str

    @classmethod
    def of(cls, text: str) -> Equation:
        """An equation as a node has it: blanks are nothing, an output not said is what stands once."""
        said, arrow, output = text.replace(" ", "").replace("...", DOTS).partition("->")
        if not arrow:
            # Letters that stand once, in the order of the alphabet, behind what the dots are.
            counts = Counter(said)
            once = sorted(letter for letter, count in counts.items() if letter.isalpha() and count == 1)
            output = (DOTS if DOTS in counts else "") + "".join(once)
        return cls(tuple(said.split(",")), output)

    def __str__(self) -> str:
        return f"{','.join(self.operands)}->{self.output}".replace(DOTS, "...")

    def spelled(self, ranks: Sequence[int | None]) -> Equation | None:
        """With letters for the axes behind the dots, the last ones alike; None where a rank is not known."""
        free = [letter for letter in string.ascii_letters if letter not in str(self)]
        dotted = dict.fromkeys(self.operands, 0)
        for operand, rank in zip(self.operands, ranks, strict=True):
            if DOTS in operand:
                if rank is None:
                    return None
                dotted[operand] = max(dotted[operand], rank - len(operand) + 1)
        spread = free[: max(dotted.values(), default=0)]
        return Equation(
            tuple(
                operand.replace(DOTS, "".join(spread[len(spread) - ((rank or 0) - len(operand) + 1) :]))
                for operand, rank in zip(self.operands, ranks, strict=True)
            ),
            self.output.replace(DOTS, "".join(spread)),
        )
