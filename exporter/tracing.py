"""A PyTorch module as an ONNX graph, by either of PyTorch's exporters."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch.overrides import TorchFunctionMode

from exporter.errors import ExportError
from exporter.feeds import Feeds, Named
from exporter.finishing import finish


class BatchNormCounter(TorchFunctionMode):
    """Counts the batch normalisations that run under it: each becomes one node of the graph.

    Those without running statistics are none: they standardise weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # The module calls the functional form, which calls the operator with this mode switched off.
        if func in (torch.nn.functional.batch_norm, torch.batch_norm):
            mean = (kwargs or {}).get("running_mean", args[1] if len(args) > 1 else None)
            self.count += mean is not None
        return func(*args, **(kwargs or {}))


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode, and give every submodule its own mode back afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def trace(
    model: torch.nn.Module,
    feeds: Feeds,
    *,
    outputs: Mapping[str, Mapping[int, str]],
    exporter: str,
    keep: bool,
    opset: int,
) -> onnx.ModelProto:
    """Export ``model``, already in evaluation mode, at the shapes of an example.

    Parameters
    ----------
    model : torch.nn.Module
        Takes the tensors in their order.
    feeds : Feeds
        Two samples or more where the batch is open: one would be taken for a constant.
    outputs : dict of str -> dict of int -> str
        What to call the tensors that the model returns, and those of their axes that may have any length.
    exporter : {"torchscript", "dynamo"}
    keep : bool
        Leave every BatchNormalization a node, rather than fold it into the layer before it.
    opset : int

    Returns
    -------
    onnx.ModelProto
        Without names of source files, which PyTorch writes into its nodes.

    Raises
    ------
    ExportError
        PyTorch cannot export this model, or not to this opset.
    """
    run: Callable[..., onnx.ModelProto] = {"torchscript": _torchscript, "dynamo": _dynamo}[exporter]
    try:
        with _quiet(), _without_dump(), _unfused_attention():
            proto = run(model, feeds, outputs, keep, opset)
    except Exception as error:  # their kinds differ between exporters, releases and models
        other = "dynamo" if exporter == "torchscript" else "torchscript"
        raise ExportError(
            f"PyTorch's {exporter} exporter cannot export this model: {reason(error)}; the other one may "
            f"(exporter {other})"
        ) from error
    written = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:
        raise ExportError(f"PyTorch's {exporter} exporter cannot write opset {opset} (it wrote {written})")
    finish(proto)
    return proto


def _torchscript(
    model: torch.nn.Module,
    feeds: Feeds,
    outputs: Mapping[str, Mapping[int, str]],
    keep: bool,
    opset: int,
) -> onnx.ModelProto:
    file = io.BytesIO()
    mode = torch.onnx.TrainingMode
    torch.onnx.export(
        model,
        tuple(feeds.tensors.values()),
        file,  # type: ignore[arg-type]  # the annotation knows paths only
        dynamo=False,
        opset_version=opset,
        input_names=list(feeds.tensors),
        output_names=list(outputs),
        dynamic_axes={name: dict(axes) for name, axes in (*feeds.axes.items(), *outputs.items()) if axes},
        # EVAL is the mode that folds; PRESERVE takes an evaluated model as it is.
        training=mode.PRESERVE if keep else mode.EVAL,
        # Otherwise parameters that happen to be equal become Identity nodes of a single one.
        keep_initializers_as_inputs=True,
    )
    proto = onnx.load_from_string(file.getvalue())
    parameters = {initializer.name for initializer in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in parameters]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    return proto


def _dynamo(
    model: torch.nn.Module,
    feeds: Feeds,
    outputs: Mapping[str, Mapping[int, str]],
    keep: bool,
    opset: int,
) -> onnx.ModelProto:
    called = {name: torch.export.Dim(name) for axes in feeds.axes.values() for name in axes.values()}
    shapes = tuple(
        {axis: called[name] for axis, name in axes.items()} if axes else None for axes in feeds.axes.values()
    )
    program = torch.onnx.export(
        model,
        tuple(feeds.tensors.values()),
        dynamo=True,
        opset_version=opset,
        input_names=list(feeds.tensors),
        output_names=list(outputs),
        # A model that takes any number of tensors has one parameter for all of them.
        dynamic_shapes=(shapes,) if isinstance(model, Named) else shapes,
        optimize=not keep,
        verbose=False,
    )
    assert program is not None  # as it is for the other exporter
    if keep:
        _fold_shape_arithmetic(program.model)
    return program.model_proto


def _fold_shape_arithmetic(model: Any) -> None:
    """The part of PyTorch's own optimisation that leaves BatchNormalization alone, in place."""
    from onnx_ir.passes import common
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules.common import materialize_reshape_shape_rule

    common.InlinePass()(model)
    optimizer.fold_constants(model)
    rewriter.rewrite(model, [materialize_reshape_shape_rule])
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what PyTorch says to every caller of its exporters, and nothing else."""
    with warnings.catch_warnings():
        # Both exporters are offered on purpose, the older one for as long as it is there.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        # It fears for parameters that are to be trained on; nobody trains on this graph.
        warnings.filterwarnings("ignore", "It is recommended that constant folding be", UserWarning)
        # A slice that it leaves in the graph instead of folding it is no less right.
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1", UserWarning)
        # A trace that holds for one input only is found out by the proof, which runs others.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        # So it says of every table that is looked up in; the proof tells whether an index was negative.
        warnings.filterwarnings("ignore", "Exporting aten::index operator of advanced", UserWarning)
        # It names an axis once where two inputs share it, as they are to.
        warnings.filterwarnings("ignore", "# The axis name: .* will not be used", UserWarning)
        # Weights that are standardised by their own statistics are made weights; what else is, is refused.
        warnings.filterwarnings("ignore", "ONNX export mode is set to TrainingMode", UserWarning)
        # torch's own code uses its own deprecated class.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        yield


@contextmanager
def _without_dump() -> Iterator[None]:
    """Without the whole graph on the screen, which the older exporter writes there when it fails."""
    name = "_jit_set_onnx_log_enabled"
    enable = getattr(torch._C, name, None)
    if enable is None:
        yield
        return
    enable(False)
    setattr(torch._C, name, lambda wanted: None)
    try:
        yield
    finally:
        setattr(torch._C, name, enable)


@contextmanager
def _unfused_attention() -> Iterator[None]:
    """Attention in its single steps: PyTorch's fused kernel for evaluation has no ONNX operator."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def reason(error: BaseException) -> str:
    """The first line of what was at the root of ``error``."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
