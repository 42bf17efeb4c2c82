"""`runs.pretrain`: the folder of a base, and that it is whole or not there."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast import data, runs
from holdfast.core import BadFile
from holdfast.data import Dataset, Part
from holdfast.runs import pretraining
from holdfast.runs.bases import seen, with_what_was_seen
from holdfast.transfer import FromBase


def noise(n: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 12, 12), np.uint8)


def pool() -> Dataset:
    """42 samples for training, 9 for validation, 9 for test, 60 without labels."""
    return data.from_arrays(noise(60), [0, 1] * 30, unlabelled=noise(60, seed=1), name="noise")


def made(out: Path, **changes: object) -> runs.Base:
    settings: dict[str, object] = {"epochs": 2, "device": "cpu", "verbose": 0}
    return runs.pretrain(pool(), out=out, **(settings | changes))  # type: ignore[arg-type]  # as the function takes them


def test_a_base_says_what_it_is_and_what_it_learned_from(tmp_path: Path) -> None:
    found = made(tmp_path / "base", method="denoising", seed=4)

    loaded = pool()
    assert loaded.unlabelled is not None
    facts = json.loads((tmp_path / "base" / "pretrain.json").read_text())
    names = {path.name for path in (tmp_path / "base").iterdir()}
    assert names == {"model.keras", "decoder.keras", "report.html", "pretrain.json", "history.csv", "learned.npy"}
    assert facts == found.facts
    assert (facts["method"], facts["seed"], facts["epochs"]) == ("denoising", 4, 2)
    assert (facts["fingerprint"], facts["split_fingerprint"]) == (loaded.fingerprint, loaded.split_fingerprint)
    assert facts["samples"] == len(loaded.train) + len(loaded.unlabelled)
    assert facts["score"]["n"] == facts["held_out"] == facts["loss"]["n"]
    assert facts["score"]["interval"][0] <= facts["score"]["value"] <= facts["score"]["interval"][1]


@pytest.mark.parametrize("method", ["denoising", "masked", "contrastive"])
def test_the_page_shows_samples_and_asks_the_network_for_nothing(tmp_path: Path, method: str) -> None:
    made(tmp_path / "base", method=method)

    page = (tmp_path / "base" / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert ("<h2>Views</h2>" in page) == (method == "contrastive")
    assert ("<h2>Reconstructions</h2>" in page) == (method != "contrastive")
    assert page.count("<img ") > 50
    assert page.count("<image ") == 10


def test_rows_of_numbers_have_a_page_without_pictures(tmp_path: Path) -> None:
    rows = data.from_arrays(np.random.default_rng(0).normal(size=(60, 6)), [0, 1] * 30)

    runs.pretrain(rows, epochs=1, device="cpu", out=tmp_path / "base", verbose=0)

    page = (tmp_path / "base" / "report.html").read_text()
    assert "Reconstructions" not in page
    assert "<circle" in page


def test_a_folder_of_a_base_is_a_base(tmp_path: Path) -> None:
    made(tmp_path / "base")

    run = runs.train(pool(), FromBase(tmp_path / "base"), epochs=1, device="cpu", out=tmp_path / "runs", verbose=0)

    assert run.validation.accuracy.n == len(pool().validation)


def test_a_second_base_takes_the_place_of_the_first(tmp_path: Path) -> None:
    made(tmp_path / "base", method="denoising")

    made(tmp_path / "base", method="contrastive")

    assert not (tmp_path / "base" / "decoder.keras").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "thesis.txt").write_text("mine")

    with pytest.raises(BadFile, match=r"it holds 'thesis.txt' already; name a new folder"):
        made(tmp_path / "base")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken")], ids=["Ctrl-C", "failure"])
def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(pretraining, "write_history", fails)

    with pytest.raises(type(error)):
        made(tmp_path / "base")

    assert list(tmp_path.iterdir()) == []


def test_a_base_knows_which_samples_it_has_seen(tmp_path: Path) -> None:
    made(tmp_path / "base")
    loaded = pool()

    assert seen(tmp_path / "base", loaded.train) == len(loaded.train)
    assert seen(tmp_path / "base", loaded.validation) == 0
    assert seen(tmp_path, loaded.train) == 0


def test_a_training_says_that_its_base_knows_what_judges(tmp_path: Path) -> None:
    made(tmp_path / "base")
    same, other = pool(), data.from_arrays(noise(60), [0, 1] * 30, name="noise", seed=1)
    known = len(np.intersect1d(digests(other.validation), digests(same.train)))

    assert with_what_was_seen(same, str(tmp_path / "base")) is same
    assert with_what_was_seen(other, "") is other
    note = with_what_was_seen(other, str(tmp_path / "base")).facts.notes[-1]
    assert note.startswith(
        f"the base has seen {known} of these 9 validation pictures, without labels, and maybe "
        "some of the test part: make it with the"
    )


def digests(part: Part) -> NDArray[np.uint64]:
    assert part.digests is not None
    return part.digests


def test_it_says_what_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "base", verbose=1)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "data      noise: 102 pictures, 12x12 grey: 60 without labels, 42 of the training part, whose labels are not "
        "read; 18 of validation and test stay unseen"
    )
    assert lines[-2].startswith("held out  of 10 held-out pictures, ")
    assert lines[-1].endswith(f"base · next: holdfast train DATA --base {tmp_path / 'base'}")
