"""From a picture to what the model takes, as data: one form, whatever vocabulary it was written in."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, PreprocessError, shown
from ..files import opened
from ..plain.checks import check_held, is_whole
from ..plain.keywords import only_named
from ..tensor import Array
from .ranges import doubt_on, edges, numbers, one_of
from .vocabulary import LAYOUTS, fields_of, height_width

MAX_CONFIG_BYTES = 1 << 20
LARGEST_FLOAT32 = 3.4e38
CHANNELS = {"RGB": 3, "BGR": 3, "gray": 1}
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's own codes
UNSAID: Any = None
EXAMPLE = '{"size": {"shortest_edge": 256}, "crop_size": 224, "rescale_factor": 0.00392156862745098}'


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
    scale : float, optional
        Multiplies the pixel, before `mean` and `std`. Unsaid it is 1, which is refused beside a `mean` and
        `std` that are those of pixels of 0 to 1.
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
    scale: float = UNSAID
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resample: int = 2

    def __post_init__(self) -> None:
        one_of("channels", self.channels, CHANNELS)
        one_of("layout", self.layout, LAYOUTS)
        if not is_whole(self.resample):  # True is no code
            raise PreprocessError(f"resample is {self.resample!r}; expected Pillow's code, 0 to 5")
        one_of("resample", self.resample, range(len(RESAMPLE)))
        count = CHANNELS[self.channels]
        checked: dict[str, Any] = {
            "size": None if self.size is None else edges("size", self.size),
            "crop": None if self.crop is None else edges("crop", self.crop),
            "scale": 1.0 if self.scale is UNSAID else numbers("scale", self.scale, 1)[0],
            "mean": numbers("mean", self.mean, count),
            "std": numbers("std", self.std, count),
        }
        if is_whole(self.size):
            checked["size"] = edges("size", self.size)[0]
        is_said = self.scale is not UNSAID
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not is_said and (doubt := self.doubt()):
            raise PreprocessError(
                f"{doubt}: give scale {1 / 255!r} (1/255), or scale 1 where that is what the model takes"
            )
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

    def doubt(self) -> str:
        """Return one line on a scale that mean and std hardly belong to; "" where they may."""
        return doubt_on(self.scale, self.per_channel())

    def table(self) -> Array:
        """Return what each pixel value becomes in each channel: (C, 256), float64."""
        values = np.arange(256)
        return np.stack([(values * self.scale - mean) / std for mean, std in self.per_channel()])

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
        if not isinstance(where, str):
            raise PreprocessError(f"where: a text for messages, not {shown(where)}")
        if not isinstance(config, Mapping):
            raise PreprocessError(f"{where}: expected a dict of keys and values, not {shown(config)}")
        try:
            check_held("the dict", config)
            return cls(**fields_of(config))
        except (InputError, PreprocessError) as error:
            raise PreprocessError(f"{where}: {error}") from None

    @classmethod
    def from_metadata(cls, text: str, where: str = "the model's metadata") -> Preprocess:
        """Read the same from JSON text; anything but a JSON object is a `PreprocessError` too."""
        if not isinstance(where, str):
            raise PreprocessError(f"where: a text for messages, not {shown(where)}")
        try:
            config = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise PreprocessError(f"{where}: not JSON ({error}); expected e.g. {EXAMPLE}") from None
        if not isinstance(config, dict):
            raise PreprocessError(f"{where}: expected a JSON object, e.g. {EXAMPLE}")
        return cls.from_config(config, where)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Preprocess:
        """Read the same from a file of 1 MiB at most; an unreadable one is a `PreprocessError` too."""
        if not isinstance(path, str | os.PathLike):  # a number would be an open file
            raise PreprocessError(f"preprocess: the path of a file, not {shown(path)}")
        try:
            with opened(path) as file:
                content = file.read(MAX_CONFIG_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: no file can have such a name
            reason = getattr(error, "strerror", None) or error
            raise PreprocessError(f"{path}: cannot be read: {reason}") from None
        try:
            text = content.decode("utf-8-sig")
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
        found = Preprocess.from_file(how)
    else:
        raise PreprocessError(f"preprocess: a Preprocess, a dict or the path of a file, not {shown(how)}")
    return lambda: found


def of_metadata(metadata: Mapping[str, str]) -> Preprocess | None:
    """Return what a model file says of its preprocessing; None where it says nothing."""
    text = metadata.get("preprocessor_config")
    return None if text is None else Preprocess.from_metadata(text)


def in_options(how: Preprocess) -> str:
    """The options of the command line that say a preprocessing."""
    said = {name: value if isinstance(value, tuple) else (value,) for name, value in _said(how).items()}
    return " ".join(f"--{name} {','.join(map(_short, values))}" for name, values in said.items())


def in_python(how: Preprocess) -> str:
    """The call that makes a preprocessing."""
    return f"explainer.Preprocess({', '.join(f'{name}={value!r}' for name, value in _said(how).items())})"


def _said(how: Preprocess) -> dict[str, Any]:
    """The fields that are not what they are unsaid, and the scale; one value for all channels as a number."""
    said = {}
    for entry in dataclasses.fields(how):
        value = getattr(how, entry.name)
        if entry.name == "scale" or value != entry.default:
            said[entry.name] = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    order = ("size", "crop", "scale", "mean", "std")
    return {name: said.pop(name) for name in order if name in said} | said


def _short(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
