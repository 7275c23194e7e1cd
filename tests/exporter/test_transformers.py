"""Models that transformers saved in a folder, with tokenizer, preprocessing and labels out of it."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
from exporter._torchvision import torchvision  # noqa: E402

assert torchvision  # transformers loads with it alone
T = pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[zoo]'")

from PIL import Image  # noqa: E402

import exporter  # noqa: E402
from explainer import Explainer  # noqa: E402
from explainer.inputs.image import prepare  # noqa: E402
from explainer.inputs.preprocess import Preprocess  # noqa: E402
from exporter import hf_models  # noqa: E402

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
LABELS = {0: "bad", 1: "good", 2: "so so"}
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "and", "back", "again", "why", "this"),
]


def saved(model, folder, seed=0):
    model.save_pretrained(folder)
    return folder


def tokenizer_in(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = T.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(folder)
    return fast


def run(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    given = {name: x.numpy() for name, x in feeds.items()}
    return dict(zip(names, session.run(None, given), strict=True))


@pytest.fixture
def bert(tmp_path):
    config = T.BertConfig(vocab_size=len(WORDS), id2label=LABELS, **SMALL)
    torch.manual_seed(0)
    folder = saved(T.BertForSequenceClassification(config), tmp_path / "bert")
    return folder, tokenizer_in(folder)


@pytest.mark.parametrize("which", ["torchscript", "dynamo"])
def test_a_classifier_of_words(bert, tmp_path, which):
    folder, tokenizer = bert
    report = exporter.export(f"hf:{folder}", tmp_path / "net.onnx", exporter=which)
    assert report.inputs["input_ids"] == report.inputs["attention_mask"] == ("batch", "sequence")
    assert report.labels == 3
    stored = {entry.key: json.loads(entry.value) for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert stored["id2label"] == {str(index): name for index, name in LABELS.items()}
    from tokenizers import Tokenizer

    again = Tokenizer.from_str(json.dumps(stored["tokenizer"]))
    text = "why this lazy dog jumps"
    assert again.encode(text).ids == tokenizer(text)["input_ids"]
    model = T.BertForSequenceClassification.from_pretrained(folder).eval()
    feeds = dict(tokenizer([text, "the fox"], padding=True, return_tensors="pt"))
    with torch.no_grad():
        wanted = model(**feeds).logits.numpy()
    read = {value.name for value in onnx.load(tmp_path / "net.onnx").graph.input}
    found = run(tmp_path / "net.onnx", {name: x for name, x in feeds.items() if name in read})
    np.testing.assert_allclose(found["logits"], wanted, rtol=1e-3, atol=1e-6)


def test_what_is_exported_is_explained(bert, tmp_path):
    folder, tokenizer = bert
    exporter.export(f"hf:{folder}", tmp_path / "net.onnx")
    made = Explainer(tmp_path / "net.onnx", dialect="cp_lrp")
    feeds = {name: x.numpy() for name, x in tokenizer("why this lazy dog jumps", return_tensors="pt").items()}
    names = {value.name for value in made.graph.inputs}
    found = made.explain({name: x for name, x in feeds.items() if name in names}, "good")
    parts = found.relevance.values() if isinstance(found.relevance, dict) else [found.relevance]
    assert all(np.isfinite(part).all() and part.any() for part in parts)


def test_a_model_that_writes(tmp_path):
    torch.manual_seed(0)
    config = T.GPT2Config(
        vocab_size=30, n_embd=16, n_layer=2, n_head=2, n_positions=32, bos_token_id=1, eos_token_id=2
    )
    folder = saved(T.GPT2LMHeadModel(config), tmp_path / "gpt2")
    report = exporter.export(f"hf:{folder}", tmp_path / "net.onnx")
    assert report.inputs["input_ids"] == ("batch", "sequence") and report.labels == 0
    (output,) = onnx.load(tmp_path / "net.onnx").graph.output
    assert [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] == [
        "batch",
        "sequence",
        30,
    ]


def test_one_that_reads_and_writes(tmp_path):
    torch.manual_seed(0)
    config = T.T5Config(
        vocab_size=30, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    folder = saved(T.T5ForConditionalGeneration(config), tmp_path / "t5")
    report = exporter.export(f"hf:{folder}", tmp_path / "net.onnx")
    assert report.inputs["decoder_input_ids"] == ("batch", "decoder_sequence")


def test_a_classifier_of_pictures(tmp_path):
    torch.manual_seed(0)
    config = T.ViTConfig(image_size=32, patch_size=8, id2label=LABELS, **SMALL)
    folder = saved(T.ViTForImageClassification(config), tmp_path / "vit")
    T.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    built = exporter.build(f"hf:{folder}")
    assert built.image_size == 32
    report = exporter.export(built, tmp_path / "net.onnx")
    assert report.inputs == {"pixel_values": ("batch", 3, 32, 32)} and report.labels == 3
    stored = {entry.key: json.loads(entry.value) for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert stored["preprocessor_config"]["size"] == {"height": 32, "width": 32}
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    theirs = T.AutoImageProcessor.from_pretrained(folder)(photo, return_tensors="pt")["pixel_values"].numpy()
    ours, _ = prepare(photo, Preprocess.from_config(stored["preprocessor_config"]))
    np.testing.assert_allclose(
        ours, theirs, atol=1.01 / 127.5
    )  # a grey level: it resizes tensors, we pictures


@pytest.mark.parametrize(
    ("kind", "edge", "more"),
    [
        ("ConvNext", 72, {}),
        ("ConvNext", 384, {}),
        ("PoolFormer", 45, {"crop_size": {"height": 40, "width": 40}}),
    ],
)
def test_a_share_that_is_cropped_is_a_size(tmp_path, kind, edge, more):
    """By these processors' own pictures, to a grey level."""
    theirs = getattr(T, f"{kind}ImageProcessor")(size={"shortest_edge": edge}, crop_pct=0.9, **more)
    (tmp_path / "one").mkdir()
    theirs.save_pretrained(tmp_path / "one")
    given, note = hf_models._preprocess(T.AutoImageProcessor.from_pretrained(tmp_path / "one"))
    assert not note
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((480, 400), Image.Resampling.BICUBIC)
    ours, _ = prepare(photo, Preprocess.from_config(given))
    wanted = theirs(photo, return_tensors="np")["pixel_values"]
    assert ours.shape == wanted.shape
    np.testing.assert_allclose(ours, wanted, atol=2.01 / 255 / min(given["image_std"]))


def test_a_model_of_words_and_pictures(tmp_path):
    torch.manual_seed(0)
    words = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 32, "eos_token_id": 3}
    pictures = {**SMALL, "image_size": 32, "patch_size": 8}
    config = T.CLIPConfig(text_config=words, vision_config=pictures, projection_dim=8)
    folder = saved(T.CLIPModel(config), tmp_path / "clip")
    tokens = tokenizer_in(folder)(["the quick brown fox"], return_tensors="np")
    T.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
    report = exporter.export(f"hf:{folder}", tmp_path / "net.onnx")
    assert report.inputs["pixel_values"] == ("batch", 3, 32, 32)
    asked = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))
    found = Explainer(tmp_path / "net.onnx").explain({**asked, "pixel_values": photo})
    assert found.target_name == "logits_per_image"
    assert found.pictured == "pixel_values" and found.photos[0].size == (32, 32)
    assert found.drawn.shape == (1, 3, 32, 32)


def test_a_classifier_of_sound(tmp_path):
    torch.manual_seed(0)
    config = T.Wav2Vec2Config(
        vocab_size=32,
        conv_dim=(8, 8),
        conv_stride=(5, 2),
        conv_kernel=(10, 3),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        **{**SMALL, "num_hidden_layers": 1},
    )
    folder = saved(T.Wav2Vec2ForSequenceClassification(config), tmp_path / "sound")
    report = exporter.export(f"hf:{folder}", tmp_path / "net.onnx")
    assert report.inputs == {"input_values": ("batch", "samples")}


def test_random_weights_come_from_a_seed(bert):
    folder, _ = bert
    one, same, other = (exporter.build(f"hf:{folder}", weights="none", seed=s).model for s in (1, 1, 2))
    key = "classifier.weight"
    assert torch.equal(one.state_dict()[key], same.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])


def _rename_weights(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights.pop("classifier.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _own_code(folder):
    content = json.loads((folder / "config.json").read_text())
    content |= {
        "model_type": "own",
        "architectures": ["Own"],
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "own.py").write_text("raise SystemExit('this code was run')")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename_weights, "its weights lack classifier.weight, which would be random"),
        (_own_code, "code that lies in the folder, and nothing there is run"),
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "transformers cannot load it"),
        (lambda folder: (folder / "model.safetensors").unlink(), "transformers cannot load it"),
    ],
)
def test_folders_that_hold_no_whole_model(bert, change, message):
    change(bert[0])
    with pytest.raises(exporter.ExportError, match=message):
        exporter.build(f"hf:{bert[0]}")


def test_a_folder_that_is_not_there_lists_near_ones(bert):
    with pytest.raises(
        exporter.ExportError, match=r"no folder .*bart; did you mean .*bert\?.*nothing is downloaded"
    ):
        exporter.build(f"hf:{bert[0].parent / 'bart'}")
    for given in ({"num_classes": 3}, {"image_size": 3}):
        with pytest.raises(exporter.ExportError, match="is the folder's to decide"):
            exporter.build(f"hf:{bert[0]}", **given)
    with pytest.raises(exporter.ExportError, match="lie in the folder"):
        exporter.build(f"hf:{bert[0]}", weights="own.pth")
