"""Reading model files that come from anywhere: untrusted bytes, external data, old opsets."""

from __future__ import annotations

import functools
import mmap
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnx.shape_inference
from google.protobuf.message import DecodeError

from ..errors import ModelError
from ..files import opened
from ..tensor import Array
from ..text import LINE, printable
from .cut import Cut, before, behind
from .fixing import Fixed
from .gate import FileGate
from .notes import Note
from .runtime import Runtime
from .tensors import Stored, array_of
from .weights import Location, split

# A model file above this is refused: a protocol buffer cannot be larger.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Settled:
    """What became of a file's calls and branches, and by what.

    Attributes
    ----------
    runtime : Runtime
        What ran conditions.
    fixed : dict of str -> array
        Inputs and axes that the caller holds the same in every run.
    notes : tuple of Note
    kept : dict of str -> str
        Functions that stay calls, and why.
    """

    runtime: Runtime
    fixed: Fixed
    notes: tuple[Note, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Source:
    """A model as it was read.

    Attributes
    ----------
    proto : onnx.ModelProto
        As it passed the gate, the graph's nodes in the order that they run.
    data : bytes
        What onnxruntime is given; where the model is a file, its large weights stay in it.
    path : Path or None
        The file, links resolved; external data lies in its folder.
    places : dict of tensor name -> Location
        The large weights of a file.
    title : str
        What to call the model in messages.
    stamps : dict of Path -> (int, int)
        The files that it was read from, the model's own the first: their sizes and times of change.
    cut : Cut or None
        Where it was cut, if it is the part of a file behind some of its tensors.
    settled : Settled or None
        What was settled before anything else was asked of it (`settling.py`); None right behind the gate.
    """

    proto: onnx.ModelProto
    data: bytes
    path: Path | None = None
    places: Mapping[str, Location] = field(default_factory=dict)
    title: str = "the model"
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    cut: Cut | None = None
    settled: Settled | None = None

    def __repr__(self) -> str:
        return printable(f"<Source {self.title!r}: {len(self.data):,} bytes>", LINE)

    @property
    def folder(self) -> Path | None:
        """Where external data lies."""
        return None if self.path is None else self.path.parent

    @property
    def files(self) -> list[Path]:
        """The model's own file and those of its external data; none where it is no file."""
        return list(self.stamps)

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names of all tensors."""
        graph = self.proto.graph
        sparse = (tensor.values for tensor in graph.sparse_initializer)
        given = (value.name for value in (*graph.input, *graph.initializer, *sparse))
        return frozenset(given) | {name for node in graph.node for name in (*node.input, *node.output)}

    @functools.cached_property
    def axes(self) -> Mapping[str, int]:
        """Tensor name -> how many axes it has, of those that ONNX's inference of shapes can tell."""
        try:
            graph = onnx.shape_inference.infer_shapes(self.proto).graph
        except Exception:  # what it makes of an odd file is no news here: then nothing is told
            return {}
        values = (*graph.input, *graph.value_info, *graph.output)
        kinds = {value.name: value.type.tensor_type for value in values}
        return {name: len(kind.shape.dim) for name, kind in kinds.items() if kind.HasField("shape")}

    def with_outputs(self, names: Iterable[str]) -> bytes:
        """The file as it is, with inner tensors added as outputs.

        Protocol buffers concatenate: the suffix's graph is merged into the file's. So a file of
        100 MB is neither parsed nor written again (0.3 s for ResNet-50, measured).
        """
        there = {value.name for value in self.proto.graph.output}
        suffix = onnx.ModelProto()
        for name in dict.fromkeys(names):
            if name not in there:
                suffix.graph.output.add().name = name
        return self.data + bytes(suffix.SerializeToString())

    def before(self, names: Collection[str]) -> Source:
        """The part of the file that computes these tensors."""
        return self._part(before(self.proto, names), None)

    def behind(self, cut: Cut) -> Source:
        """The part of the file behind some of its tensors, which are inputs of it."""
        return self._part(behind(self.proto, cut), cut)

    def _part(self, proto: onnx.ModelProto, cut: Cut | None) -> Source:
        left = {tensor.name for tensor in proto.graph.initializer}
        places = {name: place for name, place in self.places.items() if name in left}
        data = proto.SerializeToString()
        return Source(proto, data, self.path, places, self.title, self.stamps, cut, self.settled)

    def check_unchanged(self) -> None:
        """Refuse a file that is no longer the one that was read.

        Raises
        ------
        ModelError
        """
        for file, stamp in self.stamps.items():
            if stamp_of(file) != stamp:
                what = "the file" if file == self.path else f"{file.name!r}"
                raise ModelError(f"{self.title}: {what} changed after it was read; load the model again")

    def value(self, name: str, tensor: Stored) -> Array:
        """What an initializer holds, read where it lies.

        Raises
        ------
        ModelError
        """
        self.check_unchanged()
        if name in self.places and self.path is not None:
            return self.places[name].read(self.path)
        try:
            return array_of(tensor, self.folder)
        except ModelError:
            raise
        except Exception as error:  # whatever a malformed tensor raises, its name is the news
            raise ModelError(f"{self.title}: tensor {name!r} cannot be read: {error}") from error


def read_model(model: Any) -> Source:
    """Read a model from a path, bytes or a ModelProto.

    Raises
    ------
    ModelError
        See `Graph.load`.
    """
    if isinstance(model, Source):
        return model
    if isinstance(model, onnx.ModelProto):
        # A copy: the caller may change what is his.
        return _checked(_serialized(model))
    if isinstance(model, bytes | bytearray | memoryview):
        return _checked(bytes(model))
    if isinstance(model, str | os.PathLike):
        return _read(Path(model))
    raise ModelError(f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}")


def _serialized(model: onnx.ModelProto) -> bytes:
    try:
        return bytes(model.SerializeToString())
    except Exception as error:  # protobuf's own, which differ by its implementation
        raise ModelError(f"the model cannot be serialized: {error}") from error


def _checked(
    data: bytes,
    path: Path | None = None,
    places: Mapping[str, Location] | None = None,
    title: str = "the model",
) -> Source:
    """A source that has passed the gate, the nodes of its graph in the order that they run."""
    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{title}: not an ONNX model, or one that is truncated or nests too deep ({error})"
        ) from error
    gate = FileGate(proto, title, None if path is None else path.parent)
    ranks = {place: rank for rank, place in enumerate(gate.order)}
    given = iter(range(len(ranks)))
    proto.graph.node.sort(key=lambda _: ranks[next(given)])  # in place: a Constant may hold a weight
    files = () if path is None else (path, *sorted(gate.files - {path}))
    return Source(proto, data, path, places or {}, title, {file: stamp_of(file) for file in files})


def stamp_of(path: Path) -> tuple[int, int]:
    """A file's size and time of change, by which it is told to be the same."""
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _read(path: Path) -> Source:
    title = str(path)
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder, not a model file")
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"{path}: the file is empty")
        if size > LARGEST:
            raise ModelError(f"{path}: larger than 2 GiB; save its weights as external data")
        file = path.resolve()
        with opened(file) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            light, places = split(data, file.name)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError, KeyError, DecodeError) as error:
        raise ModelError(f"{title}: not an ONNX model, or a truncated one ({error})") from error
    return _checked(light, file, places, title)
