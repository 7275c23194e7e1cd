"""docs/zoo.md: what is measured of every member, as a table that is read and written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalogue import KINDS
from members import EXPORTERS, members

Key = tuple[str, str, str]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"
EXPLAINED = (
    *("model", "size", "exporter", "sum", "intercepts", "gradient", "compiled", "forwards"),
    *("zennit's sum", "captum's sum"),
)
REFUSED = ("model", "exporter", "why not", "instead")
TITLES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "transformers": "transformers",
    "yolo": "YOLO",
    "sequences": "Recurrent, CTC and torch's own",
    "forms": "Other frameworks",
    "converters": "Other frameworks, by their own converters",
}
ORDER = {(family, member.name): place for place, (family, member) in enumerate(members())}
NO_FILE, NO_ANSWER = "no file: ", "no answer: "
INTRODUCTION = """\
# Whole families, tested

{count}

Written by a script of the tests ([how](../CONTRIBUTING.md#tests)), which hold every explained model to what
stands here: a small, seeded member of every family, by each of PyTorch's exporters that manages it, as it
writes by default, and what other frameworks' converters write. Every model that is explained answers the same
class by its file as in PyTorch.

- *size*: parameters, and the shapes of one sample. Widths, depths and resolutions are reduced, nothing else.
- *sum*: what arrives at the input of 1 that starts, under ε-LRP with ε = 1e-9 in float64, on a copy without
  biases.
- *intercepts*: what a Softmax or another curved map kept of it; with it, and what ε took, the sum is 1.
- *gradient*: the largest difference to autograd in float64, relative to the largest value: of the PyTorch
  module; where that is above 1e-9, then in brackets, of the file itself, node by node in PyTorch: its
  exporter, or onnxruntime, had computed a scale, a standardised weight, a table or the places of a Resize in
  float32, which makes it another function. Of other frameworks' files it is the file's.
- *compiled*: the same of the compiled file's relevance to NumPy's, in float32; beside it, where it is above
  1e-4, how far NumPy's moves when the input is moved by rounding: such a map is hard to compute.
- *forwards*: the compiled file's time in forward passes of the model's file, each the median of seven runs on
  one thread, one after the other in one process, on a machine that others used too: a rough number. In models
  as small as these every node counts and no arithmetic does: `benchmarks/families.py` has the real sizes.
- *zennit's*, *captum's sum*: the same by zennit 0.5.1 (ε on every convolution and dense layer, its canonizer
  for ResNets) and captum 0.9.0's LRP on the PyTorch module without biases, whichever exporter writes the
  file; "none" where it refuses or fails.
- *why not*, *instead*: a refusal, and the nearest question that the model does answer.
"""


def explained(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is explained."""
    peers = (_number(answer.get(name)) for name in ("zennit", "captum"))
    return (
        answer["name"],
        _size(answer),
        answer["exporter"],
        f"{answer['sum']:.7f}",
        _number(answer["intercept"]) if answer["intercept"] else "0",
        _gradient(answer),
        _compiled(answer),
        f"{answer['forwards']:.1f}" if "forwards" in answer else "",
        *peers,
    )


def unexplained(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is not."""
    if "refused" in answer:
        reason = "; ".join(line.strip() for line in answer["refused"].splitlines()[1:])
        # Of one line each: a list of tensors to stop at is none.
        ways = [way for way in answer["instead"] if "stop=stop" not in way]
        return answer["name"], answer["exporter"], _cell(reason), f"`{ways[0]}`" if ways else ""
    reason = NO_FILE + answer["unexported"] if "unexported" in answer else NO_ANSWER + amiss(answer)
    return answer["name"], answer["exporter"], _cell(reason), ""


def amiss(answer: Mapping[str, Any]) -> str:
    """What is not as the page says of all its explained models; "" where all is."""
    if "gradient" not in answer and "exporter" in answer and answer["exporter"] in EXPORTERS:
        return str(answer.get("failed", "not measured"))
    if not answer.get("top", True):
        return "another class than in PyTorch"
    whole = answer["sum"] + answer["intercept"] + answer.get("epsilon", 0.0)
    return (
        ""
        if abs(whole - 1) < (1e-9 if "epsilon" in answer else 1e-6)
        else f"relevance is lost: {whole:g} of 1"
    )


def _gradient(answer: Mapping[str, Any]) -> str:
    if "own" in answer:
        module = f" (module: {answer['gradient']:.0e})" if "gradient" in answer else ""
        return f"{answer['own']:.0e}{module}"
    if "quotient" in answer:
        return f"{answer['quotient']:.0e} (difference quotient)"
    return f"{answer['gradient']:.0e}" if "gradient" in answer else ""


def _compiled(answer: Mapping[str, Any]) -> str:
    if "compiled" not in answer:
        return "refused"
    rounding = f" (rounding: {answer['rounding']:.0e})" if "rounding" in answer else ""
    return f"{answer['compiled']:.0e}{rounding}"


def _size(answer: Mapping[str, Any]) -> str:
    if "parameters" not in answer:
        return ""
    many = answer["parameters"]
    shapes = ", ".join("×".join(map(str, shape[1:])) for shape in answer["shapes"])
    return f"{many / 1e6:.1f} M, {shapes}" if many >= 1e6 else f"{many / 1e3:.0f} k, {shapes}"


def _number(value: Any) -> str:
    if not isinstance(value, float):
        return "" if value is None else "none"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0e}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:200]


def read(text: str) -> dict[Key, tuple[str, ...]]:
    """The page's rows by family, model and exporter."""
    titles = {title: family for family, title in TITLES.items()}
    rows = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        for line in lines:
            cells = tuple(cell.strip() for cell in line.split(" | "))
            cells = (cells[0].removeprefix("| "), *cells[1:-1], cells[-1].removesuffix("|").strip())
            if line.startswith("| ") and cells[0] not in ("model", "---"):
                exporter = cells[EXPLAINED.index("exporter") if is_explained(cells) else 1]
                rows[titles[title], cells[0], exporter] = cells
    return rows


def is_explained(row: tuple[str, ...]) -> bool:
    """Which table a row is of."""
    return len(row) == len(EXPLAINED)


def written(rows: Mapping[Key, tuple[str, ...]]) -> str:
    """The page of these rows."""
    parts = [INTRODUCTION.format(count=counted(rows))]
    for family, title in TITLES.items():
        here = [rows[key] for key in sorted(rows, key=_place) if key[0] == family]
        tables = [(EXPLAINED, [row for row in here if is_explained(row)])]
        tables += [(REFUSED, [row for row in here if not is_explained(row)])]
        lines = [
            line
            for header, those in tables
            if those
            for line in ("", *map(_line, [header, ["---"] * len(header), *those]))
        ]
        parts += [f"\n## {title}", *lines] if lines else []
    return "\n".join(parts) + "\n"


def _place(key: Key) -> tuple[int, str, int]:
    """Members in their families' order, the exporters of one beside each other."""
    family, name, exporter = key
    by = EXPORTERS.index(exporter) if exporter in EXPORTERS else 0
    return ORDER.get((family, name), len(ORDER)), name, by


def counted(rows: Mapping[Key, tuple[str, ...]]) -> str:
    """How many kinds and how many files are explained, in words."""
    kinds: dict[str, list[str]] = {"explained": [], "refused": [], "open": []}
    for family, names in KINDS.items():
        for name in names:
            states = {state(row) for key, row in rows.items() if key[:2] == (family, name)}
            said = next((one for one in ("open", "refused", "explained") if one in states), "open")
            kinds[said].append(f"{TITLES[family]}: {name}")
    files = Counter(state(row) for row in rows.values())
    wanted = sum(len(member.exporters) for _, member in members())
    measured = sum(key[0] not in ("forms", "converters") for key in rows)
    explained, refused, still = (kinds[name] for name in ("explained", "refused", "open"))
    return f"""\
Of the 96 kinds of models in the catalogues of November 2026 (torchvision, timm, transformers, YOLO, recurrent
nets) **{len(explained)} are explained, {len(refused)} refused with the reason**{_named(refused)}, and
{len(still)} open{_named(still)}.

Of {wanted} files, {len(ORDER)} models by each exporter, {measured} were asked for. With the
{len(rows) - measured} forms of other frameworks {files["explained"]} are explained,
{files["refused"]} refused with the reason, {files["no file"]} not written by their exporter, and
{files["open"]} open."""


def _named(those: list[str]) -> str:
    return f" ({'; '.join(those)})" if those else ""


def state(row: tuple[str, ...]) -> str:
    """What a row says: "explained", "refused", "no file" or "open"."""
    if is_explained(row):
        return "explained"
    why = row[REFUSED.index("why not")]
    if why.startswith(NO_ANSWER):
        return "open"
    return "no file" if why.startswith(NO_FILE) else "refused"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def write(answers: Mapping[Key, Mapping[str, Any]]) -> None:
    """Put what was measured on the page; what was not stays as it is there."""
    rows = read(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    peers: dict[tuple[str, str], dict[str, Any]] = {}
    for (family, name, _), answer in answers.items():
        found = {peer: answer[peer] for peer in ("zennit", "captum") if peer in answer}
        peers.setdefault((family, name), {}).update(found)
    for key, answer in answers.items():
        told = {**answer, **peers[key[:2]]}
        if "sum" in told and ("compiled" in told or "uncompiled" in told) and not amiss(told):
            rows[key] = explained(told)
        elif {"refused", "unexported", "failed", "sum"} & set(told):
            rows[key] = unexplained(told)
    PAGE.write_text(written(rows), encoding="utf-8")
