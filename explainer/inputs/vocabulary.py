"""The vocabulary of Hugging Face's ``preprocessor_config.json``, as the fields of a `Preprocess` and back."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ..errors import PreprocessError
from .ranges import one_of

LAYOUTS = {"NCHW": "channels_first", "NHWC": "channels_last"}

# Steps of the vocabulary that this form has, and steps that leave the pixels as they are.
KNOWN_STEPS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_flip_channel_order"}
KNOWN_STEPS |= {"do_grayscale", "do_convert_rgb", "do_reduce_labels", "do_convert_annotations"}
VALUES = ("size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std", "data_format")
# What the vocabulary calls a field of this form by another name.
CALLED = {"crop": "crop_size", "scale": "rescale_factor", "mean": "image_mean", "std": "image_std"}
CALLED |= {"layout": "data_format", "channels": "do_flip_channel_order or do_grayscale"}
# Values that change what resizing or normalising means without being a step of their own.
FOREIGN_VALUES = ("crop_pct", "rescale_offset", "include_top", "size_divisor")


def fields_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the vocabulary to the fields of `Preprocess`."""
    refuse_mistyped(config)
    given = {key: value for key, value in config.items() if value is not None}
    foreign = [key for key in given if key.startswith("do_") and key not in KNOWN_STEPS and is_on(given[key])]
    foreign += [key for key in FOREIGN_VALUES if key in given and is_on(given[key])]
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
    else:
        fields["scale"] = 1.0
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


def is_on(value: Any) -> bool:
    """Whether a step or a value asks for something, as JSON's false and 0 do not."""
    return not isinstance(value, bool | int | float) or bool(value)


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
