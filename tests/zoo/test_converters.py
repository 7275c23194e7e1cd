"""Models of scikit-learn, Keras, JAX and PaddlePaddle by their own converters, as test_forms.py asks them.

The converters come with the extra `zoo-converters`, or in environments of their own whose interpreters are
listed in ZOO_PYTHONS: where neither has a framework, its tests are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import compiled
import numpy as np
import onnx
import pytest
from building import relative, run
from converting import NAMES, NEEDS, REFUSED
from quotients import off_the_quotient
from zeroing import zeroed

import explainer
from explainer import Explainer, UnsupportedError

pytestmark = pytest.mark.long
SCRIPT = Path(__file__).with_name("converting.py")
PYTHONS = [sys.executable, *filter(None, os.environ.get("ZOO_PYTHONS", "").split(os.pathsep))]
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
ALL = [(framework, name) for framework, names in NAMES.items() for name in names]
CASES = [case for case in ALL if case not in REFUSED]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Of a framework: where its models were written; one that is nowhere is asked for once."""
    found: dict[str, Path | str] = {}

    def of(framework: str) -> Path:
        if framework not in found:
            found[framework] = _written(framework, tmp_path_factory.mktemp("converted"))
        if isinstance(found[framework], str):
            pytest.skip(found[framework])
        return found[framework]

    return of


def _written(framework: str, folder: Path) -> Path | str:
    needs = NEEDS[framework]
    has_all = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {needs!r})))"
    for python in PYTHONS:
        if subprocess.run([python, "-c", has_all], check=False).returncode == 0:
            command = [python, "-W", "ignore", str(SCRIPT), framework, str(folder)]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, **QUIET}, timeout=600)
            return folder
    return f"no {', '.join(needs)} here: they come with the extra zoo-converters"


@pytest.fixture
def asked(case, folder, zoo):
    """The file, its inputs, the largest value of its last output, and where to note an answer."""
    framework, name = case
    model = onnx.load(folder(framework) / f"{name}.onnx")
    given = np.load(folder(framework) / f"{name}.npz")
    names = [value.name for value in model.graph.input]
    feeds = dict(zip(names, (given[key] for key in given.files), strict=True))
    answer = {"name": name, "exporter": framework}
    return (
        model,
        feeds,
        f"{model.graph.output[-1].name}[top]",
        zoo.setdefault(("converters", name, framework), answer),
    )


every = pytest.mark.parametrize("case", CASES, ids=", ".join)


@every
def test_its_answers_are_the_files_and_all_relevance_arrives(asked):
    model, feeds, target, answer = asked
    whole = Explainer(model).explain(feeds, target)
    theirs = run(model, feeds)
    for value, one in zip(model.graph.output, theirs, strict=True):
        if isinstance(one, np.ndarray) and one.dtype.kind == "f":
            assert relative(whole.outputs[value.name], one) < 1e-5
    np.testing.assert_array_equal(whole.target, theirs[-1].reshape(len(theirs[-1]), -1).argmax(1))
    bare = zeroed(model, Explainer(model).plan_for(target))
    made = Explainer(bare, eps=1e-9, dtype="float64")
    found = made.explain(feeds, target, start="one")
    intercepts = sum(step.intercept for step in found.audit)
    took = sum(step.epsilon for step in found.audit)
    assert max(abs(step.residual).max() for step in found.audit) < 1e-10
    np.testing.assert_allclose(found.conserved + intercepts + took, 1, atol=1e-6)
    assert abs(took).max() < 1e-4
    answer |= {"sum": float(found.conserved[0]), "intercept": float(np.sum(np.atleast_1d(intercepts)[:1]))}


@every
def test_it_is_compiled(asked):
    model, feeds, target, answer = asked
    R = Explainer(model).explain(feeds, target).relevance
    answers = compiled.run(explainer.compile(model, target=target), feeds)
    pairs = R if isinstance(R, dict) else {"": R}
    off = [relative(answers.get(f"relevance/{n}", answers.get("relevance")), one) for n, one in pairs.items()]
    answer["compiled"] = max(off)
    assert answer["compiled"] < compiled.CLOSE


@every
def test_its_gradient_is_a_difference_quotient(asked):
    model, feeds, _, answer = asked
    if any(x.dtype.kind == "i" for x in feeds.values()):
        pytest.skip("words have no difference quotient")
    output = model.graph.output[-1].name
    target = (output, [int(one) for one in Explainer(model).explain(feeds, f"{output}[top]").target])
    answer["quotient"] = off_the_quotient(model, feeds, target)
    assert answer["quotient"] < 1e-6


@every
def test_its_gradient_is_autograds_of_the_file(asked):
    pytest.importorskip("torch")
    from file_in_torch import gradient_off

    model, feeds, top, answer = asked
    target = (
        model.graph.output[-1].name,
        [int(one) for one in Explainer(model).explain(feeds, top).target],
    )
    answer["own"] = gradient_off(model, feeds, target)
    assert answer["own"] < 1e-9


@pytest.mark.parametrize("case", REFUSED, ids=", ".join)
def test_what_has_no_gradient_is_refused_and_occlusion_answers(case, asked, zoo):
    model, feeds, target, answer = asked
    with pytest.raises(UnsupportedError, match=REFUSED[case]) as refusal:
        explainer.explain(model, feeds, target=target)
    answer |= {"refused": refusal.value.text, "instead": [way.call for way in refusal.value.ways]}
    way = next(way.settings for way in refusal.value.ways if way.settings.get("method") == "occlusion")
    how = {"target": target, **way}
    assert np.abs(explainer.explain(model, feeds, **how).relevance).max() > 0
