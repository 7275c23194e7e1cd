"""What a model is fed with: an example of every input, and which of its axes may have any length."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from exporter.architecture import Example
from exporter.errors import ExportError

INPUT, BATCH = "input", "batch"


@dataclass(frozen=True)
class Feeds:
    """An example of every input.

    Attributes
    ----------
    tensors : dict of str -> tensor
        In the order in which they are given to the model, axis 0 the batch's.
    axes : dict of str -> dict of int -> str
        The axes that may have any length, by input, and what each is called.
    """

    tensors: Mapping[str, torch.Tensor]
    axes: Mapping[str, Mapping[int, str]]

    @classmethod
    def of(
        cls,
        model: torch.nn.Module,
        example: Example,
        axes: Mapping[str, Mapping[int, str]] | None,
        batch: Literal["dynamic"] | int,
    ) -> Feeds:
        """The example at the batch that is traced.

        Raises
        ------
        ExportError
            An input is no tensor and no shape, or an axis is not there or too short.
        """
        named = example if isinstance(example, Mapping) else {INPUT: example}
        if not named:
            raise ExportError("example names no input")
        if isinstance(example, Mapping):
            _check_names(model, named)
        given = {name: _tensor(model, one, name) for name, one in named.items()}
        # PyTorch takes an axis of length 1 for a constant.
        rows = 2 if batch == "dynamic" else batch
        tensors = {name: x[torch.arange(rows, device=x.device) % len(x)] for name, x in given.items()}
        opened: dict[str, dict[int, str]] = {name: {} for name in tensors}
        if batch == "dynamic":
            opened = {name: {0: BATCH} for name in tensors}
        for name, entries in (axes or {}).items():
            if name not in tensors:
                raise ExportError(f"axes: there is no input {name!r}, but {', '.join(tensors)}")
            opened[name] |= _checked(entries, tensors[name], name)
        feeds = cls(tensors, opened)
        feeds._check_sizes()
        return feeds

    @property
    def sizes(self) -> dict[str, int]:
        """The named axes beside the batch, and their lengths in the example."""
        return {
            called: self.tensors[name].shape[axis]
            for name, entries in self.axes.items()
            for axis, called in entries.items()
            if axis
        }

    def shape(self, name: str) -> tuple[int | str, ...]:
        """An input's shape, its open axes by name."""
        return tuple(self.axes[name].get(axis, n) for axis, n in enumerate(self.tensors[name].shape))

    def sized(self, rows: int, sizes: Mapping[str, int] | None = None) -> dict[str, torch.Tensor]:
        """The example repeated to `rows`, and cut along axes of these names."""
        made = {}
        for name, x in self.tensors.items():
            x = x[torch.arange(rows, device=x.device) % len(x)]
            for axis, called in self.axes[name].items():
                if axis and sizes and called in sizes:
                    x = x.narrow(axis, 0, sizes[called])
            made[name] = x
        return made

    def halves(self) -> dict[str, int]:
        """Half of every named axis: another length, and one that no table of positions is too short for."""
        return {called: size // 2 for called, size in self.sizes.items()}

    def _check_sizes(self) -> None:
        lengths: dict[str, int] = {}
        for name, entries in self.axes.items():
            for axis, called in entries.items():
                size = self.tensors[name].shape[axis]
                if lengths.setdefault(called, size) != size:
                    raise ExportError(f"axes: {called!r} is of two lengths, {lengths[called]} and {size}")


def _check_names(model: torch.nn.Module, given: Mapping[str, Any]) -> None:
    parameters = inspect.signature(model.forward).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise ExportError(f"example: the model takes no {name!r}; it takes {', '.join(parameters)}")


def _checked(entries: Mapping[int, str], x: torch.Tensor, name: str) -> Iterator[tuple[int, str]]:
    """Axes and their names, each once it is one."""
    if not isinstance(entries, Mapping):
        raise ExportError(f"axes: of {name!r} a dict of axis and name, {{1: 'sequence'}}, not {entries!r}")
    for axis, called in entries.items():
        if not isinstance(axis, int) or not 0 < axis < x.ndim:
            raise ExportError(f"axes: {name!r} has the axes 1 to {x.ndim - 1} beside the batch, not {axis!r}")
        if not isinstance(called, str) or not called.isidentifier() or called == BATCH:
            raise ExportError(
                f"axes: {called!r} is no name for {name}[{axis}]: it is a word such as sequence"
            )
        if x.shape[axis] < 2:
            raise ExportError(
                f"axes: {name}[{axis}] is {x.shape[axis]} long in the example, which PyTorch takes for a "
                "constant; give a longer one"
            )
        yield axis, called


def _tensor(model: torch.nn.Module, example: torch.Tensor | Sequence[int], name: str) -> torch.Tensor:
    """`example` itself, or noise of its shape, of the type and on the device of the model's weights."""
    is_tensor = isinstance(example, torch.Tensor)
    try:
        shape = tuple(example.shape) if isinstance(example, torch.Tensor) else tuple(example)
    except TypeError as error:
        raise ExportError(f"example: {name!r} is a tensor or a shape, not {example!r}") from error
    if is_tensor and (example.is_complex() or example.is_quantized):  # type: ignore[union-attr]
        raise ExportError(f"example: {name!r} is {example.dtype}, which no input is")  # type: ignore[union-attr]
    if len(shape) < (1 if is_tensor else 2) or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ExportError(f"example must have a batch axis and be of positive sizes, not {shape}")
    if isinstance(example, torch.Tensor):
        return example.detach()
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(weight.detach())


class Named(torch.nn.Module):
    """A model that is given its inputs in order, and calls them by name; its outputs are a flat tuple."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Call the model."""
        return tuple(tensors_of(self.model(**dict(zip(self.names, tensors, strict=True)))))


def tensors_of(result: Any) -> Iterator[torch.Tensor]:
    """The tensors in a nest of lists, tuples and dicts.

    Raises
    ------
    ExportError
        There is something else in it.
    """
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, Mapping | list | tuple):
        for part in result.values() if isinstance(result, Mapping) else result:
            yield from tensors_of(part)
    else:
        raise ExportError(f"the model returns a {type(result).__name__} where a tensor was expected")


def names_of(result: Any) -> list[str]:
    """What to call the tensors in what a model returned: as its own dict does, or by their places."""
    if not isinstance(result, Mapping):
        return [f"output_{i}" for i, _ in enumerate(tensors_of(result))]
    return [name for key, value in result.items() for name in _within(str(key), value)]


def _within(name: str, value: Any) -> list[str]:
    """The name of a tensor in a dict, or those of all that the dict has under this name."""
    if isinstance(value, torch.Tensor):
        return [name]
    if isinstance(value, Mapping):
        return [inner for key, one in value.items() for inner in _within(f"{name}.{key}", one)]
    if isinstance(value, list | tuple):
        return [inner for place, one in enumerate(value) for inner in _within(f"{name}.{place}", one)]
    return []
