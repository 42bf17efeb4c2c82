"""The test part comes out by one door, which writes before it opens."""

from pathlib import Path

import pytest
import torch

import holdfast
from evaluate.making import small
from holdfast.core import BadValue
from holdfast.data import Part, Sealed
from holdfast.evaluate import Ledger, unseal


def part(samples: int) -> Part:
    return Part(
        torch.arange(samples * 4, dtype=torch.uint8).reshape(samples, 2, 2, 1),
        torch.arange(samples) % 2,
        [f"test[{index}]" for index in range(samples)],
    )


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HOLDFAST_LEDGER", raising=False)
    return tmp_path / "ledger.db"


def test_unsealing_gives_the_part_and_is_counted(path: Path) -> None:
    inside = part(3)
    sealed = Sealed(inside)
    with Ledger.open(path) as ledger:
        run = ledger.begin_run("a", small())
        before = ledger.openings(sealed.fingerprint)

        opened = unseal(sealed, ledger=ledger, run=run)

        assert opened is inside
        assert (before, ledger.openings(sealed.fingerprint)) == (0, 1)
        unseal(sealed, ledger=ledger, run=ledger.begin_run("b", small()))
        assert ledger.openings(inside.fingerprint) == 2


def test_nothing_comes_out_when_nothing_could_be_written(path: Path) -> None:
    with Ledger.open(path) as ledger, pytest.raises(BadValue, match="has no run 1"):
        unseal(Sealed(part(3)), ledger=ledger, run=1)


def test_an_empty_test_part_is_refused_and_not_counted(path: Path) -> None:
    sealed = Sealed(part(0))
    with Ledger.open(path) as ledger:
        run = ledger.begin_run("a", small())

        with pytest.raises(BadValue, match=r"^the test part is empty, .* to unseal; split with test=0\.15 or so\.$"):
            unseal(sealed, ledger=ledger, run=run)

        assert ledger.openings(sealed.fingerprint) == 0


def test_unseal_is_the_only_caller_of_the_private_door() -> None:
    assert holdfast.__file__ is not None
    source = Path(holdfast.__file__).parent

    knowing = {str(file.relative_to(source)) for file in source.rglob("*.py") if "open_seal" in file.read_text()}

    assert knowing == {"data/sealed.py", "evaluate/unseal.py"}
