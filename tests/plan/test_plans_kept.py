"""A plan shows itself in one line and as a table, and can be pickled."""

import inspect
import pickle
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from branching import net, x_for
from residual import picture, residual_net

from explainer import Composite, Explainer, ModelError
from explainer.composites import COMPOSITES, Selector
from explainer.doors.prepared import walker
from explainer.layers import Layer
from explainer.rules import Epsilon, Norm, Pass, Route, Winner, ZPlus
from explainer.targets import Target
from explainer.walk.backends import Backends
from explainer.walk.chunks import Batches


@dataclass(frozen=True)
class On:
    """Matches layers by operator: a function of one's own that a module holds."""

    operators: str

    def __call__(self, layer: Layer) -> bool:
        return layer.node.operator in self.operators.split()


OWN = Composite(
    "own",
    (
        (Selector("Conv"), ZPlus()),
        (On("Gemm MatMul BatchNormalization"), Epsilon(0.1)),
        (On("Add GlobalAveragePool AveragePool Sub Div"), Norm()),
        (On("MaxPool"), Winner()),
        (On("Relu"), Pass()),
        (On("Flatten Concat"), Route()),
    ),
)
HOWS = [{}, {"keep": "all"}, {"keep": ["c0", "c1"]}]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_a_pickled_plan_gives_the_same_answers(how):
    plan = Explainer(net(), composite=OWN, **how).plan
    again = pickle.loads(pickle.dumps(plan))
    assert (str(again), again.keep, again.shows) == (str(plan), plan.keep, plan.shows)
    (found, wanted) = (
        walker(Backends.of("float64"), one, Batches(one.graph))({"x": x_for()}, [Target(one.anchor, 1)])[0]
        for one in (again, plan)
    )
    assert found.relevance.keys() == wanted.relevance.keys() >= {"x", *plan.keep.values()}
    for name, R in wanted.relevance.items():
        np.testing.assert_array_equal(found.relevance[name], R)


def test_a_pickled_plan_of_a_file_names_it(tmp_path):
    onnx.save(residual_net(), tmp_path / "net.onnx")
    plan = Explainer(tmp_path / "net.onnx", composite=OWN).plan
    kept = pickle.dumps(plan)
    assert len(kept) < 3000
    assert str(pickle.loads(kept)) == str(plan)
    onnx.save(net(), tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="is not the file that it was"):
        pickle.loads(kept)


def test_a_plan_in_one_line():
    made = Explainer(residual_net())
    made.explain(picture(1))
    assert repr(made.plan) == f"<Plan of 'the model': {len(made.plan.steps)} steps from 'y' to 'x'>"


def test_a_plan_in_a_notebook():
    model = net()
    model.graph.node[0].name = "<b>bold</b>"
    plan = Explainer(model).plan
    page = plan._repr_html_()
    assert page.startswith("<table><caption>relevance starts at &#x27;y&#x27; and ends at &#x27;x&#x27;")
    assert page.count("<tr>") == len(plan.steps) + 1
    assert "<b>" not in page and "&lt;b&gt;bold" in page


@pytest.mark.parametrize("preset", COMPOSITES)
def test_the_plan_of_every_preset_can_be_pickled(preset):
    pytest.importorskip("explainer.composites.matches")
    options = {"until": "c0"} if "until" in preset else {}
    box = {"low": -1, "high": 1} if "low" in inspect.signature(COMPOSITES[preset]).parameters else {}
    plan = Explainer(net(), composite=preset, **options, **box).plan
    assert str(pickle.loads(pickle.dumps(plan))) == str(plan)
