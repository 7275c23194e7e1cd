"""A model of words ends its walks at the rows that it looks up, and says so."""

import numpy as np
import onnx
import pytest
from building import parse, relative, rng, run
from tokens import LOOKUPS, constants, embedded, feeds_for, rows_for, tokens

import explainer
from explainer import Explainer, InputError

METHODS = {
    "lrp": {},
    "gradient": {},
    "integrated_gradients": {"n_steps": 5},
    "deeplift": {},
    "gradient_shap": {"n_samples": 3},
    "smoothgrad": {"n_samples": 3},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LOOKUPS)
def test_a_model_of_words_is_explained_as_if_it_were_fed_their_rows(kind, method):
    feeds = feeds_for(kind)
    if method in ("lrp", "smoothgrad") and kind == "quantised":
        pytest.skip("its table is compared by the other methods")
    how = METHODS[method]
    made = Explainer(tokens(kind), method=method, **how)
    found = made.explain(feeds, 2)
    assert list(found.relevance) == ["e"]
    twin = Explainer(embedded(kind), method=method, stop="e", **how)
    rows = rows_for(kind, feeds)
    assert relative(found.relevance["e"], twin.explain(rows, 2).relevance["e"]) < 2e-5
    # And without any stop, what is added being held: the plain way to say the same.
    if method not in ("lrp", "gradient", "smoothgrad"):
        held = Explainer(embedded(kind), method=method, hold=("added", "mask"), **how).explain(rows, 2)
        assert relative(found.relevance["e"], held.relevance["e"]) < 2e-5


def test_it_says_where_it_ends():
    made = Explainer(tokens("counted"))
    said = "the walk ends at 'e', which Gather 'e' looks up for 'ids'; 'at' beside it counts as constant"
    assert said in str(made.plan) and said in made.plan._repr_html_().replace("&#x27;", "'")
    assert made.plan.sources == ("e",)
    found = made.explain(feeds_for("counted"))
    assert found.remark(1).startswith(said) and said in str(found)
    assert not Explainer(tokens("counted"), stop="e").explain(feeds_for("counted")).remark()


def test_what_is_held_is_told_from_biases():
    text = "g (int64[N,3] ids) => (float[N,3] y) { e = Gather (w, ids) s = Add (e, b) y = MatMul (s, k) }"
    net = parse(
        text.replace("[N,3] y", "[N,3,1] y"), w=np.ones((4, 2)), b=np.full((3, 2), 99.0), k=np.ones((2, 1))
    )
    found = explainer.explain(net, np.array([[0, 1, 2]]), target=("y", np.s_[0, 0]))
    said = "1.0 % of the relevance reaches where the walk ends: biases and what is held took 99.0 %"
    assert found.remark().endswith(said)


def test_relevance_by_word():
    found = Explainer(tokens()).explain(feeds_for())
    np.testing.assert_allclose(found.channels("e"), found.relevance["e"].sum(axis=2), rtol=1e-5)
    best = found.ranking("e", top=1)[0]
    assert best.channel == np.abs(found.relevance["e"][0].sum(axis=-1)).argmax()
    assert not found.relevance["e"][1, -1].any()  # the mask hides it, and what its neighbour would see


@pytest.mark.parametrize("kind", [kind for kind in LOOKUPS if kind != "quantised"])
def test_words_have_all_of_the_relevance_where_nothing_is_added(kind):
    made = Explainer(tokens(kind, zero=True), dtype="float64", eps=1e-9)
    found = made.explain(feeds_for(kind), start="one")
    np.testing.assert_allclose(found.conserved, 1, atol=1e-6)


def test_tables_of_positions_and_kinds_have_relevance_where_it_is_asked_for():
    feeds = feeds_for("kinds")
    made = Explainer(tokens("kinds"), stop=["e", "of"], dtype="float64")
    found = made.explain(feeds)
    parts = found.relevance["e"].sum() + found.relevance["of"].sum()
    alone = Explainer(tokens("kinds"), dtype="float64").explain(feeds)
    assert relative(found.relevance["e"], alone.relevance["e"]) < 1e-12
    taken = np.array([alone.audit[-1].kept, alone.audit[-1].R_in]).sum()
    assert parts == pytest.approx(taken, rel=1e-5)  # but for ε
    assert relative(alone.relevances["kinds"], found.relevance["of"]) < 1e-12
    table = Explainer(tokens(), stop=["positions", "e"], dtype="float64").explain(feeds_for())
    assert table.relevance["positions"].shape == (2, 7, 6)  # by sample
    assert table.relevance["positions"].any()


@pytest.mark.parametrize(("kind", "table"), [("counted", "places_of"), ("kinds", "kinds")])
@pytest.mark.parametrize("composite", ["epsilon", "attnlrp"])
def test_rows_that_words_choose_of_a_table_are_a_source_of_their_own(kind, table, composite):
    """They are no constants: so no bias has their share, and a copy whose table is 0 conserves."""
    feeds = feeds_for(kind)
    made = Explainer(tokens(kind), composite=composite, dtype="float64", eps=1e-9)
    found = made.explain(feeds)
    assert made.plan.tables == {table: found_rows(kind)} and made.plan.keep == {}
    assert found.relevances[table].shape == found.relevance["e"].shape
    at_sum = found.audit[-1]
    np.testing.assert_allclose(at_sum.kept, found.relevances[table].sum((1, 2)), rtol=1e-9)
    assert not at_sum.bias.any() and abs(at_sum.kept).min() > 1e-3
    walked = Explainer(tokens(kind), engine="onnxruntime").explain(feeds).relevances[table]
    assert relative(walked, Explainer(tokens(kind)).explain(feeds).relevances[table]) < 1e-4


def found_rows(kind: str) -> str:
    return {"counted": "at", "kinds": "of"}[kind]


def test_a_table_that_several_layers_add_is_kept_where_it_is_asked_for():
    text = """g (int64[N,3] ids, int64[N,3] types) => (float[N,3,2] y) {
        e = Gather (w, ids) of = Gather (k, types)"""
    arrays = {"w": rng(1).random((4, 2)), "k": rng(2).random((2, 2))}
    twice = parse(text + " s = Add (e, of) r = Relu (s) y = Add (r, of) }", **arrays)
    feeds = {"ids": np.array([[0, 1, 2]]), "types": np.array([[0, 1, 1]])}
    assert Explainer(twice).explain(feeds, "y[0, 0]").relevances == {}
    assert Explainer(twice, keep="k").explain(feeds, "y[0, 0]").relevances["k"].any()
    moved = parse(text + " t = Transpose <perm = [0,1,2]> (of) y = Add (e, t) }", **arrays)
    assert list(Explainer(moved).explain(feeds, "y[0, 0]").relevances) == ["k"]


def test_any_constant_may_be_a_stop_the_table_of_words_too():
    feeds = feeds_for()
    found = Explainer(tokens(), stop="w", dtype="float64").explain(feeds)
    words = Explainer(tokens(), dtype="float64").explain(feeds).relevance["e"]
    wanted = np.zeros((2, 20, 6))
    for sample, ids in enumerate(feeds["ids"]):
        np.add.at(wanted[sample], ids, words[sample])
    assert relative(found.relevance["w"], wanted) < 1e-6


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize(
    "how", [{}, {"method": "integrated_gradients", "n_steps": 4}, {"method": "deeplift"}]
)
def test_a_compiled_file_takes_words_and_gives_the_relevance_of_their_rows(kind, how):
    model, feeds = tokens(kind), feeds_for(kind, samples=3)
    made = explainer.compile(model, target=1, **how)
    assert [value.name for value in made.graph.output] == ["y", "relevance/e"]
    y, relevance = run(made, feeds)
    wanted = Explainer(model, **how).explain(feeds, 1)
    assert relative(relevance, wanted.relevance["e"]) < 1e-5
    np.testing.assert_allclose(y, wanted.outputs["y"], rtol=1e-5)


def test_a_text_of_any_length_is_compiled_for_one():
    text = "g (int64[N,T] ids) => (float[N,2] y) { e = Gather (w, ids) h = MatMul (e, k) r = Relu (h)"
    sizes = {"w": rng(1).random((9, 4)), "k": rng(2).standard_normal((4, 2)), "one": np.array([1])}
    net = parse(text + " y = ReduceMean <keepdims = 0> (r, one) }", **sizes)
    with pytest.raises(InputError, match="give image_size"):
        explainer.compile(net)
    ids = rng(3).integers(0, 9, (2, 5))
    relevance = run(explainer.compile(net, image_size=5, target=1), {"ids": ids})[1]
    assert relative(relevance, Explainer(net).explain(ids, 1).relevance["e"]) < 1e-6


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
def test_a_baseline_may_be_words(method):
    feeds, pad = feeds_for(), 1
    found = Explainer(tokens(), method=method, baseline={"ids": pad}, dtype="float64").explain(feeds, 1)
    row = np.broadcast_to(constants()["w"][pad], (2, 7, 6))
    rows = Explainer(tokens(), method=method, baseline={"e": row}, dtype="float64").explain(feeds, 1)
    assert relative(found.relevance["e"], rows.relevance["e"]) < 1e-6
    assert not found.relevance["e"][feeds["ids"] == pad].any()
    y, nothing = (
        run(tokens(), {**feeds, "ids": ids})[0][:, 1] for ids in (feeds["ids"], np.full((2, 7), pad))
    )
    allowed = 0.05 if method == "integrated_gradients" else 1e-5
    np.testing.assert_allclose(found.relevance["e"].sum(axis=(1, 2)), y - nothing, atol=allowed)
    noisy = Explainer(tokens(), method=method, baseline={"ids": pad}, noise="smoothgrad", n_samples=2)
    assert noisy.explain(feeds).relevance["e"].any()
    made = explainer.compile(tokens(), method=method, baseline={"ids": pad}, target=1)
    wanted = Explainer(tokens(), method=method, baseline={"ids": pad}).explain(feeds, 1).relevance["e"]
    assert relative(run(made, feeds)[1], wanted) < 1e-5
    with pytest.raises(InputError, match="looked up in a table of 20 rows"):
        Explainer(tokens(), method=method, baseline={"ids": 20}).explain(feeds)
    with pytest.raises(InputError, match=r"^baseline: 'idz' is none of the inputs that are explained, 'e'"):
        Explainer(tokens(), method=method, baseline={"idz": 1}).explain(feeds)


def test_an_embedding_that_onnxruntime_has_fused():
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (int32[N,5] ids, int32[N,5] kinds, int32[N,5] mask) => (float[N,4] y) {
        e, m = com.microsoft.EmbedLayerNormalization (ids, kinds, w, p, s, gamma, beta, mask)
        h = MatMul (e, k) r = Relu (h) q = ReduceMean <axes = [1], keepdims = 0> (r) y = MatMul (q, k) }"""
    tables = {
        name: rng(1).standard_normal((size, 4)) for name, size in {"w": 9, "p": 8, "s": 2, "k": 4}.items()
    }
    net = parse(text, **tables, gamma=np.ones(4), beta=np.zeros(4))
    kinds, mask = np.zeros((2, 5), np.int32), np.ones((2, 5), np.int32)
    feeds = {"ids": rng(2).integers(0, 9, (2, 5)).astype(np.int32), "kinds": kinds, "mask": mask}
    found = explainer.explain(net, feeds, target=1)
    assert found.remark().startswith(
        "the walk ends at 'e/Gather0', which Gather 'e/Gather0' looks up for 'ids'"
    )
    assert list(found.relevances) == ["s"]  # kinds are chosen of a table, positions are the same in each text
    compiled = explainer.compile(net, target=1)
    assert relative(run(compiled, feeds)[1], found.relevance["e/Gather0"]) < 1e-5


def test_indices_that_are_held_are_not_baked_into_a_file():
    """They may be others each time."""
    text = "g (float[N,4] x, int64[2] i) => (float[N,2] y) { h = MatMul (x, w) r = Relu (h)"
    net = parse(text + " y = Gather <axis = 1> (r, i) }", w=rng(1).standard_normal((4, 300)))
    made = explainer.compile(net, stop="h", target=1)
    x = rng(2).standard_normal((3, 4)).astype(np.float32)
    for places in ([299, 7], [5, 280]):
        feeds = {"x": x, "i": np.array(places)}
        wanted = Explainer(net, stop="h").explain(feeds, 1).relevance["h"]
        assert wanted[:, places[1]].any()
        answers = dict(zip([value.name for value in made.graph.output], run(made, feeds), strict=True))
        np.testing.assert_allclose(answers["relevance/h"], wanted, rtol=1e-4, atol=1e-6)


def test_a_mask_of_any_type_is_held():
    whole = tokens()
    masked = onnx.ModelProto.FromString(whole.SerializeToString())
    masked.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    feeds = feeds_for()
    found = explainer.explain(masked, {**feeds, "mask": feeds["mask"].astype(np.float32)}).relevance
    assert list(found) == ["e"]
    np.testing.assert_array_equal(found["e"], explainer.explain(whole, feeds).relevance["e"])


def test_a_pixel_and_a_word_beside_each_other():
    """A model of a picture and a word: both have relevance, by themselves."""
    text = "g (float[N,3,4,4] x, int64[N] word) => (float[N,2] y) {"
    text += " p = GlobalAveragePool (x) f = Flatten (p) e = Gather (w, word) j = Concat <axis = 1> (f, e)"
    net = parse(text + " y = Gemm (j, g) }", w=rng(1).random((9, 2)), g=rng(2).standard_normal((5, 2)))
    feeds = {"x": rng(3).random((2, 3, 4, 4), np.float32), "word": np.array([3, 4])}
    found = Explainer(net, dtype="float64").explain(feeds, 1)
    assert {name: R.shape for name, R in found.relevance.items()} == {"e": (2, 2), "x": (2, 3, 4, 4)}
    np.testing.assert_allclose(found.conserved, 1, atol=1e-5)


def test_what_a_decoder_has_of_the_words_before_is_held():
    """Keys and values that were computed in runs before, with the samples behind."""
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (int64[N,T] ids, float[2,N,2,P,2] past) => (float[N,T,9] y) {
        e = Gather (w, ids) a = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (e, k, b, , past)
        s = Add (a, e) y = MatMul (s, tied) }"""
    w, k = rng(1).standard_normal((9, 4)), rng(2).standard_normal((4, 12))
    net = parse(text, w=w, k=k, b=rng(3).standard_normal(12), tied=w.T.copy())
    feeds = {"ids": rng(4).integers(0, 9, (2, 5)), "past": rng(5).standard_normal((2, 2, 2, 3, 2))}
    next_word = ("y", np.s_[-1, 3])
    found = Explainer(net, dtype="float64").explain(feeds, next_word)
    assert list(found.relevance) == ["e"] and found.relevance["e"].shape == (2, 5, 4)
    assert found.remark().startswith(
        "the walk ends at 'e', which Gather 'e' looks up for 'ids'; 'past', of words"
    )
    one = {"ids": feeds["ids"][1:], "past": feeds["past"][:, 1:]}
    alone = Explainer(net, dtype="float64").explain(one, next_word).relevance["e"]
    assert relative(found.relevance["e"][1:], alone) < 1e-6
