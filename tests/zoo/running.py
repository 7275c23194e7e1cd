"""A member's measurement in a process of its own: what it takes of time and memory is its own, and ends."""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

from members import Member, found

PATIENCE = 120.0
# Read once, by the process that all others are forked from: most of a small member's time is imports.
BEFORE = [
    *("exporter._torchvision", "captum.attr", "onnxruntime", "timm", "transformers.modeling_utils"),
    *("onnxscript", "torch._dynamo", "torch.export", "torch.onnx._internal.exporter._core"),
    *("making", "measuring", "peers_sums"),
]
MEMORY = 6 * 2**30


def run(
    family: str, name: str, exporter: str, plans: bool = False, patience: float = PATIENCE
) -> dict[str, Any]:
    """What `measured` says, or ``unexported`` or ``failed`` with the reason; of `plans` alone no numbers."""
    # A process with threads, of onnxruntime say, is not to be forked: one that has none forks instead.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(BEFORE)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(family, name, exporter, plans, sender))
    begun = time.perf_counter()
    process.start()
    sender.close()
    answer: dict[str, Any] = {}
    try:
        while receiver.poll(max(0.0, begun + patience - time.perf_counter())):
            answer |= receiver.recv()
        answer["failed"] = f"no answer after {patience:g} s"
    except EOFError:  # the process has ended
        process.join(5)
        if not answer.pop("done", False):
            answer.setdefault("failed", f"its process ended with {process.exitcode}")
    process.kill()
    process.join()
    return {**answer, "seconds": time.perf_counter() - begun}


def _child(family: str, name: str, exporter: str, plans: bool, sender: Any) -> None:
    _bound_memory()
    try:
        for piece in _pieces(found(family, name), exporter, plans):
            sender.send(piece)
        sender.send({"done": True})
    except BaseException as error:
        last = traceback.extract_tb(sys.exc_info()[2])[-1]
        where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
        sender.send({"failed": f"{type(error).__name__} at {where}: {error}"})


def _bound_memory() -> None:
    """An error of this process, where what it asks for would end others on the machine."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _pieces(member: Member, exporter: str, plans: bool) -> Iterator[dict[str, Any]]:
    import torch
    from making import double, exported, made
    from measuring import measured, opened, planned
    from peers_sums import sums, without_biases

    from exporter.tracing import reason

    torch.set_num_threads(1)
    model, inputs = made(member)
    yield {
        "parameters": sum(one.numel() for one in model.parameters()),
        "shapes": [list(x.shape) for x in inputs.values()],
    }
    # Copies of what no exporter has been in: it may leave tensors behind that cannot be copied.
    twin, bare = double(model), without_biases(model)
    refusal = {}
    try:
        file = exported(model, inputs, exporter)
        opened(file).run(None, {name: x.numpy() for name, x in inputs.items()})
    except Exception as error:  # whatever an exporter raises, or onnxruntime of what it wrote
        refusal = {"unexported": reason(error)}
    refusal = refusal or planned(file)
    yield refusal
    if plans:
        return
    if not refusal:
        yield measured(file, model, twin, inputs)
    # Which exporter writes the file is nothing to those that read the module.
    if exporter == member.exporters[0]:
        yield sums(bare, inputs)
