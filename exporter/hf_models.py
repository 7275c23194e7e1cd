"""Models that transformers saved in a folder, with the tokenizer or image processor and the labels there."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from exporter._torchvision import torchvision  # transformers needs it, and loads with it alone
from exporter.architecture import Architecture
from exporter.errors import ExportError
from exporter.files import read as noted
from exporter.tracing import reason

assert torchvision
# Two of different lengths, so that one is padded.
SENTENCES = ["The quick brown fox jumps over the lazy dog, and back again.", "Why this answer?"]
SECOND = 16_000  # samples of sound
TOKENS = 16
# Of an image processor what the file's vocabulary has.
STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_flip_channel_order", "do_grayscale")
VALUES = ("size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std")


def build(folder: str, *, weights: str, seed: int, **given: Any) -> Architecture:
    """Build the model of a folder, without running code that lies in it: see `exporter.build`.

    Raises
    ------
    ExportError
        There is no model in the folder, it is one of code of its own, or its weights are not all there.
    """
    if said := [name for name, value in given.items() if value is not None]:
        raise ExportError(f"{said[0]} is the folder's to decide, of hf:{folder}")
    if weights not in ("default", "none"):
        raise ExportError(f"weights of hf:{folder} lie in the folder (default), or are random (none)")
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ExportError(_no_folder(path))
    transformers = _transformers()
    noted(path / "config.json")
    with _quiet(transformers):
        try:
            config = transformers.AutoConfig.from_pretrained(
                str(path), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers' kinds are many
            if '"auto_map"' in (path / "config.json").read_text(encoding="utf-8", errors="replace"):
                raise ExportError(_own_code(path)) from error
            raise ExportError(f"{path / 'config.json'} cannot be read: {reason(error)}") from error
        model = _model(transformers, config, path, weights, seed)
        processor, tokenizer = _prepared(transformers, path)
        preprocess, note = _preprocess(processor)
        example, axes = _example(model, tokenizer, preprocess)
    labels = {int(index): str(name) for index, name in (getattr(config, "id2label", None) or {}).items()}
    told = any(name != f"LABEL_{index}" for index, name in labels.items())
    by_sample = type(model).__name__.endswith("Classification") and "Token" not in type(model).__name__
    shape = example.get("pixel_values")
    return Architecture(
        model=model,
        preprocess=preprocess,
        labels=labels if told and by_sample else None,
        image_size=shape[-1] if isinstance(shape, tuple) and shape[-1] == shape[-2] else None,
        origin=f"{type(model).__name__} of {path}"
        + ("" if weights == "default" else f", random weights (seed {seed})"),
        example=example,
        axes=axes,
        tokenizer=_tokenizer_file(path),
        notes=(note,) if note else (),
    )


def _no_folder(path: Path) -> str:
    if path.is_dir():
        return f"{path} holds no config.json, which transformers' save_pretrained writes"
    there = [one.name for one in path.parent.iterdir() if one.is_dir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, n=3)
    hint = f" (did you mean {', '.join(str(path.parent / one) for one in near)}?)" if near else ""
    return (
        f"there is no folder {path}{hint}. hf takes a model on this disk, as save_pretrained writes it: "
        "nothing is downloaded"
    )


def _own_code(path: Path) -> str:
    return (
        f"{path}: the model is code that lies in the folder, and nothing there is run; if you trust it, load "
        "it in a function of your own (module:factory)"
    )


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise ExportError(f"{error}; transformers' models need it: pip install 'onnx-lrp[zoo]'") from error
    return transformers


def _model(transformers: Any, config: Any, path: Path, weights: str, seed: int) -> torch.nn.Module:
    """The model that the configuration names, in float32, its attention in single steps."""
    name = next(iter(config.architectures or ()), "")
    known = getattr(transformers, name, None) if name.isidentifier() else None
    if known is None and getattr(config, "auto_map", None):
        raise ExportError(
            f"{path}: its {name or 'model'} is code that lies in the folder; nothing there is run"
        )
    kind = known or transformers.AutoModel
    if getattr(config, "use_cache", False):
        config.use_cache = False  # keys and values of earlier tokens are no answer
    how = {"attn_implementation": "eager"}
    try:
        if weights == "none":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                make = kind._from_config if hasattr(kind, "_from_config") else kind.from_config
                return make(config, **how)  # type: ignore[no-any-return]
        model, found = kind.from_pretrained(
            str(path),
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            **how,
        )
    except Exception as error:
        raise ExportError(f"{path}: transformers cannot load it: {reason(error)}") from error
    missing = sorted(found["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ExportError(f"{path}: its weights lack {missing[0]}{more}, which would be random")
    return model  # type: ignore[no-any-return]


def _prepared(transformers: Any, path: Path) -> tuple[Any, Any]:
    """The image processor and the tokenizer of a folder; None where it has none."""
    local = {"local_files_only": True, "trust_remote_code": False}
    found: list[Any] = []
    for kind, files in (
        (transformers.AutoImageProcessor, ["preprocessor_config.json", "processor_config.json"]),
        (transformers.AutoTokenizer, ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json"]),
    ):
        one = None
        if any((path / file).is_file() for file in files):
            try:
                one = kind.from_pretrained(str(path), **local)
            except Exception:  # a processor of sound has that file too, and some want other packages
                one = None
        found.append(one)
    return found[0], found[1]


def _preprocess(processor: Any) -> tuple[dict[str, Any] | None, str]:
    """An image processor in the vocabulary of the file, and what that lacks."""
    if processor is None:
        return None, ""
    given = _cropped(processor.to_dict())
    steps = [key for key, on in given.items() if key.startswith("do_") and on is True]
    foreign = [key for key in steps if key not in (*STEPS, "do_convert_rgb", "do_reduce_labels")]
    foreign += [key for key in ("crop_pct", "size_divisor", "rescale_offset") if given.get(key)]
    if foreign:
        return (
            None,
            f"{', '.join(foreign)} of the image processor has no form here: no preprocessing is stored",
        )
    made: dict[str, Any] = {}
    for key in (*STEPS, *VALUES):
        value = given.get(key)
        if value is not None:
            made[key] = {k: v for k, v in dict(value).items() if v is not None} if _is_size(value) else value
    if isinstance(made.get("resample"), int):
        made["resample"] = int(made["resample"])
    return made, ""


def _cropped(given: dict[str, Any]) -> dict[str, Any]:
    """A processor's steps, ConvNeXt's and PoolFormer's `crop_pct` as the resizing and cropping it stands for.

    The shorter side becomes size / crop_pct, and the middle is taken; ConvNeXt makes pictures of 384 and more
    by resizing alone, to a square.
    """
    size, share = given.get("size"), given.get("crop_pct")
    if not share or size is None or not _is_size(size) or not given.get("do_resize"):
        return given
    sides = {key: side for key, side in dict(size).items() if side is not None}
    if sides.keys() != {"shortest_edge"}:
        return given
    edge = sides["shortest_edge"]
    square = {"height": edge, "width": edge}
    made: dict[str, Any] = {"size": {"shortest_edge": int(edge / share)}}
    if given.get("crop_size") is None:
        made |= {"do_center_crop": True, "crop_size": square} if edge < 384 else {"size": square}
    return {**given, **made, "crop_pct": None}


def _is_size(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "items")


def _example(
    model: Any, tokenizer: Any, preprocess: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, dict[int, str]]]:
    """What the model is fed with, and its open axes, by what it calls its main input.

    Raises
    ------
    ExportError
        It takes something else than tokens, pictures or sound.
    """
    takes, config, main = inspect.signature(model.forward).parameters, model.config, model.main_input_name
    if main == "input_ids":
        example: dict[str, Any]
        example = {name: x for name, x in _tokens(config, tokenizer).items() if name in takes}
        axes = {name: {1: "sequence"} for name in example}
        if "pixel_values" in takes and hasattr(config, "vision_config"):  # a picture with each text
            vision = config.vision_config
            channels = getattr(vision, "num_channels", 3)
            example["pixel_values"] = (len(SENTENCES), channels, *_picture(vision, preprocess))
        if config.is_encoder_decoder and "decoder_input_ids" in takes and _needs_decoder(model):
            example["decoder_input_ids"] = example["input_ids"][:, :4].clone()
            axes["decoder_input_ids"] = {1: "decoder_sequence"}
        return example, axes
    if main == "pixel_values":
        return {"pixel_values": (1, getattr(config, "num_channels", 3), *_picture(config, preprocess))}, {}
    if main == "input_values":
        return {"input_values": (1, SECOND)}, {"input_values": {1: "samples"}}
    raise ExportError(
        f"{type(model).__name__} takes {main!r}, of which no example is made here; give exporter.export the "
        "model itself and an example"
    )


def _needs_decoder(model: Any) -> bool:
    return type(model).__name__.endswith(("ForConditionalGeneration", "Model"))


def _tokens(config: Any, tokenizer: Any) -> dict[str, torch.Tensor]:
    if tokenizer is not None:
        pads = tokenizer.pad_token is not None
        limit = {} if pads else {"max_length": len(tokenizer(SENTENCES[1])["input_ids"])}
        return dict(tokenizer(SENTENCES, padding=pads, truncation=not pads, return_tensors="pt", **limit))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(config.vocab_size, (2, TOKENS), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, TOKENS // 2 + 1 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def _picture(config: Any, preprocess: Mapping[str, Any] | None) -> tuple[int, int]:
    """Height and width of the pictures that a processor makes, or else that the model is made for."""
    given = preprocess or {}
    sizes = [given.get("crop_size")] if given.get("do_center_crop") else []
    for size in (*sizes, given.get("size"), getattr(config, "image_size", None), 224):
        if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
            return int(size["height"]), int(size["width"])
        if isinstance(size, int):
            return size, size
        if isinstance(size, tuple | list) and len(size) == 2:
            return int(size[0]), int(size[1])
    return 224, 224


def _tokenizer_file(path: Path) -> Mapping[str, Any] | None:
    file = path / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        content = json.loads(noted(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ExportError(f"{file} cannot be read: {error}") from error
    return content if isinstance(content, dict) else None


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the progress bars and remarks of transformers, which are given back afterwards."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
