"""A model's inputs and outputs, what it says of shapes, and the file itself."""

from __future__ import annotations

import copy

from editing import edit, one, tensors
from onnx import TensorProto, helper


@edit
def no_output(model, rng):
    del model.graph.output[int(rng.integers(len(model.graph.output) or 1)) :]


@edit
def inner_output(model, rng):
    name = one(rng, tensors(model))
    model.graph.output.insert(0, helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


@edit
def double_output(model, rng):
    model.graph.output.append(copy.deepcopy(one(rng, model.graph.output)))


@edit
def argmax_output(model, rng):
    name = one(rng, model.graph.output).name
    model.graph.node.append(helper.make_node("ArgMax", [name], ["best"], axis=-1))
    model.graph.output.insert(0, helper.make_tensor_value_info("best", TensorProto.INT64, None))


@edit
def input_type(model, rng):
    one(rng, model.graph.input).type.tensor_type.elem_type = int(rng.integers(0, 18))


@edit
def input_shape(model, rng):
    shape = one(rng, model.graph.input).type.tensor_type.shape
    what = int(rng.integers(5))
    if what == 0 or not shape.dim:
        shape.Clear()
    elif what == 1:
        shape.dim.add(dim_value=1)
    elif what == 2:
        del shape.dim[-1]
    else:
        size = one(rng, shape.dim)
        size.Clear()
        if what == 3:
            size.dim_value = one(rng, (0, -1, 1, 2, 5, 2**31))
        else:
            size.dim_param = one(rng, ("N", "M", "", "N", "\x1b[31m"))


@edit
def stale_shapes(model, rng):
    name = one(rng, tensors(model))
    shape = one(rng, ([1, 2, 3], ["N", 4], [], [5], [1, 1, 1, 1, 1]))
    model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


@edit
def output_shape(model, rng):
    name = one(rng, model.graph.output).name
    for item in model.graph.output:
        if item.name == name:
            shape = one(rng, ([1, 4], ["N", 4], [7, 4], [], [1, 1, 4]))
            item.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


@edit
def fixed_batch(model, rng):
    for item in [*model.graph.input, *model.graph.output]:
        if item.type.tensor_type.shape.dim:
            item.type.tensor_type.shape.dim[0].dim_value = int(rng.integers(1, 3))


@edit
def opset(model, rng):
    one(rng, model.opset_import).version = one(rng, (6, 7, 9, 11, 12, 13, 17, 18, 22, 24, 0, -1, 99, 2**40))


@edit
def opset_twice(model, rng):
    model.opset_import.append(helper.make_opsetid(one(rng, ("", "mine")), int(rng.integers(1, 23))))


@edit
def ir(model, rng):
    model.ir_version = one(rng, (0, 1, 3, 4, 8, 11, 99, 2**40))


@edit
def metadata(model, rng):
    key = one(rng, ("preprocessor_config", "id2label", "labels", "preprocess", "names"))
    values = (
        "",
        "{",
        "[1]",
        '{"0": "\\u001b[2J"}',
        '{"image_mean": [0, 0, 0]}',
        '{"size": -1}',
        "[" * 3000,
        "null",
    )
    model.metadata_props.add(key=key, value=one(rng, values))
