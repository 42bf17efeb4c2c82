"""holdfast.sklearn.Classifier.  The folder is not called sklearn, which would hide the package of that name."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from holdfast import Sequential
from holdfast.core import BadData, BadShape, BadValue, UnknownName
from holdfast.layers import Dense, Flatten, Input, Normalization, Rescaling, Shape
from holdfast.models import BaseModel
from holdfast.sklearn import Classifier
from holdfast.sklearn.classifier import _held_out
from holdfast.transfer import FromBase

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "training is by mini-batches: a sample of weight 2 is drawn once "
    "an epoch and moves the weights twice as far, two copies are drawn in two steps",
}
SKIPPED = {"check_array_api_input": "runs only where SCIPY_ARRAY_API is set; the input must be NumPy's"}


def quick(*arguments: Any, **changes: Any) -> Classifier:  # Any: what Classifier takes
    settings: dict[str, Any] = {"epochs": 2, "device": "cpu", "precision": "float32"}
    return Classifier(*arguments, **settings | changes)


def rows(n: int = 60) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Three features, of which the first tells the class."""
    y = np.arange(n) % 3
    x = np.random.default_rng(0).normal(size=(n, 3))
    x[:, 0] += 4 * y
    return x, np.array(["ant", "bee", "cat"])[y]


def pictures(n: int = 40) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    y = np.arange(n) % 2
    x = np.random.default_rng(0).integers(0, 120, (n, 8, 8), np.uint8)
    x[y == 1, :4] += 100
    return x, y


def small(shape: Shape, classes: int) -> BaseModel:
    return Sequential([Input(shape), Normalization(), Flatten(), Dense(classes, activation="softmax")])


@pytest.mark.slow
def test_it_passes_the_checks_of_scikit_learn() -> None:
    results = check_estimator(quick(epochs=20), expected_failed_checks=EXPECTED, on_skip=None)

    odd = {one["check_name"]: one["status"] for one in results if one["status"] != "passed"}
    assert odd == dict.fromkeys(EXPECTED, "xfail") | dict.fromkeys(SKIPPED, "skipped")
    assert len(results) > 50


def test_labels_come_back_as_they_were() -> None:
    x, y = rows()

    for labels in (y, np.array([1.5, 7.0, -2.0])[np.unique(y, return_inverse=True)[1]] > 0, y == "bee"):
        net = quick(epochs=20).fit(x, labels)

        assert net.classes_.tolist() == sorted(set(labels.tolist()))
        assert net.predict(x).dtype == labels.dtype
        assert net.predict_proba(x).shape == (60, len(net.classes_))
        assert net.score(x, labels) > 0.8


def test_features_of_any_scale_are_standardised() -> None:
    x, y = rows()

    net = quick(epochs=10).fit(x * [1e-4, 1e4, 1] + [0, 1e4, 0], y)

    plain = quick(epochs=10).fit(x, y)
    assert abs(net.score(x * [1e-4, 1e4, 1] + [0, 1e4, 0], y) - plain.score(x, y)) < 0.05


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)], ids=str)
def test_pictures_have_the_convnet(shape: Shape) -> None:
    x, y = pictures()

    net = quick().fit(x.reshape(-1, *shape), y)

    assert (net.model_.name, net.model_.inputs[0].shape) == ("convnet", (8, 8, 1))
    assert net.predict(x.reshape(-1, *shape)).shape == (40,)


def test_rows_become_pictures_by_their_shape() -> None:
    x, y = pictures()

    net = quick(input_shape=(8, 8, 1)).fit(x.reshape(40, 64), y)

    assert net.model_.name == "convnet"
    shaped = quick().fit(x, y).predict_proba(x)
    # Convolutions add in another order where the strides are others.
    np.testing.assert_allclose(net.predict_proba(x.reshape(40, 64)), shaped, rtol=1e-4, atol=1e-6)


def test_the_result_follows_from_random_state() -> None:
    x, y = rows()

    def shares(seed: object) -> NDArray[np.float32]:
        return np.asarray(quick(random_state=seed).fit(x, y).predict_proba(x))

    assert np.array_equal(shares(3), shares(np.int64(3)))
    assert np.array_equal(shares(np.random.RandomState(3)), shares(np.random.RandomState(3)))
    assert not np.array_equal(shares(3), shares(4))
    assert not np.array_equal(shares(None), shares(None))


def test_a_pickle_holds_a_keras_archive_and_answers_bit_by_bit() -> None:
    x, y = pictures()
    net = quick().fit(x, y)

    packed = pickle.dumps(net)

    assert b"torch" not in packed
    assert b"model.weights.h5" in packed
    again = pickle.loads(packed)
    assert np.array_equal(again.predict_proba(x), net.predict_proba(x))
    assert (again.classes_.tolist(), again.history_) == (net.classes_.tolist(), net.history_)


def test_a_model_among_the_parameters_is_pickled_so_too() -> None:
    x, y = rows()
    model = small((3,), 3)

    packed = pickle.dumps(quick(model))

    assert b"torch" not in packed
    assert np.array_equal(pickle.loads(packed).fit(x, y).predict_proba(x), quick(model).fit(x, y).predict_proba(x))


def test_a_model_is_copied_and_begins_anew() -> None:
    x, y = rows()
    model = Sequential([Dense(4, activation="relu"), Dense(3, activation="softmax")])
    net = quick(model)

    first, again = (net.fit(x, y).predict_proba(x) for _ in range(2))

    assert np.array_equal(first, again)
    assert net.model is model
    assert net.fit(x[:, :2], y).model_.inputs[0].shape == (2,)


def test_frozen_layers_of_a_model_keep_their_weights() -> None:
    x, y = rows()
    model = Sequential([Input((3,)), Dense(4, trainable=False, name="kept"), Dense(3, activation="softmax")], seed=5)

    net = quick(model, random_state=1).fit(x, y)

    assert torch.equal(net.model_.get_layer("kept").kernel, model.get_layer("kept").kernel)


def test_a_function_builds_the_model_for_shape_and_classes() -> None:
    x, y = rows()

    assert quick(small).fit(x, y).model_.count_params() == 12


def test_a_base_has_a_fresh_head_in_each_fold() -> None:
    x, y = pictures()
    base = Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Flatten(), Dense(5, activation="relu")])

    net = quick(FromBase(base)).fit(x, y)

    assert b"torch" not in pickle.dumps(net)
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict_proba(x), net.predict_proba(x))
    assert len(cross_val_score(net, x, y, cv=2)) == 2


def test_without_patience_all_samples_are_learned_from_and_all_epochs_trained() -> None:
    x, y = rows()

    assert quick(epochs=3).fit(x, y).history_.keys() == {"loss", "accuracy"}
    assert len(quick(epochs=3, optimizer="adam").fit(x, y).history_["loss"]) == 3


def test_patience_holds_samples_out_and_stops() -> None:
    x, y = rows(120)

    net = quick(epochs=200, optimizer="adam", learning_rate=0.5, patience=2, validation=0.3).fit(x, y)

    assert "val_loss" in net.history_
    assert len(net.history_["loss"]) < 200


def test_samples_that_weigh_nothing_are_as_if_they_were_not_there() -> None:
    x, y = rows()
    weight = np.arange(60) % 4 > 0

    net = quick().fit(x * np.where(weight, 1, 100)[:, None], y, sample_weight=weight)

    assert np.array_equal(net.predict_proba(x), quick().fit(x[weight], y[weight]).predict_proba(x))


def test_class_weight_favours_a_class() -> None:
    x, y = rows()
    noise = np.random.default_rng(1).normal(size=x.shape)

    net = quick(epochs=10, class_weight={"ant": 1000, "bee": 0.1, "cat": 0.1}).fit(noise, y)

    assert (net.predict(noise) == "ant").mean() > 0.9


def test_it_works_in_pipelines_searches_and_ensembles() -> None:
    x, y = rows()
    piped = make_pipeline(StandardScaler(), quick())

    search = GridSearchCV(piped, {"classifier__learning_rate": [0.001, 0.03]}, cv=2).fit(x, y)
    stack = StackingClassifier([("net", quick()), ("line", LogisticRegression())], cv=2).fit(x, y)

    assert search.best_params_.keys() == {"classifier__learning_rate"}
    assert clone(search.best_estimator_)[-1].get_params()["learning_rate"] in (0.001, 0.03)
    assert stack.score(x, y) > 0.8


@pytest.mark.slow
def test_a_search_runs_in_several_processes() -> None:
    x, y = rows()

    search = GridSearchCV(quick(small), {"learning_rate": [0.001, 0.03]}, cv=2, n_jobs=2).fit(x, y)

    alone = GridSearchCV(quick(small), {"learning_rate": [0.001, 0.03]}, cv=2).fit(x, y)
    assert np.array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@pytest.mark.slow
def test_it_learns_flowers_and_digits() -> None:
    x, y = load_iris(return_X_y=True)
    digits = load_digits()

    assert cross_val_score(Classifier(device="cpu"), x, y, cv=3).mean() > 0.9
    assert cross_val_score(Classifier(device="cpu", epochs=5), digits.images, digits.target, cv=3).mean() > 0.95


X, Y = rows()
WRONG = {
    "name": (quick("convnt"), X, Y, UnknownName, "unknown model 'convnt'; did you mean 'convnet'"),
    "shape": (quick(input_shape=(2, 2, 1)), X, Y, BadShape, r"input_shape=\(2, 2, 1\)\): takes 4 numbers a sample, X"),
    "epochs": (quick(epochs=0), X, Y, BadValue, r"Classifier\(epochs=0\): must be a positive whole number"),
    "class": (quick(), X, Y == "dog", BadData, "all 60 samples are of 1 class, False; at least 2 are needed"),
    "outputs": (quick(small((3,), 2)), X, Y, BadShape, r"gives \(2,\), the data has 3 classes"),
    "values": (quick(), X, X[:, 0], ValueError, "Unknown label type: continuous"),
    "large": (quick(), X * 1e39, Y, ValueError, "value too large for dtype"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_learned_is_one_sentence(case: str) -> None:
    net, x, y, error, message = WRONG[case]

    with pytest.raises(error, match=message):
        net.fit(x, y)


def test_pictures_of_another_size_are_refused() -> None:
    x, y = pictures()
    net = quick().fit(x, y)

    with pytest.raises(BadShape, match=r"samples of shape \(7, 8, 1\), the classifier has learned from \(8, 8, 1\)"):
        net.predict(x[:, 1:])


def test_a_class_is_never_held_out_whole() -> None:
    """The only sample of a class could be held out for patience, so that nothing was learned of it."""
    labels = torch.tensor([0] * 39 + [1] + [2] * 40)

    for seed in range(10):
        kept, out = _held_out(labels, 0.15, seed)
        assert set(labels[kept].tolist()) == {0, 1, 2}
        assert sorted([*kept.tolist(), *out.tolist()]) == list(range(80))


@pytest.mark.parametrize(
    ("changes", "few", "said"),
    [
        ({"patience": 1, "validation": 0}, 60, r"Classifier\(validation=0\): must be between 0 and 1"),
        ({"model": lambda shape, classes: 3}, 60, "the function must give a model, it gave int"),
        ({"patience": 1, "validation": 0.5}, 2, "2 samples are too few to hold any out"),
    ],
    ids=["no share", "no model", "too few"],
)
def test_what_cannot_be_is_one_sentence_of_the_estimator(changes: dict[str, Any], few: int, said: str) -> None:
    x, y = rows()

    with pytest.raises((BadValue, BadData), match=said):
        quick(**changes).fit(x[:few], y[:few])
