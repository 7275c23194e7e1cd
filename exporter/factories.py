"""``module:factory``: a model that the caller's own code makes, imported and run because it is named."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from exporter import state_dicts
from exporter._torchvision import torchvision  # what the module imports may need it, and loads with it alone
from exporter.architecture import Architecture
from exporter.errors import ExportError
from exporter.tracing import reason

assert torchvision


def build(module: str, factory: str, *, weights: str, seed: int, **given: Any) -> Architecture:
    """Call ``factory()`` of a module: see `exporter.build`.

    Raises
    ------
    ExportError
        There is no such module or function, it fails, or returns no model.
    """
    called = f"{module}:{factory}"
    if said := [name for name, value in given.items() if value is not None]:
        raise ExportError(f"{said[0]} is the factory's to decide, of {called}")
    with _current_folder(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        function = _function(module, factory)
        try:
            made = function()
        except Exception as error:  # whatever a stranger's code raises
            raise ExportError(f"{called} fails: {type(error).__name__}: {reason(error)}") from error
    if not isinstance(made, torch.nn.Module | Architecture):
        raise ExportError(
            f"{called} returns a {type(made).__name__}; it is to return a torch.nn.Module, or an "
            "exporter.Architecture that says what it is fed with"
        )
    built = made if isinstance(made, Architecture) else Architecture(made)
    built = replace(built, origin=built.origin or f"as {called} makes it")
    if weights in ("default", "none"):
        return built
    state = state_dicts.read(Path(weights))
    try:
        built.model.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"{weights} does not fit {called}: {reason(error)}") from error
    return replace(built, origin=f"{built.origin}, weights of {weights}")


def _function(module: str, factory: str) -> Any:
    called = f"{module}:{factory}"
    if not all(part.isidentifier() for part in (*module.split("."), *factory.split("."))):
        raise ExportError(
            f"{called!r} is no model: it is a name of torchvision's, timm:NAME, hf:FOLDER or module:factory"
        )
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (module, *_parents(module)):
            raise ExportError(f"{module} needs a module that is not there: {error.name}") from error
        here = [one.name for one in pkgutil.iter_modules([os.getcwd()])]
        near = difflib.get_close_matches(module, ["timm", "hf", *here], n=3)
        hint = f"; did you mean {' or '.join(f'{one}:{factory}' for one in near)}?" if near else ""
        raise ExportError(f"there is no module {module!r} for {called}{hint}") from error
    except Exception as error:  # whatever a stranger's code raises
        raise ExportError(f"{module} cannot be imported: {type(error).__name__}: {reason(error)}") from error
    found: Any = home
    for part in factory.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ExportError(f"{module} has no {factory!r}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise ExportError(f"{called} is a {type(found).__name__}, and cannot be called")
    return found


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


@contextmanager
def _current_folder() -> Iterator[None]:
    """Modules are found in the current folder too, behind all that is installed."""
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
