"""Conditions in a compiled file: the masked walk, the same as NumPy's."""

import json

import numpy as np
import pytest
from building import relative, run
from residual import picture, residual_net

from explainer import Explainer, InputError, TargetError, compile

CONDITIONS = [
    {"r2": [0, 3]},
    {"r1": 1},
    {"c1": slice(2)},
    {"r2": 2, "p0": np.array([True, True, False, False])},
]


@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus_flat", "gradient"])
def test_as_numpy_has_it(conditions, composite):
    options = {"composite": composite, "keep": ["p0"]}
    compiled = compile(residual_net(), target=3, conditions=conditions, **options)
    names = [output.name for output in compiled.graph.output]
    assert names[:3] == ["y", "relevance", "relevance/p0"]
    assert set(names[3:]) == {f"relevance/{name}" for name in conditions if name != "p0"}
    for samples in (1, 2):
        x = picture(samples)
        wanted = Explainer(residual_net(), **options).explain(x, 3, conditions=conditions)
        found = dict(zip(names, run(compiled, {"x": x}), strict=True))
        assert relative(found["relevance"], wanted.relevance) < 1e-3
        for name, R in wanted.relevances.items():
            assert relative(found[f"relevance/{name}"], R) < 1e-3
        unconditional = Explainer(residual_net(), **options).explain(x, 3)
        assert relative(found["relevance"], unconditional.relevance) > 1e-2


def test_the_target_is_still_an_input():
    compiled = compile(residual_net(), target=3, conditions={"r2": 1})
    x, index = picture(2), np.array([0, 4])
    found = run(compiled, {"x": x, "target": index})[1]
    wanted = Explainer(residual_net()).explain(x, index, conditions={"r2": 1})
    assert relative(found, wanted.relevance) < 1e-3


def test_the_file_says_so():
    compiled = compile(residual_net(), conditions={"r2": [0, 3]})
    (entry,) = compiled.metadata_props
    assert json.loads(entry.value)["conditions"] == ["r2[0, 3]"]
    (entry,) = compile(residual_net()).metadata_props
    assert "conditions" not in json.loads(entry.value)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"r2": np.ones((2, 4, 1, 1), bool)}, "it tells samples apart, and the batch is free"),
        ({"r2": 9}, "channel 9 is out of range"),
        ({"r9": 9}, "condition: 'r9' is no tensor"),
        ({"c3": 0, "a3": 0}, "no path"),
    ],
)
def test_what_cannot_be_compiled(conditions, message):
    with pytest.raises(TargetError, match=message):
        compile(residual_net(), conditions=conditions)


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam"])
def test_methods_without_inner_tensors(method):
    with pytest.raises(InputError, match="methods that are one walk do"):
        compile(residual_net(), method=method, conditions={"r2": 1})
