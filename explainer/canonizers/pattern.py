"""Groups of nodes that are explained as one layer: what a pattern says, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..model.graph import Graph, Node, Note
from ..model.operators import known
from ..tensor import Array
from .base import Canonizer
from .matching import Match, is_constant, lines_of, matches


@dataclass(frozen=True)
class Pattern(Canonizer):
    """A canonizer that makes one node of several, wherever a graph holds a pattern.

    A subclass says its `patterns`, what stands against a group (`check`), new constants (`arrays`)
    and the one node (`group`). What holds for every group is seen to here: no tensor inside is read
    outside or must stay visible, constants are constant, each node is in one group. Of several
    groups that could be, the one that begins first is made, and of these the longest. Why a group
    is not made becomes a note.

    Attributes
    ----------
    patterns : tuple of str
        See `explainer.canonizers.matching`.
    quiet : bool
        Whether it is no news that a group is not made: the nodes are explained one by one as well.
    known_as : str
        What people call such a group, ``"GELU"``; by default the operator that it becomes.
    """

    patterns: ClassVar[tuple[str, ...]] = ()
    quiet: ClassVar[bool] = False
    known_as: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if isinstance(cls.patterns, str):
            raise ValueError(
                f"{cls.__name__}.patterns is a tuple of texts, ({cls.patterns!r},), not one text"
            )
        for pattern in cls.patterns:
            lines_of(pattern)  # what cannot be read is said where it is written

    def check(self, graph: Graph, match: Match) -> str | None:
        """Why these nodes cannot be one, None where they can; the constants are known to be constant."""
        return None

    def arrays(self, graph: Graph, match: Match) -> Mapping[str, Array]:
        """Constants that the file does not hold, by names of the pattern: `group` finds them in the match."""
        return {}

    def group(self, match: Match) -> Node:
        """The one node: see `Match.becomes`."""
        raise self.wrong("has no group(self, match), which returns match.becomes(...)")

    def __call__(self, graph: Graph, visible: Collection[str]) -> Graph:
        """The view with a node for every group."""
        groups, inside, arrays = dict[Node, Node](), set[Node](), dict[str, Array]()
        notes: list[tuple[Note, set[Node]]] = []
        for ways in self._candidates(graph):
            nodes = ways[0].nodes
            if not inside.isdisjoint(nodes):
                continue
            note = Note(self.name, tuple(n.name for n in nodes), tuple(n.operator for n in nodes))
            reasons = [self._against(graph, match, visible) for match in ways]
            if None in reasons:
                match = self._with_arrays(graph, ways[reasons.index(None)], arrays)
                group = self.group(match)
                if not isinstance(group, Node):
                    raise self.wrong(f"returned {type(group).__name__} as a group, not match.becomes(...)")
                known_as = group.known_as or self.known_as or group.operator
                groups[nodes[-1]] = group = replace(group, known_as=known_as)
                inside.update(nodes)
                note = replace(note, layer=group.name)
            else:
                note = replace(note, reason=str(reasons[0]))
            notes.append((note, set(nodes)))
        left = (groups.get(node, node) for node in graph.nodes if node in groups or node not in inside)
        news = [note for note in _news(notes) if not (note.refused and self.quiet)]
        if not groups:
            return graph.having(notes=(*graph.notes, *news)) if news else graph
        return graph.having(nodes=tuple(left), notes=(*graph.notes, *news), arrays=arrays)

    def _candidates(self, graph: Graph) -> Iterator[list[Match]]:
        """The groups that could be, in the order in which they are tried; the ways to match each."""
        found: dict[tuple[int, ...], list[Match]] = {}
        for pattern in self.patterns:
            for match in matches(graph, pattern):
                found.setdefault(tuple(graph.places[node] for node in match.nodes), []).append(match)
        for key in sorted(found, key=lambda key: (key[0], -len(key))):
            yield found[key]

    def _against(self, graph: Graph, match: Match, visible: Collection[str]) -> str | None:
        """Why a group is not made, None where it is."""
        members = set(match.nodes)
        for name in (name for node in match.nodes[:-1] for name in node.outputs if name):
            if name in visible:
                return f"{name!r} must stay visible"
            readers = [reader for reader in graph.readers.get(name, ()) if reader not in members]
            others = [reader for reader in readers if not known(reader.operator).shape_alone]
            if others:
                return f"{others[0]} reads {name!r} too"
        for label, name in match.names.items():
            if is_constant(label) and name and not graph.is_constant(name):
                return f"{name!r}, its {label.lower()}, is no constant"
        reason = self.check(graph, match)
        if reason is not None and not (isinstance(reason, str) and reason):
            raise self.wrong(
                f"returned {reason!r} from check: it is the reason, as text, why these nodes cannot be one, "
                "and None where they can"
            )
        return reason

    def _with_arrays(self, graph: Graph, match: Match, arrays: dict[str, Array]) -> Match:
        """The match with its new constants' names; they join `arrays`."""
        made = self.arrays(graph, match)
        if not isinstance(made, Mapping):
            raise self.wrong(f"returned {type(made).__name__} from arrays, not a dict of name -> array")
        names = {
            label: graph.unused(f"{match.nodes[-1].outputs[0]}/{label}", besides=arrays) for label in made
        }
        arrays.update({name: made[label] for label, name in names.items()})
        return replace(match, names={**match.names, **names}) if names else match


def _news(notes: list[tuple[Note, set[Node]]]) -> Iterator[Note]:
    """The notes but those of longer patterns that are not met where a shorter one is, or is refused."""
    sharing: dict[Node, list[set[Node]]] = {}
    for _, members in notes:
        for node in members:
            sharing.setdefault(node, []).append(members)
    for note, members in notes:
        if not (note.refused and any(others < members for node in members for others in sharing[node])):
            yield note
