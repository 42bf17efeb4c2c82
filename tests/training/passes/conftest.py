"""Each test of passes runs with the kernels of every level that this processor has."""

import ctypes
from pathlib import Path

import pytest
import torch

from holdfast.training import native

LEVELS = ["default", "avx2", "avx512"]


@pytest.fixture(autouse=True, params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kernels' level."""
    if not native.available():
        pytest.skip("the native kernels were not built")
    name, here = str(request.param), torch.backends.cpu.get_cpu_capability().lower()
    path = Path(native.__file__).with_name(f"kernels-{name}.so")
    if not path.exists() or (here in LEVELS and LEVELS.index(name) > LEVELS.index(here)):
        pytest.skip(f"no {name} here")
    kernels = ctypes.CDLL(str(path))
    monkeypatch.setattr(native, "library", lambda: kernels)
    return name
