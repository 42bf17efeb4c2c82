"""What tests of training look at and put back: the kernels that were called, and torch's threads."""

from collections.abc import Callable, Iterator

import pytest
import torch

from holdfast.training import native


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that were called since."""
    names: list[str] = []
    call = native.call

    def heard(name: str, *arguments: object) -> int:
        names.append(name)
        return call(name, *arguments)

    monkeypatch.setattr(native, "call", heard)
    return names


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads; afterwards it has as many as before."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
