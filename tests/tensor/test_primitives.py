"""Each primitive eager on arrays, and recorded as one node that onnxruntime runs: the same numbers."""

import numpy as np
import pytest
from building import rng
from recording import check

from explainer import tensor

R = rng(1)


def normal(*shape):
    return R.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


SIMPLE = {
    "Add": ([normal(2, 3), normal(3)], tensor.Add),
    "Sub": ([normal(2, 3), normal(2, 1)], tensor.Sub),
    "Mul": ([normal(2, 3), normal(1, 3)], tensor.Mul),
    "Div": ([normal(2, 3), normal(3)], tensor.Div),
    "Neg": ([normal(2, 3)], tensor.Neg),
    "MatMul": ([normal(2, 3), normal(3, 4)], tensor.MatMul),
    "MatMul batched": ([normal(2, 1, 3, 5), normal(4, 5, 2)], tensor.MatMul),
    "Less": ([normal(2, 3), normal(2, 3)], tensor.Less),
    "Greater": ([normal(2, 3), normal(3)], tensor.Greater),
    "Equal": ([np.float32([1, 2, 3]), np.float32([1, 0, 3])], tensor.Equal),
    "Abs": ([normal(4)], tensor.Abs),
    "Sqrt": ([np.abs(normal(4))], tensor.Sqrt),
    "Exp": ([normal(4)], tensor.Exp),
    "Log": ([np.abs(normal(4))], tensor.Log),
    "Tanh": ([normal(4)], tensor.Tanh),
    "Sigmoid": ([normal(4) * 30], tensor.Sigmoid),
    "Erf": ([normal(4)], tensor.Erf),
    "Einsum": (
        [normal(2, 3, 4), normal(2, 5, 4), normal(3)],
        lambda *v: tensor.Einsum(*v, equation="bid,bjd,i->bij"),
    ),
    "CumSum": ([normal(2, 3, 4), np.array(1)], tensor.CumSum),
    "CumSum before": (
        [normal(2, 3, 4), np.array(-1)],
        lambda x, axis: tensor.CumSum(x, axis, exclusive=1, reverse=1),
    ),
    "Trilu": ([normal(2, 3, 4), np.array(1)], tensor.Trilu),
    "Trilu lower": ([normal(4, 3), np.array(-1)], lambda x, k: tensor.Trilu(x, k, upper=0)),
    **{
        name: ([normal(4) * 3], getattr(tensor, name))
        for name in ("Sign", "Round", "Floor", "Ceil", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh")
    },
    "Round halves": ([np.float32([-1.5, -0.5, 0.5, 1.5, 2.5])], tensor.Round),
    "Pow": ([np.abs(normal(2, 3)), normal(3)], tensor.Pow),
    **{name: ([np.float32([-0.7, 0.1, 0.9])], getattr(tensor, name)) for name in ("Asin", "Acos", "Atanh")},
    "Acosh": ([np.float32([1.1, 2, 30])], tensor.Acosh),
    "Relu": ([normal(4)], tensor.Relu),
    "Max": ([normal(2, 3), normal(3)], tensor.Max),
    "Min": ([normal(2, 3), normal(2, 1)], tensor.Min),
    "Where": ([normal(2, 3) > 0, normal(2, 3), normal(3)], tensor.Where),
    "ReduceSum": ([normal(2, 3, 4), ints(0, 2)], tensor.ReduceSum),
    "ReduceSum negative axis": ([normal(2, 3), ints(-1)], lambda x, a: tensor.ReduceSum(x, a, keepdims=0)),
    "Softmax": ([normal(2, 3, 4) * 50], lambda x: tensor.Softmax(x, axis=1)),
    "LogSoftmax": ([normal(2, 3, 4) * 50], lambda x: tensor.LogSoftmax(x, axis=1)),
    "ArgMax": ([np.float32([[1, 3, 3], [2, 2, 1]])], lambda x: tensor.ArgMax(x, axis=1, keepdims=1)),
    "ArgMax flat": ([normal(3, 4)], lambda x: tensor.ArgMax(x, axis=0, keepdims=0)),
    "Shape": ([normal(2, 3)], tensor.Shape),
    "Cast": ([np.arange(5, dtype=np.uint8)], lambda x: tensor.Cast(x, to=tensor.FLOAT32)),
    "Reshape": ([normal(2, 3, 4), ints(0, -1)], tensor.Reshape),
    "Reshape whole": ([normal(2, 3, 4), ints(4, 6)], tensor.Reshape),
    "Transpose": ([normal(2, 3, 4)], lambda x: tensor.Transpose(x, perm=[2, 0, 1])),
    "Expand": ([normal(3, 1), ints(2, 1, 4)], tensor.Expand),
    "Gather": ([normal(4, 3), ints(2, 0, 2)], lambda x, i: tensor.Gather(x, i, axis=0)),
    "Concat": ([normal(2, 3), normal(2, 1), normal(2, 2)], lambda *v: tensor.Concat(*v, axis=1)),
    "Slice": ([normal(5, 6), ints(1), ints(-1), ints(1), ints(2)], tensor.Slice),
    "Slice clamped": ([normal(5, 6), ints(-9, 2), ints(99, 4), ints(0, 1), ints(1, 1)], tensor.Slice),
    "Slice reversed": ([normal(5, 6), ints(-1), ints(-99), ints(0), ints(-1)], tensor.Slice),
    "Slice reversed, part": ([normal(5, 6), ints(4), ints(1), ints(-1), ints(-2)], tensor.Slice),
    "Slice reversed, negative end": ([normal(5), ints(3), ints(-5), ints(0), ints(-1)], tensor.Slice),
    "Pad": ([normal(2, 3), ints(1, 0, 2, 1)], tensor.Pad),
    "Pad value": ([normal(2, 3), ints(1, 0, 0, 2), np.float32(7)], tensor.Pad),
    "Pad crops": ([normal(4, 5), ints(-1, 2, 1, -2)], tensor.Pad),
    "Pad edge": ([normal(4, 5), ints(1, 2, 1, 0)], lambda x, p: tensor.Pad(x, p, mode="edge")),
    "Pad reflect": ([normal(4, 5), ints(1, 2, 1, 0)], lambda x, p: tensor.Pad(x, p, mode="reflect")),
    "ScatterElements": (
        [normal(6), ints(1, 4, 1, 5, 1), normal(5)],
        lambda d, i, u: tensor.ScatterElements(d, i, u, axis=0, reduction="add"),
    ),
    "ScatterElements along an axis": (
        [normal(3, 4), np.array([[0, -1], [3, 3]]), normal(2, 2)],
        lambda d, i, u: tensor.ScatterElements(d, i, u, axis=1, reduction="add"),
    ),
    "ScatterElements put": (
        [normal(3, 4), np.array([[0, -1], [3, 2]]), normal(2, 2)],
        lambda d, i, u: tensor.ScatterElements(d, i, u, axis=1, reduction="none"),
    ),
    "ScatterND": (
        [normal(3, 4), np.array([[0], [-1], [0]]), normal(3, 4)],
        lambda d, i, u: tensor.ScatterND(d, i, u, reduction="add"),
    ),
    "ScatterND put": (
        [normal(3, 4), np.array([[0, 1], [-1, 2]]), normal(2)],
        lambda d, i, u: tensor.ScatterND(d, i, u, reduction="none"),
    ),
    "GatherND": ([normal(3, 4), np.array([[0], [-1], [0]])], tensor.GatherND),
    "GatherElements": (
        [normal(3, 4), np.array([[0, -1], [3, 3]])],
        lambda x, i: tensor.GatherElements(x, i, axis=1),
    ),
    "ReverseSequence": (
        [normal(3, 4, 2), ints(1, 4, 2)],
        lambda x, n: tensor.ReverseSequence(x, n, batch_axis=0, time_axis=1),
    ),
    "Gather last axis": ([normal(2, 5), ints(1)], lambda x, i: tensor.Gather(x, i, axis=1)),
    "Unsqueeze": ([normal(2, 3), ints(0, -1)], tensor.Unsqueeze),
    "Squeeze": ([normal(1, 2, 1, 3), ints(0, 2)], tensor.Squeeze),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_a_primitive_means_the_same_eager_and_recorded(name):
    values, body = SIMPLE[name]
    check(values, body)


def test_constant_of_shape_takes_a_recorded_shape():
    zeros = np.zeros(1, dtype=np.float32)
    body = lambda x: tensor.ConstantOfShape(tensor.Shape(x), value=zeros)  # noqa: E731
    check([normal(2, 3)], body, nodes=2)


def test_every_primitive_has_a_case_here():
    from test_convolutions import WINDOWED

    primitives = {n for n in tensor.__all__ if callable(getattr(tensor, n)) and n[0].isupper()}
    types = {"Bundle", "Recorder", "Symbol", "Value", "Array"}
    covered = {name.split()[0] for name in SIMPLE} | WINDOWED | {"ConstantOfShape"}
    assert primitives - types == covered


def test_what_scatter_and_cast_cannot_do_is_said():
    with pytest.raises(NotImplementedError):
        tensor.ScatterElements(normal(2), ints(0), normal(1), axis=0, reduction="mul")
    with pytest.raises(NotImplementedError):
        tensor.Cast(normal(2), to=9)


def test_a_sigmoid_keeps_its_digits_where_it_is_small_and_never_overflows():
    x = np.array([-1e4, -700, -30, 0, 30, 1e4])
    np.testing.assert_allclose(tensor.Sigmoid(x), [0, np.exp(-700), np.exp(-30), 0.5, 1, 1], rtol=1e-12)


@pytest.mark.parametrize("body", [tensor.Sigmoid, tensor.Erf, lambda x: tensor.above(x, 0)])
def test_a_single_number_stays_an_array_of_its_type(body):
    for kind in (np.float32, np.float64):
        out = body(np.array(0.5, dtype=kind))
        assert isinstance(out, np.ndarray)
        assert out.shape == ()
        assert out.dtype == kind


def test_a_step_is_the_same_eager_and_recorded():
    x = np.float32([-1, -0.0, 0, 1e-30, 2])
    check([x], lambda x: tensor.above(x, 0), nodes=2)
    check([x, np.float32([0, 0, 0, 0, 2])], tensor.above, nodes=2)
    assert tensor.above(x, 0).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("signed", [True, False])
def test_the_stabiliser_is_the_same_eager_and_recorded(signed):
    z = np.float32([2, -2, 0.0, -0.0, 1e-30, -1e-30])
    check([z], lambda z: tensor.stabilize(z, 0.5, signed=signed), nodes=None, tolerance=1e-7)
    want = [2.5, -2.5, 0.5, 0.5, 0.5, -0.5] if signed else [2.5, -1.5, 0.5, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(tensor.stabilize(z, 0.5, signed=signed), want, rtol=1e-7)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_stabiliser_keeps_the_type_and_its_argument(kind):
    z = np.array([-0.0, -3.0, 2.0], dtype=kind)
    before = z.copy()
    out = tensor.stabilize(z, 1e-6)
    assert out.dtype == kind
    np.testing.assert_array_equal(np.signbit(z), np.signbit(before))
    np.testing.assert_array_equal(np.signbit(tensor.signed_epsilon(z, 1e-6)), [False, True, False])


@pytest.mark.parametrize(
    ("shape", "wide"),
    [
        ((3, 4), (2, 3, 4)),
        ((1, 4), (3, 4)),
        ((3, 1), (2, 3, 4)),
        ((1,), (2, 3)),
        ((), (2, 2)),
        ((2, 3), (2, 3)),
    ],
)
def test_sum_to_is_the_transpose_of_broadcasting(shape, wide):
    a, s = R.standard_normal(shape), R.standard_normal(wide)
    back = tensor.sum_to(s, shape)
    assert back.shape == shape
    assert np.isclose(np.sum(np.broadcast_to(a, wide) * s), np.sum(a * back), rtol=1e-12)
    check([normal(*wide)], lambda x: tensor.sum_to(x, shape) + 0, nodes=None)


def test_total_sums_by_sample_and_says_when_it_cannot():
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(tensor.total(x, 4), [3, 12, 21, 30])
    np.testing.assert_array_equal(tensor.total(x, 2), [15, 51])
    assert tensor.total(x, 1).tolist() == [66]
    assert np.isnan(tensor.total(x, 3)).all()
    assert tensor.total(np.array(5.0), 1).tolist() == [5]
    assert tensor.total(x, 4).dtype == np.float64
