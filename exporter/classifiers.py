"""torchvision's classification models, with the preprocessing and the labels that belong to them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import torch

from exporter import state_dicts
from exporter._torchvision import torchvision
from exporter.architecture import Architecture
from exporter.errors import ExportError

# PIL's codes, which preprocessor_config.json uses.
_RESAMPLE = {"nearest": 0, "bilinear": 2, "bicubic": 3}


def architectures() -> list[str]:
    """Names of torchvision's classification models."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def build(
    name: str,
    *,
    weights: str = "none",
    seed: int = 0,
    num_classes: int | None = None,
    image_size: int | None = None,
) -> Architecture:
    """Build one of torchvision's classification models.

    Parameters
    ----------
    name : str
        One of `architectures`.
    weights : str
        ``"none"``: torchvision's own initialisation, from ``seed``. ``"default"``, or the name of one
        of the model's published weights (``"IMAGENET1K_V1"``): downloaded by torchvision, unless its
        cache holds them. Otherwise the path of a state dict, which is read without running code.
    seed : int
        For ``weights="none"``.
    num_classes : int, optional
        Inferred from a state dict; 1000 otherwise.
    image_size : int, optional
        Another side of the input; the size before cropping grows or shrinks with it.

    Returns
    -------
    Architecture
        Preprocessing: of the weights that were named; for a file, of the published weights that have
        its name, if any; else of the default weights. Labels: ImageNet's, when there are 1000 classes.

    Raises
    ------
    ExportError
        No such model or weights, they cannot be downloaded, or the state dict cannot be read or does
        not fit.
    """
    if name not in architectures():
        near = difflib.get_close_matches(name, architectures(), n=5, cutoff=0.5)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ExportError(f"torchvision has no classification model {name!r}{hint}")
    published = torchvision.models.get_model_weights(name)
    if weights == "none":
        preset = published.DEFAULT
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = construct(name, num_classes or 1000)
        classes = num_classes or 1000
        origin = f"random weights (seed {seed}), preprocessing of {preset}"
    elif weights == "default" or weights in published.__members__:
        preset = published.DEFAULT if weights == "default" else published[weights]
        classes = len(preset.meta["categories"])
        if num_classes not in (None, classes):
            raise ExportError(f"{preset} has {classes} classes, not {num_classes}")
        model = _download(name, preset)
        origin = str(preset)
    else:
        file = Path(weights)
        if not file.exists():
            names = ", ".join(["none", "default", *published.__members__])
            raise ExportError(f"no file {weights!r}, nor weights of that name; {name} has {names}")
        named_alike = [entry for entry in published if entry.url.endswith(f"/{file.name}")]
        preset = named_alike[0] if named_alike else published.DEFAULT
        model, classes = state_dicts.load(
            file, lambda **how: construct(name, **how, converted=bool(named_alike)), num_classes
        )
        origin = f"weights of {file}, preprocessing of {preset}"
    preprocess = preprocess_of(preset.transforms(), image_size)
    labels = list(preset.meta["categories"])
    return Architecture(
        model=model,
        preprocess=preprocess,
        labels=labels if len(labels) == classes else None,
        image_size=preprocess["crop_size"]["height"],
        origin=origin,
        example=(1, 3, *[preprocess["crop_size"]["height"]] * 2),
    )


def construct(
    name: str, num_classes: int, *, side_branches: bool = True, converted: bool = False
) -> torch.nn.Module:
    """A model of torchvision's with its random initialisation.

    Parameters
    ----------
    name : str
    num_classes : int
    side_branches : bool
        Whether GoogLeNet and Inception have the classifiers that help only in training.
    converted : bool
        Whether the weights to come are those that torchvision publishes: for these two models they
        were converted from another framework, and want its normalisation applied inside.
    """
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": side_branches, "transform_input": converted, "init_weights": True}
    model: torch.nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=num_classes, **options
    )
    return model


def _download(name: str, preset: Any) -> torch.nn.Module:
    try:
        model: torch.nn.Module = torchvision.models.get_model(name, weights=preset)
    except (OSError, RuntimeError) as error:  # no network, no room; a file other than the published one
        raise ExportError(
            f"{preset} cannot be downloaded from {preset.url} ({error}); "
            "a copy of that file can be given in its place (weights FILE.pth)"
        ) from error
    return model


def preprocess_of(transforms: Any, image_size: int | None = None) -> dict[str, Any]:
    """torchvision's evaluation transforms in the vocabulary of ``preprocessor_config.json``.

    Parameters
    ----------
    transforms : torchvision.transforms._presets.ImageClassification
    image_size : int, optional
        Side of the pictures, if not the transforms' own.
    """
    (resize,), (crop,) = transforms.resize_size, transforms.crop_size
    side = image_size or crop
    return {
        "do_resize": True,
        "size": {"shortest_edge": round(resize * side / crop)},
        "resample": _RESAMPLE[transforms.interpolation.value],
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(transforms.mean),
        "image_std": list(transforms.std),
    }
