"""Patterns of nodes as text, and where a graph holds them.

    t = Softplus (x); h = Tanh (t); y = Mul (x, h)

One node a line, or between semicolons, as a model's text has it; the last one makes what the pattern
stands for, and every other one is read on the way there. A name in capitals is a constant, a name that
no node of the pattern makes is what the pattern reads, `A | B` is either operator, and an operand with
a question mark may be absent. Sums and products are met with their operands in either order.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import CompositeError
from ..model.graph import Graph, Node
from ..model.operators import mistyped

COMMUTATIVE = frozenset({"Add", "Mul", "Sum", "Max", "Min", "And", "Or", "Xor", "Equal"})
LINE = re.compile(r"(?P<outputs>[^=]+)=(?P<operators>[^(]+)\((?P<operands>[^)]*)\)")


@dataclass(frozen=True)
class Line:
    """One node of a pattern.

    Attributes
    ----------
    outputs : tuple of str
    operators : tuple of str
        Any of these.
    operands : tuple of str
        "" where none may be.
    optional : frozenset of str
        The operands that may be absent.
    """

    outputs: tuple[str, ...]
    operators: tuple[str, ...]
    operands: tuple[str, ...]
    optional: frozenset[str]

    def orders(self, node: Node) -> Iterator[tuple[str, ...]]:
        """The node's inputs, one for every operand, in each order that means the same."""
        inputs = tuple(node.operand(index) for index in range(len(self.operands)))
        if any(node.inputs[len(self.operands) :]):
            return
        yield from (
            dict.fromkeys(itertools.permutations(inputs)) if node.operator in COMMUTATIVE else (inputs,)
        )


def is_constant(name: str) -> bool:
    """Whether a name of a pattern stands for a constant: it is written in capitals."""
    return name[:1].isupper()


@functools.cache
def lines_of(pattern: str) -> tuple[Line, ...]:
    """A pattern's nodes, as they are written.

    Raises
    ------
    ValueError
        It cannot be read, makes a tensor twice, has a node that the last one does not depend on, or an
        operator that is nearly one of ONNX's: others may be the names of groups.
    """
    if not isinstance(pattern, str):
        raise ValueError(f"a pattern is a text with lines such as `y = Relu (x)`, not {pattern!r}")
    lines = tuple(_line(text.strip()) for text in re.split(r"[;\n]", pattern) if text.strip())
    if not lines:
        raise ValueError("a pattern says nothing: it has no lines")
    made = [name for line in lines for name in line.outputs]
    if len(set(made)) < len(made) or any(map(is_constant, made)):
        raise ValueError(f"pattern {pattern!r}: a tensor is made twice, or is written as a constant")
    needed = set(lines[-1].outputs)
    for line in reversed(lines):
        if needed.isdisjoint(line.outputs):
            raise ValueError(f"pattern {pattern!r}: nothing behind it reads {line.outputs[0]!r}")
        needed.update(line.operands)
    return lines


def _line(text: str) -> Line:
    found = LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"a pattern has lines such as `y = Add | Sub (x, B?)`, not {text!r}")
    outputs, operators, operands = (
        tuple(part.strip() for part in found[name].split(separator))
        for name, separator in (("outputs", ","), ("operators", "|"), ("operands", ","))
    )
    for operator in operators:
        if hint := mistyped(operator):
            raise ValueError(
                f"a pattern has {operator!r}, which is no operator; did you mean {hint}? A name of your own "
                "has its domain in front, such as com.example.MyScale"
            )
    names = tuple(name.removesuffix("?") for name in operands)
    return Line(outputs, operators, names, frozenset(names) - frozenset(operands))


@dataclass(frozen=True, eq=False)
class Match:
    """Where a graph holds a pattern.

    Attributes
    ----------
    names : dict of str -> str
        The pattern's names -> tensors of the graph; "" for an operand that is absent.
    makers : dict of str -> Node
        The pattern's names -> the nodes that make these tensors.
    nodes : tuple of Node
        In the order they run: the last one makes what the pattern stands for. Some may be groups
        of another canonizer.
    """

    names: Mapping[str, str]
    makers: Mapping[str, Node]
    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> str:
        """The tensor that a name of the pattern stands for.

        Raises
        ------
        CompositeError
            No line has that name.
        """
        if name not in self.names:
            there = ", ".join(filter(None, self.names))
            raise CompositeError(
                f"match[{name!r}] at {self.nodes[-1]}: the pattern has no such name; it has {there}"
            )
        return self.names[name]

    def get(self, name: str) -> str:
        """The same of a name that not every pattern of a canonizer has: "" where this one has not."""
        return self.names.get(name, "")

    def node(self, *operators: str) -> Node:
        """The first of the nodes that has one of these operators.

        Raises
        ------
        CompositeError
            None has.
        """
        found = next((node for node in self.nodes if node.operator in operators), None)
        if found is None:
            there = ", ".join(node.operator for node in self.nodes)
            raise CompositeError(f"match.node: none of these nodes is {' or '.join(operators)}: {there}")
        return found

    def becomes(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        name: str = "",
        attributes: Mapping[str, Any] | None = None,
        acts_as: str = "",
    ) -> Node:
        """These nodes as one node, which makes what the last of them does.

        Parameters
        ----------
        operator : str
            What selectors and messages call it.
        inputs : sequence of str
            Tensors, in the order of the layer's operator; "" for one that is absent.
        name : str
            The last node's by default.
        attributes : dict, optional
            All that the layer reads, the schema's defaults included.
        acts_as : str
            The operator whose layer explains it; `operator` by default.

        Raises
        ------
        CompositeError
            The inputs are no sequence of names.
        """
        if isinstance(inputs, str) or not all(isinstance(name, str) for name in inputs):
            raise CompositeError(f'match.becomes: inputs are a list of tensors, [match["x"]], not {inputs!r}')
        last = self.nodes[-1]
        singles = (node.members or (node,) for node in self.nodes)
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        return Node(
            operator=operator,
            name=name or last.name,
            inputs=tuple(given),
            outputs=last.outputs,
            attributes=dict(attributes or {}),
            opset=last.opset,
            members=tuple(itertools.chain.from_iterable(singles)),
            acts_as=acts_as,
        )


def matches(graph: Graph, pattern: str) -> Iterator[Match]:
    """All places where a graph holds a pattern, whatever else reads its tensors.

    Where operands may change places one set of nodes can match in several ways; each is a match.
    """
    lines = lines_of(pattern)
    if not all(any(operator in graph.by_operator for operator in line.operators) for line in lines):
        return
    made = {name for line in lines for name in line.outputs}
    read = {name for line in lines for name in line.operands if not is_constant(name)} - made - {""}
    ends = (node for operator in set(lines[-1].operators) for node in graph.by_operator.get(operator, ()))
    for last in sorted(ends, key=graph.places.__getitem__):
        names = {"": "", lines[-1].outputs[0]: last.outputs[0] if last.outputs else ""}
        for bound, nodes in _ways(graph, lines, names, ()):
            if all(bound[name] in graph.carrying for name in read if bound[name]):
                makers = {
                    name: node for line, node in zip(lines, nodes, strict=True) for name in line.outputs
                }
                yield Match(bound, makers, tuple(sorted(nodes, key=graph.places.__getitem__)))


def _ways(
    graph: Graph, lines: tuple[Line, ...], names: Mapping[str, str], nodes: tuple[Node, ...]
) -> Iterator[tuple[Mapping[str, str], tuple[Node, ...]]]:
    """Every way to give tensors to the names of lines, from the last one up.

    Every line is read by one behind it: so its output is known when its turn comes, and with it the node.
    """
    if not lines:
        yield names, nodes
        return
    *others, line = lines
    node = graph.producers.get(next(names[name] for name in line.outputs if name in names))
    if node is None or node.operator not in line.operators or node in nodes:
        return
    for inputs in line.orders(node):
        found = _bound(names, line.outputs, node.outputs)
        found = None if found is None else _bound(found, line.operands, inputs, line.optional)
        if found is not None:
            yield from _ways(graph, tuple(others), found, (node, *nodes))


def _bound(
    names: Mapping[str, str],
    wanted: tuple[str, ...],
    given: tuple[str, ...],
    optional: frozenset[str] = frozenset(),
) -> dict[str, str] | None:
    """The names, and further ones bound to tensors; None where that cannot be."""
    found = dict(names)
    for index, name in enumerate(wanted):
        tensor = given[index] if index < len(given) else ""
        if (not tensor and name and name not in optional) or found.setdefault(name, tensor) != tensor:
            return None
    return found
