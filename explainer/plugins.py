"""Other people's layers, rules, canonizers, composites and methods, found in the packages that are installed.

A package names a module in the entry point group `onnx_lrp.plugins`; importing the module registers what
it brings. That happens once, when the first model is opened or the first list is asked for: whoever
installs a plugin trusts it to run. The environment variable ONNX_LRP_PLUGINS=0 leaves all of them out.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from .errors import ExplainerError, RegistrationError, shown

GROUP = "onnx_lrp.plugins"
SWITCH = "ONNX_LRP_PLUGINS"
OURS = "onnx-lrp"


@dataclass(frozen=True)
class Plugin:
    """A module that registers something.

    Attributes
    ----------
    distribution : str
        The name and version of the package that brings it, as it was installed.
    name : str
        The entry point's.
    module : str
    """

    distribution: str
    name: str
    module: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.module}) of {self.distribution}"


class _Loading:
    """What has been loaded, or why it could not be: asked once, answered from then on."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a plugin may look at the registries while it is imported
        self.begun = False
        self.plugins: tuple[Plugin, ...] = ()
        self.failure = ""


_loading = _Loading()


def load() -> tuple[Plugin, ...]:
    """Import every plugin that is installed, unless that was done before.

    Returns
    -------
    tuple of Plugin

    Raises
    ------
    ExplainerError
        One of them cannot be imported, or registers what is registered already.
    """
    if os.environ.get(SWITCH) == "0":
        return _loading.plugins
    with _loading.lock:
        if not _loading.begun:
            _loading.begun = True
            _import_all()
        if _loading.failure:
            raise ExplainerError(_loading.failure)
        return _loading.plugins


def _import_all() -> None:
    from importlib.metadata import entry_points

    found = {}
    for entry in entry_points(group=GROUP):
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
        found[Plugin(distribution, entry.name, entry.value)] = entry
    for plugin in sorted(found, key=str):
        try:
            found[plugin].load()
        except Exception as error:  # whatever another's module does when it is imported
            _loading.failure = (
                f"{plugin} cannot be loaded: {type(error).__name__}: {error}; "
                f"mend or uninstall it, or go on without plugins: {SWITCH}=0"
            )
            return
        _loading.plugins += (plugin,)


def origin(thing: Any) -> str:
    """Whose a layer, rule, composite or method is.

    Parameters
    ----------
    thing : class or function
        As it stands in a registry.

    Returns
    -------
    str
        "onnx-lrp"; for a plugin's, its distribution's name and version; else the module.
    """
    if not isinstance(getattr(thing, "__module__", None), str):
        raise RegistrationError(
            f"origin: a class or a function, as a registry holds it, not {shown(thing):.80}"
        )
    home = thing.__module__.split(".")
    if home[0] == __name__.partition(".")[0]:
        return OURS
    path = {plugin: plugin.module.partition(":")[0].split(".") for plugin in _loading.plugins}
    # Packages may have their first names in common: the one that shares most of them is meant.
    nearest = max(path, key=lambda plugin: _shared(home, path[plugin]), default=None)
    if nearest is None or not _shared(home, path[nearest]):
        return str(thing.__module__)
    return nearest.distribution


def _shared(one: list[str], other: list[str]) -> int:
    """How many names two dotted ones have in common from the left."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
