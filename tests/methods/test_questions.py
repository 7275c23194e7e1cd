"""What every method must bear: targets of all kinds, threads, somebody who waits."""

import threading

import numpy as np
import pytest
import torch
from asked import ELSEWHERE, METHODS, every_method, maps, of_masks, scenes
from building import parse, relative, rng
from twins import EXACT, picture, twin

from explainer import Explainer, InputError


@every_method
def test_a_region_is_the_sum_of_its_elements(method):
    if method in ("vargrad", "grad_cam", "grad_cam_plus_plus"):
        pytest.skip("a variance, a rectified map: not linear in the target")
    x = scenes(2)
    how = {"start": "one"} if method == "lrp" else {}
    region = of_masks(method, x, "y[1, 1:3, 2]", **how)
    parts = [of_masks(method, x, ("y", (1, row, 2)), **how).relevance for row in (1, 2)]
    tolerance = 1e-5 if method in ("occlusion", "rise") else EXACT
    assert relative(region.relevance, sum(parts)) < tolerance
    assert region.region == "y[1, 1:3, 2]" and region.target is None


@every_method
def test_a_region_of_one_sample_leaves_the_others_out(method):
    x = scenes(3)
    found = of_masks(method, x, "y[1, 2, 0:2, 3]").relevance
    alone = of_masks(method, x[1:2], "y[2, 0:2, 3]").relevance
    assert (found[[0, 2]] == 0).all()
    assert relative(found[1], alone[0]) < 1e-4


@pytest.mark.parametrize("region", ["y[1, 2, 0:2, 3]", "y[1, 2, 0, 3]", "y[2, 0, 3]"])
@every_method
def test_a_region_where_the_model_takes_one_sample_at_a_time(method, region):
    x = scenes(3)
    wanted, found = of_masks(method, x, region), of_masks(method, x, region, batch=1)
    np.testing.assert_allclose(found.relevance, wanted.relevance, atol=1e-6)
    assert found.region == wanted.region == ("" if region == "y[2, 0, 3]" else region)
    assert (found.target is None) == (wanted.target is None)


@every_method
def test_a_whole_tensor(method):
    x = scenes(2)
    if method in ("vargrad", "grad_cam", "grad_cam_plus_plus"):
        assert np.isfinite(of_masks(method, x, "y").relevance).all()
        return
    how = {"start": "one"} if method == "lrp" else {}
    whole = of_masks(method, x, "y", **how).relevance
    everything = of_masks(method, x, "y[:, :, :]", **how).relevance
    assert relative(whole, everything) < (1e-5 if method in ("occlusion", "rise") else EXACT)


@every_method
def test_several_indices_of_one_sample(method):
    x = picture(1)
    found = maps(twin("relus").model, method, x, [0, 3, 4])
    assert len(found.relevance) == 3 and found.target.tolist() == [0, 3, 4]
    for i, target in enumerate([0, 3, 4]):
        alone = maps(twin("relus").model, method, x, target).relevance
        assert relative(found.relevance[i], alone[0]) < (1e-4 if method in ("occlusion", "rise") else EXACT)


@every_method
@pytest.mark.parametrize("start", ["margin", "probability"])
def test_margin_and_probability(method, start):
    """Those that are linear in what they explain: a margin is the difference of two maps."""
    x, model = picture(2), twin("relus").model
    found = maps(model, method, x, [1, 2], start=start, against=[3, 0] if start == "margin" else None)
    assert np.isfinite(found.relevance).all()
    with torch.no_grad():
        z = twin("relus").module(torch.from_numpy(x).double()).numpy()
    if start == "probability":
        wanted = (np.exp(z) / np.exp(z).sum(1, keepdims=True))[[0, 1], [1, 2]]
        np.testing.assert_allclose(found.score, wanted, rtol=1e-5)
        return
    np.testing.assert_allclose(found.score, z[[0, 1], [1, 2]] - z[[0, 1], [3, 0]], rtol=1e-4)
    if method not in ("vargrad", "grad_cam", "grad_cam_plus_plus", "lrp"):
        difference = maps(model, method, x, [1, 2]).relevance - maps(model, method, x, [3, 0]).relevance
        assert relative(found.relevance, difference) < (1e-4 if method in ("occlusion", "rise") else 1e-8)


@every_method
def test_threads_share_an_explainer(method):
    ex = Explainer(twin("relus").model, method=method, **METHODS[method])
    pictures = [picture(2, seed=i) for i in range(6)]
    fresh = [Explainer(twin("relus").model, method=method, **METHODS[method]).explain(x, 1) for x in pictures]
    found = [None] * len(pictures)

    def work(i):
        found[i] = ex.explain(pictures[i], 1)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, alone in zip(found, fresh, strict=True):
        np.testing.assert_array_equal(ours.relevance, alone.relevance)


@pytest.mark.parametrize("method", ELSEWHERE)
def test_progress(method):
    seen = []
    how = {} if method == "deeplift" else {"batch_size": 4}
    ex = Explainer(twin("relus").model, method=method, **METHODS[method], **how)
    ex.explain(picture(2), 1, progress=lambda done, total: seen.append((done, total)))
    if method == "deeplift":  # one walk
        assert seen == []
        return
    done, totals = zip(*seen, strict=True)
    assert len(set(totals)) == 1 and done[-1] == totals[0]
    assert list(done) == sorted(set(done))


def test_progress_of_noise_around_a_method_of_many_points():
    seen = []
    ex = Explainer(
        twin("relus").model, method="integrated_gradients", n_steps=3, noise="smoothgrad", n_samples=4
    )
    ex.explain(picture(2), 1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@every_method
def test_inner_relevance_is_that_of_one_walk_alone(method):
    if method in ("lrp", "gradient"):
        found = Explainer(twin("relus").model, method=method, keep="all").explain(picture(), 1)
        assert len(found.relevances) > 3
        return
    with pytest.raises(
        InputError, match=r"keep: .* gives inner tensors no relevance; methods that are one walk do"
    ):
        Explainer(twin("relus").model, method=method, keep="all", **METHODS[method])


@every_method
def test_what_an_explanation_says(method):
    net, x = twin("relus"), picture(2)
    found = Explainer(net.model, method=method, **METHODS[method]).explain(x)
    z = net.module(torch.from_numpy(x).double()).detach().numpy()
    assert found.target.tolist() == z.argmax(1).tolist()
    np.testing.assert_allclose(found.score, z.max(1), rtol=1e-4)
    np.testing.assert_allclose(next(iter(found.outputs.values())), z, rtol=1e-4)
    assert np.isnan(found.conserved).all() == (method != "lrp")
    assert (found.delta is not None) == (method in ("integrated_gradients", "deeplift"))
    assert found.method == method


def test_methods_by_name():
    with pytest.raises(InputError, match="no method 'integral'; did you mean "):
        Explainer(twin("relus").model, method="integral")
    with pytest.raises(InputError, match="no method None"):
        Explainer(twin("relus").model, method=None)
    with pytest.raises(InputError, match="method 'input_x_gradient' takes no n_steps; it takes no options"):
        Explainer(twin("relus").model, method="input_x_gradient", n_steps=3)


def test_a_model_that_cannot_be_walked_is_asked_under_noise_too():
    model = parse(
        "g (float[N,1,6,6] x) => (float[N,2] y) { s = com.microsoft.SampleOp (x) f = Flatten (s)"
        " y = Gemm (f, w) }",
        w=rng(1).standard_normal((36, 2)),
    )
    how = {"method": "occlusion", "window": 3, "noise": "smoothgrad", "n_samples": 2}
    assert Explainer(model, **how).explain(np.ones((1, 1, 6, 6))).relevance.shape == (1, 1, 6, 6)
