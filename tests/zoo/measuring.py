"""What is measured of a member: whether it is explained, and how right that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from file_in_torch import gradient_off as off_the_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from zeroing import zeroed

import explainer
from explainer import Explainer, ExplainerError

EPS = 1e-9


def planned(file: onnx.ModelProto) -> dict[str, Any]:
    """``refused`` and ``instead``, text, where a file is not explained."""
    try:
        assert Explainer(file).plan
    except ExplainerError as error:
        return {"refused": error.text, "instead": [way.call for way in error.ways]}
    return {}


def measured(
    file: onnx.ModelProto, model: nn.Module, twin: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Any]:
    """All that is asked of one file, as plain data; `twin` is the module in float64.

    Returns
    -------
    dict
        ``sum``, ``intercept`` and ``epsilon``, the shares of a copy without biases; ``top``, whether all say
        the same class; ``compiled`` and ``gradient``, differences; ``forwards``, the compiled file's time.
    """
    feeds = {name: x.numpy() for name, x in inputs.items()}
    bare = Explainer(zeroed(file, Explainer(file).plan), eps=EPS, dtype="float64").explain(feeds, start="one")
    intercept = sum(float(step.intercept[0]) for step in bare.audit)
    answer = model(*inputs.values()).detach().numpy()
    whole = Explainer(file).explain(feeds)
    ours = whole.outputs["output"]
    found = {
        "sum": float(bare.conserved[0]),
        "intercept": intercept,
        "epsilon": sum(float(step.epsilon[0]) for step in bare.audit),
        "residual": max(float(abs(step.residual).max()) for step in bare.audit),
        "top": bool(ours.argmax() == int(whole.target[0]) and is_top(answer, ours.argmax())),
    }
    found |= compared_with_compiled(file, feeds, whole)
    return found | gradient_off(file, twin, inputs, int(whole.target[0]))


def is_top(answer: np.ndarray, place: int) -> bool:
    """Whether no value is larger by more than rounding."""
    return bool(answer.flatten()[place] >= answer.max() - 1e-5 * np.abs(answer).max())


def compared_with_compiled(file: onnx.ModelProto, feeds: Mapping[str, Any], whole: Any) -> dict[str, Any]:
    """How far the compiled file's relevance is from NumPy's, and its time in forward passes."""
    try:
        written = explainer.compile(file)
    except ExplainerError as error:
        return {"uncompiled": error.text}
    session, plain = opened(written), opened(file)
    names = [value.name for value in session.get_outputs()]
    answers = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    relevance = whole.relevance
    pairs = relevance if isinstance(relevance, dict) else {"": relevance}
    off = max(
        relative(answers.get(f"relevance/{name}", answers.get("relevance")), R) for name, R in pairs.items()
    )
    found = {"compiled": off}
    if off > 1e-4:  # as far as rounding of the input moves a map that is hard to compute
        random = np.random.default_rng(0)
        moved = {
            name: x * (1 + 2.0**-22 * random.standard_normal(x.shape)).astype(x.dtype)
            if x.dtype.kind == "f"
            else x
            for name, x in feeds.items()
        }
        other = Explainer(file).explain(moved, int(whole.target[0])).relevance
        others = other if isinstance(other, dict) else {"": other}
        found["rounding"] = max(relative(others[name], R) for name, R in pairs.items())
    forward, walk = (timed(lambda s=s: s.run(None, dict(feeds))) for s in (plain, session))
    return {**found, "forwards": walk / forward}


def gradient_off(
    file: onnx.ModelProto, twin: nn.Module, inputs: Mapping[str, Tensor], target: int
) -> dict[str, float]:
    """How far the gradient is from autograd's of the module, and of the file where that is not the same."""
    feeds = {name: x.numpy() for name, x in inputs.items()}
    found = Explainer(file, method="gradient", dtype="float64").explain(feeds, target).relevance
    ours = list(found.values()) if isinstance(found, dict) else [found]
    args = [x.double().requires_grad_() if x.is_floating_point() else x for x in inputs.values()]
    with torch.enable_grad(), AsInTheFile(args) as rows:
        score = twin(*args).flatten()[target]
        at = [x if row is None else row for x, row in zip(args, rows.found, strict=True)]
        theirs = torch.autograd.grad(score, [x for x in at if x.requires_grad])
    pairs = zip(_by_shape(ours), _by_shape([g.numpy() for g in theirs]), strict=True)
    off = max(relative(a, b) for a, b in pairs)
    return {"gradient": off, **({} if off < 1e-9 else {"own": off_the_file(file, feeds, target)})}


def _by_shape(gradients: list[np.ndarray]) -> list[np.ndarray]:
    """In an order that both have: a file may read its inputs in another one than the module takes them."""
    return sorted(gradients, key=lambda gradient: gradient.shape)


class AsInTheFile(TorchFunctionMode):
    """float64 throughout, as our gradient is, with a file's constants; it keeps the rows that were looked up.

    A file has the slope of a HardSigmoid in float32. A module may ask for float32 whatever it is given.

    Parameters
    ----------
    args : list of Tensor
        Rows are kept that are looked up for whole numbers among them.
    """

    def __init__(self, args: list[Tensor]) -> None:
        super().__init__()
        self.args = args
        self.found: list[Tensor | None] = [None] * len(args)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if args and isinstance(args[0], Tensor) and args[0].requires_grad:
            func = Tensor.double if func is Tensor.float else func
            args, kwargs = tuple(map(_double, args)), {name: _double(x) for name, x in kwargs.items()}
        if func is torch.nn.functional.hardsigmoid:
            return (args[0] * float(np.float32(1 / 6)) + 0.5).clamp(0, 1)
        if func in (torch.nn.functional.grid_sample, torch.conv2d):  # at places that a module has in float32
            args = tuple(x.double() if isinstance(x, Tensor) else x for x in args)
        answer = func(*args, **kwargs)
        if func is torch.nn.functional.batch_norm and answer.requires_grad:
            # torch 2.13's is wrong behind a gradient of one sample whose strides are not in order.
            answer.register_hook(Tensor.contiguous)
        for index, x in enumerate(self.args if func is torch.nn.functional.embedding else ()):
            if x.shape == args[0].shape and torch.equal(x, args[0]):
                self.found[index] = answer
        return answer


def _double(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument


def opened(file: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(file.SerializeToString(), options, providers=["CPUExecutionProvider"])


def timed(call: Callable[[], Any], runs: int = 7) -> float:
    """The median time of a call that has been made once."""
    call()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def relative(a: Any, b: Any) -> float:
    """Largest |a − b| relative to the largest |b|."""
    return float(np.abs(a - b).max() / (np.abs(b).max() or 1))
