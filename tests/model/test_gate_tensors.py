"""The gate: tensors hold what they say they hold, dense and sparse ones."""

import numpy as np
import onnx
import pytest
from building import parse, relative, run
from gated import W, X, body, changed, refused
from onnx import TensorProto, helper, numpy_helper

from explainer import ModelError, compile, explain
from explainer.model.graph import Graph


def stored(change) -> onnx.ModelProto:
    return changed(body("y = MatMul (x, w)"), lambda model: change(model.graph.initializer[0]), w=W)


def as_numbers(tensor, count: int) -> None:
    tensor.ClearField("raw_data")
    tensor.float_data.extend([1.0] * count)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda tensor: setattr(tensor, "data_type", 0), "data type 0 is none"),
        (lambda tensor: setattr(tensor, "data_type", 99), "data type 99 is none"),
        (lambda tensor: tensor.dims.__setitem__(0, -4), "[-4, 4] is negative"),
        (
            lambda tensor: setattr(tensor, "raw_data", tensor.raw_data[:-1]),
            "63 bytes; a shape of [4, 4] takes 64",
        ),
        (lambda tensor: setattr(tensor, "raw_data", bytes(68)), "68 bytes"),
        (lambda tensor: as_numbers(tensor, 15), "15 numbers; a shape of [4, 4] takes 16"),
        (lambda tensor: as_numbers(tensor, 0), "0 numbers"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.STRING), "it is text"),
        (lambda tensor: setattr(tensor.segment, "begin", 1), "segment"),
    ],
)
def test_tensors_are_whole(change, part):
    refused(stored(change), "tensor 'w': ", part)
    held = parse(body("w = Constant <value = float[1] {1}> () y = MatMul (x, w)"))
    held.graph.node[0].attribute[0].t.CopyFrom(stored(change).graph.initializer[0])
    refused(held, "Constant 'w': its attribute value: ", part)


def test_a_shape_that_is_larger_than_its_data_is_refused_where_it_is_read():
    huge = stored(lambda tensor: tensor.dims.__setitem__(0, 2**40))
    with pytest.raises(ModelError, match="'w'"):
        explain(huge, X)


def sparse(values, indices, dims=(4, 4)) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(
        numpy_helper.from_array(np.array(values, np.float32), "w"),
        numpy_helper.from_array(np.array(indices), "at"),
        list(dims),
    )


def held_sparse(tensor) -> onnx.ModelProto:
    return changed(body("y = MatMul (x, w)"), lambda model: model.graph.sparse_initializer.append(tensor))


def constant_sparse(tensor) -> onnx.ModelProto:
    model = parse(body("w = Constant <value_int = 1> () y = MatMul (x, w)"))
    model.graph.node[0].attribute[0].CopyFrom(helper.make_attribute("sparse_value", tensor))
    return model


@pytest.mark.parametrize("made", [held_sparse, constant_sparse])
@pytest.mark.parametrize("indices", [[0, 6], [[0, 0], [1, 2]]])
def test_sparse_tensors_are_dense_ones_with_zeros(made, indices):
    dense = np.zeros((4, 4), np.float32)
    dense[0, 0], dense[1, 2] = 2, 3
    wanted = explain(parse(body("y = MatMul (x, w)"), w=dense), X, target=2).relevance
    model = made(sparse([2, 3], indices))
    np.testing.assert_array_equal(explain(model, X, target=2).relevance, wanted)
    np.testing.assert_allclose(run(model, {"x": X})[0], X @ dense, rtol=1e-6)
    if made is held_sparse:
        found = run(compile(model, target=2), {"x": X})[1]
        assert relative(found, wanted) < 1e-5


def test_constants_are_computed_from_sparse_tensors():
    model = parse(body("v = Transpose (w) y = MatMul (x, v)"))
    model.graph.sparse_initializer.append(sparse([2, 3], [0, 6]))
    dense = np.zeros((4, 4), np.float32)
    dense[0, 0], dense[1, 2] = 2, 3
    np.testing.assert_array_equal(Graph.load(model).constant("v"), dense.T)


@pytest.mark.parametrize("made", [held_sparse, constant_sparse])
@pytest.mark.parametrize(
    ("tensor", "part"),
    [
        (sparse([2, 3], [0, 16]), "lies outside"),
        (sparse([2, 3], [-1, 3]), "lies outside"),
        (sparse([2, 3], [[0, 0], [4, 0]]), "'w'"),
        (sparse([2, 3], [6, 6]), "one index"),
        (sparse([2, 3], [6]), "no sparse tensor"),
        (sparse([2, 3], [0.5, 1.5]), "no whole numbers"),
        (sparse([2, 3], [0, 6], (2**20, 2**20)), "unpacks to 4194304 MiB"),
    ],
)
def test_sparse_tensors_that_are_none(made, tensor, part):
    with pytest.raises(ModelError, match=part):
        explain(made(tensor), X)
