"""A function's body as it is put together, node by node, for one call of an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ..errors import UnsupportedError
from .types import Types

# Since 13 axes and sizes are operands.
OPERANDS = 13


class Body:
    """A body that is being written: calling it adds a node, and answers the name of what that makes.

    Parameters
    ----------
    node : onnx.NodeProto
        The call.
    opset : int
        The model's.
    types : Types
        What the file tells of tensors.
    kind : int
        The type of the numbers that the call computes in.
    attributes : dict of str -> value
        The call's, absent ones filled in.
    """

    def __init__(
        self, node: onnx.NodeProto, opset: int, types: Types, kind: int, attributes: Mapping[str, Any]
    ) -> None:
        self.node, self.opset, self.kind, self.attributes = node, opset, kind, attributes
        self.types, self.nodes = types, list[onnx.NodeProto]()
        self.results: dict[str, str] = {}

    def input(self, place: int) -> str:
        """An operand of the call; "" where it is not given."""
        given = place < len(self.node.input) and self.node.input[place]
        return f"x{place}" if given else ""

    def dims(self, place: int) -> Sequence[int | str] | None:
        """The sizes of an operand, as far as the file tells."""
        return self.types.dims(self.node.input[place]) if self.input(place) else None

    def real(self, place: int) -> str:
        """An operand in the type that the call computes in."""
        x = self.input(place)
        return x if self.types.kind(self.node.input[place]) == self.kind else self("Cast", x, to=self.kind)

    def wants(self, place: int) -> bool:
        """Whether an output of the call is read."""
        return place < len(self.node.output) and bool(self.node.output[place])

    def refuse(self, places: Mapping[int, str]) -> None:
        """Refuse operands that no body is written for.

        Raises
        ------
        UnsupportedError
        """
        for place, what in places.items():
            if self.input(place):
                raise UnsupportedError(f"it is not explained with {what}")

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        made = f"{operator}{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, inputs, [made], **attributes))
        return made

    def constant(self, value: Any, kind: int = 0) -> str:
        """A number of the call's floating type, or of another one."""
        kind = kind or self.kind
        array = np.asarray(value, onnx.helper.tensor_dtype_to_np_dtype(kind))
        return self("Constant", value=onnx.numpy_helper.from_array(array))

    def names(self, values: Sequence[bytes]) -> str:
        """Texts."""
        made = onnx.numpy_helper.from_array(np.asarray(values, object), "value")
        return self("Constant", value=made)

    def whole(self, value: Any) -> str:
        """A whole number, or several."""
        return self.constant(value, onnx.TensorProto.INT64)

    def shaped(self, x: str, *sizes: int) -> str:
        return self("Reshape", x, self.whole(sizes))

    def moved(self, x: str, *perm: int) -> str:
        return self("Transpose", x, perm=perm)

    def picked(self, x: str, place: int, axis: int) -> str:
        return self("Gather", x, self.whole(place), axis=axis)

    def part(self, x: str, begin: int, end: int, axis: int, step: int = 1) -> str:
        ends = (self.whole([number]) for number in (begin, end, axis, step))
        return self("Slice", x, *ends)

    def unsqueezed(self, x: str, axis: int) -> str:
        if self.opset < OPERANDS:
            return self("Unsqueeze", x, axes=[axis])
        return self("Unsqueeze", x, self.whole([axis]))

    def size(self, x: str, axis: int) -> str:
        """How large an axis is, as a number."""
        return self.picked(self("Shape", x), axis, 0)

    def counted(self, begin: str, end: str) -> str:
        return self("Range", begin, end, self.whole(1))

    def give(self, place: int, made: str) -> None:
        """Say what an output of the call is."""
        self.results[made] = f"y{place}"

    def function(self) -> onnx.FunctionProto:
        """The function that the call calls."""
        for node in self.nodes:
            node.input[:] = [self.results.get(name, name) for name in node.input]
            node.output[:] = [self.results.get(name, name) for name in node.output]
        node = self.node
        return onnx.helper.make_function(
            node.domain,
            node.op_type,
            [f"x{place}" for place in range(len(node.input))],
            [f"y{place}" for place in range(len(node.output))],
            self.nodes,
            [onnx.helper.make_opsetid("", self.opset)],
        )
