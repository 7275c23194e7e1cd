"""The explainers under comparison, each as a function that prepares and returns what is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

IG_STEPS = 20


def forward(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """onnxruntime's forward pass, as anybody would run it: the unit of all others."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / f"{net}.onnx", providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": x})


def ours(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """Epsilon-LRP in NumPy, the audit on."""
    from explainer import Explainer

    explainer = Explainer(folder / f"{net}.onnx")
    return lambda: explainer.explain(x)


def compiled(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """The emitted model in onnxruntime."""
    import onnxruntime

    import explainer

    path = folder / f"{net}-lrp.onnx"
    if not path.exists():
        explainer.compile(folder / f"{net}.onnx", path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": x})


def _torch_model(folder: Path, net: str) -> Any:
    import torch

    from exporter._torchvision import torchvision

    model = torchvision.models.get_model(net, weights=None)
    model.load_state_dict(torch.load(folder / f"{net}.pth", weights_only=True))
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False  # captum's hooks need it
    return model.eval()


def zennit(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """zennit's epsilon everywhere, BatchNormalization merged by its own canonizer."""
    import torch

    model = _torch_model(folder, net)
    from zennit.attribution import Gradient
    from zennit.composites import LayerMapComposite, layer_map_base
    from zennit.rules import Epsilon
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer
    from zennit.types import Convolution, Linear

    canonizer = ResNetCanonizer() if net.startswith("resnet") else VGGCanonizer()
    rules = [(Convolution, Epsilon()), (Linear, Epsilon()), *layer_map_base()]
    attributor = Gradient(model, LayerMapComposite(rules, canonizers=[canonizer]))
    attributor.__enter__()
    images = torch.from_numpy(x)

    def top(output: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(output.argmax(1), output.shape[1]) * output

    return lambda: attributor(images, top)


def captum_lrp(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """captum's LRP with its default rules; on residual networks it runs and is wrong."""
    import torch

    model = _torch_model(folder, net)
    from captum.attr import LRP

    images = torch.from_numpy(x).requires_grad_()

    def run() -> Any:
        # Its clean-up forbids a second call on the same object; what it wraps is the same model.
        with torch.no_grad():
            target = model(images).argmax(1)
        return LRP(model).attribute(images, target=target)

    return run


def captum_ig(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """captum's Integrated Gradients with 20 steps (its default is 50), eight images at a time."""
    import torch

    model = _torch_model(folder, net)
    from captum.attr import IntegratedGradients

    images = torch.from_numpy(x)
    target = model(images).argmax(1)
    method = IntegratedGradients(model)
    return lambda: method.attribute(
        images, target=target, n_steps=IG_STEPS, internal_batch_size=max(8, len(x))
    )


METHODS = {
    "onnxruntime forward": forward,
    "onnx-lrp epsilon": ours,
    "onnx-lrp epsilon, compiled": compiled,
    "zennit epsilon": zennit,
    "captum LRP": captum_lrp,
    f"captum IG, {IG_STEPS} steps": captum_ig,
}
