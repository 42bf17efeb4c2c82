"""Memory: what glibc is told, and only once."""

import ctypes
from types import SimpleNamespace

import pytest

from holdfast.core import keep_freed_memory
from holdfast.core.memory import KEPT, KEPT_BEFORE_2_35, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    keep_freed_memory.cache_clear()


class Glibc:
    """A C library that takes thresholds up to `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.told: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        taken = parameter == M_TRIM_THRESHOLD or value <= self.most
        if taken:
            self.told.append((parameter, value))
        return int(taken)


@pytest.mark.parametrize(("most", "kept"), [(2**31, KEPT), (2**25, KEPT_BEFORE_2_35)], ids=["new", "before 2.35"])
def test_glibc_is_told_once_to_keep_freed_memory(most: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    glibc = Glibc(most)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: glibc)

    keep_freed_memory()
    keep_freed_memory()

    assert glibc.told == [(M_MMAP_THRESHOLD, kept), (M_TRIM_THRESHOLD, KEPT)]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_other_c_libraries_are_left_alone(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # without mallopt, as musl's

    keep_freed_memory()
