import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import model_selection as splitters

from holdfast.core import BadData, BadValue
from holdfast.data import Dataset, from_arrays, load
from holdfast.evaluate import Ledger, corrected_resampled
from holdfast.layers import Dense, Flatten, Input, SelectFeatures
from holdfast.models import Sequential, together
from holdfast.runs import CrossValidation, Record, cross_validate
from holdfast.runs.folds import folds_of
from holdfast.runs.predictions import Predictions

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (120, 4), np.uint8)
LABELS = np.arange(120) % 3
GROUPS = np.repeat(np.arange(12), 10)


def data_of(**more: Any) -> Dataset:
    return from_arrays(IMAGES, LABELS, name="small", **more)


def judge(data: Dataset, folder: Path, **more: Any) -> CrossValidation:
    return cross_validate("dense", data, out=folder, verbose=0, epochs=more.pop("epochs", 2), **more)


@pytest.mark.parametrize("repeat", [0, 1])
def test_folds_by_number_are_those_of_scikit_learn(repeat: int) -> None:
    data = data_of()
    labels = data.pool.labels.numpy()

    found = [fold for fold in folds_of(data, data.pool, 5, repeats=2, seed=7) if fold.repeat == repeat]

    expected = splitters.StratifiedKFold(5, shuffle=True, random_state=7 + repeat).split(labels[:, None], labels)
    for fold, (train, judged) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.judged, judged)


def test_folds_that_are_trained_together_answer_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of()
    alone = judge(data, tmp_path / "alone", cv=7)
    monkeypatch.setattr(together, "at_once", lambda session, count: 4)

    found = judge(data, tmp_path / "together", cv=7)

    np.testing.assert_allclose(found.probabilities, alone.probabilities, rtol=1e-5, atol=1e-6)
    assert [fold.accuracy for fold in found.folds] == [fold.accuracy for fold in alone.folds]


def test_folds_of_groups_are_those_of_scikit_learn() -> None:
    data = data_of(groups=GROUPS)
    pool = data.pool
    assert pool.groups is not None

    found = folds_of(data, pool, 3, seed=1)

    chosen = splitters.StratifiedGroupKFold(3, shuffle=True, random_state=1)
    for fold, (train, judged) in zip(found, chosen.split(pool.labels, pool.labels, pool.groups), strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.judged, judged)
        assert not np.intersect1d(pool.groups[fold.train], pool.groups[fold.judged]).size


def test_one_group_is_left_out_at_a_time_and_named() -> None:
    data = data_of(groups=[f"speaker {group}" for group in GROUPS])
    pool = data.pool

    found = folds_of(data, pool, "groups")

    expected = list(splitters.LeaveOneGroupOut().split(pool.labels, pool.labels, pool.groups))
    assert len(found) == len(expected)
    for fold, (_, judged) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(fold.judged, judged)
        assert fold.name.startswith("speaker ")
    assert len({fold.name for fold in found}) == len(found)


def test_folds_in_time_judge_what_comes_later() -> None:
    data = data_of(times=RANDOM.permutation(120))
    pool = data.pool
    assert pool.times is not None

    found = folds_of(data, pool, 4)

    order = np.argsort(pool.times, kind="stable")
    for fold, (train, judged) in zip(found, splitters.TimeSeriesSplit(4).split(order), strict=True):
        np.testing.assert_array_equal(fold.train, order[train])
        np.testing.assert_array_equal(fold.judged, order[judged])
        assert pool.times[fold.train].max() < pool.times[fold.judged].min()


def test_copies_never_stand_on_two_sides_even_of_a_splitter_that_does_not_know_them() -> None:
    twice = np.concatenate([IMAGES[:60], IMAGES[:60]])
    data = from_arrays(twice, np.concatenate([LABELS[:60]] * 2), name="copies")
    pool = data.pool
    assert pool.groups is not None

    for fold in folds_of(data, pool, splitters.KFold(4, shuffle=True, random_state=0)):
        assert not np.intersect1d(pool.groups[fold.train], pool.groups[fold.judged]).size
        assert len(fold.train)


@pytest.mark.parametrize(
    ("cv", "more", "error", "words"),
    [
        (1, {}, BadValue, "at least 2 folds"),
        (True, {}, BadValue, "must be a number of folds, 'groups'"),
        ("group", {}, BadValue, "must be a number of folds, 'groups'"),
        ("groups", {}, BadData, "has no groups to leave out; say what they are with --group-by"),
        (50, {}, BadData, "class '0' has .* too few for 50 folds; take fewer folds"),
        ([([0, 1, 2], [2, 3])] * 2, {}, BadValue, "trains on samples that it judges"),
        ([([0, 1, 2], [3])], {}, BadValue, "gives 1 folds; at least 2"),
        ([([0, 1, -1], [2])] * 2, {}, BadValue, r"fold 1 has indices that are not in 0\.\."),  # may be one it judges
        ([([0, 1], [10**6])] * 2, {}, BadValue, r"fold 1 has indices that are not in 0\.\."),
        ([1, 2], {}, BadValue, r"no pair of \(train, test\) indices"),
        (splitters.StratifiedKFold(50), {}, BadValue, "n_splits=50 cannot be greater"),
        (splitters.GroupKFold(3), {}, BadValue, "'groups' parameter should not be None"),
        (splitters.KFold(3), {"repeats": 2}, BadValue, "only folds by number"),
        (3, {"repeats": 0}, BadValue, "repeats=0"),
    ],
)
def test_folds_that_cannot_be_are_one_line(cv: Any, more: dict[str, int], error: type[Exception], words: str) -> None:
    data = data_of()

    with pytest.raises(error, match=words):
        folds_of(data, data.pool, cv, **more)


def test_every_sample_outside_the_test_part_is_judged_by_a_model_that_has_not_seen_it(tmp_path: Path) -> None:
    # Labels that nothing but memory could know: whoever judges what it has learned reaches far more than chance.
    random = np.random.default_rng(0)  # of its own: noise of every twentieth seed lies outside of a true interval
    data = from_arrays(random.normal(size=(300, 64)), random.integers(0, 2, 300), name="noise")

    found = judge(data, tmp_path, cv=5, epochs=60)

    assert len(found.predictions.labels) == len(data.train) + len(data.validation)
    assert found.score.part == "out-of-fold"
    assert 0.35 < found.score.value < 0.65
    assert found.score.interval[0] < 0.5 < found.score.interval[1]


def test_the_score_is_the_mean_over_the_folds_with_the_corrected_interval(tmp_path: Path) -> None:
    data = load("digits")

    found = judge(data, tmp_path, cv=4, repeats=2, epochs=1)

    values = np.array([fold.accuracy.value for fold in found.folds])
    n = len(data.train) + len(data.validation)
    assert len(values) == 8
    assert found.score.value == pytest.approx(values.mean())
    low, high = corrected_resampled(values, sum(f.train_n for f in found.folds), 2 * n)
    assert found.score.interval[0] <= low < high <= found.score.interval[1]
    assert found.score.n == n
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)


def test_folds_that_happen_to_agree_do_not_make_the_interval_a_point(tmp_path: Path) -> None:
    images = np.repeat(np.eye(2)[LABELS[:80] % 2] * 200, 8, 1) + RANDOM.integers(0, 9, (80, 16))

    found = judge(from_arrays(images, LABELS[:80] % 2, name="easy"), tmp_path, cv=4, epochs=20)

    assert found.score.value == 1.0
    assert found.score.interval[0] < 0.97


def test_what_was_found_is_kept_and_in_the_ledger(tmp_path: Path) -> None:
    data = data_of()

    found = judge(data, tmp_path, cv=3)

    record, kept = Record.read(found.folder), Predictions.read(found.folder / "out-of-fold.npz")
    assert (record.kind, record.status, found.folder.name) == ("crossval", "finished", "small-crossval-001")
    assert record.scores["out-of-fold"]["accuracy"]["value"] == found.score.value
    assert [fold["name"] for fold in record.scores["folds"]] == ["fold 1", "fold 2", "fold 3"]
    np.testing.assert_array_equal(kept.probabilities, found.probabilities)
    assert kept.fingerprint == data.pool.fingerprint
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert ledger.looks(data.pool.fingerprint) == 1
        assert ledger.looks(data.validation.fingerprint) == 0
        assert ledger.openings(data.test.fingerprint) == 0
        assert [row.status for row in ledger.runs()] == ["finished"]
    assert not (found.folder / "model.keras").exists()


def test_the_refit_learns_from_the_whole_pool(tmp_path: Path) -> None:
    found = judge(data_of(), tmp_path, cv=3, refit=True)

    assert found.model is not None
    assert (found.folder / "model.keras").exists()
    assert found.score.n == 102  # it does not judge the refit


def test_a_model_that_is_given_stays_as_it_was(tmp_path: Path) -> None:
    import holdfast

    model = holdfast.Sequential([holdfast.Input((4,)), holdfast.layers.Dense(3, activation="softmax")], seed=3)
    before = [weight.clone() for weight in model.module.state_dict().values()]

    cross_validate(model, data_of(), cv=2, epochs=1, out=tmp_path, verbose=0)

    for weight, old in zip(model.module.state_dict().values(), before, strict=True):
        torch.testing.assert_close(weight, old, rtol=0, atol=0)


def test_features_that_were_chosen_before_the_folds_are_refused(tmp_path: Path) -> None:
    data = data_of()
    front = SelectFeatures(3).adapt(data.pool.images, data.pool.labels)
    model = Sequential([Input(data.shape), Flatten(), front, Dense(len(data.classes), "softmax")])

    with pytest.raises(
        BadValue, match=r"SelectFeatures: its features were chosen before the folds.*holdfast dims DATA"
    ):
        cross_validate(model, data, cv=2, epochs=1, out=tmp_path, verbose=0)


def test_patience_never_looks_at_what_a_fold_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[set[str], set[str]]] = []
    from holdfast.runs import plan

    really = plan.session_for

    def spy(network: Any, data: Dataset, *rest: Any) -> Any:
        seen.append((set(data.train.names), set(data.validation.names)))
        return really(network, data, *rest)

    monkeypatch.setattr(plan, "session_for", spy)
    data = data_of(groups=GROUPS)

    found = judge(data, tmp_path, cv=3, patience=1)

    assert len(found.folds) == 3
    names, groups = data.pool.names, data.pool.groups
    assert groups is not None
    for (train, inner), fold in zip(seen, folds_of(data, data.pool, 3), strict=True):
        judged = {names[place] for place in fold.judged}
        assert inner
        assert not (train | inner) & judged
        group = dict(zip(names, groups.tolist(), strict=True))
        assert not {group[name] for name in train} & {group[name] for name in inner}


def test_memory_stays_flat_over_folds(tmp_path: Path) -> None:
    import resource

    data = from_arrays(RANDOM.integers(0, 256, (400, 64, 64, 3), np.uint8), np.arange(400) % 2, name="large")
    judge(data, tmp_path, cv=2, epochs=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    judge(data, tmp_path, cv=12, epochs=1)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


def test_a_failed_cross_validation_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="diverged"):
        cross_validate("dense", data_of(), cv=3, epochs=3, optimizer="sgd", learning_rate=1e30, out=tmp_path, verbose=0)

    assert Record.read(tmp_path / "small-crossval-001").status == "failed"
    assert math.isfinite(Record.read(tmp_path / "small-crossval-001").seconds)
