"""The test part cannot be read by accident."""

import copy
import pickle
import re
from pathlib import Path

import pytest
import torch

import holdfast.data as data
from holdfast.data import Part, Sealed, from_arrays
from holdfast.data.sealed import open_seal

SOURCES = Path(__file__).parents[2] / "src" / "holdfast"


def part() -> Part:
    return Part(torch.zeros(3, 2, 2, 1, dtype=torch.uint8), torch.tensor([0, 1, 0]), ["a", "b", "c"])


def test_it_tells_how_many_and_which_but_nothing_else() -> None:
    sealed = Sealed(part())

    assert len(sealed) == 3
    assert sealed.fingerprint == part().fingerprint
    assert repr(sealed) == str(sealed) == "<3 test samples, sealed; evaluate.unseal opens it>"
    assert [name for name in dir(sealed) if name[0] != "_"] == ["fingerprint"]


def test_it_cannot_be_indexed_or_walked() -> None:
    sealed = Sealed(part())

    with pytest.raises(TypeError):
        sealed[0]  # type: ignore[index]  # what a user might try
    with pytest.raises(TypeError):
        list(sealed)  # type: ignore[call-overload]  # what a user might try


def test_open_seal_gives_the_part() -> None:
    own = part()

    assert open_seal(Sealed(own)) is own


def test_copies_stay_sealed() -> None:
    sealed = Sealed(part())

    for other in (copy.deepcopy(sealed), pickle.loads(pickle.dumps(sealed))):
        assert repr(other) == repr(sealed)
        assert other.fingerprint == sealed.fingerprint


def test_the_representation_of_a_dataset_shows_no_samples() -> None:
    dataset = from_arrays(torch.arange(80, dtype=torch.uint8).reshape(20, 2, 2), [0, 1] * 10)

    assert "test=<3 test samples, sealed; evaluate.unseal opens it>" in repr(dataset)
    assert "train=<14 samples of (2, 2, 1) uint8>" in repr(dataset)
    assert len(repr(dataset)) < 600


def test_open_seal_is_not_public_and_only_unseal_calls_it() -> None:
    users = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if re.search(r"\bopen_seal\b", path.read_text(encoding="utf-8"))
    ]

    assert "open_seal" not in data.__all__
    assert {path for path in users if path.split("/")[0] not in ("data", "evaluate")} == set()
    assert [path for path in users if path.startswith("data/")] == ["data/sealed.py"]


def test_nothing_outside_reaches_for_the_private_attribute() -> None:
    sources = [path for path in SOURCES.rglob("*.py") if re.search(r"\b\w+\._part\b", path.read_text(encoding="utf-8"))]

    assert [path.relative_to(SOURCES).as_posix() for path in sources] == ["data/sealed.py"]
