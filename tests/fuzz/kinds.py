"""The four kinds of cases: models, pictures, texts, command lines; a case is a seed."""

from __future__ import annotations

import io
import os
import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bases
import numpy as np
import onnx
from checks import anyhow, check
from edits import EDITS, GENTLE, Nothing, bypass
from PIL.Image import DecompressionBombWarning
from subject import Subject, Wrong

from explainer import ExplainerError

# What tells one case from another of the same fault: names and numbers.
NAMES = re.compile(r"'[^']*'|-?\d[\w.+-]*")


@dataclass(frozen=True)
class Verdict:
    """What came of a case: refused, answered, or a fault with a line that tells such faults apart."""

    status: str  # "refused", "answered" or "fault"
    what: str = ""
    detail: str = ""


@dataclass
class Case:
    """One input made by edits, each with a seed of its own, so that any of them can be left out."""

    kind: str
    base: str
    edits: list[tuple[str, int]]
    run: Callable[[Sequence[tuple[str, int]]], Verdict] = field(repr=False)
    made: Callable[[Sequence[tuple[str, int]]], bytes] = field(repr=False)


def judged(call: Callable[[], object]) -> Verdict:
    """What a call did; warnings of other packages are faults, as exceptions of theirs are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
            verdict = Verdict("answered")
        except ExplainerError as error:
            verdict = Verdict("refused", type(error).__name__, str(error))
            if not str(error).strip():
                return Verdict("fault", "an empty message", type(error).__name__)
        except Wrong as error:
            return Verdict("fault", f"wrong: {NAMES.sub('...', str(error))[:60]}", str(error))
        except MemoryError:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = frames[-1]
            where = next((f for f in reversed(frames) if "/explainer/" in f.filename), place)
            what = f"{type(error).__name__} at {Path(where.filename).name}:{where.name}"
            return Verdict("fault", what, f"{error}"[:500])
    # Pillow's stay as they are in Python: to catch them is not safe between threads. The command line makes
    # one line of each, which the cases of that kind see.
    foreign = [w for w in caught if "/PIL/" not in w.filename and w.category is not DecompressionBombWarning]
    foreign = [
        w for w in foreign if Path(w.filename).parent.name != "fuzz" and "/explainer/" not in w.filename
    ]
    if foreign:
        name = f"{foreign[0].category.__name__} of {Path(foreign[0].filename).name}"
        return Verdict("fault", f"foreign warning {name}", str(foreign[0].message)[:300])
    return verdict


# Models


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes flipped, put in, taken out, repeated or cut off."""
    if not data:
        return data
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 9))
    what = int(rng.integers(7))
    if what == 0:
        return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
    if what == 1:
        return data[:at] + rng.bytes(length) + data[at + length :]
    if what == 2:
        return data[:at] + data[at + length :]
    if what == 3:
        return data[:at] + rng.bytes(length) + data[at:]
    if what == 4:
        return data[:at] + data[at : at + length] * 2 + data[at + length :]
    if what == 5:
        return data[:at]
    return data[:at] + b"\xff" * length + data[at + length :]


def model_case(seed: int) -> Case:
    rng = np.random.default_rng([1, seed])
    everything = bases.bases()
    small = [base for base in everything if base.small]
    large = [base for base in everything if not base.small]
    which = rng.integers(12)
    if which < 5:
        base = bases.composed(rng)
    else:
        base = large[int(rng.integers(len(large)))] if which == 11 else small[int(rng.integers(len(small)))]
    by_bytes = rng.integers(5) == 0
    names = ["damaged"] if by_bytes else list(EDITS) if rng.integers(2) else list(GENTLE)
    chosen = [
        (names[int(rng.integers(len(names)))], int(rng.integers(2**31)))
        for _ in range(rng.integers(0 if which < 5 else 1, 4))
    ]

    def made(kept: Sequence[tuple[str, int]]) -> bytes:
        data = base.data
        if by_bytes:
            for _, number in kept:
                data = damaged(data, np.random.default_rng(number))
            return data
        model = onnx.load_from_string(data)
        for name, number in kept:
            try:
                if name == "bypass":
                    bypass(model, number)
                else:
                    EDITS[name](model, np.random.default_rng(number))
            except Exception:
                continue  # after the edits before it, there is nothing to change like this
        return model.SerializeToString()

    def run(kept: Sequence[tuple[str, int]]) -> Verdict:
        data = made(kept)
        draw = np.random.default_rng([2, seed])
        feeds = base.feeds(draw)
        verdict = judged(lambda: check(Subject(data, feeds), draw, 2 if base.small else 1))
        if verdict.what == "UnsupportedError" and draw.integers(3) == 0:
            return judged(lambda: anyhow(data, feeds))
        return verdict

    return Case("models", base.name, chosen, run, made)


# Pictures

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
FORMATS = (
    "PNG",
    "JPEG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
    "TGA",
    "ICO",
    "EPS",
    "PCX",
    "SGI",
    "DDS",
    "PDF",
)


def picture_of(rng: np.random.Generator) -> tuple[str, bytes]:
    """A small picture of some mode and format, as bytes."""
    from PIL import Image

    size = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    image = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    mode, form = MODES[int(rng.integers(len(MODES)))], FORMATS[int(rng.integers(len(FORMATS)))]
    options: dict[str, object] = {}
    if form in ("PNG", "JPEG", "WEBP", "TIFF") and rng.integers(3) == 0:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 12))
        options["exif"] = exif
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tried, more in ((mode, options), ("RGB", options), ("RGB", {})):
            file = io.BytesIO()
            try:
                image.convert(tried).save(file, form, **more)
            except (ValueError, OSError, KeyError):
                continue
            return f"{tried} {form}", file.getvalue()
    raise Nothing


def picture_case(seed: int) -> Case:
    rng = np.random.default_rng([3, seed])
    name, data = picture_of(rng)
    chosen = [("damaged", int(rng.integers(2**31))) for _ in range(rng.integers(0, 4))]
    suffix = (".png", ".jpg", ".gif", ".tif", "", ".eps", ".npy", ".PNG")[int(rng.integers(8))]

    def made(kept: Sequence[tuple[str, int]]) -> bytes:
        changed = data
        for _, number in kept:
            draw = np.random.default_rng(number)
            # Headers are where sizes, tables and types stand.
            head = min(len(changed), 64)
            changed = (
                damaged(changed[:head], draw) + changed[head:] if draw.integers(2) else damaged(changed, draw)
            )
        return changed

    def run(kept: Sequence[tuple[str, int]]) -> Verdict:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"picture{suffix}"
            file.write_bytes(made(kept))
            return judged(lambda: _seen(file))

    return Case("pictures", name, chosen, run, made)


def _seen(file: Path) -> None:
    relevance = shapes().explain(file).relevance
    if relevance.shape != (1, 3, 64, 64) or not np.isfinite(relevance).all():
        raise Wrong(f"relevance of a picture is {relevance.shape}")


def shapes():
    """The shipped explainer, made once."""
    if "shapes" not in _MADE:
        import explainer

        _MADE["shapes"] = explainer.Explainer(bases.ROOT / "models" / "shapes.onnx")
    return _MADE["shapes"]


_MADE: dict[str, object] = {}


def text_case(seed: int) -> Case:
    import texts

    return texts.case(seed)


def line_case(seed: int) -> Case:
    import lines

    return lines.case(seed)


KINDS: dict[str, Callable[[int], Case]] = {
    "models": model_case,
    "pictures": picture_case,
    "texts": text_case,
    "lines": line_case,
}


def quiet_folder() -> None:
    """Work where nothing lies: what is written there by mistake is seen."""
    os.chdir(tempfile.mkdtemp(prefix="fuzz-"))
