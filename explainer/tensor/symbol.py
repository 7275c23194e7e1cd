"""One declaration, two meanings: a primitive computes on arrays and records a node on symbols.

A `Symbol` stands for a value of an ONNX graph under construction. It carries an example, so a
recorded node is also run once on NumPy arrays: shapes and types are never inferred twice, and a
mistake shows at the line that made it. Only this package knows which of the two a value is.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
# An array or a Symbol: arithmetic between the two has no static type worth spelling out.
Value = Any
Body = TypeVar("Body", bound=Callable[..., Any])


class Names:
    """The names that one file was given, its loops included; none is given twice.

    Attributes
    ----------
    scope : str
        What is being recorded: a rule and a node, say.
    """

    def __init__(self) -> None:
        self.scope = ""
        self._given: set[str] = set()
        self._counts: dict[str, int] = {}

    def fresh(self, prefix: str, stem: str) -> str:
        """``prefix/scope/stem``, numbered from the second of that name on."""
        name = "/".join(filter(None, (prefix, self.scope, stem)))
        count = self._counts.get(name, 0)
        while (numbered := f"{name}_{count}" if count else name) in self._given:
            count += 1
        self._given.add(numbered)
        self._counts[name] = count + 1
        return numbered


class Recorder:
    """Collects the nodes and constants of a graph under construction.

    Attributes
    ----------
    nodes : list of (operator, input names, output names, attributes)
        And of what else a caller puts between them: copies of a model's own nodes.
    depth : int
        How many loops this graph lies inside; its nodes see the values of shallower ones.
    constants : dict of name -> array, the new initializers
    names : Names
    """

    def __init__(self, prefix: str, depth: int = 0) -> None:
        self.prefix = prefix
        self.depth = depth
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self.names = Names()
        self._known: dict[int, Symbol] = {}

    def within(self, name: str) -> Recorder:
        """A recorder for the same graph, its names under one of its own."""
        other = Recorder(f"{self.prefix}/{name}", self.depth)
        other.nodes, other.constants, other.names = self.nodes, self.constants, self.names
        return other

    def loop(self, name: str) -> Recorder:
        """A recorder for the body of a loop; its constants are this graph's."""
        body = Recorder(f"{self.prefix}/{name}", self.depth + 1)
        body.constants, body.names = self.constants, self.names
        return body

    @contextmanager
    def scoped(self, scope: str) -> Iterator[None]:
        """Name what is recorded meanwhile by what it is for; in loops and around them alike."""
        before, self.names.scope = self.names.scope, scope
        try:
            yield
        finally:
            self.names.scope = before

    def fresh(self, stem: str) -> str:
        """A name that nothing else in the file has, in the scope of what is being recorded."""
        return self.names.fresh(self.prefix, stem)

    def constant(self, value: Value, like: Symbol | None = None) -> Symbol:
        """`value` as a Symbol; a plain number takes the type of `like`, as NumPy has it."""
        if isinstance(value, Symbol):
            return value
        if id(value) in self._known:
            return self._known[id(value)]
        plain = isinstance(value, int | float) and not isinstance(value, np.generic)
        dtype = like.dtype if plain and like is not None else None
        symbol = Symbol(self, self.fresh("constant"), np.asarray(value, dtype=dtype))
        self.constants[symbol.name] = symbol.value
        if isinstance(value, np.ndarray):
            self._known[id(value)] = symbol
            symbol.origin = value  # keeps `value` alive, so that its id stays its own
        return symbol

    def record(
        self, body: Callable[..., Any], values: Sequence[Value], attributes: dict[str, Any]
    ) -> Symbol | tuple[Symbol, ...]:
        """Append one node and return its output, or its outputs where the body returns several."""
        given = [value for value in values if isinstance(value, Symbol)]
        # A condition says nothing of the type of what is chosen by it.
        like = next((symbol for symbol in given if symbol.dtype != bool), given[0])
        symbols = [None if value is None else self.constant(value, like) for value in values]
        result = body(*[None if symbol is None else symbol.value for symbol in symbols], **attributes)
        several = isinstance(result, tuple)
        outputs = [
            Symbol(self, self.fresh(f"{body.__name__}{index or ''}"), array)
            for index, array in enumerate(result if several else (result,))
        ]
        inputs = ["" if symbol is None else symbol.name for symbol in symbols]
        while inputs and not inputs[-1]:
            inputs.pop()
        self.nodes.append((body.__name__, inputs, [output.name for output in outputs], attributes))
        return tuple(outputs) if several else outputs[0]


class Symbol:
    """A named value of a graph under construction, with an example of it.

    Parameters
    ----------
    recorder : Recorder
    name : str
        The tensor's name in the graph.
    value : array
        An example; its batch size is arbitrary, its other sizes are the graph's own.
    """

    # NumPy must hand `array * symbol` to Symbol instead of looping over it.
    __array_ufunc__ = None

    def __init__(self, recorder: Recorder, name: str, value: Array) -> None:
        self.recorder = recorder
        self.name = name
        self.value = np.asarray(value)
        self.origin: Any = None

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __add__(self, other: Value) -> Value:
        return Add(self, other)

    def __radd__(self, other: Value) -> Value:
        return Add(other, self)

    def __sub__(self, other: Value) -> Value:
        return Sub(self, other)

    def __rsub__(self, other: Value) -> Value:
        return Sub(other, self)

    def __mul__(self, other: Value) -> Value:
        return Mul(self, other)

    def __rmul__(self, other: Value) -> Value:
        return Mul(other, self)

    def __truediv__(self, other: Value) -> Value:
        return Div(self, other)

    def __rtruediv__(self, other: Value) -> Value:
        return Div(other, self)

    def __matmul__(self, other: Value) -> Value:
        return MatMul(self, other)

    def __rmatmul__(self, other: Value) -> Value:
        return MatMul(other, self)

    def __lt__(self, other: Value) -> Value:
        return Less(self, other)

    def __gt__(self, other: Value) -> Value:
        return Greater(self, other)

    def __neg__(self) -> Value:
        return Neg(self)

    def __bool__(self) -> bool:
        raise TypeError(f"symbol {self.name!r} has no value yet: use where(), not if")

    def __repr__(self) -> str:
        return f"Symbol({self.name!r}, {self.dtype}{list(self.shape)})"


def primitive(body: Body) -> Body:
    """Make a NumPy body, named as its ONNX operator, record a node when any value is a Symbol.

    Values are positional; attributes are keywords under their ONNX names.
    """

    @functools.wraps(body)
    def call(*values: Value, **attributes: Any) -> Any:
        recorders = [value.recorder for value in values if isinstance(value, Symbol)]
        if recorders:
            # What depends on a loop's values belongs inside it, all else is computed once outside.
            return max(recorders, key=lambda recorder: recorder.depth).record(body, values, attributes)
        return body(*values, **attributes)

    return call  # type: ignore[return-value]  # the wrapper keeps the body's signature


def with_fast_body(body: Callable[..., Any]) -> Callable[[Body], Body]:
    """Let a formula over primitives run as `body` on arrays, where one pass beats several."""

    def decorate(formula: Body) -> Body:
        @functools.wraps(formula)
        def call(*values: Value, **options: Any) -> Any:
            symbolic = any(isinstance(value, Symbol) for value in values)
            return (formula if symbolic else body)(*values, **options)

        return call  # type: ignore[return-value]  # the wrapper keeps the formula's signature

    return decorate


def _binary(name: str, function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def body(a: Value, b: Value) -> Value:
        return function(a, b)

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"ONNX {name}, with NumPy's broadcasting."
    return primitive(body)


Add = _binary("Add", operator.add)
Sub = _binary("Sub", operator.sub)
Mul = _binary("Mul", operator.mul)
Div = _binary("Div", operator.truediv)
MatMul = _binary("MatMul", operator.matmul)
Less = _binary("Less", operator.lt)
Greater = _binary("Greater", operator.gt)
Equal = _binary("Equal", operator.eq)


@primitive
def Neg(x: Value) -> Value:
    """ONNX Neg."""
    return -x


class Bundle(tuple[Value, ...]):
    """The values of a layer with several inputs; arithmetic on it is elementwise over them.

    So the epsilon rule's `x * c` reads the same for a convolution and for an addition.
    """

    # NumPy must not stack the members into one array: `array * bundle` is elementwise too, or an error.
    __array_ufunc__ = None

    def _each(self, other: Value, function: Callable[[Any, Any], Any]) -> Bundle:
        others = other if isinstance(other, tuple) else (other,) * len(self)
        return Bundle(function(mine, theirs) for mine, theirs in zip(self, others, strict=True))

    def __mul__(self, other: Value) -> Bundle:
        return self._each(other, operator.mul)

    def __rmul__(self, other: Value) -> Bundle:
        return self._each(other, lambda mine, theirs: theirs * mine)

    def __add__(self, other: Value) -> Bundle:
        return self._each(other, operator.add)

    def __sub__(self, other: Value) -> Bundle:
        return self._each(other, operator.sub)
