"""An explainer stays as it was made, can be pickled, and shows itself."""

import copy
import json
import os
import pickle

import numpy as np
import onnx
import pytest
from branching import net, x_for
from building import parse
from PIL import Image
from residual import picture, residual_net

import explainer
from explainer import Explainer, ModelError, Preprocess, PreprocessError, Recipe

SAYS = {"do_rescale": True, "rescale_factor": 1 / 255}
HOWS = {
    "lrp": {"composite": "epsilon_plus_flat", "keep": ["c1"], "rules": {"Gemm": "zplus"}},
    "bounded": {"composite": "epsilon_gamma_box", "preprocess": SAYS},
    "gradients": {"method": "integrated_gradients", "n_steps": 4, "baseline": np.ones((1, 3, 8, 8)) / 2},
    "noise": {"method": "input_x_gradient", "noise": ("smoothgrad", {"n_samples": 3}), "dtype": "float64"},
    "scores": {"method": "occlusion", "window": 4, "labels": ["a", "b", "c", "d"]},
}


def photo() -> Image.Image:
    return Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("form", ["path", "bytes", "message"])
def test_a_pickled_explainer_gives_the_same_answers(how, form, tmp_path):
    model = net()
    onnx.save(model, tmp_path / "net.onnx")
    source = {"path": tmp_path / "net.onnx", "bytes": model.SerializeToString(), "message": model}[form]
    made = Explainer(source, **HOWS[how])
    made.explain(x_for())  # sessions and plans are not pickled
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert (again.recipe, again.labels, again.how) == (made.recipe, made.labels, made.how)
        assert again.preprocess == made.preprocess and again.graph.title == made.graph.title
        found, wanted = again.explain(x_for()), made.explain(x_for())
        np.testing.assert_array_equal(found.relevance, wanted.relevance)
        assert found.relevances.keys() == wanted.relevances.keys()


def test_a_pickled_explainer_of_a_file_names_it_and_refuses_another(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(residual_net(), path)
    kept = pickle.dumps(Explainer(path))
    assert len(kept) < 1000 < path.stat().st_size
    assert pickle.loads(kept).explain(picture(1)).relevance.shape == (1, 3, 12, 12)
    onnx.save(residual_net(1), path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelError, match=r"net\.onnx is not the file that it was when this was pickled"):
        pickle.loads(kept)
    path.unlink()
    with pytest.raises(ModelError, match=r"net\.onnx, which this was pickled with, is not there"):
        pickle.loads(kept)


@pytest.mark.parametrize(
    "name",
    [
        "graph",
        "name",
        "method",
        "composite",
        "keep",
        "dtype",
        "labels",
        "how",
        "plan",
        "preprocess",
        "recipe",
        "new",
    ],
)
def test_nothing_of_an_explainer_can_be_set(name):
    made = Explainer(net())
    with pytest.raises(AttributeError, match=rf"{name}: an explainer stays as it was made; make another one"):
        setattr(made, name, None)


def test_what_is_given_for_preprocessing_is_read_when_the_explainer_is_made(tmp_path):
    path = tmp_path / "pre.json"
    with pytest.raises(PreprocessError, match=r"pre\.json: cannot be read"):
        Explainer(net(), preprocess=path)
    path.write_text("{}")
    with pytest.raises(PreprocessError, match="it does not say whether pixels are rescaled"):
        Explainer(net(), preprocess=path)
    path.write_text(json.dumps(SAYS))
    made = Explainer(net(), preprocess=path)
    path.unlink()
    assert made.preprocess == Preprocess(scale=1 / 255)
    assert made.explain(photo()).relevance.shape == (1, 3, 8, 8)


def test_a_files_own_preprocessing_matters_to_pictures_alone():
    made = Explainer(net(preprocessor_config="{"))
    assert made.explain(x_for()).layout == "NCHW"
    for ask in (lambda: made.preprocess, lambda: made.explain(photo())):
        with pytest.raises(PreprocessError, match="the model's metadata: not JSON"):
            ask()
    with pytest.raises(PreprocessError, match="not JSON"):
        Explainer(net(preprocessor_config="{"), composite="epsilon_gamma_box")
    assert Explainer(net(preprocessor_config="{"), preprocess=SAYS).explain(photo()).photos


def test_labels_are_read_once():
    names = ["a", "b", "c", "d"]
    made = Explainer(net(), labels=names)
    names[0] = "z"
    assert made.labels[0] == "a"
    assert pickle.loads(pickle.dumps(Explainer(net(id2label='{"0": "x"}'), labels=[]))).labels == {}


def test_an_explainer_shows_itself():
    bad = "<b>x</b>"
    made = Explainer(net(), composite="gamma", gamma=0.5, keep=["c1"], labels=[bad] * 4)
    assert repr(made) == (
        "<Explainer of 'the model' by Recipe(composite='gamma', keep=('c1',), options={'gamma': 0.5})>"
    )
    for line in ("inputs     x ['N', 3, 8, 8]", "composite  gamma", "gamma      0.5", "keep       c1"):
        assert line in str(made)
    assert made._repr_html_().startswith("<table><caption>Explainer of the model</caption>")
    free = parse("g (float x) => (float y) { y = Relu (x) }")
    free.graph.input[0].type.tensor_type.ClearField("shape")
    assert "x of any shape" in str(Explainer(free))


def test_an_explanation_shows_itself_and_is_no_markup():
    bad = "<script>alert(1)</script>"
    found = explainer.explain(net(), x_for(), target=[1, 2], labels=[bad] * 4)
    assert len(repr(found).splitlines()) == 1
    lines = str(found).splitlines()
    assert lines[0].split() == ["sample", "target", "label", "score", "relevance", "conserved"]
    assert [line.split()[1] for line in lines[2:4]] == ["1", "2"]  # remarks may follow
    page = found._repr_html_()
    assert page.startswith('<img src="data:image/png;base64,iVBOR')
    assert "<script" not in page and "&lt;script&gt;" in page
    assert f"{found.score[0]:.6g}" in page and f"{found.conserved[1]:.6g}" in page
    region = explainer.explain(net(), x_for(1), target="y[1:3]")
    assert "y[1:3]" in str(region) and "y[1:3]" in region._repr_html_()


def test_a_pickled_explanation_is_the_same():
    made = Explainer(net(), keep=["c1"], preprocess=SAYS, labels=["a", "b", "c", "d"])
    found = made.explain(photo(), target="b", conditions={"c1": [0, 2]})
    again = pickle.loads(pickle.dumps(found))
    assert again.to_dict() == found.to_dict() and repr(again) == repr(found)
    np.testing.assert_array_equal(again.relevance, found.relevance)
    np.testing.assert_array_equal(again.relevances["c1"], found.relevances["c1"])
    assert again._repr_png_() == found._repr_png_()
    assert str(again.audit) == str(found.audit)


def test_a_recipe_and_its_preprocessing_are_apart():
    recipe = Recipe(composite="epsilon_gamma_box")
    boxes = [
        Explainer(net(), recipe=recipe, preprocess=Preprocess(scale=scale)).composite.box for scale in (1, 2)
    ]
    assert [(box.low, box.high) for box in boxes] == [(0, 255), (0, 510)]


def test_a_sum_beyond_float32_is_no_warning_of_numpys():
    model = parse("g (float[N,4] x) => (float[N,1] y) { y = MatMul (x, w) }", w=np.full((4, 1), 3e38))
    found = explainer.explain(model, np.full((1, 4), 0.2, np.float32), method="gradient")
    assert np.isfinite(found.relevance).all() and np.isnan(found.conserved[0])
