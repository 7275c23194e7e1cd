"""What must be there before other tools are imported, and how they run."""

from collections.abc import Iterator

import pytest
import torch

import exporter._torchvision  # noqa: F401  # zennit imports torchvision, which needs this to load


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small run no faster on more threads, and slower where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
