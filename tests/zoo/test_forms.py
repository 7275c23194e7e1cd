"""What other frameworks' converters write: planned, conserved, compiled, its gradient a quotient's."""

import compiled
import forms
import numpy as np
import old_files
import pytest
import tabular
from building import relative, run
from quotients import off_the_quotient
from zeroing import zeroed

import explainer
from explainer import Explainer, ExplainerError, UnsupportedError

FORMS = [*forms.FORMS, *tabular.FORMS, *old_files.FORMS]
EXPLAINED = [form for form in FORMS if not form.refused]
every_form = pytest.mark.parametrize("form", EXPLAINED, ids=str)


@pytest.fixture
def asked(form, zoo):
    """The model, the largest value of its last output (a label is no number), and where to note an answer."""
    model = form.model
    target = f"{model.graph.output[-1].name}[top]"
    answer = zoo.setdefault(
        ("forms", form.name, form.framework), {"name": form.name, "exporter": form.framework}
    )
    try:
        assert Explainer(model).plan_for(target)
    except UnsupportedError as refusal:
        answer |= {"refused": refusal.text, "instead": [way.call for way in refusal.ways]}
        if form.awaited:
            pytest.skip(f"refused today: {refusal.missing[0]}")
        raise
    return model, target, answer


@every_form
def test_all_relevance_arrives_where_nothing_is_added(form, asked):
    model, target, answer = asked
    bare = zeroed(model, Explainer(model).plan_for(target))
    first = {name: x[:1] for name, x in form.feeds.items()}
    found = Explainer(bare, eps=1e-9, dtype="float64").explain(first, target, start="one")
    intercepts = sum(step.intercept for step in found.audit)
    answer |= {"sum": float(found.conserved[0]), "intercept": float(np.sum(intercepts))}
    np.testing.assert_allclose(found.conserved + intercepts, 1, atol=1e-6)
    assert max(abs(step.residual).max() for step in found.audit) < 1e-10


@every_form
def test_its_answers_are_the_files(form, asked):
    (model, target, _), feeds = asked, form.feeds
    found = Explainer(model).explain(feeds, target)
    for ours, theirs in zip(found.outputs.values(), run(model, feeds), strict=True):
        assert relative(ours, theirs) < 1e-5
    # Not the order of near values, but the very class.
    scores = run(model, feeds)[-1]
    np.testing.assert_array_equal(found.target, scores.reshape(len(scores), -1).argmax(1))


@every_form
def test_it_is_compiled(form, asked):
    (model, target, answer), feeds = asked, form.feeds
    R = Explainer(model).explain(feeds, target).relevance
    answers = compiled.run(explainer.compile(model, target=target), feeds)
    wanted = R if isinstance(R, dict) else {"relevance": R}
    answer["compiled"] = 0.0
    for name, one in wanted.items():
        theirs = answers.get(name, answers.get(f"relevance/{name}", answers.get("relevance")))
        answer["compiled"] = max(answer["compiled"], relative(theirs, one))
    assert answer["compiled"] < compiled.CLOSE


@every_form
def test_its_gradient_is_a_difference_quotient(form, asked):
    (model, target, answer), feeds = asked, form.feeds
    if any(x.dtype.kind == "i" for x in feeds.values()):
        pytest.skip("words have no difference quotient; tests/test_words.py compares their rows")
    top = Explainer(model).explain(feeds, target).target
    places = (model.graph.output[-1].name, [int(one) for one in top])
    answer["quotient"] = off_the_quotient(model, feeds, places)
    assert answer["quotient"] < 1e-6


@pytest.mark.parametrize("form", [form for form in FORMS if form.refused], ids=str)
def test_what_has_no_gradient_is_refused_with_what_it_does_answer(form, zoo):
    with pytest.raises(ExplainerError, match=form.refused) as refusal:
        explainer.explain(form.model, form.feeds["x"], target=f"{form.model.graph.output[-1].name}[top]")
    zoo["forms", form.name, form.framework] = {
        "name": form.name,
        "exporter": form.framework,
        "refused": refusal.value.text,
        "instead": [way.call for way in refusal.value.ways],
    }
    settings = [way.settings for way in refusal.value.ways]
    assert any(one.get("method") == "occlusion" for one in settings)
