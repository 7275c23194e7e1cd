"""What cannot be explained between target and input: counted, named as people call it, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..canonizers import Group, groups_of
from ..errors import Missing, TargetError, UnsupportedError
from ..layers import REGISTRY, Layer
from ..layers.chance import drops
from ..layers.kinds import MOVEMENT
from ..model.conditions import open_condition
from ..model.graph import Graph, Node
from ..model.notes import told
from ..model.operators import PLACES, REASONS, known
from ..plain.tables import text_table
from ..rules import Rule
from ..targets import Anchor
from .rows import COLUMNS, MISSING, Row, noted, row_of, singles

Complaint = tuple[Node, str]
SHOWN = 3  # nodes that one message names


def layer_of(node: Node, graph: Graph, output: int) -> Layer:
    """The layer of one output of a node.

    Raises
    ------
    UnsupportedError
        There is none, or none for a node that is used so; the message is the reason alone.
    """
    if node.refusal:
        raise UnsupportedError(node.refusal)
    operator = node.acts_as or node.operator
    if operator in REGISTRY:
        return REGISTRY[operator].of(node, graph, output)
    if operator == "Cast":
        raise UnsupportedError("no relevance passes through whole numbers and truth values")
    if operator == "Dropout":
        if not drops(node, graph):
            raise UnsupportedError("its mask is read")
        raise UnsupportedError(
            "export the model in evaluation mode, in PyTorch model.eval(), or make training_mode false"
        )
    if operator == "If":
        raise UnsupportedError(_open_condition(node, graph))
    if operator in ("Loop", "Scan"):
        raise UnsupportedError(
            "its body runs as often as data says, and nothing walks through a loop; export it unrolled, in "
            "Keras by the layer's unroll=True"
        )
    settled = graph.source.settled
    reason = REASONS.get(operator, "this operator has no layer")
    raise UnsupportedError((settled.kept if settled else {}).get(operator, reason))


def _open_condition(node: Node, graph: Graph) -> str:
    """Why it is not known which branch of an If is taken, and what would tell."""
    inputs, sized = open_condition(graph.source.proto, node.operand(0))
    settings = [value.name for value in graph.inputs if value.name in inputs and value.dtype.kind in "biu"]
    if inputs and len(settings) == len(inputs):
        names = " and ".join(map(repr, settings))
        how = ", ".join(f"{name!r}: ..." for name in settings)
        shell = " ".join(f"--fix {name}=VALUE" for name in settings)
        return f"its condition is computed from {names}: hold that the same, fix={{{how}}} ({shell})"
    if inputs:
        return f"its condition is computed from data, {' and '.join(map(repr, inputs))}"
    if sized:
        axes = dict.fromkeys(axis for value in graph.inputs if value.name in sized for axis in value.open)
        how = ", ".join(f"{axis!r}: ..." for axis in axes)
        shell = " ".join(f"--fix {axis}=SIZE" for axis in axes)
        return f"its condition depends on sizes that are open: say them, fix={{{how}}} ({shell})"
    return "its condition cannot be computed"


def refusal(
    graph: Graph, anchor: Anchor, complaints: Sequence[Complaint], chosen: Sequence[tuple[Layer, Rule | None]]
) -> UnsupportedError:
    """The error that lists all of them.

    Parameters
    ----------
    graph : Graph, canonized
    anchor : Anchor
    complaints : sequence of (Node, reason)
    chosen : sequence of (Layer, Rule or None)
        Those of the nodes between target and input that have a layer.
    """
    # A node with several outputs has been met once for each that is read.
    reasons = dict(reversed(complaints))
    groups = groups_of(graph, reasons)
    missing = _gathered(graph, reasons, groups)
    nodes = "1 node" if len(reasons) == 1 else f"{len(reasons)} nodes"
    lines = [f"{graph.title}: {nodes} on the way from {anchor} to the input cannot be explained:"]
    lines += [f"  {entry}" for entry in missing]
    complained = {node.name for node in reasons}
    noted = (note for note in graph.notes if not complained.isdisjoint(note.nodes))
    lines += [f"  {line}" for line in told(note for note in noted if note.refused or note.became)]
    error = UnsupportedError(*lines)
    error.missing = missing
    ruled = [layer for layer, rule in chosen if rule is not None]
    error.before = _before(graph, set(reasons), ruled)
    error.behind = _behind(anchor, reasons, ruled)
    rows = _rows(graph, reasons, chosen, {node: group.name for group in groups for node in group.nodes})
    error.rows, error.table = rows, text_table(COLUMNS, (row.shown for row in rows))
    explained = singles(layer.node for layer, rule in chosen if rule is not None) - singles(reasons)
    error.coverage = len(explained), len(explained | singles(reasons))
    return error


def out_of_reach(graph: Graph, anchor: Anchor) -> TargetError:
    """What is wrong with a start that no relevance leads back from."""
    if anchor.tensor not in graph.led:
        what = f"{anchor.tensor!r} does not depend on the values of the model's input"
        return TargetError(what).looking("targets")
    needed, deciding = {anchor.tensor}, []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            chooses = not needed.isdisjoint(node.choices) and not graph.carrying.isdisjoint(node.inputs)
            deciding += [node] if chooses else []
    error = TargetError(
        f"{anchor.tensor!r} depends on the input by {_kinds(deciding)} alone, those of "
        f"{', '.join(map(str, deciding[::-1][:SHOWN]))}{' and others' * (len(deciding) > SHOWN)}: there is "
        f"nothing between {_between(deciding)}, and no relevance or gradient passes"
    ).looking("targets")
    given = {value.name for value in graph.inputs}
    read = dict.fromkeys(name for node in deciding for name in node.inputs if name in graph.carrying)
    error.before = tuple(name for name in read if name not in given)
    return error


def _kinds(deciding: Sequence[Node]) -> str:
    of_places = [node.operator in PLACES for node in deciding]
    return (
        "places"
        if of_places and all(of_places)
        else "truth values and places"
        if any(of_places)
        else "truth values"
    )


def _between(deciding: Sequence[Node]) -> str:
    return "one place and the next" if all(node.operator in PLACES for node in deciding) else "yes and no"


def _rows(
    graph: Graph,
    reasons: dict[Node, str],
    chosen: Sequence[tuple[Layer, Rule | None]],
    known_as: dict[Node, str],
) -> tuple[Row, ...]:
    """The plan as far as there is one, in the order of the walk."""
    there: dict[Node, list[Row]] = {}
    for layer, rule in chosen:
        if layer.node not in reasons and rule is not None:
            row = row_of(layer.node, type(layer).__name__, str(rule), noted(graph, layer, rule))
            there.setdefault(layer.node, []).append(row)
    rows = there | {
        node: [row_of(node, "", MISSING, reason, known_as.get(node, ""))] for node, reason in reasons.items()
    }
    return tuple(row for node in reversed(graph.nodes) for row in rows.get(node, ()))


def _gathered(graph: Graph, reasons: dict[Node, str], groups: Sequence[Group]) -> tuple[Missing, ...]:
    """The complaints, those of the same kind as one, in the order in which the model has them."""
    places = graph.places
    kinds: dict[tuple[str, str], list[Node]] = {}
    left = dict(reasons)
    for group in groups:
        members = [node for node in group.nodes if node in left]
        said = "; ".join(dict.fromkeys(f"{node.operator}: {left.pop(node)}" for node in members))
        kinds.setdefault((group.name, said), []).append(members[0])
    for node, reason in left.items():
        kinds.setdefault((_called(node, graph), reason), []).append(node)
    found = []
    for (what, reason), nodes in kinds.items():
        nodes.sort(key=places.__getitem__)
        found.append((places[nodes[0]], Missing(what, reason, tuple(node.name for node in nodes))))
    return tuple(entry for _, entry in sorted(found, key=lambda pair: pair[0]))


def _called(node: Node, graph: Graph) -> str:
    if node.operator == "Dropout" and drops(node, graph):
        return "Dropout in training mode"
    return node.operator


def _before(graph: Graph, complained: set[Node], layers: Iterable[Layer]) -> tuple[str, ...]:
    """The tensors that can be explained and that something reads which cannot; the last one first.

    One that only holds the input's values in another order is none: its map would be the input itself.
    """
    reachable = {value.name for value in graph.inputs}
    moved = set(reachable)
    for layer in reversed(list(layers)):
        if reachable.issuperset(layer.inputs):
            reachable.add(layer.output)
            if layer.kind == MOVEMENT and moved.issuperset(layer.inputs):
                moved.add(layer.output)
    inside = reachable - moved
    readers = {layer.node for layer in layers if not reachable.issuperset(layer.inputs)} | complained
    names = (
        name
        for node in reversed(graph.nodes)
        if node in readers
        for name in (*node.inputs, *node.captures)
        if name in inside
    )
    return tuple(dict.fromkeys(names))


def _behind(anchor: Anchor, complained: Iterable[Node], layers: Iterable[Layer]) -> tuple[str, ...]:
    """The tensors at which a walk meets what cannot be explained; none where it does so at once."""
    met = {anchor.tensor}
    for layer in layers:
        if layer.output in met:
            met.update(layer.inputs)
    ends = [node for node in complained if not met.isdisjoint(node.outputs)]
    names = [name for node in ends for name in node.outputs if name in met]
    # What was chosen, sorted or drawn says nothing of where it came from: what lies before it does.
    told = not any(known(node.operator).chooses or known(node.operator).random for node in ends)
    return tuple(dict.fromkeys(names)) if told and anchor.tensor not in names else ()
