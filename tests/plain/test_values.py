"""Values by what they hold: frozen, equal, hashed, and written so that Python makes them again."""

import pickle

import numpy as np
import pytest

from explainer.plain.values import FrozenDict, frozen, identity, written

VALUES = [
    3,
    "cat",
    (1, slice(2, 5), Ellipsis),
    {"a": [1, 2], "b": {"c": 0.5}},
    [("Conv", "zplus")],
    np.array([1, 2, 3]),
    np.array([[True, False]]),
    np.array([0.1, -2.5e-7], np.float32),
    {"x": np.arange(6.0).reshape(1, 2, 3)},
    (),
    None,
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_what_is_written_makes_the_value_again(value):
    kept = frozen(value)
    again = frozen(eval(written(kept), {"np": np}))
    assert identity(again) == identity(kept)
    assert hash(identity(again)) == hash(identity(kept))
    assert "\n" not in written(kept)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_pickled_value_is_the_same(value):
    kept = frozen(value)
    assert identity(pickle.loads(pickle.dumps(kept))) == identity(kept)


def test_a_frozen_value_does_not_follow_the_one_that_was_given():
    array, held = np.zeros(3), {"a": [1]}
    kept = frozen({"array": array, "held": held})
    array[0] = 1
    held["a"].append(2)
    assert kept["array"].tolist() == [0, 0, 0]
    assert kept["held"] == {"a": (1,)}
    with pytest.raises(ValueError, match="read-only"):
        kept["array"][0] = 1
    with pytest.raises(TypeError):
        kept["held"]["a"] = 2


def test_arrays_are_told_apart_by_shape_type_and_numbers():
    one = np.arange(4)
    for other in (one.reshape(2, 2), one.astype(np.float32), one + 1):
        assert identity(one) != identity(other)
    assert identity(one) == identity(one.copy())


def test_a_frozen_dict_is_a_dict_that_stays():
    one, other = FrozenDict({"a": 1, "b": np.ones(2)}), FrozenDict({"b": np.ones(2), "a": 1})
    assert one == other == {"a": 1, "b": np.ones(2)}
    assert hash(one) == hash(other)
    assert one != {"a": 1} and one != 3
    assert (len(one), dict(one)["a"]) == (2, 1)
