"""Trained files have the gradient of their own nodes by PyTorch, in float64."""

import numpy as np
import pytest
from building import rng
from file_in_torch import gradient_off

from explainer.model.graph import Graph

pytestmark = pytest.mark.long
HERE = (
    *("dianna-mnist", "mnist-8", "mobilenetv1-0.75-224-fp32", "mobilenetv2-torchvision-fp32-dequant"),
    *("ppocr-mobile-v2-cls", "resnet20-cifar10-batchnorm", "resnet20-cifar10", "squeezenet1.1-fp16-winml"),
    *("squeezenet1.1-fp32-from-fp16", "vit-cifar10-pgd-2-3-16", "yolox-nano-coco"),
)
RATE = np.array(16000)
DEPLOYED = {
    **dict.fromkeys(("magika-v3", "page-orientation", "ppocr-cls", "ppocr-v4-det", "ppocr-v4-rec")),
    "silero-vad-op15": {"sr": RATE, "state": 0, "batch": 1, "sequence": 576},
    "silero-vad-openvino": {"state": 0},
    "silero-vad-ifless": {"sr": RATE, "state": 0, "batch": 1},
}


@pytest.mark.parametrize("name", HERE)
def test_a_real_model(name, shared):
    asked(shared / "models" / f"{name}.onnx")


@pytest.mark.parametrize("name", DEPLOYED)
def test_a_model_that_a_package_ships(name, deployed):
    asked(deployed / f"{name}.onnx", DEPLOYED[name])


def asked(path, fix=None):
    random, feeds = rng(0), {}
    for value in Graph.load(path, fix=fix).inputs:
        if value.name in (fix or {}):
            continue
        sizes = [size or (1 if axis == 0 else 576 if fix else 64) for axis, size in enumerate(value.shape)]
        whole = value.dtype.kind == "i"
        x = random.integers(2, 20, sizes) if whole else random.standard_normal(sizes)
        feeds[value.name] = x.astype(value.dtype)
    assert gradient_off(path, feeds, fix=fix) < 1e-9
