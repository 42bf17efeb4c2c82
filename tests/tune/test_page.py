"""The report of a search: drawings that hold every trial, and a page that asks the network for nothing."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from holdfast.evaluate import Score
from holdfast.runs.pages.drawing import BOTTOM, HEIGHT, LEFT, TOP, WIDTH
from holdfast.runs.record import Record, Settings
from holdfast.tune.found import Search
from holdfast.tune.influence import best_of, in_order
from holdfast.tune.page import EDGE, SIDE, contours, history, page, parallel, place
from holdfast.tune.task import Told
from holdfast.tune.words import region_words

from .test_influence import SPACE, planted, searched, told


def found_of(trials: list[Told], **changes: Any) -> Search:  # Any: fields of a Search
    """A search with these trials."""
    adam = {"class_name": "Adam", "config": {"learning_rate": 0.01}}
    settings = Settings(
        model="dense", epochs=9, batch_size=32, optimizer=adam, patience=None, seed=0, device="cpu", precision="float32"
    )
    origin = {"path": "my photos", "validation": 0.15, "test": 0.15, "seed": 0, "image_size": 32, "skip_bad": False}
    options: dict[str, Any] = {
        "sampler": "tpe",
        "pruner": "asha",
        "cv": None,
        "space": {"fixed": {}},
    }  # Any: JSON values
    record = Record(
        name="photos-tune-001", status="finished", started="2026-11-22 00:00:00 UTC", ledger_id=1, data="photos",
        origin=origin, classes=["a", "b"], shape=[8, 8, 1], sizes={}, pictures=True, things="pictures",
        prints={"split": "ab"}, settings=settings, config={}, machine="here", versions={}, search=options,
    )  # fmt: skip
    best = in_order(trials)[0]
    score = Score("accuracy", 0.85, (0.80, 0.89), 270, "validation", 99, (best.value or 0.85) - 0.85)
    found = Search(Path("runs/photos-tune-001"), record, tuple(trials), best, score, None, SPACE, (), "", None)
    return replace(found, **changes)


def test_the_whole_page_has_the_score_with_the_naive_one_struck_through_and_no_script() -> None:
    trials, influences = planted()

    shown = page(found_of(trials, influences=influences, region=region_words(trials, SPACE, influences, 270)))

    assert re.search(r'<p class="number">85\.0 % <s [^>]*>\d\d\.\d %</s>', shown)
    assert "<script" not in shown
    assert not re.search(r'(?:src|href)="(?:https?:)?//', shown)
    assert all(f'id="{one}"' in shown for one in ("history", "importance", "parallel", "contour", "trials", "how"))
    assert "the best 6 of 60 trials" in shown
    assert "--config runs/photos-tune-001/best.toml" in shown
    assert "--image-size 32" in shown  # which used to be left to be known
    assert shown.count('class="level"') > 5


def test_few_trials_are_said_to_be_few_in_words() -> None:
    trials = searched(3)

    shown = page(found_of(trials, region=region_words(trials, SPACE, (), 270)))

    assert "3 trials with drawn values are too few to say what mattered; it takes 10" in shown
    assert "It takes two numbers that were searched, and 10 trials with both." in shown


def test_what_a_trial_says_is_escaped() -> None:
    trials = [told(0, 0.8, values={"units": 8}), told(1, None, "failed", reason="<b>no</b>", log_loss=None)]

    shown = page(found_of(trials))

    assert "&lt;b&gt;no" in shown
    assert "<b>no" not in shown


def test_the_history_holds_every_trial_and_the_best_so_far() -> None:
    trials = [told(0, 0.7), told(1, 0.1), told(2, 0.8), told(3, 0.75, "pruned"), told(4, None, "failed", log_loss=None)]

    drawn = history(trials, {2})

    assert len(drawn.dots) == 4
    assert all(LEFT <= dot.x <= WIDTH - EDGE and TOP <= dot.y <= HEIGHT - BOTTOM for dot in drawn.dots)
    assert drawn.dots[-1].best  # on top
    assert len(drawn.best.split()) == 4  # 70 % until trial 2, then 80 %
    assert "trial 2: 80.0 % as seen, complete" in drawn.dots[-1].said


def test_a_single_trial_has_a_history() -> None:
    """It used to be a KeyError."""
    assert len(history([told(0, 0.7)], {0}).dots) == 1


def test_a_net_that_diverged_does_not_flatten_the_others() -> None:
    drawn = history([told(number, value) for number, value in enumerate((0.9, 0.91, 0.92, 0.93, 0.1))], set())

    assert drawn.below == 1


def test_parallel_lines_skip_the_axes_that_a_trial_does_not_have() -> None:
    trials = searched(12)

    drawn = parallel(trials, SPACE, list(SPACE), {one.number for one in best_of(trials)})

    assert drawn is not None
    assert [name for _, name, _ in drawn.axes] == [*SPACE, "accuracy"]
    counts = {len(points.split()) for points, _, _ in drawn.lines}
    assert counts == {4, 5}  # without and with momentum
    assert [kind for _, kind, _ in drawn.lines][-5:] == ["best"] * 5  # on top
    assert parallel(trials[:1], SPACE, list(SPACE), set()) is None


def test_contours_are_of_pairs_of_numbers_that_enough_trials_have() -> None:
    drawn = contours(searched(16), SPACE, ["learning_rate", "optimizer", "units", "momentum"], set())

    assert [one.names for one in drawn] == [("learning_rate", "units")]  # 16 trials; few of them have momentum
    assert drawn[0].n == 16
    for _, path in drawn[0].levels:
        numbers = [float(text) for text in re.findall(r"-?\d+\.\d", path)]
        assert min(numbers) >= 0
        assert max(numbers) <= SIDE
    assert contours(searched(9), SPACE, ["learning_rate", "units"], set()) == []


def test_a_surface_that_is_flat_is_drawn_flat() -> None:
    trials = [replace(one, value=0.5 + 0.001 * (one.number * 7 % 16), state="complete") for one in searched(16)]

    drawn = contours(trials, SPACE, ["learning_rate", "units"], set())

    assert len(drawn[0].levels) <= 4  # of ten; noise used to be stretched over all of them


@pytest.mark.parametrize(
    ("value", "distribution", "where"),
    [
        (0.01, FloatDistribution(1e-4, 1.0, log=True), 0.5),
        (36, IntDistribution(8, 64), 0.5),
        ("adam", CategoricalDistribution(("sgd", "adam")), 0.75),
        (True, CategoricalDistribution((False, True)), 0.75),
    ],
    ids=("log", "linear", "word", "truth"),
)
def test_a_value_has_its_place_on_its_axis(value: Any, distribution: Any, where: float) -> None:  # Any: of all kinds
    assert place(value, distribution) == pytest.approx(where)


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        (0, 0.90, "nothing that was tried beats what holdfast train does by itself"),
        (
            1,
            0.86,
            "86.0 % [81.4, 89.6] n=270, trial 1, is what holdfast train reaches by itself; nothing better is left",
        ),
        (1, 0.80, "80.0 % [74.8, 84.3] n=270, trial 1, is what holdfast train reaches by itself</p>"),
    ],
    ids=["the best", "no worse", "worse"],
)
def test_what_train_does_by_itself_stands_beside_the_best(number: int, value: float, words: str) -> None:
    trials = [told(0, 0.90), told(1, value)]

    shown = page(found_of(trials, usual=trials[number]))

    assert words in shown.replace("\u00a0", " ")
    assert "Defaults:" not in page(found_of(trials))
