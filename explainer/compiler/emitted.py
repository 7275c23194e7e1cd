"""A file that explains itself, and where to see what happens in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from .choices import Choice


@dataclass(frozen=True)
class Watch:
    """Under which names a file shows one run of the model in it: what a walk there reads.

    Attributes
    ----------
    points : dict of input name -> str
        Where the model is run; of the file's own run the tensors that walks end at in place of its inputs.
    values : dict of tensor name -> str
    loops : bool
        Whether they are those of all rounds, one behind the other along a new first axis.
    """

    points: dict[str, str]
    values: dict[str, str]
    loops: bool = False

    def scanned(self, names: Mapping[str, str]) -> Watch:
        """The same behind the loop, where its values have these names."""
        points, values = (
            {key: names[name] for key, name in here.items()} for here in (self.points, self.values)
        )
        return Watch(points, values, loops=True)


@dataclass(frozen=True)
class Emitted:
    """A file that explains itself.

    Attributes
    ----------
    proto : onnx.ModelProto
    names : dict of output name -> tensor
        The outputs that were added, and whose relevance they hold.
    choices : tuple of Choice
        The inputs that were added.
    runs : tuple of Watch
        Where to see what its walks read; of loops only where they are watched.
    loops : bool
        Whether there are any.
    """

    proto: onnx.ModelProto
    names: dict[str, str]
    choices: tuple[Choice, ...]
    runs: tuple[Watch, ...] = ()
    loops: bool = False
