"""ONNX's own node test cases, through the NumPy bodies of the layers.

The first operand is the activation, the others are constants; where an operator adds or joins,
all operands are activations in a second round.
"""

import warnings
from collections import Counter

import numpy as np
import onnx
import pytest
from building import one_node
from onnx.backend.test.loader import load_model_tests

from explainer.errors import UnsupportedError
from explainer.layers import REGISTRY, supported
from explainer.model.graph import Graph
from explainer.tensor import Bundle

# Which cases of registered operators do not run, and why.
REFUSED = {
    "training": "a BatchNormalization in training mode is refused",
    "maxpool_with_argmax": "its indices are no values",
    "test_mvn": "statistics over the batch are refused",
    "scatter_elements_with_duplicate_indices": "two constants that are added up in one place are refused",
    "scatternd_add": "two constants that are added up in one place are refused",
    "scatter_elements_with_reduction_m": "other reductions than add are refused",
    "scatternd_m": "other reductions than add are refused",
    "crop_and_resize_extrapolation": "a Resize of what lies outside of the tensor is refused",
}
# Which cases onnxruntime answers otherwise, as we do: it aligns corners by whole sizes, and counts the
# places of a MaxUnpool in the shape that is given.
OTHERWISE = {
    "test_maxunpool_export_with_output_shape",
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
}
QUANTISED = ("DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear")
# Which operators have no case that runs, and why.
WITHOUT = {
    "Where": "its first operand is no activation",
    "Trilu": "its cases are of whole numbers",
    "GlobalLpPool": "it has none",
    "MeanVarianceNormalization": "its one case is refused",
    **dict.fromkeys(QUANTISED, "their layers make what whole numbers stand for: see test_quantised"),
}
FLOATS = (np.float32, np.float64)
MIXED = {"Add", "Sub", "Sum", "Concat", "Mul", "MatMul"}


@pytest.fixture(scope="module")
def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow on purpose
        everything = load_model_tests(kind="node")
    return [case for case in everything if _is_ours(case)]


def _is_ours(case) -> bool:
    nodes = case.model.graph.node
    if len(nodes) != 1 or nodes[0].domain or nodes[0].op_type not in REGISTRY.keys() - {*QUANTISED}:
        return False
    # Integers and half floats never reach the walk: its types are float32 and float64.
    # Nor do empty tensors.
    arrays = [*case.data_sets[0][0][:1], *case.data_sets[0][1]]
    return all(isinstance(a, np.ndarray) and a.size for a in arrays) and arrays[0].dtype in FLOATS


def _outputs(case, activations: int):
    """What our layers make of the case, with its first `activations` operands as such."""
    node = case.model.graph.node[0]
    opset = case.model.opset_import[0].version
    arrays = iter(case.data_sets[0][0])
    operands = [(name, next(arrays)) if name else None for name in node.input]
    constants = dict(filter(None, operands[activations:]))
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    model = one_node(node.op_type, operands, constants, node.output, attributes, opset, batch=False)
    graph = Graph.load(model)
    values = {name: graph.constant(name) for name in graph.initializers} | dict(filter(None, operands))
    wide = {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in values.items()}
    for index, name in enumerate(node.output):
        if index and node.op_type == "LayerNormalization":
            return  # its mean and deviation, which nobody may read
        if name:
            layer = REGISTRY[node.op_type].of(graph.nodes[0], graph, index)
            layer = layer.bind(layer.read(wide), None, layer.prepare(wide))
            yield layer, layer.forward(layer.x)


@pytest.mark.slow
def test_the_layers_pass_onnx_own_cases(cases):
    ran: Counter[str] = Counter()
    refused, wrong = [], []
    for case in cases:
        operator = case.model.graph.node[0].op_type
        inputs = len(case.model.graph.node[0].input)
        for activations in {1, inputs if operator in MIXED else 1}:
            try:
                found = list(_outputs(case, activations))
            except UnsupportedError:
                refused.append(case.name)
                continue
            for (layer, ours), theirs in zip(found, case.data_sets[0][1], strict=False):
                assert isinstance(layer.x, Bundle) == (activations > 1)
                if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=case.rtol, atol=1e-6):
                    wrong.append(case.name)
            ran[operator] += 1
    assert set(wrong) == OTHERWISE
    unexplained = [name for name in refused if not any(part in name for part in REFUSED)]
    assert not unexplained
    assert set(REFUSED) == {part for part in REFUSED if any(part in name for name in refused)}
    assert set(ran) == {name for name in supported() if onnx.defs.has(name)} - set(WITHOUT)
    assert ran.total() >= 200
