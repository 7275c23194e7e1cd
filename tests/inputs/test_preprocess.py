"""The preprocessing's one internal form and the vocabularies that it is read from."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.errors import PreprocessError
from explainer.inputs.preprocess import Preprocess

IMAGENET = {
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": 2,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "image_processor_type": "ConvNextImageProcessor",
}
EDGES = st.integers(1, 16384)
NUMBERS = st.floats(-1e3, 1e3)
POSITIVE = st.floats(1e-3, 1e3)


def test_the_usual_file_of_an_imagenet_model():
    assert Preprocess.from_config(IMAGENET) == Preprocess(
        size=256, crop=(224, 224), scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 224}, {"size": 224}),
        ({"size": {"height": 20, "width": 30}, "resample": 3}, {"size": (20, 30), "resample": 3}),
        ({"size": [20, 30]}, {"size": (20, 30)}),
        ({"crop_size": 7}, {"crop": (7, 7)}),
        ({"do_resize": False, "size": 224}, {}),
        ({"do_center_crop": None, "crop_size": None}, {}),
        ({"image_mean": [1, 2, 3], "image_std": [4, 5, 6]}, {"mean": (1, 2, 3), "std": (4, 5, 6)}),
        ({"image_mean": 0.5, "image_std": 0.25}, {"mean": (0.5,), "std": (0.25,)}),
        ({"do_normalize": False, "image_mean": [1, 2, 3]}, {}),
        ({"do_rescale": True}, {"scale": 1 / 255}),
        ({"do_rescale": None, "rescale_factor": 0.5}, {"scale": 0.5}),
        ({"do_flip_channel_order": True}, {"channels": "BGR"}),
        ({"do_grayscale": True}, {"channels": "gray"}),
        ({"data_format": "channels_last"}, {"layout": "NHWC"}),
        ({"do_convert_rgb": True, "do_reduce_labels": True, "do_pad": False, "crop_pct": None}, {}),
    ],
)
def test_every_word_of_the_vocabulary(config, expected):
    found = Preprocess.from_config({"do_rescale": False, **config})
    assert found == Preprocess(**{"scale": 1.0, **expected})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"do_resize": True}, "size is missing"),
        ({"do_center_crop": True}, "crop_size is missing"),
        ({"do_normalize": True, "image_mean": [0, 0, 0]}, "image_std is missing"),
        ({"do_normalize": "yes"}, "do_normalize is 'yes'"),
        ({"size": {"longest_edge": 9}}, "size is"),
        ({"size": {"shortest_edge": 9, "longest_edge": 12}}, "size is"),
        ({"crop_size": {"shortest_edge": 9}}, "crop_size is"),
        ({"size": {"shortest_edge": "big"}}, "whole number"),
        ({"size": 0}, "1 to 16384"),
        ({"size": -3}, "1 to 16384"),
        ({"size": True}, "whole number"),
        ({"size": 224.0}, "whole number"),
        ({"size": 10**30}, "1 to 16384"),
        ({"size": [1, 2, 3]}, "whole number"),
        ({"size": 9, "resample": 6}, "resample is 6"),
        ({"size": 9, "resample": "bilinear"}, "resample"),
        ({"crop_size": [1, 99999]}, "1 to 16384"),
        ({"rescale_factor": "x", "do_rescale": True}, "scale is 'x'"),
        ({"rescale_factor": True, "do_rescale": True}, "finite"),
        ({"rescale_factor": 0, "do_rescale": True}, "scale is 0"),
        ({"rescale_factor": 10**400, "do_rescale": True}, "finite"),
        ({"image_mean": [0, 0], "image_std": [1, 1]}, "mean has 2 values; expected 3"),
        ({"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}, "std .* positive"),
        ({"image_mean": [0, 0, math.nan], "image_std": [1, 1, 1]}, "mean .* finite"),
        ({"image_mean": [0, 0, None], "image_std": [1, 1, 1]}, "mean .* finite"),
        ({"image_mean": "000", "image_std": [1, 1, 1]}, "mean .* finite"),
        ({"image_mean": [1e38] * 3, "image_std": [1e-9] * 3}, "float32"),
        ({"do_flip_channel_order": True, "do_grayscale": True}, "exclude"),
        ({"data_format": "channels_middle"}, "data_format is 'channels_middle'"),
        ({"do_pad": True}, "do_pad"),
        ({"do_thumbnail": True, "do_align_long_axis": True}, "do_thumbnail, do_align_long_axis"),
        ({"crop_pct": 0.875}, "crop_pct"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(config, message):
    with pytest.raises(PreprocessError, match=message) as caught:
        Preprocess.from_config({"do_rescale": False, **config}, where="here.json")
    assert str(caught.value).startswith("here.json: ")


def test_whether_pixels_are_rescaled_is_never_guessed():
    with pytest.raises(PreprocessError, match="rescale_factor"):
        Preprocess.from_config({"size": 224, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})


@given(
    size=st.none() | EDGES | st.tuples(EDGES, EDGES),
    crop=st.none() | st.tuples(EDGES, EDGES),
    channels=st.sampled_from(["RGB", "BGR"]),
    layout=st.sampled_from(["NCHW", "NHWC"]),
    scale=POSITIVE,
    mean=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    std=st.tuples(POSITIVE, POSITIVE, POSITIVE),
)
def test_what_is_written_is_read_back(**fields):
    preprocess = Preprocess(**fields)
    assert Preprocess.from_metadata(json.dumps(preprocess.to_config())) == preprocess


def test_one_value_stands_for_all_channels():
    preprocess = Preprocess(mean=0.5, std=(2,))
    assert preprocess.per_channel() == [(0.5, 2.0)] * 3
    assert preprocess.replace(channels="gray").per_channel() == [(0.5, 2.0)]


def test_single_fields_are_replaced_and_checked_together():
    preprocess = Preprocess.from_config(IMAGENET)
    assert preprocess.replace(crop=(9, 8), layout="NHWC").crop == (9, 8)
    assert preprocess.replace(channels="gray", mean=0.5, std=0.5).mean == (0.5,)
    with pytest.raises(PreprocessError, match="mean has 3 values; expected 1"):
        preprocess.replace(channels="gray")
    with pytest.raises(PreprocessError, match=r"'means'.*expected one of size, crop"):
        preprocess.replace(means=(0, 0, 0))
    with pytest.raises(PreprocessError, match=r"'rgb'.*RGB, BGR, gray"):
        preprocess.replace(channels="rgb")


def test_it_says_what_it_does():
    assert str(Preprocess.from_config(IMAGENET)) == (
        "resize shorter edge 256 bilinear, crop 224x224, RGB NCHW, "
        "(pixel * 0.00392157 - [0.485 0.456 0.406]) / [0.229 0.224 0.225]"
    )
    assert str(Preprocess(size=(2, 3))) == "resize 2x3 bilinear, RGB NCHW, (pixel * 1 - [0]) / [1]"


def test_files(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(IMAGENET).encode())
    assert Preprocess.from_file(path) == Preprocess.from_config(IMAGENET)
    contents = {
        b"": "not JSON",
        b"{": "not JSON",
        b"[" * 100000: "not JSON",
        b"[]": "JSON object",
        b"\xff\xfe\x00": "not a text file",
        b" " * (1 << 20) + b"{}": "1 MiB",
        b'{"scale": 1}': "rescale_factor",
    }
    for content, message in contents.items():
        path.write_bytes(content)
        with pytest.raises(PreprocessError, match=message) as caught:
            Preprocess.from_file(path)
        assert str(path) in str(caught.value)
    for missing in (tmp_path / "none.json", tmp_path):
        with pytest.raises(PreprocessError, match="cannot be read"):
            Preprocess.from_file(missing)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("sise", "size"),
        ("siez", "size"),
        ("crop_sise", "crop_size"),
        ("do_resise", "do_resize"),
        ("imge_mean", "image_mean"),
        ("mean", "image_mean"),
        ("layout", "data_format"),
    ],
)
def test_a_mistyped_key_is_refused(key, meant):
    for value in (False, None, 3):
        with pytest.raises(PreprocessError, match=f"{key!r} is no key .* did you mean {meant!r}"):
            Preprocess.from_config({"do_rescale": False, key: value})


@pytest.mark.parametrize(
    "key",
    [
        *("input_data_format", "codebook_rescale_factor", "codebook_do_center_crop", "reduce_labels"),
        *("image_size", "pad_size", "max_size", "patch_size", "num_channels", "image_processor_type"),
    ],
)
def test_foreign_keys_of_the_vocabulary_are_ignored(key):
    assert Preprocess.from_config({"do_rescale": False, key: False}) == Preprocess()
