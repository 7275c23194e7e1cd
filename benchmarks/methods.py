"""The explainers under comparison, each as a function that prepares and returns what is timed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def forward(folder: Path, net: str, x: np.ndarray) -> Callable[[], Any]:
    """onnxruntime's forward pass, as anybody would run it: the unit of all others."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / f"{net}.onnx", providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": x})


def ours(folder: Path, net: str, x: np.ndarray, **how: Any) -> Callable[[], Any]:
    """Our own in NumPy; epsilon-LRP with the audit on, unless told otherwise."""
    from explainer import Explainer

    explainer = Explainer(folder / f"{net}.onnx", **how)
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


def zennit(folder: Path, net: str, x: np.ndarray, composite: str = "epsilon") -> Callable[[], Any]:
    """zennit's epsilon everywhere, or a preset of its own; BatchNormalization merged by its canonizer."""
    import torch

    model = _torch_model(folder, net)
    from zennit.attribution import Gradient
    from zennit.composites import COMPOSITES, LayerMapComposite, layer_map_base
    from zennit.rules import Epsilon
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer
    from zennit.types import Convolution, Linear

    canonizers = [ResNetCanonizer() if net.startswith("resnet") else VGGCanonizer()]
    if composite == "epsilon":
        rules = [(Convolution, Epsilon()), (Linear, Epsilon()), *layer_map_base()]
        attributor = Gradient(model, LayerMapComposite(rules, canonizers=canonizers))
    else:
        attributor = Gradient(model, COMPOSITES[composite](canonizers=canonizers))
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


def captum_ig(folder: Path, net: str, x: np.ndarray, steps: int) -> Callable[[], Any]:
    """captum's Integrated Gradients (its default is 50 steps), eight points at a time."""
    import torch

    model = _torch_model(folder, net)
    from captum.attr import IntegratedGradients

    images = torch.from_numpy(x)
    target = model(images).argmax(1)
    method = IntegratedGradients(model)
    return lambda: method.attribute(images, target=target, n_steps=steps, internal_batch_size=max(8, len(x)))


def ours_ig(folder: Path, net: str, x: np.ndarray, steps: int) -> Callable[[], Any]:
    """Ours, eight points at a time too."""
    return ours(folder, net, x, method="integrated_gradients", n_steps=steps, batch_size=max(8, len(x)))


FLAT = "epsilon_plus_flat"
METHODS: dict[str, Callable[[Path, str, np.ndarray], Callable[[], Any]]] = {
    "onnxruntime forward": forward,
    "onnx-lrp epsilon": ours,
    "onnx-lrp epsilon, no audit": functools.partial(ours, audit=False),
    "onnx-lrp epsilon, compiled": compiled,
    "zennit epsilon": zennit,
    f"onnx-lrp {FLAT}": functools.partial(ours, composite=FLAT),
    f"zennit {FLAT}": functools.partial(zennit, composite=FLAT),
    "captum LRP": captum_lrp,
}
# Asked for one network and one image: the time of an Integrated Gradients grows with its steps, its
# memory should not.
STEPS = {
    f"{tool} IG, {steps} steps": functools.partial(ig, steps=steps)
    for steps in (20, 200)
    for tool, ig in (("onnx-lrp", ours_ig), ("captum", captum_ig))
}
