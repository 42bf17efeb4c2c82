"""The search for wrong labels: what is found, the sheet and the table."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import MissingExtra
from holdfast.data import Dataset, from_arrays, load
from holdfast.runs import review_labels

pytest.importorskip("cleanlab", reason="not installed: pip install 'holdfast[labels]'")


def with_errors(images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int = 0) -> tuple[Dataset, set[str]]:
    """Data of which one label in 20 is wrong, and the names of those."""
    random = np.random.default_rng(seed)
    wrong = random.permutation(len(labels))[: len(labels) // 20]
    k = labels.max() + 1
    given = labels.copy()
    given[wrong] = (labels[wrong] + random.integers(1, k, len(wrong))) % k
    data = from_arrays(images, given, test=0)
    return data, {f"images[{place}]" for place in wrong}


def stripes(n: int = 200) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Three classes that are easy to tell apart: where the light column is."""
    labels = np.arange(n) % 3
    images = np.random.default_rng(0).integers(0, 100, (n, 6, 6), np.uint8)
    images[np.arange(n), :, 2 * labels] += 150
    return images, labels


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_wrong_labels_are_first_in_the_table_and_on_the_sheet(tmp_path: Path) -> None:
    data, wrong = with_errors(*stripes())

    found = review_labels(data, "dense", folds=3, epochs=15, device="cpu", out=tmp_path, verbose=0)

    table = rows(found.table)
    assert [row["rank"] for row in table] == [f"{n}" for n in range(1, 201)]
    assert sum(row["sample"] in wrong for row in table[:15]) >= 9  # 7.5 % of 200; 10 are wrong
    assert all(row["given"] != row["suggested"] for row in table if row["suspected"] == "yes")
    assert found.sheet is not None
    page = found.sheet.read_text(encoding="utf-8")
    assert f"{len(found.found)} of 200 labels are suspected" in page
    first = table[0]
    assert page.index(f"1. {first['sample']}") < page.index(f"2. {table[1]['sample']}")
    assert f"labelled <b>{first['given']}</b>" in page
    assert page.count("<img src=") == max(24, len(found.found))
    assert "http" not in page.replace("http-equiv", "")


def test_models_that_are_too_weak_to_judge_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = stripes(90)

    found = review_labels(
        from_arrays(images, np.random.default_rng(1).permutation(labels), test=0),
        "dense",
        folds=2,
        epochs=1,
        out=tmp_path,
        device="cpu",
    )

    said = f"the models are right on {100 * found.crossval.score.value:.1f} % only"
    assert f"note      {said}" in capsys.readouterr().out
    assert found.sheet is not None
    assert "Careful: the models are right on" in found.sheet.read_text(encoding="utf-8")


def test_samples_that_are_no_pictures_have_a_table_alone(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    points = random.normal(0, 1, (80, 3)).astype(np.float32) + 4 * labels[:, None].astype(np.float32)

    found = review_labels(from_arrays(points, labels, test=0), "dense", folds=2, epochs=3, out=tmp_path, verbose=0)

    assert found.sheet is None
    assert len(rows(found.table)) == 80


def test_without_cleanlab_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)

    with pytest.raises(MissingExtra, match=r"run: pip install 'holdfast\[labels\]'"):
        review_labels(from_arrays(*stripes(30)), "dense", out=tmp_path / "runs", verbose=0)

    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("pictures", "model", "folds", "share"),
    [
        pytest.param(6_000, "dense", 3, 0.95, marks=pytest.mark.slow),
        pytest.param(60_000, "convnet", 5, 0.98, marks=pytest.mark.soak),
    ],
)
def test_flipped_labels_of_mnist_are_among_the_most_suspicious(
    tmp_path: Path, pictures: int, model: str, folds: int, share: float
) -> None:
    folder = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST at {folder}; HOLDFAST_DATA names the folder that holds mnist/")
    part = load(folder).pool
    data, wrong = with_errors(part.images[:pictures].numpy(), part.labels[:pictures].numpy())

    found = review_labels(data, model, folds=folds, device="cpu", out=tmp_path, verbose=0)

    first = rows(found.table)[: int(0.075 * pictures)]
    assert len(wrong) == pictures // 20
    assert sum(row["sample"] in wrong for row in first) >= share * len(wrong)
