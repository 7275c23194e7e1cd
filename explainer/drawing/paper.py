"""Pictures put on white paper: frames, titles, colour bars, tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..text import LINE, printable
from .colours import ColorMap

INK, FRAME, PAPER = (32, 32, 32), (150, 150, 150), (255, 255, 255)
WHOLES = ("total", "score")
# So many letters of a title or a caption: names of tensors alone may have a hundred each.
LONGEST = 600


@dataclass(frozen=True)
class Bar:
    """What a colour bar says.

    Attributes
    ----------
    colormap : ColorMap
    sign : str
        Of the amounts that are drawn, as `render` takes it.
    limit : float
        The amount in the full colour.
    below, above : bool
        Whether there are amounts beyond the two ends.
    pool : int
        Over how many pixels in a row amounts are summed.
    whole : float or None
        The amount that is 100 %.
    whole_name : str
        Which of `WHOLES` that is.
    """

    colormap: ColorMap
    sign: str
    limit: float
    below: bool = False
    above: bool = False
    pool: int = 1
    whole: float | None = None
    whole_name: str = WHOLES[0]

    def labels(self) -> list[str]:
        """Return the labels from top to bottom; ASCII, as Pillow's own font has little else."""
        if self.limit == 0:
            return ["", "0", ""] if self.sign == "all" else ["", "", "0"]
        top = f"{'>= ' if self.above else ''}{self.limit:+.3g}"
        bottom = f"{'<= ' if self.below else ''}{-self.limit:+.3g}"
        if self.sign == "all":
            return [top, "0", bottom]
        if self.sign == "negative":
            top = f"{'<= ' if self.above else ''}{-self.limit:+.3g}"
        return [top.replace("+", "") if self.sign == "absolute_value" else top, "", "0"]

    @property
    def share(self) -> str:
        """What share of the whole has the full colour; "" where that is not known."""
        if self.whole is None or self.limit == 0:
            return ""
        share = 100 * self.limit / self.whole
        return f"{share:.0f}%" if share >= 99.5 else f"{share:.2g}%"

    @property
    def notes(self) -> list[str]:
        """What stands below the bar."""
        sums = [f"sums of {self.pool} x {self.pool}"] if self.pool > 1 else []
        return [*sums, *([f"% of the {self.whole_name}"] if self.share else [])]


@dataclass(frozen=True)
class Writing:
    """The size in which everything is written: the font, and the unit of all distances."""

    unit: int

    @classmethod
    def beside(cls, size: tuple[int, int]) -> Writing:
        """Return what can be read beside a picture of this size."""
        return cls(min(max(max(size) // 26, 13), 40))

    @property
    def font(self) -> Any:
        return ImageFont.load_default(self.unit)

    @property
    def heading(self) -> int:
        """The height of a line of text and the space below it."""
        return self.unit * 3 // 2

    def row(self, pictures: Sequence[Image.Image]) -> Image.Image:
        """Return pictures side by side, centred between top and bottom."""
        width = sum(picture.width for picture in pictures) + self.unit * (len(pictures) - 1)
        paper = Image.new("RGB", (width, max(picture.height for picture in pictures)), PAPER)
        left = 0
        for picture in pictures:
            paper.paste(picture, (left, (paper.height - picture.height) // 2))
            left += picture.width + self.unit
        return paper

    def table(self, rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
        """Return pictures in rows and columns, each in its cell's bottom left corner."""
        widths = [
            max(row[column].width for row in rows if column < len(row)) for column in range(len(rows[0]))
        ]
        heights = [max(picture.height for picture in row) for row in rows]
        size = (sum(widths) + self.unit * (len(widths) - 1), sum(heights) + self.unit * (len(heights) - 1))
        paper = Image.new("RGB", size, PAPER)
        bottom = 0
        for row, height in zip(rows, heights, strict=True):
            bottom += height
            left = 0
            for picture, width in zip(row, widths, strict=False):
                paper.paste(picture, (left, bottom - picture.height))
                left += width + self.unit
            bottom += self.unit
        return paper

    def titled(self, picture: Image.Image, title: str | None) -> Image.Image:
        """Return the picture under one line of text, cut where the picture ends."""
        if title is None or (isinstance(title, str) and not title):
            return picture
        if not isinstance(title, str):
            raise InputError(f"title: one line of text, not {title!r}")
        paper = Image.new("RGB", (picture.width, picture.height + self.heading), PAPER)
        text = fitting(title, self.font, picture.width)
        ImageDraw.Draw(paper).text((0, 0), text, fill=INK, font=self.font, anchor="la")
        paper.paste(picture, (0, self.heading))
        return paper

    def page(self, picture: Image.Image) -> Image.Image:
        """Return the picture with a margin."""
        paper = Image.new("RGB", (picture.width + 2 * self.unit, picture.height + 2 * self.unit), PAPER)
        paper.paste(picture, (self.unit, self.unit))
        return paper

    def lines(self, caption: str | None, width: int) -> list[str]:
        """Return a caption in lines of this width."""
        if not isinstance(caption, str | None):
            raise InputError(f"caption: text, not {caption!r}")
        return wrapped(caption or "", self.font, width)

    def captioned(self, picture: Image.Image, lines: Sequence[str]) -> Image.Image:
        """Return the picture above lines of text."""
        if not lines:
            return picture
        paper = Image.new("RGB", (picture.width, picture.height + self.heading * len(lines)), PAPER)
        paper.paste(picture, (0, 0))
        draw = ImageDraw.Draw(paper)
        for number, line in enumerate(lines, start=1):
            bottom = picture.height + self.heading * number
            draw.text((0, bottom), line, fill=INK, font=self.font, anchor="ld")
        return paper

    def bar(self, bar: Bar, height: int) -> Image.Image:
        """Return a colour bar in its frame, labels beside it, of at least this height in all."""
        unit, labels, notes = self.unit, bar.labels(), bar.notes
        height = max(height, (8 if bar.share else 6) * unit + self.heading * len(notes))
        # Of both signs the other end's share is the same.
        shares = [bar.share, "", bar.share if bar.sign == "all" else ""]
        length = max(round(self.font.getlength(text)) for text in (*labels, *shares))
        width = max(unit + unit // 2 + 2 + length, *(round(self.font.getlength(note)) for note in notes), 0)
        paper = Image.new("RGB", (width, height), PAPER)
        draw = ImageDraw.Draw(paper)
        for note in reversed(notes):
            draw.text((0, height), note, fill=INK, font=self.font, anchor="lb")
            height -= self.heading
        levels = np.linspace(1, -1 if bar.sign == "all" else 0, height - 2)[:, np.newaxis].repeat(unit, 1)
        paper.paste(framed(Image.fromarray(bar.colormap(levels, bar.sign == "all"))), (0, 0))
        left, line = unit + unit // 2 + 2, unit * 5 // 4
        places = ((0, line, "lt"), (height // 2, 0, "lm"), (height - 1, -line, "lb"))
        for label, share, (y, step, anchor) in zip(labels, shares, places, strict=True):
            draw.line((unit + 2, y, unit + 2 + unit // 4, y), fill=FRAME)
            draw.text((left, y), label, fill=INK, font=self.font, anchor=anchor)
            draw.text((left, y + step), share, fill=INK, font=self.font, anchor=anchor)
        return paper


def framed(picture: Image.Image) -> Image.Image:
    """Return the picture in a frame of one pixel."""
    paper = Image.new("RGB", (picture.width + 2, picture.height + 2), FRAME)
    paper.paste(picture, (1, 1))
    return paper


def in_letters(text: str) -> str:
    """Return text in the letters that the font has, in one line."""
    plain = unicodedata.normalize("NFKD", printable(" ".join(text[: 4 * LINE].split()), LINE))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = plain.replace("−", "-").encode("ascii", "replace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."


def fitting(title: str, font: Any, width: int) -> str:
    """Return the title in the letters that the font has, cut to the width."""
    text = in_letters(title)
    while text and font.getlength(text) > width:
        text = text.removesuffix("...")[:-1] + "..." if len(text) > 4 else ""
    return text


def wrapped(text: str, font: Any, width: int) -> list[str]:
    """Return text in lines of this width; a word that is longer is cut."""
    lines: list[str] = []
    for word in in_letters(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fitting(word, font, width))
    return lines
