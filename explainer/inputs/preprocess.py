"""From a picture to what the model takes, as data: one form, whatever vocabulary it was written in."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import PreprocessError
from ..plain.checks import is_whole
from ..plain.keywords import only_named

MAX_EDGE = 16384
MAX_CONFIG_BYTES = 1 << 20
LARGEST_FLOAT32 = 3.4e38
CHANNELS = {"RGB": 3, "BGR": 3, "gray": 1}
LAYOUTS = {"NCHW": "channels_first", "NHWC": "channels_last"}
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's own codes
IMAGENET_FLAGS = (
    "--size 256 --crop 224 --scale 0.00392156862745098 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
)
EXAMPLE = '{"size": {"shortest_edge": 256}, "crop_size": 224, "rescale_factor": 0.00392156862745098}'

# Steps of the vocabulary that this form has, and steps that leave the pixels as they are.
KNOWN_STEPS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_flip_channel_order"}
KNOWN_STEPS |= {"do_grayscale", "do_convert_rgb", "do_reduce_labels", "do_convert_annotations"}
VALUES = ("size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std", "data_format")
# What the vocabulary calls a field of this form by another name.
CALLED = {"crop": "crop_size", "scale": "rescale_factor", "mean": "image_mean", "std": "image_std"}
CALLED |= {"layout": "data_format", "channels": "do_flip_channel_order or do_grayscale"}
# Values that change what resizing or normalising means without being a step of their own.
FOREIGN_VALUES = ("crop_pct", "rescale_offset", "include_top", "size_divisor")


@only_named()
@dataclass(frozen=True)
class Preprocess:
    """How an 8-bit picture becomes a model's input.

    The picture is resized, cropped at its centre (padded with black where it is smaller), its
    channels are ordered, and each pixel value 0…255 becomes ``(pixel * scale - mean) / std``.

    Parameters
    ----------
    size : int, (int, int) or None
        Pixels of the shorter edge, the other one following, or (height, width). None: as it is.
    crop : (int, int) or None
        Height and width of the centre crop. None: no crop.
    channels : {"RGB", "BGR", "gray"}
        What the model takes, in its order.
    layout : {"NCHW", "NHWC"}
        Where the model has its channels.
    scale : float
        Multiplies the pixel, before `mean` and `std`.
    mean, std : tuple of float
        One value for all channels, or one per channel in the model's own order (blue first for
        "BGR"); std is positive.
    resample : int
        Pillow's code: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming.

    Any field out of range is a `PreprocessError` that says which, and what is expected.
    """

    size: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    channels: str = "RGB"
    layout: str = "NCHW"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resample: int = 2

    def __post_init__(self) -> None:
        one_of("channels", self.channels, CHANNELS)
        one_of("layout", self.layout, LAYOUTS)
        one_of("resample", self.resample, range(len(RESAMPLE)))
        count = CHANNELS[self.channels]
        checked: dict[str, Any] = {
            "size": None if self.size is None else edges("size", self.size),
            "crop": None if self.crop is None else edges("crop", self.crop),
            "scale": numbers("scale", self.scale, 1)[0],
            "mean": numbers("mean", self.mean, count),
            "std": numbers("std", self.std, count),
        }
        if is_whole(self.size):
            checked["size"] = edges("size", self.size)[0]
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.scale == 0:
            raise PreprocessError("scale is 0: every picture would look alike; expected e.g. 0.00392 (1/255)")
        for mean, std in self.per_channel():
            if std <= 0:
                raise PreprocessError(f"std is {self.std}; expected positive numbers")
            if max(abs(mean), abs(255 * self.scale - mean)) / std > LARGEST_FLOAT32:
                raise PreprocessError(f"scale {self.scale}, mean {mean} and std {std} lead beyond float32")

    def __str__(self) -> str:
        steps = []
        if self.size is not None:
            size = f"shorter edge {self.size}" if isinstance(self.size, int) else "{}x{}".format(*self.size)
            steps.append(f"resize {size} {RESAMPLE[self.resample]}")
        if self.crop is not None:
            steps.append("crop {}x{}".format(*self.crop))
        mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        steps.append(f"{self.channels} {self.layout}, (pixel * {self.scale:.6g} - [{mean}]) / [{std}]")
        return ", ".join(steps)

    def per_channel(self) -> list[tuple[float, float]]:
        """Return (mean, std) of each channel, in the model's order."""
        count = CHANNELS[self.channels]
        mean, std = (values * (count // len(values)) for values in (self.mean, self.std))
        return list(zip(mean, std, strict=True))

    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the least and the largest value that each channel of an input can have."""
        channels = self.per_channel()
        ends = [sorted((pixel * self.scale - mean) / std for pixel in (0, 255)) for mean, std in channels]
        low, high = zip(*ends, strict=True)
        return low, high

    def replace(self, **changes: Any) -> Preprocess:
        """Return a copy with some fields changed, checked as a whole (`PreprocessError`)."""
        for name in changes:
            one_of("the preprocessing field", name, [field.name for field in dataclasses.fields(self)])
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str = "preprocessing") -> Preprocess:
        """Read the vocabulary of Hugging Face's ``preprocessor_config.json``.

        A step without its ``do_…`` switch is on if its value is there. A whole number as ``size``
        is the shorter edge. Keys that do not touch the pixels are ignored.

        Parameters
        ----------
        config : mapping
            The keys and values, as JSON gives them. null means absent.
        where : str
            Where they come from, for messages.

        Raises
        ------
        PreprocessError
            If a value is wrong or missing, if a step is on that this form does not have, or if
            nothing says whether pixels are rescaled: libraries disagree on that default.
        """
        try:
            return cls(**fields_of(config))
        except PreprocessError as error:
            raise PreprocessError(f"{where}: {error}") from None

    @classmethod
    def from_metadata(cls, text: str, where: str = "the model's metadata") -> Preprocess:
        """Read the same from JSON text; anything but a JSON object is a `PreprocessError` too."""
        try:
            config = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PreprocessError(f"{where}: not JSON ({error}); expected e.g. {EXAMPLE}") from None
        if not isinstance(config, dict):
            raise PreprocessError(f"{where}: expected a JSON object, e.g. {EXAMPLE}")
        return cls.from_config(config, where)

    @classmethod
    def from_file(cls, path: str | Path) -> Preprocess:
        """Read the same from a file of 1 MiB at most; an unreadable one is a `PreprocessError` too."""
        try:
            with open(path, "rb") as file:
                content = file.read(MAX_CONFIG_BYTES + 1)
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise PreprocessError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise PreprocessError(f"{path}: not a text file; expected JSON, e.g. {EXAMPLE}") from None
        if len(content) > MAX_CONFIG_BYTES:
            raise PreprocessError(f"{path}: over 1 MiB, so hardly a preprocessor_config.json")
        return cls.from_metadata(text, str(path))

    def to_config(self) -> dict[str, Any]:
        """Return the vocabulary that `from_config` reads, ready for JSON, every step said."""
        config: dict[str, Any] = {"do_resize": self.size is not None, "do_center_crop": self.crop is not None}
        if self.size is not None:
            size = {"shortest_edge": self.size} if isinstance(self.size, int) else height_width(self.size)
            config |= {"size": size, "resample": int(self.resample)}
        if self.crop is not None:
            config["crop_size"] = height_width(self.crop)
        return config | {
            "do_rescale": True,
            "rescale_factor": self.scale,
            "do_normalize": True,
            "image_mean": [mean for mean, _ in self.per_channel()],
            "image_std": [std for _, std in self.per_channel()],
            "do_flip_channel_order": self.channels == "BGR",
            "do_grayscale": self.channels == "gray",
            "data_format": LAYOUTS[self.layout],
        }


PreprocessLike: TypeAlias = "Preprocess | Mapping[str, Any] | str | os.PathLike[str]"


def reading(how: PreprocessLike | None, metadata: Mapping[str, str]) -> Callable[[], Preprocess | None]:
    """Read at once how an image becomes the input; what is returned gives it, or None.

    A file's own metadata may be malformed, which is of no concern to those who give arrays: only who
    asks is told.

    Parameters
    ----------
    how : Preprocess, dict, path or None
        As the caller gives it; None is what `metadata` says.

    Raises
    ------
    PreprocessError
        What the caller gives is wrong, or cannot be read.
    """
    if how is None:
        try:
            found = of_metadata(metadata)
        except PreprocessError:
            return lambda: of_metadata(metadata)
    elif isinstance(how, Preprocess):
        found = how
    elif isinstance(how, Mapping):
        found = Preprocess.from_config(how)
    elif isinstance(how, str | os.PathLike):
        found = Preprocess.from_file(Path(how))
    else:
        raise PreprocessError(f"preprocess: a Preprocess, a dict or the path of a file, not {how!r}")
    return lambda: found


def of_metadata(metadata: Mapping[str, str]) -> Preprocess | None:
    """Return what a model file says of its preprocessing; None where it says nothing."""
    text = metadata.get("preprocessor_config")
    return None if text is None else Preprocess.from_metadata(text)


def missing_message(model_name: str) -> list[str]:
    """Return the lines of the error for an image file when nothing says how the model takes it."""
    return [
        f"{model_name} does not say how a picture becomes its input, and a guess would explain the wrong "
        "numbers. Give --preprocess FILE.json (a Hugging Face preprocessor_config.json) or the single "
        "values; for most models trained on ImageNet they are",
        f"  {IMAGENET_FLAGS}",
        "where, after resize and crop, a pixel of 0 to 255 becomes (pixel * scale - mean) / std.",
    ]


def fields_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the vocabulary to the fields of `Preprocess`."""
    refuse_mistyped(config)
    given = {key: value for key, value in config.items() if value is not None}
    foreign = [key for key in given if key.startswith("do_") and key not in KNOWN_STEPS and given[key]]
    foreign += [key for key in FOREIGN_VALUES if given.get(key)]
    if foreign:
        raise PreprocessError(
            f"{', '.join(foreign)} is not supported here: prepare the pictures beforehand and leave it out"
        )
    if "do_rescale" not in given and "rescale_factor" not in given:
        raise PreprocessError(
            'it does not say whether pixels are rescaled: add "rescale_factor": 0.00392156862745098 '
            '(1/255, what Hugging Face takes by default) or "do_rescale": false'
        )

    def wanted(step: str, *values: str) -> bool:
        switch = given.get(step, any(value in given for value in values))
        one_of(step, switch, (True, False))
        return bool(switch)

    def value(name: str, step: str) -> Any:
        if name not in given:
            raise PreprocessError(f"{step} is on, but {name} is missing")
        return given[name]

    fields: dict[str, Any] = {}
    if wanted("do_resize", "size"):
        fields["size"] = config_size("size", value("size", "do_resize"))
        fields["resample"] = given.get("resample", 2)
    if wanted("do_center_crop", "crop_size"):
        fields["crop"] = config_size("crop_size", value("crop_size", "do_center_crop"))
    if wanted("do_rescale", "rescale_factor"):
        fields["scale"] = given.get("rescale_factor", 1 / 255)
    if wanted("do_normalize", "image_mean", "image_std"):
        fields["mean"] = value("image_mean", "do_normalize")
        fields["std"] = value("image_std", "do_normalize")
    flip, gray = wanted("do_flip_channel_order"), wanted("do_grayscale")
    if flip and gray:
        raise PreprocessError("do_flip_channel_order and do_grayscale exclude each other")
    fields["channels"] = "BGR" if flip else "gray" if gray else "RGB"
    data_format = given.get("data_format", "channels_first")
    one_of("data_format", data_format, LAYOUTS.values())
    fields["layout"] = {name: layout for layout, name in LAYOUTS.items()}[data_format]
    return fields


def refuse_mistyped(config: Mapping[str, Any]) -> None:
    """Refuse a key that all but is a known one: it would be ignored as a foreign one is."""
    known = (*VALUES, *sorted(KNOWN_STEPS), *FOREIGN_VALUES)
    for key in config:
        if not isinstance(key, str):
            raise PreprocessError(f"{key!r} is no key of a preprocessor_config.json: keys are texts")
        if key in known:
            continue
        near = get_close_matches(key, known, n=1, cutoff=0.75)
        # Longer or shorter by a word it is a key of its own: input_data_format, codebook_rescale_factor.
        mistyped = [other for other in near if abs(len(other) - len(key)) <= 2]
        if meant := CALLED.get(key) or (mistyped and mistyped[0]):
            raise PreprocessError(f"{key!r} is no key of a preprocessor_config.json; did you mean {meant!r}?")


def config_size(name: str, value: Any) -> Any:
    """Return a whole number or (height, width) from any of the vocabulary's ways to write it."""
    if not isinstance(value, dict):
        return value
    if name == "size" and set(value) == {"shortest_edge"}:
        return value["shortest_edge"]
    if set(value) != {"height", "width"}:
        expected = '{"shortest_edge": ...} or ' if name == "size" else ""
        raise PreprocessError(f'{name} is {value}; expected {expected}{{"height": ..., "width": ...}}')
    return value["height"], value["width"]


def height_width(size: tuple[int, int]) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


def edges(name: str, value: Any) -> tuple[int, int]:
    """Return (height, width) from one whole number or two."""
    pair = (value, value) if is_whole(value) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(is_whole, pair)):
        raise PreprocessError(f"{name} is {value!r}; expected a whole number, or height and width")
    if not all(1 <= edge <= MAX_EDGE for edge in pair):
        raise PreprocessError(f"{name} is {value!r}; expected 1 to {MAX_EDGE} pixels")
    return int(pair[0]), int(pair[1])


def numbers(name: str, value: Any, count: int) -> tuple[float, ...]:
    """Return one or `count` finite numbers as a tuple."""
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if len(values) not in (1, count):
        raise PreprocessError(f"{name} has {len(values)} values; expected {count}, one per channel, or 1")
    try:
        floats = tuple(math.nan if isinstance(number, bool | str) else float(number) for number in values)
    except (TypeError, OverflowError):
        floats = (math.nan,)
    if not all(map(math.isfinite, floats)):
        raise PreprocessError(f"{name} is {value!r}; expected finite numbers")
    return floats


def one_of(name: str, value: Any, choices: Iterable[Any]) -> None:
    if not isinstance(value, str | int | np.integer) or not any(value == choice for choice in choices):
        raise PreprocessError(f"{name} is {value!r}; expected one of {', '.join(map(str, choices))}")
