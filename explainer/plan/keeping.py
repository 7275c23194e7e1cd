"""What is kept of a walk: tensors on its path, and constants that its layers add or put in a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ..errors import TargetError, did_you_mean
from ..model.graph import Graph
from ..model.tables import taken_from
from .steps import Plan, Step

# What a BatchNormalization is merged with, and a bias with its own.
BIASED = frozenset({"Conv", "ConvTranspose", "Gemm"})


def kept_in(
    plan: Plan, graph: Graph, names: Iterable[str], conditioned: Collection[str], called: str
) -> dict[str, str]:
    """The view's tensor for every name that is kept.

    Parameters
    ----------
    plan : Plan
    graph : Graph
        As it was read.
    names : iterable of str
    conditioned : collection of str
        Those of them whose channels are chosen from: no constants.
    called : str
        What the caller calls the names, for messages.

    Raises
    ------
    TargetError
        Some are neither on the path nor a constant there.
    """
    tensors = set(plan.tensors)
    constants = list(dict.fromkeys(name for step in plan.steps for name in step.layer.constants.values()))
    kept, wrong = {}, []
    for name in names:
        found = plan.graph.resolve(name)
        made = [found] if found in constants else _rows_of(name, [*constants, *plan.sources], graph)
        if found in tensors:
            kept[name] = found
        elif len(made) == 1 and name not in conditioned:
            kept[name] = made[0]
        else:
            what = "condition" if name in conditioned else called
            wrong.append(f"{what}: {name!r} {_missing(plan, graph, name, made, constants)}")
    if wrong:
        raise TargetError(*wrong)
    return kept


def looked_up(plan: Plan, graph: Graph, kept: Collection[str]) -> dict[str, str]:
    """Rows that words, or what else is held, choose of a table: of positions, of kinds.

    They are no constants that a bias would stand for, but a source of relevance of its own: so they are kept
    unasked, under the table's name, where one layer adds them.

    Parameters
    ----------
    plan : Plan
    graph : Graph
        As it was read.
    kept : collection of str
        The tensors that are kept anyhow.
    """
    added = Counter(name for step in plan.steps for name in step.layer.constants.values())
    tables = {
        name: table
        for name, readers in added.items()
        if readers == 1 and name not in kept and (table := _table_of(graph, name))
    }
    of = Counter(tables.values())
    return {table if of[table] == 1 else name: name for name, table in tables.items()}


def _table_of(graph: Graph, name: str) -> str:
    """The constant that what is held chooses a tensor's values of; "" where there is none."""
    cut = graph.source.cut
    for stop in cut.beside if cut else ():
        if stop.name == name:
            return stop.table
    if name not in graph.computed or name in graph.led:
        return ""
    last = taken_from(graph, name)[-1]
    return last if graph.is_constant(last) else ""


def biased(graph: Graph, names: Iterable[str]) -> Iterator[str]:
    """The outputs of layers whose bias is named: it is theirs alone where no neighbour is merged in."""
    for name in names:
        for node in graph.readers.get(name, ()):
            if node.operator in BIASED and node.operand(2) == name:
                yield node.outputs[0]


def keeping(plan: Plan) -> Plan:
    """The plan whose steps are told of the constants in them that are kept."""
    wanted = {*plan.keep.values(), *plan.tables.values()}

    def told(step: Step) -> Step:
        here = tuple((letter, name) for letter, name in step.layer.constants.items() if name in wanted)
        return replace(step, kept=here) if here != step.kept else step

    return replace(plan, steps=tuple(map(told, plan.steps)))


def as_asked(plan: Plan) -> Plan:
    """The plan that keeps what was asked for alone, as a file that is written does."""
    return keeping(replace(plan, tables={})) if plan.tables else plan


def _rows_of(name: str, tensors: Sequence[str], graph: Graph) -> list[str]:
    """Those of the tensors that are a table's: rows of it, or all of it in another shape."""
    cut = graph.source.cut
    stops = (*cut.stops, *cut.beside) if cut else ()
    taken = {stop.name: stop.taken_from for stop in stops if stop.taken_from}
    return [one for one in tensors if name in taken.get(one, ()) or name in taken_from(graph, one)]


def _missing(plan: Plan, graph: Graph, name: str, made: Sequence[str], constants: Sequence[str]) -> str:
    """Why a name is not kept, and what can be."""
    if made:
        several = " and ".join(map(repr, made))
        return (
            f"is a constant that several are made of: keep {several}"
            if len(made) > 1
            else ("is a constant, and has no channels to choose from")
        )
    if name not in graph.carrying and (name in graph.initializers or graph.is_constant(name)):
        there = f"; there are {', '.join(map(repr, constants[:5]))}" if constants else ""
        hint = did_you_mean(name, constants) or there
        return f"is a constant that nothing on the path adds or puts in a place{hint}"
    known = any(name in node.outputs for node in graph.nodes)
    where = "this model" if not graph.stops else "the part behind the stops"
    what = "is not on the path from target to input" if known else f"is no tensor of {where}"
    tensors = plan.tensors
    return f"{what}{did_you_mean(name, sorted({*tensors, *constants})) or f'; {_some(tensors)}'}"


def _some(tensors: Sequence[str]) -> str:
    """Some of the tensors between target and input, for who named none of them."""
    more = f" and {len(tensors) - 5} more, all of which keep 'all' returns" if len(tensors) > 5 else ""
    return f"there are {', '.join(map(repr, tensors[:5]))}{more}"
