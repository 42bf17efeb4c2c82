"""The logistic regression that every run is compared with."""

from dataclasses import fields, replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from holdfast.data import Part, from_arrays
from holdfast.evaluate import Score
from holdfast.runs.baseline import logistic_regression, sides_of

from .small import in_memory


def test_small_pictures_give_what_scikit_learn_does_on_their_values() -> None:
    data = in_memory()
    train, validation = (part.images.numpy().reshape(len(part), -1) for part in (data.train, data.validation))
    scaler = StandardScaler().fit(train.astype(np.float32))
    model = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(train), data.train.labels.numpy())

    found = logistic_regression(data)

    said = model.predict(scaler.transform(validation))
    assert found["value"] == (said == data.validation.labels.numpy()).mean() > 0.5
    assert found["how"] == "84 of 84 training samples at 6 × 6"


def test_it_is_a_score_on_validation() -> None:
    found = logistic_regression(in_memory())

    assert set(found) == {field.name for field in fields(Score)} | {"how"}
    assert (found["metric"], found["part"], found["n"]) == ("accuracy", "validation", 18)
    assert found["interval"][0] < found["value"] < found["interval"][1]


def test_at_most_five_thousand_samples_are_learned_from_each_class_in_proportion() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [9000, 990, 10])
    data = from_arrays(random.random((10_000, 4)) + labels[:, None], labels)

    found, again = logistic_regression(data), logistic_regression(data)

    n, _, total, *_ = found["how"].split()
    assert 4990 < int(n.replace(",", "")) <= 5000
    assert total == f"{len(data.train):,}"
    assert found == again
    assert found["value"] > 0.8


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((8, 8, 1), (8, 8)),
        ((28, 28, 1), (14, 14)),
        ((224, 160, 3), (16, 16)),
        ((17, 5, 3), (9, 5)),
        ((16_000, 2), (254,)),
        ((20, 20, 20, 1), (5, 5, 5)),
        ((30,), ()),
    ],
    ids=str,
)
def test_large_samples_are_brought_down(shape: tuple[int, ...], sides: tuple[int, ...]) -> None:
    assert sides_of(shape) == sides


@pytest.mark.parametrize("shape", [(40, 40, 3), (500, 2), (9, 9, 9, 1), (7,)], ids=str)
def test_samples_of_any_rank_have_a_baseline(shape: tuple[int, ...]) -> None:
    labels = np.arange(60) % 2
    samples = np.random.default_rng(0).random((60, *shape)) + labels.reshape(-1, *[1] * len(shape))

    assert logistic_regression(from_arrays(samples, labels))["value"] == 1


def test_a_mean_over_areas_is_what_it_sees() -> None:
    """Fine noise around levels that differ by class: only means tell the classes apart."""
    random = np.random.default_rng(0)
    labels = np.arange(300) % 2
    pictures = random.integers(0, 200, (300, 64, 64), np.uint8) + 10 * labels[:, None, None].astype(np.uint8)

    assert logistic_regression(from_arrays(pictures, labels))["value"] == 1


def test_values_without_spread_and_huge_ones_do_no_harm() -> None:
    labels = np.arange(60) % 2
    samples = np.stack([np.ones(60), labels * 1e20 + np.arange(60) * 1e18, np.zeros(60)], axis=1)

    assert logistic_regression(from_arrays(samples, labels))["value"] == 1


def test_a_class_that_train_lacks_costs_its_own_samples_only() -> None:
    data = from_arrays(np.eye(3)[np.arange(90) % 3] + np.arange(90)[:, None] / 1000, np.arange(90) % 3)
    two = data.train.labels != 2
    names = [name for name, kept in zip(data.train.names, two, strict=True) if kept]
    without = replace(data, train=Part(data.train.images[two], data.train.labels[two], names))

    found = logistic_regression(without)

    assert found["value"] == (data.validation.labels != 2).double().mean()
