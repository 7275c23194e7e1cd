"""What a Symbol may do, and what it must refuse."""

import numpy as np
import pytest
from building import rng

from explainer import tensor
from explainer.tensor import Bundle, Recorder, Symbol


@pytest.fixture
def x():
    return Symbol(Recorder("lrp"), "x", rng(0).standard_normal((2, 3)).astype(np.float32))


def operators(symbol):
    return [node[0] for node in symbol.recorder.nodes]


def test_a_symbol_has_no_truth(x):
    with pytest.raises(TypeError, match="has no value yet: use where"):
        bool(x > 0)
    with pytest.raises(TypeError):
        if x:
            pass


def test_arithmetic_records_in_the_order_it_is_written(x):
    array = np.ones((2, 3), dtype=np.float32)
    for result, want in [
        (array * x, array * x.value),
        (array - x, array - x.value),
        (array / x, array / x.value),
        (array + x, array + x.value),
        (array.T @ x, array.T @ x.value),
        (x @ array.T, x.value @ array.T),
        (x - array, x.value - array),
        (x / array, x.value / array),
        (-x, -x.value),
        (1 - x, 1 - x.value),
        (x > 0, x.value > 0),
        (x < 0, x.value < 0),
    ]:
        assert isinstance(result, Symbol)
        np.testing.assert_array_equal(result.value, want)
    assert " ".join(operators(x)) == "Mul Sub Div Add MatMul MatMul Sub Div Neg Sub Greater Less"


def test_plain_numbers_take_the_symbols_type_and_arrays_keep_theirs(x):
    assert (x * 2).dtype == (2 * x).dtype == (x + 0.5).dtype == np.float32
    assert {value.dtype for value in x.recorder.constants.values()} == {np.dtype(np.float32)}
    assert tensor.Reshape(x, np.array([3, 2])).shape == (3, 2)
    assert np.dtype(np.int64) in {value.dtype for value in x.recorder.constants.values()}


def test_an_array_is_stored_once_and_equal_arrays_are_not_confused(x):
    a, b = np.float32([1, 2, 3]), np.float32([1, 2, 3])
    x * a
    x + a
    assert len(x.recorder.constants) == 1
    x * b
    assert len(x.recorder.constants) == 2


def test_temporary_arrays_with_reused_addresses_are_told_apart(x):
    for number in range(50):
        value = (x * np.full(3, number, dtype=np.float32)).value
        np.testing.assert_array_equal(value, x.value * number)
    assert len({array.tobytes() for array in x.recorder.constants.values()}) == 50


def test_names_are_unique_and_carry_the_prefix(x):
    for _ in range(3):
        tensor.MaxPool(
            x * np.ones((2, 1, 3), dtype=np.float32),
            kernel_shape=[2],
            strides=[1],
            pads=[0, 0],
            dilations=[1],
        )
    names = [name for _, _, outputs, _ in x.recorder.nodes for name in outputs]
    names += list(x.recorder.constants)
    assert len(names) == len(set(names)) == 3 * (1 + 2) + 3
    assert all(name.startswith("lrp/") for name in names)


def test_absent_operands_are_empty_names_and_trailing_ones_are_dropped(x):
    tensor.Pad(x, np.array([0, 1, 0, 1]), None)
    assert len(x.recorder.nodes[-1][1]) == 2


def test_the_mistake_shows_where_it_is_made(x):
    with pytest.raises(ValueError, match="broadcast"):
        x + np.ones(5, dtype=np.float32)
    assert not x.recorder.nodes


def test_bundles_are_elementwise_over_their_members(x):
    a, b = np.float32([1, 2]), np.float32([[3], [4]])
    pair = Bundle((a, b))
    for result, want in [
        (pair * Bundle((b, a)), (a * b, b * a)),
        (pair * 2, (a * 2, b * 2)),
        (2 * pair, (a * 2, b * 2)),
        (pair + pair, (a + a, b + b)),
        (pair - Bundle((a, a)), (a - a, b - a)),
        (a * Bundle((b, a)), (a * b, a * a)),
    ]:
        assert isinstance(result, Bundle)
        for mine, theirs in zip(result, want, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    mixed = Bundle((x, x)) * Bundle((x, x.value))
    assert all(isinstance(member, Symbol) for member in mixed)
    with pytest.raises(ValueError, match="zip"):
        pair * (a, b, a)
