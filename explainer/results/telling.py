"""An explanation as a line, a table and a notebook's cell; its classes by name."""

from __future__ import annotations

import base64

import numpy as np

from ..errors import InputError
from ..plain.tables import html_table, text_table
from ..text import LINE, printable
from .explained import Explained


def line_of(explained: Explained) -> str:
    """What is explained, how much arrived, and what the maps have to be read with."""
    target = explained.target
    told = explained.region or ("a whole tensor" if target is None else f"{target.tolist()}")
    conserved = ", ".join(f"{value:.4g}" for value in explained.conserved[:4])
    remarks = dict.fromkeys(filter(None, map(explained.remark, range(len(explained.start)))))
    parts = [f"<Explanation of {told} in {explained.target_name!r}, conserved {conserved}", *remarks]
    return printable("; ".join(parts[:4]) + ">", LINE)


def text_of(explained: Explained) -> str:
    """A row for every sample, and its remark if there is one."""
    remarks = [(sample, explained.remark(sample)) for sample in range(len(explained.start))]
    lines = [f"sample {sample}: {remark}" for sample, remark in remarks if remark]
    return "\n".join([text_table(*_table(explained)), *map(printable, lines)])


def html_of(explained: Explained) -> str:
    """The first sample's picture, where it can be drawn, and the table."""
    try:
        drawn = base64.b64encode(explained._repr_png_()).decode()
        picture = f'<img src="data:image/png;base64,{drawn}">'
    except InputError:  # nothing that can be drawn
        picture = ""
    made_by = ", ".join(filter(None, [explained.method, explained.composite]))
    return f"{picture}{html_table(*_table(explained), made_by)}"


def _table(explained: Explained) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A row for every sample: what is explained, and what came of it."""
    header = ("sample", "target", "label", "score", "relevance", "conserved")
    numbers = zip(explained.score, explained.start, explained.conserved, strict=True)
    rows = []
    for sample, values in enumerate(numbers):
        index = "" if explained.target is None else str(int(explained.target[sample]))
        rows.append((str(sample), index, explained.title(sample), *(f"{value:.6g}" for value in values)))
    return header, rows


def name_of(explained: Explained, index: int) -> str:
    """The class at an index of the target's tensor, or what else is there."""
    index, tensor = int(index), explained.target_name
    shape = np.shape(explained.outputs.get(tensor, ()))[1:]
    if sum(size != 1 for size in shape) > 1:  # a row of boxes, a mask: no classes
        return f"{tensor}{[int(place) for place in np.unravel_index(index, shape)]}"
    # Class names count in the model's output: an inner tensor's third channel is no class.
    return explained.labels.get(index, str(index)) if tensor in explained.outputs else str(index)
