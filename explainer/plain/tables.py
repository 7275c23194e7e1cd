"""Tables, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..text import LINE, printable


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows under a header, their columns aligned; every cell is one line."""
    cells = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def html_table(header: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """The same for a notebook. Names come from files that anybody made: all text is escaped."""

    def row(cells: Iterable[Any], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(printable(cell))}</{tag}>' for cell in cells)}</tr>"

    head = f"<thead>{row(header, 'th')}</thead>" if header else ""
    body = "".join(row(cells, "td") for cells in rows)
    title = f"<caption>{escape(printable(caption, LINE))}</caption>" if caption else ""
    return f"<table>{title}{head}<tbody>{body}</tbody></table>"
