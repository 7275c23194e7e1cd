"""timm's models, with the preprocessing and the labels of their own configuration."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from exporter import state_dicts
from exporter._torchvision import torchvision  # timm needs it, and loads with it alone
from exporter.architecture import Architecture
from exporter.errors import ExportError
from exporter.tracing import reason

assert torchvision
_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def build(
    name: str, *, weights: str, seed: int, num_classes: int | None, image_size: int | None
) -> Architecture:
    """Build one of timm's models: see `exporter.build`.

    Labels are those of timm's configuration, or of the part of ImageNet that it names. A crop that has no
    form in ``preprocessor_config.json`` is left out, and said.

    Raises
    ------
    ExportError
    """
    timm = _timm()
    with _single_steps(timm):
        return _build(timm, name, weights, seed, num_classes, image_size)


@contextmanager
def _single_steps(timm: Any) -> Iterator[None]:
    """Attention in its single steps: of some models the fused one is not to be exported."""
    fused = timm.layers.use_fused_attn()
    timm.layers.set_fused_attn(False)
    try:
        yield
    finally:
        timm.layers.set_fused_attn(fused)


def _build(
    timm: Any, name: str, weights: str, seed: int, num_classes: int | None, image_size: int | None
) -> Architecture:
    if not timm.is_model(name):
        names = [*timm.list_models(), *timm.list_pretrained()]
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ExportError(f"timm has no model {name!r}{hint}")
    published = [f"{name.partition('.')[0]}.{weights}", name if weights == "default" else ""]
    pretrained = next((one for one in published if one in timm.list_pretrained()), "")
    how: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    if image_size and _takes_size(timm, name):
        how["img_size"] = image_size
    if weights == "none":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = timm.create_model(name, **how)
        origin = f"random weights (seed {seed})"
    elif weights == "default" or pretrained:
        model, origin = _download(timm, pretrained or name, how), f"timm's weights {pretrained or name}"
    else:
        model, origin = _from_file(timm, name, Path(weights), num_classes, how)
    config = timm.data.resolve_model_data_config(model)
    channels, height, width = config["input_size"]
    if image_size:
        height = width = image_size
    preprocess, note = _preprocess(config, height, width)
    return Architecture(
        model=model,
        preprocess=preprocess,
        labels=_labels(timm, model),
        image_size=height if height == width else None,
        origin=f"{origin}, preprocessing of timm",
        example=(1, channels, height, width),
        notes=(note,) if note else (),
    )


def _timm() -> Any:
    try:
        import timm
        import timm.data
        import timm.layers
    except ModuleNotFoundError as error:
        raise ExportError(f"{error}; timm's models need it: pip install 'onnx-lrp[zoo]'") from error
    return timm


def _takes_size(timm: Any, name: str) -> bool:
    """Whether the size is built into the model, as into a table of positions."""
    return bool(getattr(timm.get_pretrained_cfg(name, allow_unregistered=True), "fixed_input_size", False))


def _download(timm: Any, name: str, how: dict[str, Any]) -> torch.nn.Module:
    try:
        model: torch.nn.Module = timm.create_model(name, pretrained=True, **how)
    except Exception as error:  # timm's, its hub's, the network's, of many kinds
        raise ExportError(
            f"timm's weights {name} cannot be downloaded ({reason(error)}); a state dict can be given in "
            "their place (weights FILE.pth), or none (weights none)"
        ) from error
    return model


def _from_file(
    timm: Any, name: str, file: Path, num_classes: int | None, how: dict[str, Any]
) -> tuple[torch.nn.Module, str]:
    if not file.exists():
        tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{name.partition('.')[0]}.*")]
        names = ", ".join(["none", "default", *tags])
        raise ExportError(f"no file {str(file)!r}, nor weights of that name; {name} has {names}")

    def construct(num_classes: int, **_: Any) -> torch.nn.Module:
        model: torch.nn.Module = timm.create_model(name, **{**how, "num_classes": num_classes})
        return model

    model, _ = state_dicts.load(file, construct, num_classes)
    return model, f"weights of {file}"


def _preprocess(config: dict[str, Any], height: int, width: int) -> tuple[dict[str, Any] | None, str]:
    """timm's evaluation transforms in the vocabulary of ``preprocessor_config.json``, and what it lacks."""
    crop, mode = config["crop_pct"], config["crop_mode"]
    if config["interpolation"] not in _RESAMPLE or mode not in ("center", "squash"):
        return (
            None,
            f"timm's crop {mode!r} has no form in preprocessor_config.json: no preprocessing is stored",
        )
    if mode == "center" and height == width:
        size = {"shortest_edge": math.floor(height / crop)}
    else:
        size = {"height": math.floor(height / crop), "width": math.floor(width / crop)}
    return {
        "do_resize": True,
        "size": size,
        "resample": _RESAMPLE[config["interpolation"]],
        "do_center_crop": True,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(config["mean"]),
        "image_std": list(config["std"]),
    }, ""


def _labels(timm: Any, model: Any) -> list[str] | None:
    """The names of the classes, where timm's configuration has them or names a part of ImageNet."""
    config, classes = model.pretrained_cfg, model.num_classes
    names = config.get("label_names")
    subset = timm.data.infer_imagenet_subset(model)
    if not names and subset:
        info = timm.data.ImageNetInfo(subset)
        names = [info.index_to_description(index) for index in range(info.num_classes())]
    return list(names) if names and len(names) == classes else None
