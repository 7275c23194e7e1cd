"""What `check` says of a model: as lines for people, and as one object for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import explainer

from .given import options_for

STEP = ("node", "operator", "recognised_as", "rule", "note", "layer")


def told(model: str, explained: explainer.Explainer, plan: Any) -> list[str]:
    """Return the lines on a model that can be explained."""
    lines = [f"{model}: can be explained; {explained.name} asks for scores alone, no node needs a rule"]
    if plan is not None:
        lines = [f"{model}: can be explained, {len(plan.steps)} steps"]
        whole = len(explained.graph.nodes)
        lines.append(f"coverage: {covered(plan.coverage)}, of {whole} that the file has")
        lines += [f"looks at: tensor {tensor!r}" for tensor in plan.shows]
    names = [value.name for value in explained.graph.inputs]
    if explained.pictured:
        how = explained.preprocess or "not in the file; explain needs options for it"
    else:
        how = f"none, for no input takes pictures; explain takes {options_for(names)}"
    return [*lines, f"preprocessing: {how}", f"labels: {len(explained.labels) or 'none in the file'}"]


def covered(coverage: tuple[int, int]) -> str:
    """Return in per cent how many of the nodes that relevance passes are explained."""
    found, passed = coverage
    return f"{percent(coverage):g} %, {found} of {passed} nodes that relevance passes"


def percent(coverage: tuple[int, int]) -> float:
    """Return the same as a number, in tenths of a per cent; 100 is all of them."""
    found, passed = coverage
    return 100.0 if found == passed else min(round(100 * found / passed, 1), 99.9)


def facts(
    explained: explainer.Explainer | None,
    plan: Any,
    error: explainer.ExplainerError | None,
    ways: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Return what is known of a model, ready for JSON; the keys are those of docs/checking.md."""
    rows = error.rows if error else () if plan is None else plan.rows
    missing = error.missing if error else ()
    coverage = error.coverage if error else (0, 0) if plan is None else plan.coverage
    found: dict[str, Any] = {
        "explainable": error is None,
        "error": None if error is None else error.text_in_options,
        "kind": None if error is None else type(error).__name__,
        "missing": [
            {"what": one.what, "count": len(one.nodes), "first": one.nodes[0], "reason": one.reason}
            for one in missing
        ],
        "ways": [{"command": command, "explains": why} for command, why in ways],
        "coverage": coverage_of(coverage, explained) if any(coverage) else None,
        "steps": [dict(zip(STEP, row, strict=True)) for row in rows],
        "starts_at": None if plan is None else plan.anchor.tensor,
        "looks_at": [] if plan is None else list(plan.shows),
        "ends_at": [] if plan is None else list(plan.sources),
        "preprocessing_in_file": [] if plan is None else [node.name for node in plan.preprocessing],
    }
    return {**found, **(of_model(explained) if explained is not None else dict.fromkeys(OF_MODEL))}


def coverage_of(coverage: tuple[int, int], explained: explainer.Explainer | None) -> dict[str, Any]:
    """Return how many nodes there are, and how many of them are explained."""
    explained_, passed = coverage
    whole = None if explained is None else len(explained.graph.nodes)
    return {"explained": explained_, "passed": passed, "in_file": whole, "percent": percent(coverage)}


OF_MODEL = ("method", "composite", "inputs", "outputs", "preprocessing", "labels")


def of_model(explained: explainer.Explainer) -> Mapping[str, Any]:
    """Return what a file says of itself, and how it is explained."""
    graph = explained.graph
    inputs = [
        {"name": value.name, "dtype": str(value.dtype), "shape": value.shape and list(value.shape)}
        for value in graph.inputs
    ]
    preprocess = explained.preprocess
    values = (
        explained.name,
        explained.composite.name if explained.method.walks else None,
        inputs,
        list(graph.outputs),
        preprocess and preprocess.to_config(),
        len(explained.labels),
    )
    return dict(zip(OF_MODEL, values, strict=True))
