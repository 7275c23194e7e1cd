"""Normalisation inside the file: the map is that of the same net with the normalisation outside."""

import numpy as np
import pytest
from building import parse, relative
from compiled import CLOSE, run
from normalised import (
    AS_IS,
    BODY,
    BYTES,
    COLUMN,
    CONSTANTS,
    FORMS,
    OUTSIDE,
    STD,
    UNPADDED,
    WEIGHTS,
    back,
    fed,
    given,
    inside,
    normal,
    outside,
    picture,
    settings,
)

import explainer
from explainer import Explainer

each_form = pytest.mark.parametrize("form", FORMS)
COMPOSITES = [
    *("epsilon_plus_flat", "recommended", "epsilon_gamma_box", "bounded_deep_taylor", "deep_taylor"),
    *("wsquare", "flat", "sequential_preset_b_flat"),
]


@pytest.mark.parametrize("body", [BODY, UNPADDED], ids=["padded", "unpadded"])
@pytest.mark.parametrize("composite", COMPOSITES)
@each_form
def test_the_map_is_that_of_the_normalisation_outside(form, composite, body):
    x, how = picture(), FORMS[form][1]
    made = Explainer(inside(form, body), **settings(composite, fed(how), dtype="float64"))
    found = made.explain(given(x, how), 1)
    wanted = Explainer(outside(body), **settings(composite, OUTSIDE, dtype="float64")).explain(normal(x), 1)
    np.testing.assert_allclose(found.score, wanted.score, rtol=1e-5)
    # Pixels of 0…255 and quotients by 255 are rounded in the file: 1e-7 of a pixel.
    assert relative(back(found.relevance, how), wanted.relevance) < (1e-4 if how == BYTES else 1e-6)
    assert "preprocessing in the file, through which relevance goes unchanged: " in str(made.plan)


@pytest.mark.parametrize("dialect", ["zennit", "captum", "innvestigate", "attnlrp"])
@pytest.mark.parametrize("form", ["Sub, Div", "BatchNormalization"])
def test_in_every_dialect(form, dialect):
    x = picture()
    rules = {"dialect": dialect, "rules": {"first": "flat"}, "dtype": "float64", "eps": 1e-4}
    found = Explainer(inside(form, UNPADDED), **rules).explain(given(x, AS_IS), 1)
    wanted = Explainer(outside(UNPADDED), **rules).explain(normal(x), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-6


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "recommended", "epsilon_gamma_box"])
def test_float32(composite):
    x = picture()
    found = Explainer(inside("Sub, Div"), **settings(composite, fed(AS_IS))).explain(given(x, AS_IS), 1)
    wanted = Explainer(outside(), **settings(composite, OUTSIDE)).explain(normal(x), 1)
    assert relative(found.relevance, wanted.relevance) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "recommended", "epsilon_gamma_box"])
@pytest.mark.parametrize(
    "form",
    [
        "Sub, Div",
        "BatchNormalization",
        "Gather",
        "Split, Concat",
        "Transpose last",
        "depthwise",
        "reversing Conv",
    ],
)
def test_compiled(form, composite):
    x, how = picture(), FORMS[form][1]
    box = {"low": 0, "high": 1} if composite == "epsilon_gamma_box" else {}
    compiled = explainer.compile(inside(form, UNPADDED), composite=(composite, box), target=1, eps=1e-4)
    wanted = Explainer(outside(UNPADDED), **settings(composite, OUTSIDE)).explain(normal(x), 1)
    assert relative(back(run(compiled, given(x, how))["relevance"], how), wanted.relevance) < 10 * CLOSE


def test_black_pixels_get_their_share_behind_a_division():
    """x·R / x is 0 where x is: so was what a first flat layer gave to a black pixel."""
    x = np.zeros((1, 3, 12, 12), np.float32)
    x[:, :, 6:] = 255
    model = inside("Div, Sub, Div")
    found = Explainer(model, composite="epsilon_plus_flat", dtype="float64").explain(x, 1)
    assert (np.abs(found.relevance[0, :, 1:5]).sum(axis=0) > 0).all()


@pytest.mark.parametrize(
    "how",
    [
        {"composite": "epsilon"},
        {"composite": "epsilon_plus"},
        {"composite": "gamma"},
        {"composite": "alpha2_beta1"},
        {"method": "gradient"},
        {"method": "guided_backprop"},
        {"method": "deeplift"},
        {"method": "grad_cam"},
        {"method": "integrated_gradients"},
    ],
    ids=lambda how: next(iter(how.values())),
)
@pytest.mark.parametrize("form", FORMS)
def test_rules_that_multiply_and_gradients_are_left_as_they_are(form, how):
    plan = Explainer(inside(form), **how).plan
    assert not any(step.prepares for step in plan.steps)
    assert "preprocessing" not in str(plan)


RESIZES = {
    "linear": 'mode="linear"',
    "antialiased": 'mode="linear",antialias=1',
    "corners": 'mode="cubic",coordinate_transformation_mode="align_corners"',
    "nearest": 'mode="nearest"',
}


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "wsquare", "epsilon_gamma_box"])
@pytest.mark.parametrize("how", RESIZES)
def test_a_picture_may_be_resized_before_or_after(how, composite):
    def net(front):
        resize = f"Resize <{RESIZES[how]}>"
        lines = front.replace("Resize", resize)
        arrays = {**WEIGHTS, **CONSTANTS, "none": np.zeros(0), "scales": np.array([1, 1, 0.75, 1.25])}
        return parse(f"g (float[N,3,12,12] x) => (float[N,3] y) {{ {lines} {BODY}", **arrays)

    x = picture()
    wanted = Explainer(net("n = Resize (x, none, scales)"), **settings(composite, OUTSIDE, dtype="float64"))
    wanted = wanted.explain(normal(x), 1)
    for front in (
        "z = Resize (x, none, scales) a = Sub (z, mean) n = Div (a, std)",
        "a = Sub (x, mean) e = Div (a, std) n = Resize (e, none, scales)",
    ):
        ex = Explainer(net(front), **settings(composite, fed(AS_IS), dtype="float64"))
        assert relative(ex.explain(given(x, AS_IS), 1).relevance, wanted.relevance) < 1e-5


@pytest.mark.parametrize("form", ["Sub, Div", "Mul, Add", "BatchNormalization"])
def test_what_a_rule_that_multiplies_multiplies_by_is_the_models_input(form):
    """ε through the normalisation is x times the gradient of an ε-walk: not (x − mean) / std times it."""
    x = picture()
    found = Explainer(inside(form), eps=1e-9, dtype="float64").explain(given(x, AS_IS), 1).relevance
    wanted = Explainer(outside(), eps=1e-9, dtype="float64").explain(normal(x), 1).relevance
    there = normal(x) != 0  # at the mean itself ε keeps what little there is
    factor = wanted[there] / normal(x)[there] / np.broadcast_to(STD.reshape(COLUMN), x.shape)[there]
    assert relative(given(x, AS_IS)[there] * factor, found[there]) < 1e-5
