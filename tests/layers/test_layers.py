"""Every layer: forward like onnxruntime, transpose the adjoint of forward."""

import numpy as np
import pytest
from building import relative, run
from examples import EXAMPLES, IN_NETS, Example, W
from versions import before

from explainer.layers import KINDS, kinds_of, supported
from explainer.model.operators import RECENT
from explainer.rules import Gradient, HeldGradient, Relevance
from explainer.testing import check_adjoint
from explainer.testing.comparing import drawn
from explainer.testing.dense import bias_of, flat, matrix

CURVES = ("activation", "curved", "normalization", "quotient")
WEIGHTED = ("convolution", "dense", "scale", "sum")

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)
linear = [example for example in EXAMPLES if example.kind not in CURVES]
each_linear_example = pytest.mark.parametrize("example", linear, ids=str)


def test_every_operator_has_examples():
    unheard = RECENT if before("onnx", "1.19") else set()
    assert {example.operator for example in EXAMPLES} == set(supported()) - IN_NETS - unheard
    assert len({str(example) for example in EXAMPLES}) == len(EXAMPLES)


def test_the_registry_lists_operators_by_name_with_known_kinds():
    assert list(supported()) == sorted(supported())
    kinds = {kind for layer in supported().values() for kind in kinds_of(layer)}
    named = "convolution dense scale sum product quotient activation movement winner recurrent"
    assert kinds == {*named.split(), "normalization", "curved"}
    assert set(KINDS.values()) >= kinds


@each_example
def test_forward_is_onnxruntimes(example: Example):
    if example.attributes.get("count_include_pad") and before("onnxruntime", "1.25"):
        pytest.skip("onnxruntime before 1.25 leaves the pad out of AveragePool's count since opset 19")
    wanted = run(example.model(), example.feeds())
    for layer, theirs in zip(example.layers(np.float32), wanted, strict=True):
        ours = layer.forward(layer.x)
        assert ours.dtype == np.float32
        assert relative(ours, theirs) < 2e-6


def check_adjoints(example: Example) -> None:
    """⟨A x, s⟩ = ⟨x, Aᵀ s⟩."""
    for layer in example.layers():
        check_adjoint(layer)


@each_linear_example
def test_the_transpose_is_the_adjoint_of_the_linear_part(example: Example):
    check_adjoints(example)


@pytest.mark.parametrize("attributes", [{"output_shape": [10, 12]}, {"output_padding": [2, 3]}], ids=str)
def test_output_rows_that_belong_to_no_input_get_nothing(attributes):
    # Not every onnxruntime runs these.
    check_adjoints(
        Example("ConvTranspose", ((2, 4, 3, 4), W(4, 3, 2, 2), W(3)), {"strides": [2, 2], **attributes})
    )


@each_linear_example
def test_without_bias_is_the_linear_part(example: Example):
    for layer in example.layers():
        if layer.kind in WEIGHTED:
            z = layer.forward(layer.x) - bias_of(layer)
            assert relative(layer.without_bias().forward(layer.x), z) < 1e-12
            assert not np.any(layer.without_bias().bias)


@each_linear_example
def test_with_params_changes_weights_and_leaves_the_layer_alone(example: Example):
    for layer in example.layers():
        z = layer.forward(layer.x)
        if layer.kind in WEIGHTED:
            assert relative(layer.with_params(lambda p: p * 2).forward(layer.x), 2 * z) < 1e-12
        elif layer.kind in ("movement", "winner"):
            layer.with_params(lambda p: p * 2).forward(layer.x)  # axes and sizes are no weights
        np.testing.assert_array_equal(layer.forward(layer.x), z)


def test_a_max_pool_gives_all_to_the_first_maximum():
    example = next(e for e in EXAMPLES if e.operator == "MaxPool" and e.attributes.get("dilations"))
    (layer,) = example.layers()
    tied = layer.at(np.zeros_like(layer.x))
    A = matrix(tied)
    assert (A.sum(axis=1) == 1).all()
    assert set(np.unique(A)) == {0, 1}


@each_example
def test_a_recorded_output_is_not_computed_again(example: Example):
    for layer in example.layers():
        recorded = object()
        bound = layer.at(layer.x, recorded)
        assert bound(bound.x) is recorded
        if example.operator != "Sum" and not isinstance(layer.x, tuple):
            other = layer.x + 1
            with np.errstate(invalid="ignore"):  # of an arc sine, say
                assert bound(other) is not recorded


@pytest.mark.parametrize("rule", [Gradient(), HeldGradient()], ids=str)
@each_example
def test_x_times_a_gradient_and_what_constants_have_are_all_of_z(example: Example, rule: Gradient):
    """What FullGrad adds up, for every operator: no constant and no intercept is forgotten."""
    for layer in example.layers():
        z = layer.forward(layer.x)
        s = drawn("terms").standard_normal(z.shape)
        handed = rule(layer.at(layer.x, z), layer.x, Relevance(None, s))
        laid, rest = handed.constants()
        assert all(part.shape == z.shape for part in laid)
        x = np.where(np.isfinite(flat(layer.x)), flat(layer.x), 0)
        found = x @ flat(handed.whole) + sum(part.sum() for part in (*laid, *rest))
        amount = abs(s * z).sum() + abs(x * flat(handed.whole)).sum()
        assert abs(found - (s * z).sum()) < 1e-12 * amount
