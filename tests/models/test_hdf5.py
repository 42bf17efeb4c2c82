"""HDF5 files, read by our own code: every way in which Keras's numbers and text can lie in one; and what is bounded."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from holdfast.core import BadFile
from holdfast.models.hdf5 import open_h5
from holdfast.models.limit import Limit

RANDOM = np.random.default_rng(0)


def written(fill: Callable[[Any], object], libver: str = "earliest") -> bytes:
    """An HDF5 file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        fill(file)
    return buffer.getvalue()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<f8", "<i8", "u1"])
@pytest.mark.parametrize("shape", [(), (5,), (33, 7, 3), (0, 4)], ids=str)
@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True},
        {"shuffle": True, "fletcher32": True},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
    ids=lambda packed: "+".join(packed) or "plain",
)
def test_numbers_come_back(packed: dict[str, Any], shape: tuple[int, ...], dtype: str, libver: str) -> None:
    numbers = (RANDOM.normal(size=shape) * 50).astype(dtype)
    chunks = {"chunks": tuple(min(4, side) for side in shape)} if packed else {}
    if packed and (not shape or 0 in shape):
        packed, chunks = {}, {}
    content = written(lambda file: file.create_dataset("a/b", data=numbers, **packed, **chunks), libver)

    with open_h5(content) as root:
        found = root.array("a/b").read()

    np.testing.assert_array_equal(found, numbers)
    assert found.shape == shape
    assert found.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_text_comes_back(libver: str) -> None:
    long = ["layer_" + "x" * 99 + str(number) for number in range(400)]

    def fill(file: Any) -> None:
        file.attrs["bytes"], file.attrs["words"], file.attrs["one"] = b"{}", ["a", "bc"], "Läufe"
        file.attrs["fixed"] = np.array([b"a", b"bcd"])
        file.attrs["none"], file.attrs["number"] = [], 3
        file.attrs["layer_names0"], file.attrs["layer_names1"] = long[:200], long[200:]

    with open_h5(written(fill, libver)) as root:
        assert root.attributes["bytes"] == "{}"
        assert root.attributes["one"] == "Läufe"
        assert root.words("words") == ["a", "bc"]
        assert root.words("fixed") == ["a", "bcd"]
        assert root.words("none") == []
        assert root.words("layer_names") == long
        assert "number" not in root.attributes
        with pytest.raises(BadFile, match=r"^its '/' has no list 'bytes'\.$"):
            root.words("bytes")


def test_a_changed_number_is_found_by_its_checksum(tmp_path: Path) -> None:
    numbers = RANDOM.normal(size=64)
    content = bytearray(written(lambda file: file.create_dataset("a", data=numbers, chunks=(64,), fletcher32=True)))
    content[content.index(numbers[:8].tobytes())] ^= 1

    with open_h5(bytes(content)) as root, pytest.raises(BadFile, match=r"^its array '/a' does not have the checksum "):
        root.array("a").read()


def test_what_is_not_there_is_named() -> None:
    with open_h5(written(lambda file: file.create_dataset("a/b", data=[1.0]))) as root:
        with pytest.raises(BadFile, match=r"^it has nothing at /a/c\.$"):
            root.at("a/c")
        with pytest.raises(BadFile, match=r"^its '/a' is no array\.$"):
            root.array("a")
        with pytest.raises(BadFile, match=r"^its '/a/b' is no group\.$"):
            root.group("a/b")


def test_weights_are_limited_before_they_are_made() -> None:
    import torch

    with Limit(10_000) as limit:
        torch.zeros(1_000)
        torch.nn.Linear(10, 10, device="meta")
        assert limit.left == 6_000
        with pytest.raises(BadFile, match=r"asks for far more weights than the file holds\.$"):
            torch.ones(10**12)
        with pytest.raises(BadFile, match=r"asks for far more weights than the file holds\.$"):
            torch.empty((40, 40))
        with pytest.raises(BadFile, match=r"asks for far more weights than the file holds\.$"):
            torch.linspace(0, 1, 10**12)
        with pytest.raises(BadFile, match=r"asks for far more weights than the file holds\.$"):
            torch.nn.functional.pad(torch.ones(30), (10**11, 0))
        with pytest.raises(BadFile, match=r"asks for far more weights than the file holds\.$"):
            torch.ones(30)[:, None].sub(torch.zeros(60))
    torch.empty((40, 40))
