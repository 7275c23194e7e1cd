"""A member's measurement in a process of its own: what it takes of time and memory is its own, and ends."""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from typing import Any

from members import Member, found

PATIENCE = 120.0


def run(
    family: str, name: str, exporter: str, plans: bool = False, patience: float = PATIENCE
) -> dict[str, Any]:
    """What `measured` says, or ``unexported`` or ``failed`` with the reason; of `plans` alone no numbers."""
    # A process with threads, of onnxruntime say, is not to be forked: one that has none forks instead.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "captum.attr", "onnxruntime", "transformers"])
    answers: Any = context.SimpleQueue()
    process = context.Process(target=_child, args=(family, name, exporter, plans, answers))
    begun = time.perf_counter()
    process.start()
    while process.is_alive() and answers.empty() and time.perf_counter() - begun < patience:
        process.join(0.05)
    answer = {"failed": f"no answer after {patience:g} s"} if answers.empty() else answers.get()
    if process.is_alive():
        process.join(5)
        process.kill()
    process.join()
    return {**answer, "seconds": time.perf_counter() - begun}


def _child(family: str, name: str, exporter: str, plans: bool, answers: Any) -> None:
    try:
        answers.put(_answer(found(family, name), exporter, plans))
    except BaseException as error:
        last = traceback.extract_tb(sys.exc_info()[2])[-1]
        where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
        answers.put({"failed": f"{type(error).__name__} at {where}: {error}"})


def _answer(member: Member, exporter: str, plans: bool) -> dict[str, Any]:
    import torch
    from making import exported, made
    from measuring import measured, opened, planned
    from peers_sums import sums

    from exporter.tracing import reason

    torch.set_num_threads(1)
    model, inputs = made(member)
    try:
        file = exported(model, inputs, exporter)
        opened(file).run(None, {name: x.numpy() for name, x in inputs.items()})
    except Exception as error:  # whatever an exporter raises, or onnxruntime of what it wrote
        return {"unexported": reason(error)}
    refusal = planned(file)
    if refusal or plans:
        return refusal
    # Which exporter writes the file is nothing to those that read the module.
    peers = sums(model, inputs) if exporter == member.exporters[0] else {}
    return measured(file, model, inputs) | peers
