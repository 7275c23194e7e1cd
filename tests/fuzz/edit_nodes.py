"""Nodes, the wires between them, and their attributes."""

from __future__ import annotations

import copy

import onnx
from editing import NAMES, a_node, a_place, edit, one, tensors
from onnx import helper

NUMBERS = (0, 1, -1, 2, 3, -2, 7, 255, 10**6, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63))
KNOWN = (
    *(("auto_pad", "SAME_UPPER"), ("auto_pad", "SAME_LOWER"), ("auto_pad", "VALID"), ("ceil_mode", 1)),
    *(("dilations", [2, 2]), ("strides", [2, 1]), ("group", 2), ("training_mode", 1), ("axis", -1)),
    *(("axis", 0), ("count_include_pad", 1), ("keepdims", 0), ("transA", 1), ("transB", 1)),
    *(("alpha", 0.5), ("beta", 0.0)),
    *(("epsilon", 0.1), ("momentum", 0.5), ("storage_order", 1), ("pads", [1, 0, 1, 0]), ("zzz", 1)),
)  # fmt: skip
WORDS = """
Relu Sigmoid Tanh Identity Neg Abs Exp Erf Softmax LogSoftmax Flatten Dropout Add Sub Mul Div Max
Min Pow Concat MatMul Gemm Conv ConvTranspose Sum MaxPool AveragePool GlobalMaxPool
GlobalAveragePool BatchNormalization InstanceNormalization ReduceSum ReduceMean ReduceMax Transpose
Squeeze Unsqueeze Reshape Slice Pad Gather Shape ArgMax TopK NonZero Cast Clip Where Expand Tile
RandomNormalLike If Zzz LayerNormalization DynamicQuantizeLinear QuantizeLinear CumSum LSTM Einsum
SequenceConstruct
"""
OPERATORS = WORDS.split()


@edit
def drop_node(model, rng):
    model.graph.node.remove(a_node(model, rng))


@edit
def double_node(model, rng):
    model.graph.node.append(copy.deepcopy(a_node(model, rng)))


@edit
def shuffle_nodes(model, rng):
    nodes = list(model.graph.node)
    order = rng.permutation(len(nodes))
    del model.graph.node[:]
    model.graph.node.extend(nodes[place] for place in order)


@edit
def reverse_nodes(model, rng):
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@edit
def other_operator(model, rng):
    a_node(model, rng).op_type = one(rng, OPERATORS)


@edit
def rank_misfit(model, rng):
    """An operator reads a tensor of some other rank: a scalar, a vector."""
    node, place = a_place(model, rng)
    name = f"odd{len(model.graph.node)}"
    shape = one(rng, ((), (3,), (1, 1, 1, 1, 1), (0,)))
    model.graph.node.insert(0, helper.make_node("RandomNormal", [], [name], shape=shape))
    if rng.integers(2):
        model.graph.node[0].CopyFrom(
            helper.make_node("ReduceSum", [model.graph.input[0].name], [name], keepdims=0)
        )
    node.input[place] = name


@edit
def other_domain(model, rng):
    a_node(model, rng).domain = one(rng, ("ai.onnx", "com.microsoft", "ai.onnx.ml", "mine", "\x1b[2J"))


@edit
def node_name(model, rng):
    a_node(model, rng).name = one(rng, NAMES)


@edit
def equal_node_names(model, rng):
    for node in model.graph.node:
        node.name = "same"


# Wires


@edit
def read_another(model, rng):
    node, place = a_place(model, rng)
    node.input[place] = one(rng, tensors(model))


@edit
def read_nothing(model, rng):
    node, place = a_place(model, rng)
    node.input[place] = one(rng, ("", "nowhere"))


@edit
def swap_inputs(model, rng):
    node = one(rng, [node for node in model.graph.node if len(node.input) > 1])
    node.input[0], node.input[1] = node.input[1], node.input[0]


@edit
def fewer_inputs(model, rng):
    node, place = a_place(model, rng)
    del node.input[place:]


@edit
def more_inputs(model, rng):
    a_node(model, rng).input.extend([one(rng, tensors(model))] * int(rng.integers(1, 4)))


@edit
def own_output(model, rng):
    node, place = a_place(model, rng)
    node.input[place] = one(rng, list(node.output))


@edit
def output_taken(model, rng):
    one(rng, [node for node in model.graph.node if node.output]).output[0] = one(rng, tensors(model))


@edit
def more_outputs(model, rng):
    a_node(model, rng).output.append(one(rng, ("", "extra", *tensors(model))))


@edit
def rename_tensor(model, rng):
    old, new = one(rng, tensors(model)), one(rng, NAMES)
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
    for items in (model.graph.input, model.graph.output, model.graph.initializer, model.graph.value_info):
        for item in items:
            if item.name == old:
                item.name = new


# Attributes


def an_attribute(model, rng, *kinds):
    found = [a for node in model.graph.node for a in node.attribute if not kinds or a.type in kinds]
    return one(rng, found)


@edit
def other_number(model, rng):
    item = an_attribute(model, rng, onnx.AttributeProto.INT, onnx.AttributeProto.INTS)
    value = one(rng, NUMBERS)
    if item.type == onnx.AttributeProto.INT:
        item.i = value
    elif item.ints:
        item.ints[int(rng.integers(len(item.ints)))] = value


@edit
def near_number(model, rng):
    item = an_attribute(model, rng, onnx.AttributeProto.INT, onnx.AttributeProto.INTS)
    if item.type == onnx.AttributeProto.INT:
        item.i = int(rng.integers(-2, 4))
    elif item.ints:
        item.ints[int(rng.integers(len(item.ints)))] = int(rng.integers(-1, 4))


@edit
def longer_list(model, rng):
    item = an_attribute(model, rng, onnx.AttributeProto.INTS)
    item.ints.extend([1] * int(rng.integers(1, 3)))


@edit
def shorter_list(model, rng):
    item = an_attribute(model, rng, onnx.AttributeProto.INTS)
    if item.ints:
        del item.ints[-1]


@edit
def drop_attribute(model, rng):
    node = one(rng, [node for node in model.graph.node if node.attribute])
    del node.attribute[int(rng.integers(len(node.attribute)))]


@edit
def foreign_attribute(model, rng):
    value = one(rng, (1.5, "text", [1, 2], [0.5], b"bytes", [b"a"]))
    item = an_attribute(model, rng)
    item.CopyFrom(helper.make_attribute(item.name, value))


@edit
def untyped_attribute(model, rng):
    an_attribute(model, rng).type = int(rng.integers(0, 20))


@edit
def known_attribute(model, rng):
    name, value = one(rng, KNOWN)
    node = a_node(model, rng)
    for item in [item for item in node.attribute if item.name == name]:
        node.attribute.remove(item)
    node.attribute.append(helper.make_attribute(name, value))
