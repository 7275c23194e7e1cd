"""Constants that a file computes from others: weights behind a Cast, tables, shapes.

They are computed together by onnxruntime, small ones when a plan is made and large ones when it is walked;
before anything is run, what each would take is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnx
import onnx.shape_inference
from onnx import numpy_helper

from ..errors import ModelError
from ..tensor import Array
from .node import Node
from .reading import Source
from .runtime import Runtime
from .scopes import captured_names

# What computed constants may take in bytes, beside so many times what they are computed from: float64 of
# int8, or a few steps from float16 to a float32 matrix in another order.
LARGEST, TIMES = 1 << 30, 8
# Bytes of a constant that may be looked at while a plan is made, for a sign or a size; larger are weights.
SMALL = 1 << 20
# Larger tensors are no sizes: no other tensor's shape depends on what they hold.
FEW = 1 << 10
# How often sizes may depend on computed sizes that ONNX's inference of shapes cannot tell.
ROUNDS = 4


@dataclass(frozen=True)
class Size:
    """How large a constant is.

    Attributes
    ----------
    bytes : int
    shape : tuple of int
    """

    bytes: int
    shape: tuple[int, ...]


# How large the constants are that there is room for; None where only computing one would tell.
Sizes: TypeAlias = "dict[str, Size | None]"


def computed(
    source: Source,
    name: str,
    others: Collection[str],
    known: Mapping[str, Array],
    stored: Callable[[str], Array],
    runtime: Runtime,
    sizes: Sizes | None = None,
) -> dict[str, Array]:
    """The value of a constant, and of all others that can be had with it.

    Parameters
    ----------
    source : Source
    name : str
        A tensor that a node computes from constants alone.
    others : collection of str
        More of them, left out where they would take too much; of a small one the small ones alone are had.
    known : dict of str -> array
        What was computed before: it counts, and is not computed again.
    stored : callable
        The value of an initializer.
    runtime : Runtime
    sizes : dict, optional
        What is known of sizes, which grows: they are inferred once.

    Raises
    ------
    ModelError
        It would take too much memory, or onnxruntime cannot compute it.
    """
    everything = {name, *others}
    able = affordable(source, name, others, stored, runtime, sizes)
    largest = SMALL if able[name] <= SMALL else math.inf
    wanted = {one for one in everything - known.keys() if one in able and able[one] <= largest}
    return Part(source, wanted, stored, runtime, known).run()


def affordable(
    source: Source,
    name: str,
    others: Collection[str],
    stored: Callable[[str], Array],
    runtime: Runtime,
    sizes: Sizes | None = None,
) -> dict[str, float]:
    """The bytes of a constant and of all others that can be had with it: see `computed`.

    Raises
    ------
    ModelError
        It would take too much memory.
    """
    able, needs = Part(source, {name, *others}, stored, runtime, sizes=sizes).affordable()
    if name not in able:
        raise ModelError(f"{source.title}: {name!r} is a constant that is not computed: {needs}")
    return able


class Part:
    """The nodes of a file that compute some constants, as a model without inputs.

    Parameters
    ----------
    source : Source
    names : set of str
    stored, runtime : see `computed`
    known : dict of str -> array
        Values of some of the tensors, which are not computed again.
    sizes : dict, optional
        See `computed`.
    """

    def __init__(
        self,
        source: Source,
        names: set[str],
        stored: Callable[[str], Array],
        runtime: Runtime,
        known: Mapping[str, Array] | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        self.sizes: Sizes = {} if sizes is None else sizes
        self.source, self.names, self.stored, self.runtime = source, names, stored, runtime
        wanted, self.known = set(names), dict[str, Array]()
        nodes: list[onnx.NodeProto] = []
        for node in reversed(source.proto.graph.node):
            here = wanted.intersection(node.output)
            if known and here <= known.keys():
                self.known.update((name, known[name]) for name in here)
            elif here:
                nodes.append(node)
                wanted.update(name for name in (*node.input, *captured_names(node)) if name)
        self.nodes = nodes[::-1]
        held = source.proto.graph
        self.initializers = [tensor for tensor in held.initializer if tensor.name in wanted]
        sparse = (tensor.values.name for tensor in held.sparse_initializer)
        self.initializers += [
            numpy_helper.from_array(stored(name), name) for name in sparse if name in wanted
        ]

    def run(self) -> dict[str, Array]:
        """What the nodes compute: one session."""
        from .session import Session

        model, source = self._model(), self.source
        model.graph.initializer.extend(self.initializers)
        for name in sorted(self.names):
            model.graph.output.add().name = name
        own = {tensor.name for tensor in self.initializers}
        weights = {name: self.stored(name) for name in source.places if name in own}
        data = model.SerializeToString()
        return Session(
            data, sorted(self.names), source.folder, weights, source.title, once=True, runtime=self.runtime
        ).run({})

    def _model(self) -> onnx.ModelProto:
        """The nodes, and what is known; the file's initializers are not in it yet."""
        proto = self.source.proto
        model = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
        model.functions.extend(proto.functions)
        model.graph.name = "constants"
        model.graph.node.extend(self.nodes)
        model.graph.initializer.extend(numpy_helper.from_array(x, name) for name, x in self.known.items())
        return model

    def affordable(self) -> tuple[dict[str, float], str]:
        """The tensors that there is room for in the order they run, and their bytes; why there is no more."""
        sizes = self._sizes()
        left = LARGEST + TIMES * sum(map(bytes_of_tensor, self.initializers))
        able, blocked, reason = dict[str, float](), set[str](), ""
        for node in self.nodes:
            found = {name: sizes.get(name) for name in node.output}
            takes = sum(size.bytes for size in found.values() if size is not None)
            if takes > left and not reason:
                reason = (
                    f"{node.op_type} {(node.name or node.output[0])!r} makes {takes / 1e9:.3g} GB out of "
                    f"constants alone, and {left / 1e9:.3g} GB are left for that"
                )
            if takes > left or not blocked.isdisjoint((*node.input, *captured_names(node))):
                blocked.update(node.output)
            else:
                left -= takes
                self.sizes.update(found)
                able.update((name, math.inf if size is None else size.bytes) for name, size in found.items())
        return able, reason

    def _sizes(self) -> Mapping[str, Size | None]:
        """How large every tensor is, of all but those where only computing them would tell."""
        if all(name in self.sizes for node in self.nodes for name in node.output):
            return self.sizes
        part, values = self, dict[str, Array]()
        for _ in range(ROUNDS):
            sizes = part._inferred() | {name: Size(x.nbytes, x.shape) for name, x in values.items()}
            unknown = [node for node in part.nodes if not sizes.keys() >= {*filter(None, node.output)}]
            # The sizes of these may be told by what they read, where that is computed.
            known = {
                name
                for node in part.nodes
                for name in node.output
                if name in sizes and sizes[name].bytes <= FEW
            }
            few = {name for node in unknown for name in node.input if name in known}
            if not few:
                break
            values |= Part(self.source, few, self.stored, self.runtime, values).run()
            part = Part(self.source, self.names, self.stored, self.runtime, values)
        return sizes

    def _inferred(self) -> dict[str, Size]:
        """How large the tensors are of which ONNX's inference of shapes can tell."""
        model = self._model()
        outline(model.graph, self.initializers)
        try:
            found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
        except Exception:  # of an odd file nothing is told; onnxruntime says what is wrong with it
            return {}
        sizes = {value.name: _size(value.type.tensor_type) for value in found}
        return {name: size for name, size in sizes.items() if size is not None}


def value_of(node: Node) -> Array:
    """What a Constant holds.

    Raises
    ------
    ModelError
    """
    for key, value in node.attributes.items():
        if key in ("value", "sparse_value"):
            return np.asarray(value)
        if key in ("value_float", "value_floats"):
            return np.asarray(value, dtype=np.float32)
        if key in ("value_int", "value_ints"):
            return np.asarray(value, dtype=np.int64)
    raise ModelError(f"{node}: a Constant of this kind carries no numbers")


def outline(graph: onnx.GraphProto, initializers: Iterable[onnx.TensorProto]) -> None:
    """Put initializers into a graph, of the large ones type and shape alone, as an input's."""
    for tensor in initializers:
        if bytes_of_tensor(tensor) > FEW:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
        else:
            graph.initializer.append(tensor)


def bytes_of_tensor(tensor: onnx.TensorProto) -> int:
    """What an initializer takes."""
    return math.prod(map(int, tensor.dims)) * _item(tensor.data_type)


def _size(kind: onnx.TypeProto.Tensor) -> Size | None:
    dims = kind.shape.dim
    if not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        return None
    shape = tuple(int(dim.dim_value) for dim in dims)
    return Size(math.prod(shape) * _item(kind.elem_type), shape)


def _item(kind: int) -> int:
    try:
        return int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)
    except KeyError:  # no type of ONNX's, or none that NumPy has: of some size
        return 8
