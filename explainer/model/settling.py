"""What is settled of a file before anything is asked: fixed inputs, functions' bodies, known branches, pairs.

The file that onnxruntime runs is changed with the graph that is read: so every tensor that a plan names can
be had of it.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from ..errors import InputError, ModelError
from .bodies import may_be_inlined
from .branches import is_if, take_branches
from .cut import Cut
from .fixing import Fixed, fix
from .gate import FileGate
from .inlining import Inlined, drop_unused, inline
from .operators import has_layer
from .reading import Settled, Source, read_model, stamp_of
from .renaming import call_otherwise, is_clashing, set_apart
from .runtime import Runtime
from .skeleton import check_opens
from .two_classes import may_be_two, part_classes

# A call in a branch, and a branch in what it calls, take a round each: deeper than that is no model.
MOST_ROUNDS = 64


def settle(
    source: Source, runtime: Runtime, fixed: Fixed, layered: Callable[[str], bool] = has_layer
) -> Source:
    """The file with what is known of it put in place; the same one where there is nothing.

    Parameters
    ----------
    source : Source
    runtime : Runtime
        What runs conditions.
    fixed : dict of str -> array
        Inputs and axes that are the same in every run: see `fixing.fix`.
    layered : callable
        Whether an operator has a layer, which then explains it in place of its body.

    Raises
    ------
    ModelError
        onnxruntime does not take the file as it is; the bodies of functions come to too much, or a body
        does not fit the call.
    InputError
        What is to be fixed is not there, or of another kind.
    """
    if source.settled is not None:
        if fixed and fixed != source.settled.fixed:
            raise InputError("fix: this model was read with other inputs fixed; read its file again")
        return source
    is_plain = not (
        fixed
        or may_be_inlined(source.proto, layered)
        or may_be_two(source.proto)
        or any(map(is_if, source.proto.graph.node))
        or any(is_clashing(tensor.name) for tensor in source.proto.graph.initializer)
    )
    if is_plain:  # a file that holds its weights is not copied for nothing
        return replace(source, settled=Settled(runtime, fixed))
    proto = onnx.ModelProto()
    proto.CopyFrom(source.proto)
    changed = fix(proto, fixed, source.title) | call_otherwise(proto)
    done = Inlined()
    there = replace(source, proto=proto)
    rounds = 0
    while inline(proto, layered, source.title, done) or take_branches(there, runtime, done.notes):
        changed, rounds = True, rounds + 1  # a branch may call functions, and a body has branches
        if rounds > MOST_ROUNDS:
            raise ModelError(
                f"{source.title}: its functions and branches nest more than {MOST_ROUNDS // 2} deep"
            )
    changed = part_classes(proto, done.notes) or changed
    settled = Settled(runtime, fixed, tuple(done.notes), done.kept)
    if not changed:
        return replace(source, settled=settled)
    drop_unused(proto)
    set_apart(proto)
    FileGate(proto, source.title, source.folder)
    check_opens(source, runtime)
    return replace(source, proto=proto, data=proto.SerializeToString(), settled=settled)


def _reduced(source: Source) -> tuple[Any, ...]:
    model = source.data if source.path is None else str(source.path)
    return _again, (model, source.title, dict(source.stamps), source.cut, source.settled)


def _again(
    model: bytes | str,
    title: str,
    stamps: Mapping[Path, tuple[int, int]],
    cut: Cut | None,
    settled: Settled | None,
) -> Source:
    """A pickled model read again: a file by its name, if it is still the same."""
    for file, stamp in stamps.items():
        if not file.exists():
            raise ModelError(f"{title}: {file}, which this was pickled with, is not there: it is read anew")
        if stamp_of(file) != stamp:
            raise ModelError(
                f"{title}: {file} is not the file that it was when this was pickled; load it anew"
            )
    source = replace(read_model(model), title=title)
    if isinstance(model, bytes):  # it was settled and cut then
        return replace(source, settled=settled, cut=cut)
    if settled is not None:
        source = settle(source, settled.runtime, settled.fixed)
    return source if cut is None else source.behind(cut)


copyreg.pickle(Source, _reduced)
