"""Somebody else's method: known by a name, with a plan, a map and a file of its own."""

import ast
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from building import relative
from residual import picture, residual_net

import explainer
from explainer import CompositeError, Explainer, InputError, RegistrationError, methods
from explainer.errors import folded
from explainer.methods import Method, Progress, Single, Walk
from explainer.plan import make_plan


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(methods.registry, "METHODS", dict(methods.METHODS))
    return methods.registry.METHODS


@dataclass(frozen=True)
class Squared(Single):
    """g², by a plan that stops short of keeping anything."""

    power: int = 2

    def read(self, x, answer):
        found = answer
        for _ in range(self.power - 1):
            found = found * answer
        return found


@dataclass(frozen=True)
class Halved(Method):
    """Half of a tensor's relevance and half of the input's: says its plan, what it keeps and emits."""

    composite: ClassVar[str] = ""
    keeps: ClassVar[bool] = True

    def plan(self, graph, composite, anchor, keep=(), conditioned=()):
        return replace(make_plan(graph, composite, anchor, keep, conditioned), shows=())

    def answer(self, walkers, given, targets, progress: Progress | None = None):
        runs = walkers.one(given.feeds, targets)
        return [
            replace(run, relevance={name: value / 2 for name, value in run.relevance.items()}) for run in runs
        ]

    def conserves(self, plan):
        return True

    def emit(self, trace):
        return {name: value * 0.5 for name, value in trace.walk().items()}


# captum's, zennit's, tf-explain's, pytorch-grad-cam's and iNNvestigate's own spelling.
OF_OTHERS = {
    "IG": "integrated_gradients",
    "IntegratedGradients": "integrated_gradients",
    "GradientShap": "gradient_shap",
    "DeepLift": "deeplift",
    "GradCAM": "grad_cam",
    "grad-cam": "grad_cam",
    "GradCAM++": "grad_cam_plus_plus",
    "GradCAMPlusPlus": "grad_cam_plus_plus",
    "Saliency": "gradient",
    "InputXGradient": "input_x_gradient",
    "input_t_gradient": "input_x_gradient",
    "GuidedBackprop": "guided_backprop",
    "Deconvolution": "deconvnet",
    "smooth_grad": "smoothgrad",
    "LRP": "lrp",
}


@dataclass(frozen=True)
class Silent(Method):
    """Asks, but says nothing of files."""

    def __call__(self, question, progress=None):
        return question.attribute(question.feeds, np.arange(question.samples))


def test_a_method_of_somebody_else(registry):
    methods.register("squared")(Squared)
    assert "squared" in methods.NAMES and "squared" in methods.names()
    model, x = residual_net(), picture(2)
    gradient = Explainer(model, method="gradient").explain(x, 1).relevance
    assert relative(Explainer(model, method="squared").explain(x, 1).relevance, gradient**2) < 1e-6
    assert relative(Explainer(model, method="squared", power=3).explain(x, 1).relevance, gradient**3) < 1e-6
    noisy = Explainer(model, method="squared", noise="smoothgrad", n_samples=3).explain(x, 1)
    assert noisy.relevance.shape == x.shape
    explainer.compile(model, method="squared", target=1)  # proved against NumPy
    explainer.compile(model, method="squared", noise="smoothgrad", n_samples=3, target=1)
    with pytest.raises(InputError, match="Squared gives inner tensors no relevance"):
        Explainer(model, method="squared", keep="all")
    with pytest.raises(InputError, match="method 'squared' takes no steps; it takes power"):
        Explainer(model, method="squared", steps=3)


def test_it_says_its_plan_what_it_keeps_and_what_it_emits(registry):
    methods.register("halved")(Halved)
    model, x = residual_net(), picture(2)
    whole = Explainer(model, keep=["c1"]).explain(x, 1)
    half = Explainer(model, method="halved", keep=["c1"]).explain(x, 1)
    np.testing.assert_allclose(half.relevance, whole.relevance / 2)
    np.testing.assert_allclose(half.relevances["c1"], whole.relevances["c1"] / 2)
    np.testing.assert_allclose(half.conserved, whole.conserved / 2)
    names = [out.name for out in explainer.compile(model, method="halved", keep=["c1"]).graph.output]
    assert names[-2:] == ["relevance", "relevance/c1"]


def test_a_method_that_emits_nothing_has_no_file(registry):
    methods.register("silent")(Silent)
    assert Explainer(residual_net(), method="silent").explain(picture(1), 1).relevance.any()
    with pytest.raises(InputError, match="compile: Silent does not say what it puts into a file"):
        explainer.compile(residual_net(), method="silent", target=1)


def test_no_name_is_taken_twice(registry):
    methods.register("squared")(Squared)
    for name in ("squared", "lrp", "smoothgrad", "gradient"):
        with pytest.raises(RegistrationError, match=f"there is a method '{name}' already"):
            methods.register(name)(Silent)
    methods.register("squared", replace=True)(Silent)
    assert methods.METHODS is not registry and registry["squared"] is Silent
    with pytest.raises(RegistrationError, match="there is a method 'vargrad' already"):
        methods.register("vargrad", replace=True)(Silent)


ANSWERS = {
    "an array": (lambda feeds: feeds["x"], "it returned ndarray, not a dict of input name -> array"),
    "nothing": (lambda feeds: None, "it returned NoneType, not a dict"),
    "no map": (lambda feeds: {}, "it returned nothing, .*; the inputs are 'x'"),
    "another name": (lambda feeds: {"z": feeds["x"]}, "a map of 'z', which is no input; the inputs are 'x'"),
    "a list": (lambda feeds: {"x": [1, 2]}, "it returned list as the map of 'x', not an array"),
    "one sample": (lambda feeds: {"x": feeds["x"][:1]}, r"a map \[1, 3, .*\] of 'x', which is \[2, 3, "),
    "sums": (lambda feeds: {"x": feeds["x"].sum((1, 2, 3))}, r"a map \[2\] of 'x'"),
    "part": (lambda feeds: {"x": feeds["x"][..., 1:]}, r"a map \[.*\] of 'x'"),
}


@pytest.mark.parametrize("noise", [None, ("smoothgrad", {"n_samples": 2})])
@pytest.mark.parametrize(("answer", "message"), ANSWERS.values(), ids=ANSWERS)
def test_what_is_no_map_is_refused_by_the_methods_name(registry, answer, message, noise):
    @methods.register("odd")
    class Odd(Silent):
        def __call__(self, question, progress=None):
            return answer(question.feeds)

    with pytest.raises(InputError, match=rf"method Odd: {message}.*docs/adding-a-method\.md|{message}"):
        Explainer(residual_net(), method="odd", noise=noise).explain(picture(2), 1)


def test_a_map_of_one_channel_stands_for_all(registry):
    @methods.register("flat")
    class Flat(Silent):
        def __call__(self, question, progress=None):
            return {name: x.sum(1, keepdims=True) for name, x in question.feeds.items()}

    assert Explainer(residual_net(), method="flat").explain(picture(2), 1).relevance.shape[1] == 1


@pytest.mark.parametrize(
    ("emitted", "message"),
    [
        (None, "NoneType from emit"),
        ({}, "nothing from emit"),
        ({"z": 1}, "'z' from emit; the inputs are 'x'"),
    ],
)
def test_what_is_emitted_for_no_input_is_refused(registry, emitted, message):
    @methods.register("odd")
    class Odd(Silent):
        def emit(self, trace):
            return emitted

    with pytest.raises(InputError, match=f"method Odd: it returned {message}"):
        explainer.compile(residual_net(), method="odd", target=1)


@pytest.mark.parametrize(
    ("base", "message"),
    [(Method, "has no __call__"), (methods.Sampling, "has no table")],
)
def test_a_method_that_does_not_ask(registry, base, message):
    methods.register("mute")(type("Mute", (base,), {}))
    with pytest.raises(InputError, match=f"method Mute: it {message}"):
        Explainer(residual_net(), method="mute").explain(picture(2), 1)


@pytest.mark.parametrize("name", ["", " ", "two words", "a,b", "a:b", "-x", 3, None])
def test_what_a_method_cannot_be_called(registry, name):
    with pytest.raises(RegistrationError, match=r'is no name of a method: .* write @methods\.register\("'):
        methods.register(name)
    assert name not in registry


def test_what_is_no_method_and_a_register_without_a_name(registry):
    for thing in (int, Silent(), "silent", lambda question: {}):
        with pytest.raises(
            RegistrationError, match=r"is no method: .* derives from explainer\.methods\.Method"
        ):
            methods.register("thing")(thing)
    with pytest.raises(RegistrationError, match="the Silent itself is no name of a method"):
        methods.register(Silent)
    assert "thing" not in registry


def test_nobody_asks_what_kind_of_method_it_is():
    """What depends on the method stands on its class."""
    kinds = {kind.__name__ for kind in (*methods.METHODS.values(), methods.Sampling, Single, Walk)}
    for file in Path(explainer.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                asked = {getattr(entry, "id", "") for entry in ast.walk(node.args[1])}
                assert not asked & kinds, f"{file.name}:{node.lineno}"


def test_an_option_of_the_noise_in_its_tuple_comes_before_one_beside_it():
    noisy = methods.get("gradient", ("smoothgrad", {"n_samples": 3}), {"n_samples": 4}).method
    assert noisy.n_samples == 3


@pytest.mark.parametrize("noise", [3, ("smoothgrad",), ("smoothgrad", 3), ("smoothgrad", {}, 1), ([], {})])
def test_what_is_no_noise_is_refused(noise):
    with pytest.raises(InputError, match="noise: "):
        methods.get("gradient", noise)


@pytest.mark.parametrize("name", [*methods.registry.ALIASES, *OF_OTHERS])
def test_what_others_call_a_method(name):
    found, _ = methods.spelled(name)
    assert found == methods.registry.ALIASES.get(name, OF_OTHERS.get(name))
    recipe = explainer.Recipe(method=name)
    assert recipe.method == found and recipe == explainer.Recipe(method=found)


@pytest.mark.parametrize("name", ["lrp_gamma", "LRP-gamma", "lrp.gamma", "Gamma"])
def test_a_method_that_names_a_preset(name):
    assert explainer.Recipe(method=name, eps=0.5) == explainer.Recipe(composite="gamma", eps=0.5)
    assert methods.get(name).composite == "gamma"
    with pytest.raises(CompositeError, match="is method 'lrp' with composite 'gamma'; composite zplus is"):
        explainer.Recipe(method=name, composite="zplus")


def test_what_others_call_noise():
    noisy = explainer.Recipe(noise="SmoothGrad")
    assert noisy == explainer.Recipe(noise="smoothgrad")
    assert explainer.Recipe(noise=("smooth_grad", {"n_samples": 3})).noise == ("smoothgrad", {"n_samples": 3})
    assert methods.get("gradient", "SmoothGrad_Sq").method.kind == "smoothgrad_sq"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("lime", "'rise' and 'occlusion'"),
        ("KernelSHAP", "'rise' and 'occlusion'"),
        ("Score-CAM", "'grad_cam'"),
    ],
)
def test_methods_that_there_are_none_of_are_said_to_be_absent(name, nearest):
    with pytest.raises(InputError, match=f"it is not among those here; nearest in kind: {nearest}"):
        explainer.Explainer(residual_net(), method=name)


def test_what_is_nearest_is_there_and_what_is_absent_is_not():
    for name, nearest in methods.registry.ABSENT.items():
        assert methods.spelled(name) == (name, "") and folded(name) == name
        assert set(nearest) <= set(methods.names())
