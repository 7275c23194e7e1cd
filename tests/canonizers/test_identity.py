"""Nodes that only hand a value on are seen through, and no others."""

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, ExplainerError, UnsupportedError, explain
from explainer.canonizers.identity import see_through
from explainer.model.graph import Graph

CHAIN = "g (float[N,4] x) => (float[N,6] y) {{ h = Gemm (x, w) {} }}"


@pytest.mark.parametrize(
    "middle",
    [
        "i = Identity (h) y = Relu (i)",
        "i = Dropout (h) y = Relu (i)",
        "i, mask = Dropout (h) y = Relu (i)",
        "i = Dropout (h, half) y = Relu (i)",
        "i = Dropout (h, half, no) y = Relu (i)",
        "d = Cast <to = 11> (h) i = Cast <to = 1> (d) y = Relu (i)",
        "h2 = Identity (h) h3 = Dropout (h2) i = Identity (h3) y = Relu (i)",
        "i = Relu (h) y = Identity (i)",
        "x2 = Identity (x) h0 = Gemm (x2, w) i = Relu (h0) y = Dropout (i)",
    ],
)
def test_nodes_that_hand_a_value_on_are_seen_through(middle):
    constants = {"w": rng(1).standard_normal((4, 6)), "half": np.float32(0.5), "no": np.array(False)}
    explainer = Explainer(parse(CHAIN.format(middle), **constants), keep=["i"], dtype="float64")
    assert [step.node.operator for step in explainer.plan.steps] == ["Relu", "Gemm"]
    x = rng(4).standard_normal((2, 4)).astype(np.float32)
    plain = Explainer(parse(CHAIN.format("y = Relu (h)"), **constants), dtype="float64").explain(x)
    found = explainer.explain(x)
    np.testing.assert_array_equal(found.relevance, plain.relevance)
    assert set(found.relevances) == {"i"}
    assert found.outputs.keys() == {"y"}


@pytest.mark.parametrize(
    "middle",
    [
        "i = Dropout (h, half, yes) y = Relu (i)",
        "i, mask = Dropout (h) m = Cast <to = 1> (mask) y = Add (i, m)",
        "i = Cast <to = 7> (h) j = Cast <to = 1> (i) y = Relu (j)",
    ],
)
def test_nodes_that_change_the_value_are_not(middle):
    constants = {"w": rng(1).standard_normal((4, 6)), "half": np.float32(0.5), "yes": np.array(True)}
    with pytest.raises(UnsupportedError):
        Explainer(parse(CHAIN.format(middle), **constants)).plan  # noqa: B018


def test_a_mode_of_several_values_is_refused_by_whoever_runs_it():
    text = "g (float[N,4] x) => (float[N,4] y) { y = Dropout (x, half, modes) }"
    model = parse(text, half=np.float32(0.5), modes=np.array([True, False]))
    with pytest.raises(ExplainerError):
        explain(model, np.ones((1, 4), np.float32))


PIXELS = """g ({}[N,3,6,6] x) => (float[N,2] y) {{
    {} c = Conv (f, k) p = GlobalAveragePool (c) q = Flatten (p) y = MatMul (q, v) }}"""
WHOLE = {"k": rng(5).standard_normal((4, 3, 3, 3)), "v": rng(6).standard_normal((4, 2))}
HALF = {"half": np.int32(128), "half_of_bytes": np.uint8(128)}


@pytest.mark.parametrize(
    ("kind", "front"),
    [
        ("uint8", "i = Cast <to = 6> (x) f = Cast <to = 1> (i)"),
        ("uint8", "i = Cast <to = 6> (x) h = Sub (i, half) f = Cast <to = 1> (h)"),
        ("uint8", "i = Cast <to = 6> (x) h = Sub (i, half) j = Cast <to = 7> (h) f = Cast <to = 1> (j)"),
        (
            "int16",
            """a = Transpose <perm = [0, 1, 3, 2]> (x) i = Cast <to = 6> (a)
            b = Transpose <perm = [0, 1, 3, 2]> (i) h = Sub (b, half) f = Cast <to = 1> (h)""",
        ),
    ],
)
@pytest.mark.parametrize("how", [{"composite": "epsilon_plus_flat"}, {"method": "gradient"}])
def test_bytes_in_wider_whole_numbers_are_the_same_bytes(kind, front, how):
    x = rng(7).integers(0, 256, (2, 3, 6, 6))
    model = parse(PIXELS.format(kind, front), **WHOLE, **HALF)
    # The same net on numbers that are floating at once; a shift in front is nothing to either.
    plain = parse(
        PIXELS.format("float", "f = Sub (x, shift)"), **WHOLE, shift=np.float32(128 * ("Sub" in front))
    )
    found = explain(model, x.astype(kind), target=1, **how)
    wanted = explain(plain, x.astype(np.float32), target=1, **how)
    np.testing.assert_array_equal(found.outputs["y"], wanted.outputs["y"])
    np.testing.assert_allclose(found.relevance, wanted.relevance, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "front", "said"),
    [
        (
            "uint8",
            "i = Cast <to = 3> (x) f = Cast <to = 1> (i)",
            "Cast x1 .no relevance passes through whole",
        ),
        (
            "int64",
            "i = Cast <to = 6> (x) f = Cast <to = 1> (i)",
            "Cast x1 .no relevance passes through whole",
        ),
        (
            "float",
            "i = Cast <to = 6> (x) f = Cast <to = 1> (i)",
            "Cast x1 .no relevance passes through whole",
        ),
        (
            "uint8",
            "h = Sub (x, half_of_bytes) f = Cast <to = 1> (h)",
            "Sub 'h' computes in whole numbers, which wrap",
        ),
        (
            "uint8",
            "i = Cast <to = 6> (x) h = Div (i, half) f = Cast <to = 1> (h)",
            "Div 'h' computes in whole numbers, which wrap round or are cut off",
        ),
    ],
)
def test_whole_numbers_that_become_others_are_refused(kind, front, said):
    x = rng(7).integers(0, 127, (1, 3, 6, 6)).astype("float32" if kind == "float" else kind)
    with pytest.raises(ExplainerError, match=said):
        explain(parse(PIXELS.format(kind, front), **WHOLE, **HALF), x)


def test_who_resolves_a_target_and_who_makes_a_plan_share_a_view():
    graph = Graph.load(parse("g (float[N,4] x) => (float[N,4] y) { a = Identity(x) y = Relu(a) }"))
    assert see_through(graph) is see_through(graph)
    changed = graph.having(nodes=graph.nodes[1:])
    assert len(see_through(graph).nodes) == len(see_through(changed).nodes) == 1
    assert see_through(changed) is not see_through(graph)
