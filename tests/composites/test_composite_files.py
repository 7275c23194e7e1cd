"""Composites from TOML and JSON files: what they may say, and what is refused."""

import json
import os

import pytest
from branching import net, rules_of

from explainer import CompositeError, composites

TOML = """
base = "epsilon_plus"
dialect = "zennit"

[parameters]
eps = 0.5

[rules]
"first" = "flat"
"c*" = "gamma:0.1"
MatMul = "epsilon:eps=0.25"
"""
JSON = {
    "base": "EpsilonPlus",
    "dialect": "zennit",
    "parameters": {"eps": 0.5},
    "rules": {"first": "flat", "c*": "gamma:0.1", "MatMul": "epsilon:eps=0.25"},
}


@pytest.mark.parametrize("name", ["own.toml", "own.json", "OWN.TOML", "pairs.json", "mark.json"])
def test_a_file_says_it_all(tmp_path, name):
    pairs = JSON | {"rules": [*JSON["rules"].items()]}
    content = json.dumps(pairs if name == "pairs.json" else JSON) if name.endswith("json") else TOML
    path = tmp_path / name
    path.write_text(content, encoding="utf-8-sig" if name == "mark.json" else "utf-8")
    found = rules_of(net(), composite=str(path))
    assert {node: found[node] for node in ("y", "h", "c1", "c0", "s1")} == {
        **{"y": "epsilon:0.25", "h": "epsilon:0.5", "c1": "gamma:0.1", "c0": "flat"},
        "s1": "norm:1e-06",
    }


def test_bounds_per_channel(tmp_path):
    path = tmp_path / "box.toml"
    path.write_text('base = "epsilon_gamma_box"\nparameters = {low = [-1, -2, -3], high = 2}')
    assert rules_of(net(), composite=path)["c0"] == "zbox:-1/-2/-3,2"


def test_an_empty_file_is_epsilon(tmp_path):
    path = tmp_path / "empty.toml"
    path.touch()
    assert composites.get(path).name == "epsilon"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"base = 1 2", "a.toml is no TOML file: .*line 1"),
        ("a.toml", b"[rules]\nConv = 'flat'\nConv = 'zplus'", "no TOML file"),
        ("a.json", b"{", "a.json is no JSON file"),
        ("a.json", b'{"rules": {"Conv": "flat", "Conv": "zplus"}}', "'Conv' is there twice"),
        ("a.json", b"\xff\xfe\x00", "no JSON file"),
        ("a.json", b"[" * 100_000, "no JSON file"),
        ("a.json", b"[]", "a.json must be a table: base ="),
        ("a.json", b'"epsilon"', "must be a table"),
        ("a.json", b'{"base": "epsilon", "rule": {}}', "a.json: rule = {} is not understood"),
        ("a.json", b'{"base": ["epsilon"]}', "base = "),
        ("a.json", b'{"parameters": 3}', "parameters = 3"),
        ("a.json", b'{"rules": 3}', "rules are"),
        ("a.json", b'{"rules": {"Conv": null}}', "no rule 'None'"),
        ("a.json", b'{"base": "magic"}', "no composite 'magic'"),
        ("a.json", b'{"parameters": {"alpha": 1}}', "takes no alpha"),
        ("a.toml", b"parameters = {eps = '1e-6'}", "eps must be a positive number, not '1e-6'"),
        ("a.toml", b"parameters = {eps = nan}", "positive"),
        ("a.json", b'{"dialect": "torch"}', "no dialect 'torch'"),
        ("a.json", b'"' + b"x" * (1 << 20) + b'"', "more than 1048576 bytes"),
    ],
)
def test_what_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CompositeError, match=message):
        composites.get(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CompositeError, match=r"none\.toml cannot be read: No such file"):
        composites.get(tmp_path / "none.toml")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(
        CompositeError, match=r"folder\.json cannot be read: (Is a directory|Permission denied)"
    ):
        composites.get(tmp_path / "folder.json")
    with pytest.raises(CompositeError, match=r"no composite .*rules\.yaml.*\.toml or \.json"):
        composites.get(os.fspath(tmp_path / "rules.yaml"))
    with pytest.raises(CompositeError, match=r"rules\.yaml: a composite's file ends in \.toml or \.json"):
        composites.get(tmp_path / "rules.yaml")


def test_a_file_without_end_is_not_read_to_its_end(tmp_path):
    if not os.path.exists("/dev/zero"):
        pytest.skip("no endless file here")
    path = tmp_path / "endless.json"
    path.symlink_to("/dev/zero")
    with pytest.raises(CompositeError, match="more than"):
        composites.get(path)
