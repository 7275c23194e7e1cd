"""The forward pass: onnxruntime runs the file as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from ..errors import InputError, ModelError
from ..tensor import Array
from .runtime import Runtime

# onnxruntime's own log repeats, on standard error, what the exception says.
onnxruntime.set_default_logger_severity(4)


class Session:
    """onnxruntime on one file, returning the tensors that the plan reads. Thread-safe.

    Parameters
    ----------
    model : bytes
        The file, its wanted inner tensors already among its outputs.
    outputs : sequence of str
        The tensors that `run` returns.
    folder : Path or None
        Where external data lies.
    weights : dict of name -> array, optional
        Initializers to use as they lie in memory instead of reading them again.
    title : str
        What to call the model in messages.
    packed : bool
        Whether weights are copied into the order that is fastest to multiply.
    runtime : Runtime, optional
    once : bool
        Whether it runs once: nothing is done for the sake of later runs, and no memory is held for them.

    Raises
    ------
    ModelError
        onnxruntime cannot load the model, a library of custom operators, or start a provider.
    InputError
        No such provider.
    """

    def __init__(
        self,
        model: bytes,
        outputs: Sequence[str],
        folder: Path | None = None,
        weights: Mapping[str, Array] | None = None,
        title: str = "the model",
        packed: bool = False,
        runtime: Runtime | None = None,
        once: bool = False,
    ) -> None:
        runtime = runtime or Runtime()
        options = options_of(runtime)
        options.log_severity_level = 4
        # Idle onnxruntime threads spin, and fight NumPy's for the cores: 280 -> 200 ms on ResNet-50.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A file's weights stay as they are, shared with the walk: packed copies add 0.5 GB to VGG-16 and
        # save no time (measured).
        options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
        if once:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.enable_cpu_mem_arena = False
        self._weights = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in (weights or {}).items()
        }
        for name, value in self._weights.items():
            options.add_initializer(name, value)
        if folder is not None:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", str(folder)
            )
        self.outputs = list(outputs)
        self.title = title
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=_providers(runtime), enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise ModelError(
                f"{title}: onnxruntime cannot load it: {_reason(error)}{_hint(error, runtime)}"
            ) from error
        # It goes on without a provider whose own libraries are missing: slower, or with other numbers.
        if missing := [name for name in runtime.names if name not in self._session.get_providers()]:
            raise ModelError(
                f"{title}: onnxruntime cannot start {', '.join(missing)} on this machine: leave it out, or "
                "install the libraries that it needs"
            )

    @property
    def declared(self) -> dict[str, tuple[str, list[int | str | None]]]:
        """Output -> what onnxruntime knows of it: its type, and its sizes, some by name, some not at all."""
        return {value.name: (value.type, list(value.shape)) for value in self._session.get_outputs()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model.

        Raises
        ------
        ModelError
            onnxruntime cannot run it on these feeds.
        """
        try:
            values = self._session.run(self.outputs, dict(feeds))
        except Exception as error:  # as above
            raise ModelError(f"{self.title}: onnxruntime cannot run it: {_reason(error)}") from error
        return dict(zip(self.outputs, values, strict=True))


def release() -> tuple[int, ...]:
    """onnxruntime's, without what is mended in it."""
    return tuple(map(int, onnxruntime.__version__.split(".")[:2]))


def options_of(runtime: Runtime) -> onnxruntime.SessionOptions:
    """onnxruntime's own options for these; the custom operators are loaded.

    Raises
    ------
    InputError
        This onnxruntime has no such provider.
    ModelError
        A library of custom operators is not there, or none.
    """
    available = onnxruntime.get_available_providers()
    if unknown := [name for name in runtime.names if name not in available]:
        raise InputError(
            f"providers: this onnxruntime has no {', '.join(map(repr, unknown))}; "
            f"there is: {', '.join(available)}"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    for library in runtime.custom_ops:
        if not os.path.isfile(library):
            raise ModelError(f"custom_ops: {library}: no such file")
        try:
            options.register_custom_ops_library(library)
        except Exception as error:  # as above
            raise ModelError(
                f"custom_ops: {library}: onnxruntime cannot load it as a library of custom operators: "
                f"{_reason(error)}"
            ) from error
    return options


def _providers(runtime: Runtime) -> list[Any]:
    """As onnxruntime takes them; the CPU is always the last."""
    asked = [name if isinstance(name, str) else (name[0], dict(name[1])) for name in runtime.providers]
    return asked if "CPUExecutionProvider" in runtime.names else [*asked, "CPUExecutionProvider"]


def _hint(error: Exception, runtime: Runtime) -> str:
    if "is not a registered function/op" in str(error) and not runtime.custom_ops:
        return "; if its operators come from a shared library, name that: custom_ops (--custom-ops)"
    return ""


def _reason(error: Exception) -> str:
    """The first line of an onnxruntime message, without its source path."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text[:400]
