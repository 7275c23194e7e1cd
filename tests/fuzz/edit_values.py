"""Constants, and nodes put on a wire."""

from __future__ import annotations

import copy

import numpy as np
from editing import Nothing, a_constant, a_node, edit, fresh, one, put
from onnx import TensorProto, helper, numpy_helper


@edit
def double_constant(model, rng):
    item = a_constant(model, rng)
    array = numpy_helper.to_array(item)
    other = (array * 2 + 1).astype(array.dtype)
    model.graph.initializer.append(numpy_helper.from_array(other, item.name))


@edit
def drop_constant(model, rng):
    model.graph.initializer.remove(a_constant(model, rng))


@edit
def constant_shape(model, rng):
    item = a_constant(model, rng)
    if not item.dims or rng.integers(3) == 0:
        item.dims.append(one(rng, (1, 2, 0, -1, 2**40)))
    else:
        item.dims[int(rng.integers(len(item.dims)))] = one(rng, (0, 1, 2, 3, -1, 2**33))


@edit
def constant_values(model, rng):
    item = a_constant(model, rng, floats=True)
    array = numpy_helper.to_array(item).copy()
    what = int(rng.integers(6))
    if what == 0:
        array.flat[int(rng.integers(array.size or 1)) : array.size or 1] = one(rng, (np.nan, np.inf, -np.inf))
    else:
        array = array * np.float32((0, -1, 1e-30, 1e30, 100)[what - 1])
    item.CopyFrom(numpy_helper.from_array(array.astype(np.float32), item.name))


@edit
def constant_type(model, rng):
    item = a_constant(model, rng)
    dtype = one(rng, (np.float16, np.float64, np.int8, np.int64, np.uint8, np.bool_))
    with np.errstate(all="ignore"):
        item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item).astype(dtype), item.name))


@edit
def constant_cut(model, rng):
    item = a_constant(model, rng)
    item.raw_data = item.raw_data[: int(rng.integers(len(item.raw_data) + 1))]


@edit
def constant_label(model, rng):
    a_constant(model, rng).data_type = int(rng.integers(0, 24))


@edit
def constant_node(model, rng):
    item = a_constant(model, rng)
    model.graph.initializer.remove(item)
    value = copy.deepcopy(item)
    value.name = ""
    model.graph.node.insert(0, helper.make_node("Constant", [], [item.name], value=value))


@edit
def constant_is_input(model, rng):
    item = a_constant(model, rng)
    model.graph.input.append(helper.make_tensor_value_info(item.name, item.data_type, list(item.dims)))


@edit
def parameter_is_input(model, rng):
    constant_is_input(model, rng)
    model.graph.initializer.remove(
        next(i for i in model.graph.initializer if i.name == model.graph.input[-1].name)
    )


@edit
def constant_elsewhere(model, rng):
    item = a_constant(model, rng)
    item.ClearField("raw_data")
    item.data_location = TensorProto.EXTERNAL
    item.external_data.add(key="location", value=one(rng, ("w.bin", "../w.bin", "/etc/passwd", "a\0b", "")))
    item.external_data.add(key="offset", value=one(rng, ("0", "-1", "x", str(2**70))))


@edit
def constant_sparse(model, rng):
    item = a_constant(model, rng, floats=True)
    array = numpy_helper.to_array(item)
    places = np.flatnonzero(array)
    values = numpy_helper.from_array(array.reshape(-1)[places], item.name)
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(places, "places"), list(array.shape))
    model.graph.initializer.remove(item)
    model.graph.sparse_initializer.append(sparse)


def computed(model, rng, make):
    """A weight that nodes compute, as exporters and converters leave it."""
    item = a_constant(model, rng, floats=True)
    name, inner = item.name, fresh(model, rng)
    item.name = inner
    for node in make(inner, name, len(item.dims))[::-1]:
        model.graph.node.insert(0, node)


@edit
def constant_computed(model, rng):
    which = int(rng.integers(4))

    def make(inner, name, rank):
        if which == 0:
            return [helper.make_node("Identity", [inner], [name])]
        if which == 1:
            half = f"{inner}_half"
            return [
                helper.make_node("Cast", [inner], [half], to=TensorProto.FLOAT16),
                helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT),
            ]
        if which == 2:
            turned, perm = f"{inner}_turned", list(range(rank))[::-1]
            return [
                helper.make_node("Transpose", [inner], [turned], perm=perm),
                helper.make_node("Transpose", [turned], [name], perm=perm),
            ]
        twice = f"{inner}_twice"
        return [
            helper.make_node("Add", [inner, inner], [twice]),
            helper.make_node("Sub", [twice, inner], [name]),
        ]

    computed(model, rng, make)


# What stands between two nodes


def between(model, rng, make, **constants):
    """Put nodes on one wire: `make` is given its tensor's name and the new name."""
    made = {name for node in model.graph.node for name in node.output} | {i.name for i in model.graph.input}
    node = one(rng, [node for node in model.graph.node if set(node.input) & made])
    place = one(rng, [place for place, name in enumerate(node.input) if name in made])
    old, new = node.input[place], fresh(model, rng)
    for new_node in make(old, new):
        put(model, new_node, node)
    node.input[place] = new
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, f"{new}_{name}"))


def single(operator, *constants, **attributes):
    def made(old, new):
        return [helper.make_node(operator, [old, *(f"{new}_{c}" for c in constants)], [new], **attributes)]

    return made


@edit
def insert_unary(model, rng):
    operators = (
        "Identity",
        "Relu",
        "Sigmoid",
        "Tanh",
        "Neg",
        "Abs",
        "Dropout",
        "LeakyRelu",
        "Softplus",
        "Elu",
    )
    between(model, rng, single(one(rng, operators)))


@edit
def insert_constant(model, rng):
    value = np.float32(one(rng, (0, 1, -1, 0.5, 255, 1e-6)))
    operator = one(rng, ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"))
    between(model, rng, single(operator, "k"), k=value)


@edit
def insert_half(model, rng):
    to = one(rng, (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32))

    def make(old, new):
        return [
            helper.make_node("Cast", [old], [f"{new}_c"], to=to),
            helper.make_node("Cast", [f"{new}_c"], [new], to=TensorProto.FLOAT),
        ]

    between(model, rng, make)


@edit
def insert_ladder(model, rng):
    """Split into two and put together again."""

    def make(old, new):
        return [
            helper.make_node("Split", [old], [f"{new}_a", f"{new}_b"], axis=1, num_outputs=2),
            helper.make_node("Concat", [f"{new}_a", f"{new}_b"], [new], axis=1),
        ]

    between(model, rng, make)


@edit
def insert_turns(model, rng):
    def make(old, new):
        perm = (0, 2, 1, 3)
        return [
            helper.make_node("Transpose", [old], [f"{new}_t"], perm=perm),
            helper.make_node("Transpose", [f"{new}_t"], [new], perm=perm),
        ]

    between(model, rng, make)


@edit
def insert_shape(model, rng):
    def make(old, new):
        return [
            helper.make_node("Shape", [old], [f"{new}_s"]),
            helper.make_node("Reshape", [old, f"{new}_s"], [new]),
        ]

    between(model, rng, make)


@edit
def insert_training(model, rng):
    between(model, rng, single("Dropout", "ratio", "mode"), ratio=np.float32(0.5), mode=np.bool_(True))


@edit
def insert_twice(model, rng):
    """A branch and its sum: x + x, or x · x."""
    operator = one(rng, ("Add", "Mul", "Sub", "Max"))
    between(model, rng, lambda old, new: [helper.make_node(operator, [old, old], [new])])


@edit
def insert_if(model, rng):
    def make(old, new):
        then = helper.make_graph(
            [helper.make_node("Identity", [old], [f"{new}_i"])],
            "then",
            [],
            [helper.make_tensor_value_info(f"{new}_i", TensorProto.FLOAT, None)],
        )
        return [
            helper.make_node("If", [f"{new}_c"], [new], then_branch=then, else_branch=copy.deepcopy(then))
        ]

    between(model, rng, make, c=np.bool_(True))


@edit
def a_function(model, rng):
    """One node becomes a function of the file's own."""
    node = a_node(model, rng)
    if any(f.name == node.op_type for f in model.functions) or node.domain:
        raise Nothing
    inputs = [f"i{place}" for place in range(len(node.input))]
    outputs = [f"o{place}" for place in range(len(node.output))]
    inner = copy.deepcopy(node)
    del inner.input[:], inner.output[:]
    inner.input.extend(inputs)
    inner.output.extend(outputs)
    version = model.opset_import[0].version if model.opset_import else 21
    opsets = [helper.make_opsetid("", version)]
    name = f"Mine{len(model.functions)}"
    model.functions.append(helper.make_function("own", name, inputs, outputs, [inner], opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    node.op_type, node.domain = name, "own"
    del node.attribute[:]
