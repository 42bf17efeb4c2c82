"""Dimensions: what is said of noise and of signal, that folds keep judges and teachers apart, what is kept."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadValue
from holdfast.data import Dataset, from_arrays, load
from holdfast.evaluate import Score
from holdfast.features import L1LogisticRegression
from holdfast.runs import Dimensions, Record, dimensions
from holdfast.runs.dims import VALUES, _shares, _used, explained
from holdfast.runs.dims_words import note_on_use, said_of_best, said_of_remedies, said_of_samples
from holdfast.runs.folds import folds_of
from holdfast.runs.remedies import Best, Judged, Outcome, inner_of, judge_remedies, path_of

from .small import rows

NAMES = ["baseline", "univariate selection", "selection by trees", "PCA", "autoencoder", "L1", "statistics"]


def noise(n: int = 100, features: int = 100, seed: int = 0) -> Dataset:
    """Numbers that say nothing of their class."""
    values = np.random.default_rng(seed).normal(size=(n, features)).astype(np.float32)
    return from_arrays(values, np.arange(n) % 2, seed=seed)


def signal(n: int, features: int = 100, strength: float = 0.1, **changes: Any) -> Dataset:  # Any: of from_arrays
    """Numbers of which each says a little of its class."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % 2
    values = random.normal(size=(n, features)) + strength * (2 * labels[:, None] - 1)
    return from_arrays(values.astype(np.float32), labels, **changes)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Dimensions:
    """Of 240 samples with 20 numbers, in three folds."""
    data = signal(240, 20, 0.3, test=0.2)
    return dimensions(data, cv=3, repeats=1, out=tmp_path_factory.mktemp("runs"), verbose=0)


@pytest.mark.slow
def test_baseline_and_remedies_are_judged_on_the_whole_pool(found: Dimensions) -> None:
    assert [one.name for one in found.outcomes] == NAMES
    assert {one.accuracy.n for one in found.outcomes} == {192}
    assert found.samples == 192
    assert found.used == (192, 20)
    assert all(len(one.folds) == 3 for one in found.outcomes)


@pytest.mark.slow
def test_signal_is_found_and_said(found: Dimensions) -> None:
    assert found.found
    assert found.best.interval[0] > found.chance == 0.5
    assert found.sentences["score"].startswith(f"found: the best, {found.best.name}, reaches ")


@pytest.mark.slow
def test_the_difference_is_paired_by_fold(found: Dimensions) -> None:
    plain = found.outcomes[0]

    for one in found.outcomes[1:]:
        assert one.difference == pytest.approx(np.mean(np.array(one.folds) - np.array(plain.folds)))
        assert one.interval[0] < one.difference < one.interval[1]


@pytest.mark.slow
def test_the_curve_ends_with_the_baseline(found: Dimensions) -> None:
    assert [point.n for point in found.points] == [16, 32, 64, 128][-len(found.points) :]
    assert found.points[-1].accuracy.value == pytest.approx(found.outcomes[0].accuracy.value)
    assert found.gain is not None
    assert found.sentences["more data"].startswith(f"from {found.gain.before} to {found.gain.after} samples")


@pytest.mark.slow
def test_the_path_begins_with_zeros(found: Dimensions) -> None:
    assert found.path.relative[0] == 1
    assert found.path.zeros[0] > 0.9 > found.path.zeros[-1]
    assert len(found.path.chosen) == len(found.path.sparsity) == 3


@pytest.mark.slow
def test_folder_ledger_and_page_hold_it(found: Dimensions) -> None:
    record = Record.read(found.folder)
    told = json.loads((found.folder / "report.json").read_text())
    html = (found.folder / "report.html").read_text()

    assert (record.kind, record.status, found.folder.name) == ("dims", "finished", "arrays-dims-001")
    assert told["sentences"] == found.sentences
    assert told["kind"] == "dims"
    looks = rows(found.folder.parent, "select part, purpose from looks")
    assert looks == [("out-of-fold", "report")] * len(NAMES)
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split()).replace("\N{NO-BREAK SPACE}", " ")
    for name in NAMES:
        assert name in text
    assert found.sentences["score"] in text
    assert "://" not in html


@pytest.mark.slow
def test_labels_of_the_judged_samples_do_not_reach_what_is_fitted() -> None:
    data = noise(60, 30)
    pool = data.pool
    (fold, *_) = folds = folds_of(data, pool, 3)
    turned = replace(pool, labels=pool.labels.clone())
    turned.labels[fold.judged] = 1 - turned.labels[fold.judged]

    _, first = next(judge_remedies(data, pool, folds, [], 0))
    _, second = next(judge_remedies(data, turned, folds, [], 0))

    for name in NAMES:  # the same answers, so what was right is now wrong
        assert first.scores[name][0] == pytest.approx(1 - second.scores[name][0])


@pytest.mark.slow
def test_each_remedy_is_told_as_soon_as_it_is_judged() -> None:
    data, told = noise(60, 30), list[tuple[str, str]]()
    folds = folds_of(data, data.pool, 3)

    next(judge_remedies(data, data.pool, folds, [], 0, lambda fold, name, seconds: told.append((fold.name, name))))

    assert told == [("fold 1", name) for name in NAMES]


def test_inner_splits_cut_no_groups() -> None:
    groups = np.arange(90) // 3
    values = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    data = from_arrays(values, groups % 2, groups=groups, test=0)
    part = data.pool

    for train, judged in inner_of(data, part, 0):
        assert part.groups is not None
        assert not set(part.groups[train]) & set(part.groups[judged])


def test_too_few_samples_have_no_inner_splits() -> None:
    data = noise(60, 4)

    assert inner_of(data, data.pool.take([0, 1, 2, 3]), 0) == []


def test_folds_without_inner_splits_have_no_path_but_do_not_stop_the_others() -> None:
    """Of a class with four samples a fold of three may train on two, too few for inner folds; it used to crash."""
    values = np.random.default_rng(0).normal(size=(30, 3))
    walked, alone = (L1LogisticRegression(strength).fit(values, np.arange(30) % 2) for strength in (None, 0.1))

    found = path_of(Judged(paths=[(alone, np.ones(1)), (walked, np.full(10, 0.5))]))

    assert found.accuracy == (0.5,) * 10
    assert found.relative[0] == 1
    assert len(found.chosen) == len(found.sparsity) == 2


def test_the_curve_leaves_out_what_groups_leave_no_room_for() -> None:
    """A quarter of four groups is one group of one class, from which nothing can be learned; it used to crash."""
    values = np.random.default_rng(0).normal(size=(180, 4)).astype(np.float32)
    groups = np.repeat(np.arange(6), 30)
    grouped, apart = (from_arrays(values, groups % 2, groups=own, test=0) for own in (groups, None))

    shares = [_shares(data.pool, folds_of(data, data.pool, 3), 0) for data in (grouped, apart)]

    assert shares == [[0.5], [0.25, 0.5]]


def test_a_draw_of_much_data_keeps_enough_of_rare_classes_for_the_folds() -> None:
    """12 of 60,000 used to become 3, and then too few for the folds."""
    values = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    data = from_arrays(values, np.r_[np.zeros(2986, int), np.ones(14, int)], test=0)

    used = _used(data.pool, VALUES // 1000, 0, least=10)

    assert np.bincount(used.labels.numpy()).tolist() == [995, 10]


@pytest.mark.slow
def test_chance_is_that_of_the_samples_that_are_judged(tmp_path: Path) -> None:
    """Of splits in time the first samples are never judged; what is usual among them is not what is usual later."""
    data = noise(90, 3)
    classes = [np.flatnonzero(data.pool.labels.numpy() == label) for label in (0, 1)]
    train = np.r_[classes[0][6:], classes[1][:24]]
    pairs = [(train, np.r_[classes[0][2 * fold : 2 * fold + 2], classes[1][24 + 4 * fold :][:4]]) for fold in range(3)]

    found = dimensions(data, cv=pairs, out=tmp_path, verbose=0)

    assert found.outcomes[0].accuracy.n == 18
    assert found.chance == pytest.approx(12 / 18)


@pytest.mark.slow
def test_of_noise_it_says_that_nothing_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.runs.dims.SLOW", 0.0)

    found = dimensions(noise(), repeats=1, out=tmp_path)

    low, high = found.best.interval
    assert low <= 0.5 <= high
    assert not found.found
    assert not found.helping
    said = capsys.readouterr().out
    assert "verdict   nothing found: the best, " in said
    assert "which contains chance, the 50.6 % of always answering " in said
    assert "remedies  none helps: no remedy is shown to beat the baseline" in said
    assert "about" in said
    assert "to go" in said
    assert said.count("autoencoder: ") == 2  # once it is told that it is done, and once what it is worth
    assert found.faked.difference > 0.1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_of_noise_the_interval_contains_chance_as_often_as_it_says(tmp_path: Path) -> None:
    missed = [
        seed
        for seed in range(40)
        if not (found := dimensions(noise(seed=seed), seed=seed, out=tmp_path, verbose=0)).best.interval[0]
        <= 0.5
        <= found.best.interval[1]
        or found.helping
    ]

    assert len(missed) <= 4  # of 95 % right ones, more has a chance of 5 %


@pytest.mark.slow
def test_a_faint_signal_in_enough_samples_is_found(tmp_path: Path) -> None:
    found = dimensions(signal(4000, strength=0.03), cv=3, repeats=1, out=tmp_path, verbose=0)

    assert found.found


@pytest.mark.soak
def test_of_100_000_samples_it_is_found_in_a_minute(tmp_path: Path) -> None:
    found = dimensions(signal(100_000, strength=0.01), out=tmp_path, verbose=0)

    assert found.found
    assert found.used == (20_000, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo:table", "demo:series"])
def test_other_kinds_of_data_are_taken(name: str, tmp_path: Path) -> None:
    data = load(name)
    few = data.with_parts(data.train.take(range(100)), data.validation.take(range(50)))

    found = dimensions(few, cv=3, repeats=1, out=tmp_path, verbose=0)

    assert len(found.outcomes) == len(NAMES)
    assert found.features == int(np.prod(data.shape))


def test_one_value_has_no_dimensions(tmp_path: Path) -> None:
    data = from_arrays(np.random.default_rng(0).normal(size=(60, 1)), np.arange(60) % 2)

    with pytest.raises(BadData, match="samples have one value"):
        dimensions(data, out=tmp_path, verbose=0)


def test_two_folds_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"dimensions\(cv=2\): at least 3 folds are needed"):
        dimensions(noise(), cv=2, out=tmp_path, verbose=0)

    assert not list(tmp_path.iterdir())


def test_components_that_hold_the_variance_are_counted() -> None:
    random = np.random.default_rng(0)
    few = random.normal(size=(300, 3)) @ random.normal(size=(3, 40))

    found = explained(few.astype(np.float32))

    assert found.needed["99%"] == 3
    assert found.shares[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (20, "can fit any labels whatever"),
        (60, "more than half of all labels"),
        (200, "few: the rule of thumb"),
        (2000, "enough for a linear model"),
    ],
    ids=["fewer samples", "up to two", "up to ten", "more"],
)
def test_samples_a_feature_are_judged_in_words(n: int, said: str) -> None:
    assert said in said_of_samples(n, 40, [n // 2, n // 2], noise(60, 4))


def test_of_large_data_it_says_what_it_uses() -> None:
    pictures = from_arrays(np.random.default_rng(0).integers(0, 255, (60, 28, 28, 1)), np.arange(60) % 2)

    assert note_on_use(60, 784, (60, 784), pictures) == ""
    assert note_on_use(90_000, 784, (5102, 196), pictures) == (
        "to be quick, all that follows uses 5,102 of 90,000 pictures, drawn by class and "
        "14 × 14 × 1 of 28 × 28 × 1 values, means over areas"
    )


def outcome(name: str, interval: tuple[float, float]) -> Outcome:
    score = Score("accuracy", 0.8, (0.7, 0.9), 100, "out-of-fold")
    return Outcome(name, score, (0.8, 0.8), "8", 1.0, sum(interval) / 2, interval)


def test_what_helps_is_named_with_its_points() -> None:
    told = said_of_remedies([outcome("baseline", (0, 0)), outcome("PCA", (0.01, 0.05)), outcome("L1", (-0.2, -0.1))])

    assert told == (
        "PCA by 3.0 points [1.0, 5.0] beats the baseline; L1 does worse; paired over the same folds, "
        "each interval of 97.5 %, so that all 2 hold together with 95 %"
    )


@pytest.mark.parametrize(
    ("interval", "said"),
    [((0.52, 0.6), "found: "), ((0.45, 0.6), "contains chance"), ((0.3, 0.45), "nothing found: ")],
    ids=["above", "around", "below"],
)
def test_chance_is_compared_with_the_interval(interval: tuple[float, float], said: str) -> None:
    assert said in said_of_best(Best("PCA", 0.5, interval, 0.55, 7, 100), 0.5, "cat")


def test_pairs_of_answers_bound_what_folds_that_agree_say() -> None:
    """Five folds in which one sample of ten more is right: by the folds alone a difference without any doubt."""
    from holdfast.runs.remedies import outcomes_of

    data = noise(60, 4)
    folds = folds_of(data, data.pool, 5)
    plain = np.zeros((1, len(data.pool)))
    better: NDArray[np.float64] = plain.copy()
    for fold in folds:
        better[0, fold.judged[0]] = 1
    n = [len(fold.judged) for fold in folds]
    judged = Judged(
        right={"baseline": plain, "PCA": better},
        scores={"baseline": [0.0] * 5, "PCA": [1 / size for size in n]},
        kept={"baseline": [4] * 5, "PCA": [2] * 5},
        seconds={"baseline": 0.0, "PCA": 0.0},
    )

    (_, one) = outcomes_of(judged, folds, 0)

    assert one.interval[0] < 1 / max(n) - 0.01
