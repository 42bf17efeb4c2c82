"""Nested cross-validation: whole searches that see nothing of what judges them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core import BadValue
from holdfast.evaluate import corrected_resampled
from holdfast.runs.folds import folds_of
from holdfast.runs.record import Record
from holdfast.tune import nested as module
from holdfast.tune.found import Search
from holdfast.tune.nested import Nested, check_nested, cost_words
from holdfast.tune.search import resume_search, search
from holdfast.tune.winner import trained
from runs.small import in_memory

SPACE = {"units": [4, 8], "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
SHORT: dict[str, Any] = {"model": "dense", "trials": 2, "epochs": 2, "device": "cpu", "verbose": 0, "pruner": "none"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A search with three outer folds."""
    return search(in_memory(), SPACE, nested=3, out=tmp_path_factory.mktemp("nested") / "runs", **SHORT)


def test_each_outer_fold_has_a_search_of_its_own_that_has_not_seen_it(found: Search) -> None:
    data = in_memory()
    assert found.nested is not None

    for fold, outer in zip(folds_of(data, data.pool, 3, seed=0), found.nested.folds, strict=True):
        record = Record.read(found.folder.parent / outer.search)

        assert record.sizes == {"train": len(fold.train) - record.sizes["validation"], "validation": 10, "test": 0}
        assert outer.accuracy.n == len(fold.judged)
        assert outer.train_n == len(fold.train)
        assert not record.origin  # it cannot read the samples again


def test_the_score_is_the_mean_over_the_folds_with_an_interval_that_knows_that_they_overlap(found: Search) -> None:
    assert found.nested is not None
    values = np.array([one.accuracy.value for one in found.nested.folds])
    train_n, n = sum(one.train_n for one in found.nested.folds), sum(one.accuracy.n for one in found.nested.folds)

    low, high = corrected_resampled(values, train_n, n)

    assert found.nested.score.value == pytest.approx(values.mean())
    assert found.nested.score.n == n == len(in_memory().pool)
    assert found.nested.score.interval[0] <= low
    assert high <= found.nested.score.interval[1]


def test_report_and_winner_tell_it(found: Search) -> None:
    assert found.run is not None
    assert found.nested is not None

    page = (found.folder / "report.html").read_text(encoding="utf-8")
    winner = (found.run.folder / "report.html").read_text(encoding="utf-8")

    assert 'id="nested"' in page
    assert all(f'href="../{one.search}/report.html"' in page for one in found.nested.folds)
    assert "nested cross-validation of the whole search: accuracy" in winner
    assert Search.load(found.folder).nested == found.nested


def test_an_interruption_between_the_folds_costs_no_search_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, judged = trained, list[str]()

    def killed(task: Any, best: Any) -> Any:  # Any: as trained has them
        judged.append(task.folder)
        if len(judged) == 2:
            raise KeyboardInterrupt
        return judge(task, best)

    monkeypatch.setattr(module, "trained", killed)
    with pytest.raises(KeyboardInterrupt):
        search(in_memory(), SPACE, nested=2, out=tmp_path / "runs", **SHORT)
    folders = {path.name for path in (tmp_path / "runs").glob("*-tune-*")}

    found = resume_search(tmp_path / "runs" / "arrays-tune-001", in_memory(), verbose=0)

    assert isinstance(found.nested, Nested)
    assert {path.name for path in (tmp_path / "runs").glob("*-tune-*")} == folders
    assert len(judged) == 3  # the second fold is judged again, the first is not


def test_it_says_what_it_costs_beforehand() -> None:
    assert cost_words(5, 50, 1800.0) == (
        "5 outer folds make 6 searches of 50 trials, each of up to 30 min 0 s: 300 trials and 5 trainings of winners "
        "in all"
    )


@pytest.mark.parametrize("wrong", [1, 0, True, "3"], ids=str)
def test_a_wrong_number_of_outer_folds_is_told(wrong: Any) -> None:  # Any: what is wrong
    with pytest.raises(BadValue, match=r"must be a number of outer folds, 2 or more\."):
        check_nested(wrong, None)


def test_it_excludes_folds_of_the_trials(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"nested and cv exclude each other"):
        search(in_memory(), SPACE, nested=3, cv=3, out=tmp_path, **SHORT)
