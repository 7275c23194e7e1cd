"""The part of a cut model before its stops: what the user gives, as what the part behind them is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from ..errors import InputError
from ..model.axes import as_model_has_them
from ..model.parts import Parts
from ..tensor import Array
from .audit import Audit
from .chunks import Batches, Chunk
from .runs import Run

# Feeds of the whole -> one of the stops, in the number type of the walk.
Precise: TypeAlias = Callable[[Mapping[str, Array]], Array]


class Front:
    """Feeds of the whole model -> feeds of what lies behind the stops, the samples in front.

    Parameters
    ----------
    parts : Parts
    precise : dict of stop -> callable
        What computes it in the number type of the walk; the other stops are onnxruntime's.
    """

    def __init__(self, parts: Parts, precise: Mapping[str, Precise]) -> None:
        self.parts, self.precise = parts, precise
        cut = parts.rest.source.cut
        assert cut is not None
        self.samples = cut.samples
        self._batches = Batches(parts.whole, parts.computed)
        if any(self.samples[name] is None for name in parts.computed):
            self._check_alone()
            self._batches.one_by_one = True

    def _check_alone(self) -> None:
        """Refuse a stop that has its samples nobody knows where, in a file that takes several at once."""
        if (self._batches.fixed or 1) > 1:
            name = next(name for name in self.parts.computed if self.samples[name] is None)
            raise InputError(
                f"stop: {name!r} does not begin with the samples, and {self.parts.whole.title} takes "
                f"{self._batches.fixed} of them at once: export it with a batch of 1"
            )

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """What the part behind the stops is fed.

        Raises
        ------
        ModelError, NumericalError, InputError
        """
        samples, whole = len(next(iter(feeds.values()))), self.parts.whole
        found = {**feeds, **(self._computed(feeds) if self.parts.session is not None else {})}
        for name in self.parts.rest.stops:
            if name not in found:
                constant = whole.constant(name)
                found[name] = np.broadcast_to(constant, (samples, *constant.shape))
        return {value.name: found[value.name] for value in self.parts.rest.inputs}

    def _computed(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        chunks = self._batches.cut(feeds, [])
        for chunk in chunks:
            with chunk, np.errstate(all="ignore"):
                chunk.runs = [self._run(chunk)]
        return Run.join([chunk.runs[0].first(chunk.count) for chunk in chunks.done]).values

    def _run(self, chunk: Chunk) -> Run:
        """What a chunk makes of the stops, as a run that has nothing else."""
        whole = self.parts.whole
        found = self.parts.computed_from(whole.typed(as_model_has_them(whole, chunk.feeds)))
        values = {name: found[name] for name in self.parts.computed}
        values |= {name: compute(chunk.feeds) for name, compute in self.precise.items()}
        for name, value in values.items():
            if self.samples[name] is None:
                values[name] = value[None]
            elif len(value) != chunk.samples:
                raise InputError(
                    f"stop: {name!r} begins with {len(value)} of something for {chunk.samples} sample(s); "
                    "name a tensor before or behind it"
                )
        nothing = np.zeros(chunk.samples)
        return Run({}, {}, None, None, nothing, nothing, Audit(), values=values)
