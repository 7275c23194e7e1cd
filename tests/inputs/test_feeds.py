"""Arrays as the caller gives them: what a type does not hold is refused, what it holds is explained."""

import numpy as np
import pytest
from building import parse, rng
from PIL import Image
from versions import before

import explainer
from explainer import Explainer, InputError, Preprocess, PreprocessError, explain

WHOLE = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")


def taking(dtype: str):
    """A model that sums three numbers of a type."""
    name = {"float32": "float", "float64": "double"}.get(dtype, dtype)
    return parse(
        f"g ({name}[N,3] x) => (float[N,2] y) {{ f = Cast<to=1>(x)  y = MatMul(f, w) }}",
        w=np.array([[1.0, 2], [1, 2], [1, 2]]),
    )


def limits(dtype: str) -> tuple[int, int]:
    return (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("given", WHOLE)
def test_whole_numbers_are_explained_or_refused_and_never_wrap_round(dtype, given):
    model = taking(dtype)
    low, high = limits(dtype)
    for value in limits(given):
        x = np.array([[value, 0, 1]], given)
        if low <= value <= high:
            score = explain(model, x, target=0).score[0]
            np.testing.assert_allclose(score, float(value) + 1, rtol=1e-6)
        else:
            with pytest.raises(InputError, match=rf"input 'x' holds whole numbers.*{low} to {high}"):
                explain(model, x, target=0)


@pytest.mark.parametrize("dtype", WHOLE)
def test_fractions_are_no_whole_numbers(dtype):
    for given in FLOATS:
        with pytest.raises(InputError, match=rf"wants {dtype}, not {given}; .*x.astype\('{dtype}'\)"):
            explain(taking(dtype), np.array([[0.5, 0, 1]], given))


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_beyond_a_float_is_refused(dtype):
    largest = np.finfo(dtype).max
    assert np.isfinite(explain(taking(dtype), np.array([[1, 0, 1]], "float64"), target=0).score[0])
    beyond = {"float16": [65520.0, -7e4, 1e300], "float32": [1e39, -1e300], "float64": []}
    for value in beyond[dtype]:
        assert abs(value) > float(largest)
        with pytest.raises(InputError, match=f"values beyond {dtype}"):
            explain(taking(dtype), np.array([[value, 0, 1]]))
    if dtype == "float16":
        for value in (65520, 70000, 2**62):
            with pytest.raises(InputError, match="values beyond float16"):
                explain(taking(dtype), np.array([[value, 0, 1]], np.int64))
        assert explain(taking(dtype), np.array([[65519.0, 0, 1]]), target=0).score[0] == 65505
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match="NaN or infinity"):
            explain(taking(dtype), np.array([[value, 0, 1]], dtype))


@pytest.mark.skipif(before("onnxruntime", "1.25"), reason="this onnxruntime has no Cast from some of them")
def test_types_that_cannot_be_fed_are_named():
    for kind in ("int4", "uint4", "bfloat16", "string"):
        model = parse(f"g ({kind}[N,3] x) => (float[N,3] y) {{ y = Cast<to=1>(x) }}")
        with pytest.raises(InputError, match=f"input 'x' holds {'text' if kind == 'string' else kind}"):
            explain(model, np.ones((1, 3), np.float32))


RAGGED = [[1], [1, 2]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": RAGGED}, "is no array"),
        ({"x": None}, "wants numbers, not a NoneType"),
        ({"x": object()}, "wants numbers"),
        ({"x": {1: 2}}, "wants numbers"),
        ({"x": {1.0, 2.0}}, "wants numbers"),
        ({"x": (value for value in (1, 2, 3))}, "wants numbers, not a generator"),
        ({"x": [["1", "2", "3"]]}, "wants numbers"),
        ({"x": [[1j, 2, 3]]}, "wants numbers, not complex128"),
        ({"x": 10**400}, "wants numbers"),
        ({"x": 3.0}, "has shape"),
        ({}, "the model's inputs are"),
        ({1: np.ones((1, 3))}, "the model's inputs are"),
        ({("x",): np.ones((1, 3)), None: 3}, "the model's inputs are"),
        (np.ma.masked_array([[1.0, 2, 3]], mask=[[1, 0, 0]]), "is masked"),
        ({"x": np.ma.masked_array([[1.0, 2, 3]])}, "is masked"),
        (np.array([["2020-01-01"] * 3], "datetime64[D]"), "wants numbers, not datetime64"),
        (np.array([[object()] * 3]), "wants numbers"),
        (np.array([[b"a", b"b", b"c"]]), "wants numbers"),
        (np.zeros((1, 3), [("a", "f4")]), "wants numbers"),
        (np.ones((0, 3)), "holds no samples"),
        (np.ones((1, 0)), "shape"),
        (np.array(1.0), "has shape"),
    ],
)
def test_what_is_no_array_of_the_models_numbers(given, message):
    with pytest.raises(InputError, match=message):
        explain(taking("float32"), given)


def test_an_empty_array_where_every_size_will_do():
    model = parse(
        "g (float[N,M] x) => (float[N,1] y) { y = ReduceMean<keepdims=1>(x, axes) }", axes=np.array([1])
    )
    with pytest.raises(InputError, match="holds no numbers"):
        explain(model, np.ones((1, 0), np.float32))


def pixels(dtype: str, shape: str = "N,6,5,3"):
    """A model that takes a picture's pixels as whole numbers."""
    return parse(
        f"g ({dtype}[{shape}] image) => (float[N,2] y) {{ f = Cast<to=1>(image)"
        " t = Transpose<perm=[0,3,1,2]>(f)  c = Conv(t, k)  r = Relu(c)"
        " p = GlobalAveragePool(r)  q = Flatten(p)  y = MatMul(q, w) }",
        k=rng(0).standard_normal((4, 3, 3, 3)),
        w=rng(1).standard_normal((4, 2)),
    )


@pytest.fixture
def photo(tmp_path):
    picture = Image.fromarray(rng(2).integers(0, 256, (6, 5, 3), dtype=np.uint8))
    picture.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_model_of_whole_numbers_is_told_to_take_pixels_as_they_are(photo):
    for dtype, flags in (
        ("uint8", "--size 6,5 --scale 1 --layout NHWC"),
        ("int8", "--size 6,5 --scale 1 --mean 128 --layout NHWC"),
    ):
        with pytest.raises(PreprocessError) as error:
            explain(pixels(dtype), photo)
        assert (
            flags in error.value.text_in_options
            and "0.485" not in str(error.value)
            and dtype in str(error.value)
        )


@pytest.mark.parametrize(
    ("dtype", "how"),
    [
        ("uint8", {"scale": 1 / 255}),
        ("uint8", {"scale": 1 / 127.5, "mean": 1}),
        ("uint8", {"scale": 1.5}),
        ("uint8", {"scale": 2}),
        ("uint8", {"mean": 1}),
        ("int8", {"scale": 1}),
        ("int8", {"mean": 128.5}),
        ("int16", {"scale": 1 / 255, "mean": 0.5, "std": 0.25}),
    ],
)
def test_a_preprocessing_that_a_type_of_whole_numbers_cannot_hold(photo, dtype, how):
    with pytest.raises(
        PreprocessError,
        match=f"input 'image' holds {dtype}, whole numbers.*give preprocess=explainer.Preprocess",
    ):
        explain(pixels(dtype), photo, preprocess=Preprocess(layout="NHWC", **how))


@pytest.mark.parametrize(
    ("dtype", "how", "shift"),
    [
        ("uint8", {}, 0),
        ("uint8", {"scale": 1 / 255, "std": 1 / 255}, 0),
        ("int8", {"mean": 128}, 128),
        ("int16", {"mean": 128}, 128),
    ],
)
def test_pixels_as_they_are(photo, dtype, how, shift):
    stored = np.asarray(Image.open(photo))[None].astype(int)
    found = explain(pixels(dtype), photo, target=1, preprocess=Preprocess(layout="NHWC", **how))
    right = explain(pixels(dtype), (stored - shift).astype(dtype), target=1)
    np.testing.assert_array_equal(found.score, right.score)


def test_the_limit_of_pixels_is_the_callers(photo):
    how = Preprocess(layout="NHWC")
    assert Explainer(pixels("uint8"), preprocess=how, max_pixels=30).explain(photo).photos[0].size == (5, 6)
    with Image.open(photo) as lazy:
        opened = lazy.copy()
    for call in (
        lambda: explain(pixels("uint8"), photo, preprocess=how, max_pixels=29),
        lambda: Explainer(pixels("uint8"), preprocess=how, max_pixels=29).explain(opened),
    ):
        with pytest.raises(InputError, match="5 x 6 = 30 pixels; more than 29"):
            call()
    for wrong in (0, -1, 1.5, True, None, "64"):
        with pytest.raises(InputError, match="max_pixels is"):
            Explainer(pixels("uint8"), max_pixels=wrong)
    with pytest.raises(InputError, match="Explainer or explain takes it"):
        explainer.Recipe.of({"max_pixels": 3})


TWO = """g (float[N,1,8,8] depth, float[N,3,8,8] rgb) => (float[N,3,1,1] y) {
    s = Add (rgb, depth) p = Mul (s, w) y = GlobalAveragePool (p)
}"""
AS_IT_IS = Preprocess(size=8, crop=(8, 8), scale=1 / 255)


def test_a_picture_beside_arrays(tmp_path):
    ex = Explainer(parse(TWO, w=rng(0).standard_normal((3, 1, 1))), preprocess=AS_IT_IS)
    photo = Image.fromarray(rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    photo.save(tmp_path / "photo.png")
    depth, rgb = (
        np.ones((1, 1, 8, 8), np.float32),
        np.asarray(photo, np.float32).transpose(2, 0, 1)[None] / 255,
    )
    arrays = ex.explain({"depth": depth, "rgb": rgb})
    for picture in (photo, tmp_path / "photo.png", str(tmp_path / "photo.png")):
        found = ex.explain({"rgb": picture, "depth": depth})
        for name in ("rgb", "depth"):
            np.testing.assert_allclose(found.relevance[name], arrays.relevance[name], rtol=1e-5)
        assert (found.pictured, len(found.photos)) == ("rgb", 1)
        assert found.drawn.shape == (1, 3, 8, 8)  # the picture's, which is not the first
    assert arrays.pictured == "" and arrays.drawn.shape == (1, 1, 8, 8)
    with pytest.raises(InputError, match="different numbers of samples, 'rgb' 1, 'depth' 2"):
        ex.explain({"rgb": photo, "depth": depth.repeat(2, 0)})
    with pytest.raises(PreprocessError, match="does not say how a picture"):
        explain(parse(TWO, w=np.ones((3, 1, 1))), {"rgb": photo, "depth": depth})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["rgb"], r"inputs are 'depth', 'rgb'; missing: 'depth' \(N, 1, 8, 8\) float32, .* fix="),
        (["rgb", "dept"], r"there is no input 'dept'; did you mean 'depth'\?; missing: 'depth'"),
        (["rgb", "depth", "more"], "there is no input 'more'"),
    ],
)
def test_inputs_that_are_not_the_models(names, message):
    model = parse(TWO, w=np.ones((3, 1, 1)))
    with pytest.raises(InputError, match=message):
        explain(model, {name: np.ones((1, 3, 8, 8), np.float32) for name in names})
