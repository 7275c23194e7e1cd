"""Trained models of others, with the answers that are known for them; local material."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from explainer import Preprocess
from explainer.inputs import image, pictures

CLASSIFIERS = [
    f"models/{name}.onnx"
    for name in (
        "squeezenet1.1-fp32-from-fp16",
        "mobilenetv1-0.75-224-fp32",
        "mobilenetv2-torchvision-fp32-dequant",
        "resnet20-cifar10",
        "resnet20-cifar10-batchnorm",
        "mnist-8",
    )
]


def entry(shared: Path, name: str) -> dict[str, Any]:
    """What the manifest says of a model."""
    return next(
        e for e in json.loads((shared / "manifest.json").read_text(encoding="utf-8")) if e["file"] == name
    )


def preprocess(shared: Path, name: str) -> Preprocess:
    """The manifest's vocabulary in ours."""
    how = entry(shared, name)["preprocessing"]
    fields = {key: how[key] for key in ("mean", "std", "scale", "channels", "layout") if key in how}
    size = how["resize_short"] if "resize_short" in how else tuple(how["size"])
    return Preprocess(size=size, crop=how.get("crop"), **fields)


def samples(shared: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Small pictures as the model takes them, and their classes."""
    data = np.load(shared / "data" / f"{'mnist' if 'mnist' in name else 'cifar10'}_samples.npz")
    how = preprocess(shared, name)
    arrays = [image.prepare(Image.fromarray(picture), how)[0] for picture in data["images"]]
    return np.concatenate(arrays), data["labels"]


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    """The class of each picture, as onnxruntime runs the file, one by one."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.array([np.argmax(session.run(None, {name: x[i : i + 1]})[0]) for i in range(len(x))])


def example(shared: Path, name: str) -> np.ndarray:
    """A photo that the model knows, or the first of the small pictures."""
    photos = entry(shared, name).get("top1")
    if photos is None:
        return samples(shared, name)[0][:1]
    picture = pictures.open_image(shared / "images" / next(iter(photos)))
    return image.prepare(picture, preprocess(shared, name))[0]
