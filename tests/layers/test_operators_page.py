"""docs/operators.md says what the layers, the rules and their tests say."""

import os

import onnx
import operators_page as operators
import pytest

from explainer.layers import REGISTRY, kinds_of
from explainer.model.operators import RECENT


def test_the_page_is_what_the_code_says():
    if os.environ.get("OPERATORS_TABLE"):
        operators.PAGE.write_text(operators.page(), encoding="utf-8")
    there = operators.PAGE.read_text(encoding="utf-8")
    release = operators.RELEASE.search(there)
    assert release is not None
    if not onnx.__version__.startswith(release[1] + "."):
        pytest.skip(f"the page has the opsets of ONNX {release[1]}; this is {onnx.__version__}")
    assert there == operators.page(), (
        "behind: OPERATORS_TABLE=1 pytest tests/layers/test_operators_page.py writes it anew"
    )


def test_every_operator_and_every_kind_of_it_is_on_the_page():
    met = {(use.operator, use.layer.kind.name) for use in operators.uses()}
    known = {(name, str(kind)) for name, layer in REGISTRY.items() for kind in kinds_of(layer)}
    too_new = {name for name in RECENT if not onnx.defs.has(name)}  # this onnx has no example of them
    assert met >= {(name, kind) for name, kind in known if name not in too_new}
