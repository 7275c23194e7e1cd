"""What `explain` says about an explanation, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import explainer

from . import channels

TOP = 5
WORDS = 10
MANY = 10_000  # values, of which sorting all would take a while
# Where relevance goes that does not arrive: the audit's column, and what the line on conservation calls it.
SHARES = {
    "bias_share": ("bias", "bias"),
    "epsilon_share": ("epsilon", "epsilon"),
    "intercept_share": ("intercept", "intercepts"),
    "kept_share": ("kept", "constants that are kept"),
    "masked_share": ("masked", "masked"),
}
ALWAYS = ("bias_share", "epsilon_share")
# What an element is of an output that has no value per class: a box's coordinate, a pixel.
VALUE = "value"


def describe(
    explanation: explainer.Explanation, output: str, cut: str, inputs: Collection[str] = ()
) -> dict[str, Any]:
    """Return the numbers of a one-sample explanation, ready for JSON.

    Parameters
    ----------
    explanation : Explanation
    output : str
        The model output that holds the prediction.
    cut : str
        The operator at the model's end that was cut; "" where none was.
    inputs : collection of str
        The model's own, which are no words where its walk ends at others.
    """
    numbers = explanation.to_dict()
    audit = numbers["audit"]
    start = float(explanation.start[0])
    # A class name means nothing in an inner tensor.
    is_inner = explanation.target is not None and explanation.target_name not in explanation.outputs
    return {
        "method": explanation.method,
        "composite": explanation.composite,
        "how": numbers["how"],
        "recipe": numbers["recipe"],
        "ask": numbers["ask"],
        "prediction": prediction(explanation.outputs[output], explanation.labels, output, cut),
        "target": None if explanation.target is None else int(explanation.target[0]),
        "target_name": explanation.target_name,
        "label": None if is_inner else explanation.label(),
        "region": numbers["region"],
        "conditions": numbers["conditions"],
        "kind": explanation.kind,
        "against": None if explanation.against is None else int(explanation.against[0]),
        "against_label": None if is_inner else explanation.rival() or None,
        "score": numbers["score"][0],
        "explained_before": cut or None,
        "start": start,
        "delta": None if numbers["delta"] is None else numbers["delta"][0],
        "conserved": numbers["conserved"][0],
        "stopped": explanation.stopped or None,
        "tokens": tokens_of(explanation, inputs),
        "remark": remark(numbers["remarks"][0]),
        **{key: share([step[name][0] for step in audit], start) for key, (name, _) in SHARES.items()},
        "audit": audit,
    }


def remark(said: str | None) -> str | None:
    """Return a remark with an option as it is given here."""
    return said and said.replace("the option signed ", "--option signed=true ")


def tokens_of(explanation: explainer.Explanation, inputs: Collection[str]) -> dict[str, list[float]]:
    """Return the relevance of each word, where the walk ended at an embedding by itself; else nothing."""
    ends = explanation.relevance if explanation.stopped and isinstance(explanation.relevance, dict) else {}
    words = {name for name, R in ends.items() if R.ndim > 2}.difference(inputs)
    return {name: explanation.channels(name)[0].tolist() for name in ends if name in words}


def share(amounts: list[float | None], start: float) -> float | None:
    """Return what all steps together take of the target's relevance."""
    if start == 0 or None in amounts:
        return None
    return math.fsum(amount for amount in amounts if amount is not None) / start


def prediction(values: Any, labels: Mapping[int, str], output: str, cut: str) -> dict[str, Any]:
    """Return the largest values of an output; of one that has no value per class, where they stand in it."""
    shape = list(getattr(values, "shape", ()))
    if not shape or values.size == 0 or values.dtype.kind not in "fiu":
        return {"output": output, "shape": shape, "kind": None, "top": []}
    flat = values.reshape(-1)
    largest = flat.argpartition(-TOP)[-TOP:] if len(flat) > MANY else flat.argsort(kind="stable")
    later_first = [int(index) for index in largest[::-1]]
    best = sorted(later_first, key=lambda index: -float(flat[index]))[:TOP]
    are_classes = math.prod(shape) == max(shape)
    names = labels if are_classes else {index: element(output, shape, index) for index in best}
    top = [{"index": index, "label": names.get(index), "value": float(flat[index])} for index in best]
    return {
        "output": output,
        "shape": shape,
        "kind": kind_of(flat, cut) if are_classes else VALUE,
        "top": top,
    }


def element(output: str, shape: Sequence[int], index: int) -> str:
    """Return an element of a sample's output as --target takes it, ``boxes[1, 6]``."""
    places: list[int] = []
    for size in reversed(shape[1:] if shape[0] == 1 else shape):
        index, place = divmod(index, size)
        places.insert(0, place)
    return f"{output}{places}"


def kind_of(flat: Any, cut: str) -> str:
    """Return what the values are: by the operator that ends the model, or by the values themselves."""
    if cut:
        return explainer.layers.facts_of(cut).cut
    if len(flat) > 1 and flat.min() >= 0 and abs(float(flat.sum()) - 1) < 1e-3:
        return "probability"
    return "score (logit)"


# What the line under a default explanation says.
HINT = (
    "  more        --composite recommended draws clearer maps; onnx-lrp methods and composites list the rest"
)


def in_full(picture: str, numbers: Mapping[str, Any], written: Sequence[str], loading: float) -> list[str]:
    """Return the report on one picture, line by line."""
    found = numbers["prediction"]
    lines = [picture, f"  prediction  {predicted(found)}"]
    lines += [f"              {entry['value']:<11.5g} {name_of(entry)}" for entry in found["top"]]
    before = f", before {numbers['explained_before']}" if numbers["explained_before"] else ""
    what, name = target_of(numbers), repr(numbers["target_name"])
    if not numbers["region"]:
        if numbers["target"] is None:
            what = f"the whole of {name}"
        elif numbers["label"] is not None:
            what += f", in {name}"
    if numbers["kind"] not in ("output", "one"):
        before += f", {numbers['kind']}"
    is_lrp = hands_on(numbers)
    amount = f"relevance {numbers['start']:.6g}" if is_lrp else f"score {numbers['score']:.6g}"
    lines.append(f"  target      {what}{before}: {amount}")
    if is_lrp:
        lines.append(f"  conserved   {conserved(numbers)}")
    if numbers["kind"] == "one" and not is_lrp:
        lines.append("  note        gradients begin with 1, whether --start says one or output")
    if numbers["remark"]:
        lines.append(f"  note        {numbers['remark']}")
    if numbers["delta"] is not None:
        of = "what the sum misses of the score, less a baseline's if there is one"
        lines.append(f"  complete    up to {numbers['delta']:.2g}: {of}")
    lines += [
        *channels.in_full(numbers),
        *in_words(numbers["tokens"]),
        f"  time        {numbers['seconds']:.2f} s, and {loading:.2f} s to load the model",
        f"  written     {', '.join(written)}",
    ]
    if is_lrp and numbers["composite"] == "epsilon":
        lines.append(HINT)
    return lines


def in_words(tokens: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the lines on the words that matter most."""
    lines = []
    for tensor, amounts in tokens.items():
        whole = math.fsum(map(abs, amounts)) or 1.0
        order = sorted(range(len(amounts)), key=lambda place: -abs(amounts[place]))
        lines.append(f"  words       of {tensor!r}, by place: relevance, share of all amounts")
        lines += [
            f"              {k:<6} {amounts[k]:<12.5g} {amounts[k] / whole:+.1%}" for k in order[:WORDS]
        ]
    return lines


def predicted(found: Mapping[str, Any]) -> str:
    """Return what the values are that stand below, and what their indices count."""
    output, kind = found["output"], found["kind"]
    if kind is None:
        return f"of shape {found['shape']}, in {output!r}"
    if kind != VALUE:
        return f"{kind}, in {output!r}"
    shape = found["shape"][1:] if found["shape"][0] == 1 else found["shape"]
    size = " x ".join(map(str, shape))
    return f"no classes: {size} values, in {output!r}, counted row by row; the largest of all are"


def in_short(picture: str, numbers: Mapping[str, Any], written: Sequence[str]) -> str:
    """Return the line on one of many pictures."""
    top = numbers["prediction"]["top"][:1]
    best = f"{name_of(top[0])} {top[0]['value']:.4g}, " if top else ""
    kept = "undefined" if numbers["conserved"] is None else f"{numbers['conserved']:.4f}"
    by = f"conserved {kept}" if hands_on(numbers) else numbers["method"]
    note = f" ({numbers['remark']})" if numbers["remark"] else ""
    rest = f"{by}{note}, {numbers['seconds']:.2f} s, {written[0]}"
    picture = explainer.printable(picture)
    return f"{picture}: {best}target {target_of(numbers)}{channels.in_short(numbers)}, {rest}"


def hands_on(numbers: Mapping[str, Any]) -> bool:
    """Return whether the map is one walk of relevance, whose sum says something."""
    return numbers["method"] == "lrp" and "noise" not in numbers["how"]


def conserved(numbers: Mapping[str, Any]) -> str:
    """Return the conserved fraction and where the rest went."""
    if numbers["conserved"] is None:
        return "undefined: the relevance at the target sums to 0"
    ended = numbers["stopped"] or "stop" in numbers["how"]
    called = {key: name for key, (_, name) in SHARES.items()}
    called |= {"bias_share": "bias and what is held"} if ended else {}
    shares = (
        f"{name} {_part(numbers[key])}"
        for key, name in called.items()
        if numbers[key] is not None and (key in ALWAYS or numbers[key])
    )
    where = "where the walk ends" if ended else "the input"
    return f"{numbers['conserved']:.6f} of it reaches {where} ({', '.join(shares)})"


def _part(share: float) -> str:
    """A share in as many decimals as the conserved one, with which it adds up; a smaller one by its order."""
    return f"{share:.6f}" if abs(share) >= 5e-7 else f"{share:.2g}"


def title_of(numbers: Mapping[str, Any]) -> str:
    """Return what a picture's title says: the target, and how it was explained where that was chosen."""
    how = numbers["composite"] if numbers["method"] == "lrp" else numbers["method"]
    asked = numbers["how"]
    parts = [
        f"target: {target_of(numbers)}{channels.through(numbers)}",
        "" if how == "epsilon" else how,
        asked.get("noise", ""),
        f"{asked['dialect']}'s" if "dialect" in asked else "",
        "own rules" if "rules" in asked else "",
        "" if numbers["kind"] in ("output", "one", "margin") else numbers["kind"],
    ]
    return ", ".join(filter(None, parts))


def target_of(numbers: Mapping[str, Any]) -> str:
    """Return what is explained, as a title has it."""
    if numbers["region"] or numbers["target"] is None:
        return explainer.printable(numbers["region"] or numbers["target_name"])
    sides = [(numbers["target"], numbers["label"]), (numbers["against"], numbers["against_label"])]
    return " − ".join(_side(numbers["target_name"], *side) for side in sides if side[0] is not None)


def _side(tensor: str, index: int, label: str | None) -> str:
    if label is None:
        return f"{explainer.printable(tensor)}[{index}]"
    return f"class {index}" if label == str(index) else name_of({"index": index, "label": label})


def name_of(entry: Mapping[str, Any]) -> str:
    index, label = entry["index"], entry["label"]
    if label in (None, str(index)):
        return f"{index}"
    return explainer.printable(label) if index is None else f"{index} {explainer.printable(label)}"
