"""Convolution, its transpose and max pooling, eager and recorded, over their geometry."""

import numpy as np
import pytest
from building import relative, rng
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import check, recorded
from test_primitives import normal

from explainer import tensor
from explainer.layers.windows import unreached
from explainer.tensor import convolution

WINDOWED = {"Conv", "ConvTranspose", "MaxPool"}


def geometry(rank, strides=1, dilations=1, pads=None):
    wide = lambda v: list(v) if isinstance(v, tuple) else [v] * rank  # noqa: E731
    return {
        "strides": wide(strides),
        "dilations": wide(dilations),
        "pads": list(pads) if pads else [0] * 2 * rank,
    }


CONVOLUTIONS = [
    # x, w, group, geometry
    ((2, 3, 9), (4, 3, 3), 1, geometry(1, 2, 2, (1, 0))),
    ((2, 3, 7, 6), (4, 3, 3, 2), 1, geometry(2, (2, 1), (1, 2), (1, 0, 2, 1))),
    ((2, 4, 7, 6), (6, 2, 3, 3), 2, geometry(2, 2, 1, (1, 1, 1, 1))),
    ((2, 4, 7, 6), (4, 1, 3, 3), 4, geometry(2, 1, 2, (2, 1, 0, 2))),  # depthwise
    ((2, 4, 7, 6), (8, 1, 3, 3), 4, geometry(2, 2)),  # depthwise with a multiplier
    ((2, 4, 5, 5), (3, 4, 1, 1), 1, geometry(2)),
    ((2, 4, 5, 5), (3, 4, 1, 1), 1, geometry(2, 2)),
    ((1, 2, 5, 4, 6), (3, 2, 2, 3, 2), 1, geometry(3, (1, 2, 2), 1, (0, 1, 0, 1, 1, 0))),
    ((1, 4, 5, 4, 6), (4, 2, 2, 2, 2), 2, geometry(3)),
]


@pytest.mark.parametrize(("x", "w", "group", "where"), CONVOLUTIONS)
@pytest.mark.parametrize("biased", [True, False])
def test_conv(x, w, group, where, biased):
    b = [normal(w[0])] if biased else []
    check([normal(*x), normal(*w), *b], lambda *v: tensor.Conv(*v, group=group, **where))


TRANSPOSED = [
    # x, w, group, output_padding, geometry
    ((2, 3, 5), (3, 4, 3), 1, [1], geometry(1, 2, 2, (1, 0))),
    ((2, 3, 4, 5), (3, 4, 3, 2), 1, [0, 0], geometry(2, 1, 1, (1, 0, 0, 1))),
    ((2, 3, 4, 5), (3, 4, 3, 2), 1, [1, 1], geometry(2, (2, 3), (2, 1), (1, 0, 2, 1))),
    ((2, 4, 4, 5), (4, 3, 3, 3), 2, [1, 0], geometry(2, 2, 1, (1, 1, 1, 1))),
    ((2, 4, 4, 5), (4, 1, 3, 3), 4, [0, 1], geometry(2, 2, 2)),  # depthwise
    ((2, 4, 5, 5), (4, 3, 1, 1), 1, [0, 0], geometry(2)),
    ((2, 4, 5, 5), (4, 3, 1, 1), 1, [1, 0], geometry(2, 2)),
    ((1, 2, 3, 4, 2), (2, 3, 2, 3, 2), 1, [0, 1, 0], geometry(3, (1, 2, 2), 1, (0, 1, 0, 1, 1, 0))),
]


@pytest.mark.parametrize(("x", "w", "group", "extra", "where"), TRANSPOSED)
@pytest.mark.parametrize("biased", [True, False])
def test_conv_transpose(x, w, group, extra, where, biased):
    b = [normal(w[1] * group)] if biased else []
    body = lambda *v: tensor.ConvTranspose(*v, group=group, output_padding=extra, **where)  # noqa: E731
    check([normal(*x), normal(*w), *b], body)


TURNED = [
    # x, w, group, geometry, the operator that is recorded
    ((2, 3, 9), (4, 3, 3), 1, geometry(1, 1, 2, (1, 0)), "Conv"),
    ((2, 3, 7, 6), (4, 3, 3, 2), 1, geometry(2, 1, (1, 2), (1, 0, 2, 1)), "Conv"),
    ((2, 4, 7, 6), (6, 2, 3, 3), 2, geometry(2, 1, 1, (1, 1, 1, 1)), "Conv"),
    ((2, 4, 7, 6), (8, 1, 3, 3), 4, geometry(2), "Conv"),  # depthwise with a multiplier
    ((2, 4, 5, 5), (3, 4, 1, 1), 1, geometry(2), "Conv"),
    ((1, 4, 5, 4, 6), (4, 2, 2, 3, 2), 2, geometry(3, 1, 1, (0, 1, 0, 1, 1, 0)), "Conv"),
    ((2, 3, 7, 6), (4, 3, 3, 3), 1, geometry(2, (2, 1), 1, (1, 1, 1, 1)), "ConvTranspose"),
    ((2, 3, 7, 6), (4, 3, 2, 2), 1, geometry(2, 1, 1, (2, 0, 0, 0)), "ConvTranspose"),  # would crop
]


@pytest.mark.parametrize(("x", "w", "group", "where", "operator"), TURNED)
def test_the_transpose_of_a_convolution_is_recorded_as_one_with_turned_kernels(x, w, group, where, operator):
    x, w = normal(*x), normal(*w)
    s = normal(*tensor.Conv(x, w, group=group, **where).shape)
    extra = unreached(x.shape[2:], s.shape[2:], w.shape[2:], **where)
    body = lambda s, w: tensor.transposed(s, w, group=group, output_padding=extra, **where)  # noqa: E731
    recorder, (symbol,), (theirs,) = recorded([s, w], body)
    assert recorder.nodes[-1][0] == operator
    eager = body(s, w)
    assert eager.shape == symbol.shape == x.shape
    assert relative(symbol.value, eager) < 2e-6
    assert relative(theirs, eager) < 2e-6


POOLS = [
    ((2, 3, 9), [3], geometry(1, 2, 1, (1, 1))),
    ((2, 3, 7, 6), [3, 2], geometry(2, (2, 1), (1, 2), (1, 0, 1, 1))),
    ((2, 3, 7, 6), [2, 2], geometry(2, 2)),
    ((2, 3, 6, 6), [3, 3], geometry(2, 1, 2, (1, 2, 2, 1))),
    ((1, 2, 5, 4, 6), [2, 3, 2], geometry(3, (1, 2, 2), 1, (0, 1, 0, 1, 1, 0))),
]


@pytest.mark.parametrize(("x", "kernel", "where"), POOLS)
@pytest.mark.parametrize("ties", [False, True])
def test_max_pool_values_and_indices(x, kernel, where, ties):
    values = rng(3).integers(0, 3, x).astype(np.float32) - 1 if ties else normal(*x)
    check([values], lambda v: tensor.MaxPool(v, kernel_shape=kernel, **where))


def test_max_pool_of_equal_values_takes_the_first():
    z, winner = tensor.MaxPool(np.zeros((1, 1, 2, 4)), kernel_shape=[2, 2], **geometry(2, 2))
    assert z.ravel().tolist() == [0, 0]
    assert winner.ravel().tolist() == [0, 2]


@st.composite
def layouts(draw):
    """Geometries of a convolution, its output not empty."""
    rank = draw(st.integers(1, 3))
    each = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))  # noqa: E731
    kernel, strides, dilations = each(1, 3), each(1, 3), each(1, 2)
    pads = each(0, 2) + each(0, 2)
    sizes = [
        max((k - 1) * d + 1 - pads[i] - pads[rank + i], 1) + draw(st.integers(0, 3))
        for i, (k, d) in enumerate(zip(kernel, dilations, strict=True))
    ]
    group, depth, multiple = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return (
        (2, group * depth, *sizes),
        (group * multiple, depth, *kernel),
        {"group": group, "strides": strides, "dilations": dilations, "pads": pads},
    )


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(layouts())
def test_conv_and_conv_transpose_are_transposes_of_each_other(layout):
    x_shape, w_shape, where = layout
    random = rng(5)
    x, w = random.standard_normal(x_shape), random.standard_normal(w_shape)
    z = tensor.Conv(x, w, **where)
    s = random.standard_normal(z.shape)
    rank = len(x_shape) - 2
    extra = [
        size
        + where["pads"][i]
        + where["pads"][rank + i]
        - (z.shape[2 + i] - 1) * where["strides"][i]
        - (w_shape[2 + i] - 1) * where["dilations"][i]
        - 1
        for i, size in enumerate(x_shape[2:])
    ]
    c = tensor.ConvTranspose(s, w, output_padding=extra, **where)
    assert c.shape == x.shape
    assert np.isclose(np.vdot(z, s), np.vdot(x, c), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [1, 200, 1 << 26])
def test_blocks_of_samples_change_nothing(monkeypatch, block):
    x, w = rng(7).standard_normal((5, 4, 6, 6)), rng(8).standard_normal((6, 2, 3, 3))
    where = geometry(2, 2, 1, (1, 1, 1, 1))
    whole = tensor.Conv(x, w, group=2, **where)
    back = tensor.ConvTranspose(whole, w, group=2, output_padding=[1, 1], **where)
    monkeypatch.setattr(convolution, "BLOCK", block)
    assert relative(tensor.Conv(x, w, group=2, **where), whole) < 1e-13
    assert relative(tensor.ConvTranspose(whole, w, group=2, output_padding=[1, 1], **where), back) < 1e-13


def test_arguments_are_left_as_they_were():
    x, w = normal(2, 4, 6, 6), normal(4, 4, 3, 3)
    before = x.copy(), w.copy()
    z = tensor.Conv(x, w, group=1, **geometry(2, 1, 1, (1, 1, 1, 1)))
    kept = z.copy()
    tensor.ConvTranspose(z, w, group=1, output_padding=[0, 0], **geometry(2))
    tensor.MaxPool(x, kernel_shape=[2, 2], **geometry(2, 2))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])
    np.testing.assert_array_equal(z, kept)
