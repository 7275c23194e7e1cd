"""Which kernels only scale: those of which the centre alone is set, where it meets each place once."""

import numpy as np
import pytest
from building import parse

from explainer.layers import REGISTRY
from explainer.model.graph import Graph


def only_scales(kernel, how: str, operator: str = "Conv") -> bool:
    text = f"g (float[N,3,8,8] x) => (float[N,3,H,W] y) {{ y = {operator} <group=3{how}> (x, w) }}"
    graph = Graph.load(parse(text, w=kernel))
    return REGISTRY[operator].of(graph.nodes[0], graph, 0).only_scales(graph)


def one(height: int, width: int, row: int, column: int):
    kernel = np.zeros((3, 1, height, width))
    kernel[:, :, row, column] = [[2], [3], [4]]
    return kernel


CENTRE = one(3, 3, 1, 1)
BESIDE = CENTRE + one(3, 3, 0, 1) / 7


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize(
    ("kernel", "how", "expected"),
    [
        (CENTRE, ", pads=[1,1,1,1]", True),
        (CENTRE, ', auto_pad="SAME_LOWER"', True),
        (one(1, 5, 0, 2), ", pads=[0,2,0,2]", True),
        (CENTRE, ", pads=[2,2,2,2], dilations=[2,2]", True),
        (one(1, 1, 0, 0), "", True),
        (CENTRE, "", False),  # the border is cut off
        (CENTRE, ", pads=[0,1,2,1]", False),  # moved by a place
        (CENTRE, ", pads=[1,1,1,1], strides=[2,2]", False),
        (CENTRE, ", pads=[1,1,1,1], dilations=[2,2]", False),
        (BESIDE, ", pads=[1,1,1,1]", False),
        (one(3, 3, 0, 1), ", pads=[1,1,1,1]", False),  # not the centre
        (one(2, 2, 1, 1), ", pads=[1,1,0,0]", False),  # there is none
        (CENTRE, ", pads=[1,1,1,1], dilations=[1]", False),  # no runtime takes it
    ],
)
def test_a_kernel_that_only_scales(kernel, how, expected, operator):
    assert only_scales(kernel, how, operator) is expected
