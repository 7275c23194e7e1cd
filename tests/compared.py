"""What is compared with whom: the tables of docs/parity.md, declared here and filled by the tests.

    PARITY_TABLE=1 pytest tests/layers/test_rules_on_layers.py tests/parity

writes the page anew. `test_table.py` holds it to what is declared: every cell, and no error over its limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from examples import EXAMPLES

from explainer.layers import REGISTRY
from explainer.rules import RULES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "parity.md"
SINGLE = 1e-10  # one layer, float64
DEEP = 1e-8  # a network end to end, float64
WALK = 1e-5  # a network's walk, float32 against float64 on equal activations

NETWORKS = ("vgg16_bn", "resnet18", "resnet50")


class Section:
    """One table: errors by row and column, none of them over the limit.

    Parameters
    ----------
    title, note : str
    limit : float
    corner : str
        What the rows are.
    cells : iterable of (row, column)
        What is compared, in the order of the table.
    """

    def __init__(self, title: str, note: str, limit: float, corner: str, cells: Iterable[tuple[str, str]]):
        self.title, self.note, self.limit, self.corner = title, note, limit, corner
        self.errors: dict[tuple[str, str], float | None] = dict.fromkeys(cells)

    def record(self, row: str, column: str, error: float) -> None:
        """Keep the largest error of a cell, which must be one of the declared."""
        before = self.errors[row, column]
        self.errors[row, column] = error if before is None else max(before, error)

    def __str__(self) -> str:
        rows = list(dict.fromkeys(row for row, _ in self.errors))
        columns = list(dict.fromkeys(column for _, column in self.errors))
        lines = [f"## {self.title}", *([self.note] if self.note else []), f"Allowed: {self.limit:g}.", ""]
        lines += [_line([self.corner, *columns]), _line(["---"] * (1 + len(columns)))]
        for row in rows:
            errors = [self.errors.get((row, column)) for column in columns]
            lines.append(_line([row, *("" if e is None else f"{e:.0e}" if e else "0" for e in errors)]))
        return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def read(page: str) -> dict[str, dict[tuple[str, str], float]]:
    """The page's tables by title: errors by row and column."""
    tables = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        table = [line.split("|")[1:-1] for line in lines if line.startswith("|")]
        header, _, *rows = [[cell.strip() for cell in cells] for cells in table]
        tables[title] = {
            (row[0], column): float(cell)
            for row in rows
            for column, cell in zip(header[1:], row[1:], strict=True)
            if cell
        }
    return tables


def write() -> None:
    """The page from what was measured.

    Raises
    ------
    ValueError
        Some declared comparison was not made in this run.
    """
    missing = [
        f"{s.title}: {' × '.join(cell)}"
        for s in SECTIONS
        for cell, error in s.errors.items()
        if error is None
    ]
    if missing:
        raise ValueError("not measured:\n" + "\n".join(missing))
    PAGE.write_text("\n\n".join([INTRODUCTION, *map(str, SECTIONS)]) + "\n", encoding="utf-8")


INTRODUCTION = """\
# What was compared, and how far apart

Written by the tests (`PARITY_TABLE=1 pytest tests/layers/test_rules_on_layers.py tests/parity`); a test
holds it to what they compare. Every number is the largest difference relative to the largest value, the
worst of several inputs. Networks have random weights, biases and BatchNormalization statistics; inputs
have values of either sign."""

KINDS = {
    "convolution": "Rules on convolutions",
    "dense": "Rules on dense layers",
    "scale": "Rules on normalizations and products with constants",
    "sum": "Rules on sums, averages and average pooling",
    "winner": "Rules on max pooling",
    "activation": "Rules on activations",
    "movement": "Rules on what moves values",
}
BENT = " The matrix is the layer's own transpose; `test_gradients.py` holds that to PyTorch's."
OPERATORS = {example.operator: REGISTRY[example.operator].kind for example in EXAMPLES}
BY_FORMULA = {
    kind: Section(
        title,
        "Against the papers' formulas on the layer's dense matrix (`tests/oracle.py`), shares of bias and ε "
        "included; float64, input of either sign and not negative."
        + (BENT if kind in ("winner", "activation") else ""),
        SINGLE,
        "operator",
        [
            (o, name)
            for o, k in OPERATORS.items()
            if k == kind
            for name, r in RULES.items()
            if kind in r.kinds
        ],
    )
    for kind, title in KINDS.items()
}

SECTIONS = [*BY_FORMULA.values()]
