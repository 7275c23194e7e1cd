"""What is done to a graph that PyTorch wrote: constants and weights in one place, its nodes counted."""

from __future__ import annotations

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from exporter.errors import ExportError


def finish(proto: onnx.ModelProto) -> None:
    """Make constants initializers, standardised weights too, and leave out what PyTorch says of its code."""
    _lift_constants(proto.graph)
    _fold_weight_norms(proto)
    _strip(proto.graph)


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Make every Constant node an initializer: parameters then are in one place, whoever wrote them."""
    for node in list(graph.node):
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            graph.initializer.add().CopyFrom(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)


def _fold_weight_norms(proto: onnx.ModelProto) -> None:
    """Make every BatchNormalization of weights, by their own statistics, the weights that it makes."""
    graph = proto.graph
    held = {tensor.name for tensor in graph.initializer}
    made: dict[str, onnx.NodeProto] = {}
    norms: list[onnx.NodeProto] = []
    for node in graph.node:
        if all(not name or name in held or name in made for name in node.input):
            made.update(dict.fromkeys(filter(None, node.output), node))
            norms += [node] if node.op_type == "BatchNormalization" else []
    if not norms:
        return
    wanted, nodes = {node.output[0] for node in norms}, list[onnx.NodeProto]()
    reached = set(wanted)
    for node in reversed(graph.node):
        if not reached.isdisjoint(node.output):
            nodes.insert(0, node)
            reached.update(node.input)
    part = onnx.helper.make_graph(
        nodes, "weights", [], [onnx.ValueInfoProto(name=node.output[0]) for node in norms], graph.initializer
    )
    model = onnx.helper.make_model(part, opset_imports=proto.opset_import)
    for name, value in zip(part.output, ReferenceEvaluator(model).run(None, {}), strict=True):
        graph.initializer.append(onnx.numpy_helper.from_array(value.astype(np.float32), name.name))
    for node in norms:
        graph.node.remove(node)
    _drop_unread(graph)


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Leave out what nothing reads any more."""
    read = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if read.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            read.update(node.input)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _strip(graph: onnx.GraphProto) -> None:
    for item in [graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _strip(attribute.g)


def check_batch_norms(graph: onnx.GraphProto, ran: int, *, keep: bool) -> int:
    """The number of BatchNormalization nodes in ``graph``, once it is what was asked for.

    Raises
    ------
    ExportError
        A node normalises by the batch. ``keep``: not as many nodes as batch normalisations ran in PyTorch,
        or one whose parameters are not four initializers. Not ``keep``: a node is left.
    """
    nodes = [node for node in graph.node if node.op_type == "BatchNormalization"]
    if trained := [n for n in nodes if any(a.name == "training_mode" and a.i for a in n.attribute)]:
        raise ExportError(
            f"BatchNormalization {trained[0].name!r} normalises by the batch it is given: what the model "
            "computes for one input depends on the others"
        )
    if not keep:
        if nodes:
            raise ExportError(
                f"{len(nodes)} of {ran} BatchNormalizations cannot be folded: no layer that could take them "
                "in stands right before them. Keep them (batchnorm keep)"
            )
        return 0
    if len(nodes) != ran:
        raise ExportError(f"{ran} batch normalisations ran in PyTorch, but {len(nodes)} nodes were written")
    initializers = {initializer.name for initializer in graph.initializer}
    for node in nodes:
        if not initializers.issuperset(node.input[1:5]):
            raise ExportError(f"the parameters of BatchNormalization {node.name!r} are not four initializers")
    return len(nodes)
