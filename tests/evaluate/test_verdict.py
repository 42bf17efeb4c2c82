"""The verdict: its four kinds, and each threshold from both sides."""

import json
from dataclasses import replace

import numpy as np
import pytest

from holdfast.evaluate import Report, newcombe, score, verdict


def report(right: int, n: int, *, classes: int = 10) -> Report:
    """Of `n` samples in classes of one size, the first `right` are predicted right."""
    targets = np.arange(n) % classes
    said = np.where(np.arange(n) < right, targets, (targets + 1) % classes)
    return score(targets, np.eye(classes)[said], part="train")


def test_a_gap_that_rounds_to_nothing_has_no_sign() -> None:
    assert "gap 0.0 points" in str(verdict(report(9_000, 10_000), report(90_001, 100_000)))


def test_overfitting_names_the_numbers_and_the_remedy() -> None:
    found = verdict(report(409, 420), report(73, 90))

    assert str(found) == (
        "overfitting: train 97.4 %, validation 81.1 %, gap 16.3 points [9.2, 25.6]; "
        "try dropout, augmentation or more data"
    )
    assert found.gap == pytest.approx(409 / 420 - 73 / 90)


def test_underfitting_names_the_majority_class() -> None:
    found = verdict(report(130, 420), report(29, 90))

    assert str(found) == (
        "underfitting: train 31.0 %, validation 32.2 %, majority class 10.0 %, gap -1.3 points [-12.3, 8.6]; "
        "try more epochs, another learning rate or a larger model"
    )


def test_a_good_fit_needs_no_remedy() -> None:
    found = verdict(report(970, 1000), report(965, 1000))

    assert str(found) == "good fit: train 97.0 %, validation 96.5 %, gap 0.5 points [-1.1, 2.1]"


def test_too_few_samples_to_say() -> None:
    found = verdict(report(357, 420), report(75, 90))

    assert str(found) == (
        "cannot say: train 85.0 %, validation 83.3 %, gap 1.7 points [-5.7, 11.2]; "
        "n=90 is too few to tell, validate on more samples"
    )


@pytest.mark.parametrize(
    ("train", "validation", "kind"),
    [
        (96_000, 92_600, "overfitting"),  # the interval begins above 3 points
        (96_000, 92_900, "good fit"),  # the gap is 3.1 points, but may be 2.9
        (54_000, 54_000, "underfitting"),  # below half of the way from 10 % to 100 %, which is 55 %
        (54_900, 54_900, "good fit"),  # may be 55.2 %
        (54_000, 30_000, "overfitting"),  # both: what is learned is learned by heart
        (80_000, 95_000, "good fit"),  # a validation part easier than the training part
    ],
)
def test_thresholds_with_many_samples(train: int, validation: int, kind: str) -> None:
    assert verdict(report(train, 100_000), report(validation, 100_000)).kind == kind


def test_half_of_the_way_depends_on_the_majority_class() -> None:
    two, ten = (verdict(report(700, 1000, classes=k), report(700, 1000, classes=k)) for k in (2, 10))

    assert two.kind == "underfitting"  # 50 % is guessing, half of the way is 75 %
    assert ten.kind == "good fit"


@pytest.mark.parametrize(
    ("n", "kind"), [(40, "cannot say"), (100, "cannot say"), (200, "good fit"), (4_000, "good fit")]
)
def test_a_gap_of_three_points_is_tolerated_once_it_is_sure_to_be_below_ten(n: int, kind: str) -> None:
    found = verdict(report(950, 1000), report(round(0.925 * n), n))

    assert found.kind == kind
    assert (found.interval[1] < 0.10) == (kind == "good fit")


def test_a_large_gap_is_overfitting_however_few_the_samples() -> None:
    assert verdict(report(420, 420), report(10, 20)).kind == "overfitting"


def test_the_gap_is_to_the_validation_score_without_its_optimism() -> None:
    seen = report(930, 1000)
    honest = replace(seen, accuracy=replace(seen.accuracy, value=0.9213, optimism=0.0087))

    found = verdict(report(960, 1000), honest)

    assert found.gap == pytest.approx(0.0387)
    assert found.interval == pytest.approx(newcombe((960, 1000), (921.3, 1000)))
    assert "validation 92.1 %, gap 3.9 points" in found.sentence


def test_a_verdict_is_json() -> None:
    found = verdict(report(409, 420), report(73, 90))

    stored = json.loads(json.dumps(found.to_dict()))

    assert stored["kind"] == "overfitting"
    assert stored["interval"] == list(found.interval)
