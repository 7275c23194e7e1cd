"""A module of which one tensor is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Only(nn.Module):
    """A module, run by a function that takes its inputs and returns the one tensor that is explained."""

    def __init__(self, model: nn.Module, run: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.run = model, run

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.run(self.model, *inputs)
