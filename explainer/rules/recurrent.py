"""The rule of recurrent nets: the signal takes all, gates get nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..tensor import Value
from .handed import Fallen, Handed
from .linear import Epsilon, Gamma
from .relevance import Relevance

if TYPE_CHECKING:
    from ..layers import Bound
    from ..layers.recurrent import Recurrent


@dataclass(frozen=True)
class SignalTakesAll(Epsilon):
    """Through time: R_c = R_h + R_c', then ε on c = f·c_before + i·g and on z_g = W x + R h_before + b.

    Arras et al. 2017 (WASSA, Explaining Recurrent Neural Network Predictions in Sentiment Analysis),
    eqs. 1-4 with δ = 0: in a product of gate and signal the gate gets nothing, tanh passes, sums share by ε.

    Parameters
    ----------
    eps, norm_scale, clip, signed, zero_params
        See `Epsilon`.
    gamma : float
        γ of the map z_g, by `Gamma`; 0 is ε there too. The memory's sum is always shared by ε.
    """

    gamma: float = field(default=0.0, kw_only=True)

    kinds: ClassVar[frozenset[str] | None] = frozenset({"recurrent"})
    reads: ClassVar[frozenset[str] | None] = frozenset({"x"})
    proportional: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.number("gamma", "0 or more") >= 0, f"gamma must be 0 or more, not {self.gamma}")

    @property
    def takes_relu(self) -> bool:
        return False

    def __call__(self, layer: Bound, x: Value, R: Relevance) -> Handed:
        net = cast("Recurrent", layer.layer)
        dense = (
            Gamma(self.gamma, eps=self.eps, zero_params=self.zero_params) if self.gamma else super().__call__
        )
        at_steps, account = list[list[Value]](), list[Any]()
        first: dict[str, list[Value]] = {letter: [] for letter in net.states}
        for direction, cells in enumerate(net.runs(x, layer.p)):
            arriving = net.arriving(R.whole, direction, cells)
            R_memory = R_h = cells[0].h * 0
            got = dict[int, Value]()
            for cell, R_t in zip(reversed(cells), reversed(arriving), strict=True):
                if R_t is not None and net.which == 0:
                    R_t, none = cell.parted(R_t)
                    account += [] if none is None else [Fallen(none)]
                elif R_t is not None:
                    R_memory, R_t = R_memory + R_t, None
                (R_memory, past), (R_h, past_h) = cell.parted(R_memory), cell.parted(R_h)
                R_memory = R_memory + R_h if R_t is None else R_memory + R_h + R_t
                R_g = R_memory
                if cell.memory is not None:
                    shared = super().__call__(cell.memory, cell.memory.x, Relevance(None, R_memory))
                    R_memory, R_g = shared.whole
                    account += shared.account
                linear = dense(cell.dense, cell.dense.x, Relevance(None, R_g))
                got[cell.step], R_h = linear.whole
                account += linear.account
                if cell.memory is None:
                    R_memory = R_memory * 0
                if past is not None:
                    R_memory, R_h = R_memory + past, R_h + past_h
            at_steps.append([got[step] for step in sorted(got)])
            ends = {"h": R_h, "c": R_memory} if "c" in first else {"h": R_h + R_memory}
            for letter, end in ends.items():
                first[letter].append(end)
                if letter not in net.places:
                    account.append(Fallen(end))
        if "x" not in net.places:
            account += [Fallen(part) for parts in at_steps for part in parts]
        return Handed(None, net.gathered(at_steps, first), tuple(account))
