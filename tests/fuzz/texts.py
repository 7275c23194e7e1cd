"""Texts of every grammar that the project reads, right ones changed here and there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kinds import Case, judged, shapes

import explainer

PIECES = (
    *(
        "",
        " ",
        "\n",
        "\t",
        ",",
        ":",
        ";",
        "=",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "/",
        "*",
        "?",
        "-",
        "+",
        ".",
        "..",
        "'",
        '"',
    ),
    *(
        "0",
        "1",
        "-1",
        "3",
        "1e9",
        "1e999",
        "nan",
        "inf",
        "-0",
        "9" * 30,
        "0x1",
        "1_0",
        "٣",
        "²",
        "½",
        "True",
        "None",
    ),
    *(
        "null",
        "é",
        "\u202e",
        "\x1b[2J",
        "\x00",
        "\ud800",
        "[" * 2000,
        "(" * 500,
        "{" * 300,
        "a" * 10000,
        "%s",
        "{0}",
    ),
    *(
        "epsilon",
        "gamma:0.1",
        "Conv",
        "first",
        "last",
        "y",
        "star",
        "../x",
        "~",
        "$HOME",
        "c0[0]",
        "::",
        "1:2:3",
        "None",
    ),
)
COMPOSITE = '{"composite": "epsilon_plus", "rules": {"Conv": "gamma:0.25", "/8/*": "zplus"}}'
TOML = 'composite = "epsilon_plus"\n[rules]\nConv = "gamma:0.25"\n"first" = "zbox:-1,1"\n'
CONFIG = """{"size": {"shortest_edge": 64}, "crop_size": 64, "rescale_factor": 0.0039,
"image_mean": [0.5], "image_std": [0.5]}"""


def _image() -> np.ndarray:
    return np.ones((1, 3, 64, 64), np.float32)


def _file(name: str, text: str, use: Callable[[Path], object]) -> object:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        return use(file)


def _made(**how: object) -> object:
    return explainer.Explainer(bases_model(), **how)


def bases_model() -> Path:
    from bases import ROOT

    return ROOT / "models" / "shapes.onnx"


# By name: right texts, and who reads them.
DOORS: dict[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "rule": (
        ("gamma:0.1", "epsilon:1e-3", "alpha_beta:2,1", "zbox:-1,1", "zplus", "flat", "pass"),
        lambda text: _made(rules={"Conv": text}),
    ),
    "selector": (
        ("Conv", "/8/*", "first", "last", "/6/Conv", "linear", "*[0-9]"),
        lambda text: _made(rules={text: "zplus"}),
    ),
    "target": (
        ("star", "3", "top", "/8/Relu_1_output_0", "/8/Relu_1_output_0[3, 1:2, :]", "logits[2]"),
        lambda text: shapes().explain(_image(), target=text),
    ),
    "condition": (
        ("3", "/8/Relu_1_output_0[3, 17]", "/8/Relu_1_output_0"),
        lambda text: shapes().explain(_image(), conditions=[text]),
    ),
    "composite name": (
        ("epsilon_plus_flat", "gamma", "recommended", "EpsilonPlus"),
        lambda text: _made(composite=text),
    ),
    "method name": (("grad_cam", "lrp", "gradient", "deeplift", "IG"), lambda text: _made(method=text)),
    "dialect": (("zennit", "captum"), lambda text: _made(dialect=text)),
    "colours": (
        ("bwr", "00f,80:fff,f00", "0ff,00f,80:000,f00,ff0,fff", "coldnhot"),
        lambda text: explainer.imgify(np.eye(3), cmap=text),
    ),
    "composite.json": (
        (COMPOSITE,),
        lambda text: _file("mine.json", text, lambda file: _made(composite=file)),
    ),
    "composite.toml": ((TOML,), lambda text: _file("mine.toml", text, lambda file: _made(composite=file))),
    "preprocess.json": (
        (CONFIG,),
        lambda text: _file("config.json", text, lambda file: _made(preprocess=file)),
    ),
    "labels.txt": (
        ("\n".join("abcdefgh"), "\n".join(f"{i} n{i}" for i in range(8))),
        lambda text: _file("labels.txt", text, lambda file: _made(labels=file)),
    ),
    "labels.json": (
        ('["a", "b", "c"]', '{"0": ["n01", "tench"], "1": ["n02", "fish"]}', '{"0": "a"}'),
        lambda text: _file("labels.json", text, lambda file: _made(labels=file)),
    ),
    "labels": (("classes.txt", "star"), lambda text: _made(labels=text)),
    "keep": (("/8/Relu_1_output_0", "all"), lambda text: _made(keep=[text])),
    "title": (("a map", "é"), lambda text: explainer.explain(bases_model(), _image()).heatmap(title=text)),
}


def changed(text: str, rng: np.random.Generator) -> str:
    """Something put in, taken out, repeated or exchanged."""
    at = int(rng.integers(len(text) + 1))
    piece = PIECES[int(rng.integers(len(PIECES)))]
    what = int(rng.integers(5))
    if what == 0:
        return text[:at] + piece + text[at:]
    if what == 1:
        return text[:at] + text[at + int(rng.integers(1, 6)) :]
    if what == 2:
        return text[:at] + piece + text[at + len(piece) :]
    if what == 3:
        return text[:at]
    return text[:at] + text[at : at + 5] * 3 + text[at:]


def case(seed: int) -> Case:
    rng = np.random.default_rng([5, seed])
    door = list(DOORS)[int(rng.integers(len(DOORS)))]
    starts, use = DOORS[door]
    start = starts[int(rng.integers(len(starts)))]
    chosen = [("changed", int(rng.integers(2**31))) for _ in range(rng.integers(1, 5))]

    def text(kept: Sequence[tuple[str, int]]) -> str:
        found = start
        for _, number in kept:
            found = changed(found, np.random.default_rng(number))
        return found

    return Case(
        "texts",
        door,
        chosen,
        lambda kept: judged(lambda: use(text(kept))),
        lambda kept: text(kept).encode("utf-8", "surrogatepass"),
    )
