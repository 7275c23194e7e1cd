"""What cannot be explained: counted by nodes, named as people call it, and what lies before it."""

import re

import numpy as np
import pytest
from building import parse, rng

from explainer import Explainer, UnsupportedError

W = {"w": np.eye(4)}


def refused(text, opset=17, **constants):
    model = parse(f'<ir_version: 8, opset_import: ["": {opset}]> {text}', **constants)
    with pytest.raises(UnsupportedError) as caught:
        Explainer(model).plan  # noqa: B018
    return caught.value


def test_a_node_with_several_outputs_is_one():
    error = refused(
        "g (float[N,4] x) => (float[N,4] y) { v, i = TopK (x, k) f = Cast <to=1> (i) s = Add (v, f)"
        " y = MatMul (s, w) }",
        k=np.array([4]),
        **W,
    )
    assert "1 node on the way" in error.text
    assert [(entry.what, entry.nodes) for entry in error.missing] == [("TopK", ("v",))]


def test_what_makes_several_tensors_is_counted_once():
    parts = [
        f"v{i}, i{i} = TopK (h{i}, k) f{i} = Cast <to=1> (i{i}) h{i + 1} = Add (v{i}, f{i})"
        for i in range(18)
    ]
    error = refused(f"g (float[N,4] h0) => (float[N,4] h18) {{ {' '.join(parts)} }}", k=np.array([4]))
    assert {entry.what: len(entry.nodes) for entry in error.missing} == {"TopK": 18}
    assert re.search(r"TopK x18 \(it sorts by size.*: the first is 'v0'", error.text)


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (
            "d = Dropout (h, r, t)",
            "Dropout in training mode x1 (export the model in evaluation mode, in PyTorch model.eval(), or "
            "make training_mode false): 'd'",
        ),
        ("d, m = Dropout (h, r) f = Cast <to=1> (m) e = Add (d, f)", "Dropout x1 (its mask is read): 'd'"),
        ("i = Cast <to=7> (h) d = Cast <to=1> (i)", "Cast x1 (no relevance passes through whole numbers"),
    ],
)
def test_why_it_is_not_seen_through(node, what):
    last = "e" if "e = Add" in node else "d"
    text = f"g (float[N,4] x) => (float[N,4] y) {{ h = Relu (x) {node} y = MatMul ({last}, w) }}"
    constants = {"r": np.float32(0.5), "t": np.array(True)}
    assert what in refused(text, **constants, **W).text


def test_batch_normalization_in_training_mode():
    error = refused(
        "g (float[N,2,3,3] x) => (float[N,2,3,3] y) { r = Relu (x)"
        " y, m, v = BatchNormalization <training_mode=1> (r, a, a, a, a) }",
        a=np.ones(2),
    )
    assert "BatchNormalization x1 (it is in training mode; export the model in eval mode): 'y'" in error.text


def test_groups_are_called_by_their_names():
    blocks = "".join(
        f" m{i} = MatMul (h{i}, w) n{i} = Mul (m{i}, c) p{i} = Softmax (n{i}) h{i + 1} = MatMul (p{i}, h{i})"
        for i in range(3)
    )
    blocks += " y = com.microsoft.SampleOp (h3)"
    text = f"g (int64[N,5] ids) => (float[N,4,4] y) {{ h0 = Gather (table, ids){blocks} }}"
    error = refused(text, table=rng(0).standard_normal((9, 4)), c=np.float32(0.5), w=np.ones((4, 5)))
    assert [str(entry) for entry in error.missing] == [
        "com.microsoft.SampleOp x1 (this operator has no layer): 'y'",
    ]


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("y = com.microsoft.SampleOp (x)", ()),
        (
            "t = Transpose <perm=[1,0]> (x) y = com.microsoft.SampleOp (t)",
            (),
        ),  # the input itself, in another order
        ("h = MatMul (x, w) y = com.microsoft.SampleOp (h)", ("h",)),
        ("h = MatMul (x, w) s = com.microsoft.SampleOp (h) i = Relu (h) y = Add (s, i)", ("i", "h")),
        (
            "h = MatMul (x, w) s = com.microsoft.SampleOp (h) i = Relu (s) y = Add (h, i)",
            ("h",),
        ),  # i lies behind it
        ("h = MatMul (x, w) c = Cast <to=7> (h) s = Cast <to=1> (c) y = Relu (s)", ("h",)),
    ],
)
def test_what_lies_before_the_first_of_them(body, before):
    error = refused(f"g (float[4,4] x) => (float[4,4] y) {{ {body} }}", **W)
    assert error.before == before
