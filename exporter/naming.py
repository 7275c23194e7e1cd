"""Models by name: torchvision's, ``timm:NAME``, ``hf:FOLDER``, ``module:factory``."""

from __future__ import annotations

from exporter.architecture import Architecture


def build(
    name: str,
    *,
    weights: str | None = None,
    seed: int = 0,
    num_classes: int | None = None,
    image_size: int | None = None,
) -> Architecture:
    """Build a model by its name.

    Parameters
    ----------
    name : str
        One of `architectures`, torchvision's classification models; ``"timm:NAME"``, one of timm's;
        ``"hf:FOLDER"``, a model that transformers saved in a folder of this disk, whose tokenizer or image
        processor and labels come with it; ``"module:factory"``, a function that returns a
        ``torch.nn.Module`` or an `Architecture`. **The last one imports and runs that module's code**, which
        is found as Python finds modules, and in the current folder; nothing else here does so.
    weights : str, optional
        ``"none"``: random ones, from ``seed``. ``"default"``, or the name of one of the model's published
        weights (``"IMAGENET1K_V1"``): downloaded, unless a cache holds them. Otherwise the path of a state
        dict, which is read without running code. Unless said, what needs no download: those of a folder,
        those that a factory makes, else random ones.
    seed : int
        For random weights.
    num_classes : int, optional
        Of torchvision's and timm's. Inferred from a state dict; the model's own otherwise.
    image_size : int, optional
        Of torchvision's and timm's: another side of the input.

    Returns
    -------
    Architecture

    Raises
    ------
    ExportError
        No such model or weights, a package that is needed is not installed, weights cannot be downloaded,
        or a state dict cannot be read or does not fit.
    """
    prefix, colon, rest = name.partition(":")
    if not colon:
        from exporter.classifiers import build as torchvisions

        weights = weights or "none"
        return torchvisions(name, weights=weights, seed=seed, num_classes=num_classes, image_size=image_size)
    if prefix == "timm":
        from exporter.timm_models import build as timms

        weights = weights or "none"
        return timms(rest, weights=weights, seed=seed, num_classes=num_classes, image_size=image_size)
    given = {"num_classes": num_classes, "image_size": image_size}
    if prefix == "hf":
        from exporter.hf_models import build as saved

        return saved(rest, weights=weights or "default", seed=seed, **given)
    from exporter.factories import build as made

    return made(prefix, rest, weights=weights or "default", seed=seed, **given)
