"""docs/zoo.md: what is measured of every member, as a table that is read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"
EXPLAINED = (
    *("model", "exporter", "sum", "intercepts", "gradient", "compiled", "forwards", "zennit's sum"),
    "captum's sum",
)
REFUSED = ("model", "exporter", "why not", "instead")
TITLES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "transformers": "transformers",
    "yolo": "YOLO",
    "sequences": "Recurrent, CTC and torch's own",
    "forms": "Other frameworks",
}
INTRODUCTION = """\
# Whole families, tested

Written by the tests ([how](../CONTRIBUTING.md#tests)), which hold every explained model to what stands here:
a small, seeded member of every family, by each of PyTorch's exporters that manages it, as it writes by
default, and what other frameworks' converters write.

- *sum*: what arrives at the input of 1 that starts, under ε-LRP with ε = 1e-9 in float64, on a copy without
  biases.
- *intercepts*: what a Softmax or another curved map kept of it; with it the sum is 1.
- *gradient*: the largest difference to autograd in float64, relative to the largest value; above 1e-9 a file
  has constants that its exporter computed in float32. Where autograd is not PyTorch's own difference
  quotient, that one is compared.
- *compiled*: the same of the compiled file's relevance to NumPy's, in float32.
- *forwards*: the compiled file's time in forward passes of the model. These are models of a thousandth of the
  usual size, in which every node counts and no arithmetic does: `benchmarks/families.py` has the real sizes.
- *zennit's*, *captum's sum*: the same by zennit 0.5.1 (ε on every convolution and dense layer, its canonizer
  for ResNets) and captum 0.9.0's LRP on the PyTorch module without biases; "none" where it refuses or fails.
- *why not*, *instead*: a refusal, and the nearest question that the model does answer.
"""


def explained(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is explained."""
    quotient = answer.get("quotient")
    said = f"{answer['gradient']:.0e}" if "gradient" in answer else ""
    said = said if quotient is None else f"{quotient:.0e} (difference quotient)"
    peers = (_number(answer.get(name)) for name in ("zennit", "captum"))
    return (
        answer["name"],
        answer["exporter"],
        f"{answer['sum']:.7f}",
        _number(answer["intercept"]) if answer["intercept"] else "0",
        said,
        f"{answer['compiled']:.0e}" if "compiled" in answer else "refused",
        f"{answer['forwards']:.1f}" if "forwards" in answer else "",
        *peers,
    )


def refused(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is not."""
    if "unexported" in answer:
        return answer["name"], answer["exporter"], f"no file: {_cell(answer['unexported'])}", ""
    reason = "; ".join(line.strip() for line in answer["refused"].splitlines()[1:])
    ways = answer["instead"]
    return answer["name"], answer["exporter"], _cell(reason), f"`{ways[0]}`" if ways else ""


def _number(value: Any) -> str:
    if not isinstance(value, float):
        return "" if value is None else "none"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0e}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:200]


def read(text: str) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """The page's rows by family, model and exporter."""
    titles = {title: family for family, title in TITLES.items()}
    rows = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        for line in lines:
            cells = tuple(cell.strip() for cell in line.split(" | "))
            cells = (cells[0].removeprefix("| "), *cells[1:-1], cells[-1].removesuffix("|").strip())
            if line.startswith("| ") and cells[0] not in ("model", "---"):
                rows[titles[title], cells[0], cells[1]] = cells
    return rows


def is_explained(row: tuple[str, ...]) -> bool:
    """Which table a row is of."""
    return len(row) == len(EXPLAINED)


def written(rows: Mapping[tuple[str, str, str], tuple[str, ...]]) -> str:
    """The page of these rows."""
    parts = [INTRODUCTION]
    for family, title in TITLES.items():
        here = [row for (of, *_), row in rows.items() if of == family]
        tables = [(EXPLAINED, [row for row in here if is_explained(row)])]
        tables += [(REFUSED, [row for row in here if not is_explained(row)])]
        lines = [
            line
            for header, those in tables
            if those
            for line in ("", *map(_line, [header, ["---"] * len(header), *those]))
        ]
        parts += [f"\n## {title}", *lines] if lines else []
    return "\n".join(parts) + "\n"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def write(answers: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> None:
    """Put what was measured on the page; what was not stays as it is there."""
    rows = read(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for key, answer in answers.items():
        if "sum" in answer and ("compiled" in answer or "uncompiled" in answer):
            rows[key] = explained(answer)
        elif "refused" in answer or "unexported" in answer:
            rows[key] = refused(answer)
    PAGE.write_text(written(rows), encoding="utf-8")
