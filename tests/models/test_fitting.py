"""fit, evaluate and predict: what users can hand over and what they get."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from holdfast.core import BadData, BadValue, HoldfastError
from holdfast.data import Part, from_arrays
from holdfast.layers import (
    L2,
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    Normalization,
)
from holdfast.metrics import TopKCategoricalAccuracy
from holdfast.models import BaseModel, Model, Sequential, load_keras
from holdfast.training import (
    SGD,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    EpochEnd,
    Event,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    State,
    StepEnd,
    Stop,
)

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(3, 6))
Y = RANDOM.permutation(np.arange(90) % 3)
X = (CENTRES[Y] + 0.3 * RANDOM.normal(size=(90, 6))).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[Y]
NAMES = np.array(["cat", "dog", "eel"])


def net(*layers: Layer, seed: int = 0, outputs: int = 3, activation: str = "softmax") -> Sequential:
    return Sequential([Input(6), *layers, Dense(8, "tanh"), Dense(outputs, activation)], seed=seed)


def same(one: BaseModel, other: BaseModel) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_example_of_the_readme_runs_and_gives_these_keys(capsys: pytest.CaptureFixture[str]) -> None:
    model = net()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    history = model.fit(X, Y, validation_split=0.2, batch_size=32, epochs=10)

    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 10 for values in history.history.values())
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert history is model.history
    assert history.stop is None
    assert "epoch" in capsys.readouterr().out


def test_without_compile_a_classifier_is_trained_by_the_recipe_and_its_accuracy_is_shown() -> None:
    model = net()

    history = model.fit(X, Y, epochs=30, batch_size=10, verbose=0)

    assert list(history.history) == ["loss", "accuracy"]
    assert history.history["accuracy"][-1] > 0.95
    assert model.compiled is not None
    assert model.compiled.optimizer is None


@pytest.mark.parametrize(
    ("model", "y"),
    [(net(), ONE_HOT), (net(outputs=1, activation="sigmoid"), (Y > 0).astype(np.float32))],
    ids=["one-hot", "binary"],
)
def test_without_compile_float_labels_have_their_accuracy_which_used_to_be_missing(
    model: Sequential,
    y: Any,  # Any: labels
) -> None:
    history = model.fit(X, y, verbose=0)

    assert list(history.history) == ["loss", "accuracy"]


def test_without_compile_whole_numbers_to_regress_on_have_no_accuracy_which_they_used_to_have() -> None:
    history = net(outputs=1, activation="linear").fit(X, Y, verbose=0)

    assert list(history.history) == ["loss"]


def test_without_compile_an_autoencoder_of_shares_has_no_accuracy() -> None:
    shares = 1 / (1 + np.exp(-X))

    history = net(outputs=6, activation="sigmoid").fit(shares, shares, verbose=0)

    assert list(history.history) == ["loss"]


def test_without_compile_two_outputs_are_trained_which_used_to_be_refused_for_their_metrics() -> None:
    history = two_heads().fit(X, [Y, X[:, 0]], verbose=0)

    assert list(history.history) == ["loss", "kind_loss", "size_loss", "kind_accuracy"]


def test_silence_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    net().fit(X, Y, verbose=0)

    assert capsys.readouterr() == ("", "")


def test_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    net().fit(X, Y, epochs=3, verbose=2)

    assert len(capsys.readouterr().out.strip().splitlines()) >= 3


FORMS: list[tuple[str, Any]] = [  # Any: the same labels
    ("integers", Y),
    ("list", Y.tolist()),
    ("column", Y[:, None]),
    ("floats", Y.astype(np.float32)),
    ("uint8", Y.astype(np.uint8)),
    ("torch", torch.tensor(Y)),
    ("strings", NAMES[Y]),
    ("objects", NAMES[Y].astype(object)),
    ("list of strings", NAMES[Y].tolist()),
    ("one-hot", ONE_HOT),
    ("one-hot integers", ONE_HOT.astype(int)),
    ("one-hot lists", ONE_HOT.tolist()),
]


@pytest.mark.parametrize(("name", "y"), FORMS, ids=[name for name, _ in FORMS])
def test_labels_of_every_form_train_alike(name: str, y: Any) -> None:  # Any: as above
    expected, model = net(), net()
    for one, labels in ((expected, Y), (model, y)):
        one.compile("sgd", metrics=["accuracy"])
        one.fit(X, labels, validation_split=0.2, epochs=2, verbose=0)

    assert expected.history is not None
    assert model.history is not None
    for key, values in expected.history.history.items():
        np.testing.assert_allclose(model.history.history[key], values, rtol=1e-5)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "x",
    [X, X.astype(np.float64), X.tolist(), torch.tensor(X), torch.tensor(X, dtype=torch.float64), np.asfortranarray(X)],
    ids=["float32", "float64", "lists", "torch", "torch double", "columns first"],
)
def test_inputs_of_every_form_train_alike(x: Any) -> None:  # Any: the same numbers
    expected, model = net(), net()

    expected.fit(X, Y, verbose=0)
    model.fit(x, Y, verbose=0)

    same(model, expected)


def test_pictures_stay_bytes_until_the_model_takes_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 5, 5, 1), np.uint8)
    model = Sequential([Input((5, 5, 1)), Conv2D(2, 3), Flatten(), Dense(2, "softmax")])
    seen: list[torch.dtype] = []
    hook = model.module.get_submodule("input_layer").register_forward_pre_hook(lambda _, x: seen.append(x[0].dtype))

    model.fit(pixels, np.arange(12) % 2, verbose=0)
    hook.remove()

    assert set(seen) == {torch.uint8}
    np.testing.assert_array_equal(model.predict(pixels), model.predict(pixels.astype(np.float64)))
    np.testing.assert_array_equal(model.predict(pixels[..., 0]), model.predict(pixels))


def test_strings_are_remembered_and_judged_by() -> None:
    model = net()
    model.fit(X, NAMES[Y], epochs=30, batch_size=10, verbose=0)

    assert model.classes == ("cat", "dog", "eel")
    found = NAMES[model.predict(X).argmax(-1)]
    assert (found == NAMES[Y]).mean() > 0.95
    eels = X[Y == 2]
    assert model.evaluate(eels, ["eel"] * len(eels), return_dict=True)["accuracy"] > 0.9
    with pytest.raises(BadData, match=r"^y has the class 'fox'; the model knows cat, dog, eel\.$"):
        model.evaluate(X[:1], ["fox"])


def test_a_fit_that_fails_teaches_no_classes() -> None:
    model = net()

    with pytest.raises(BadData, match=r"^y has 4 classes; the model has 3 outputs\.$"):
        model.fit(X, [*NAMES[Y][:-1], "ell"], verbose=0)
    model.fit(X, NAMES[Y], verbose=0)

    assert model.classes == ("cat", "dog", "eel")


def test_two_fits_are_one_longer_fit() -> None:
    once, twice = (net(Dropout(0.3), BatchNormalization()).compile("adam", metrics=["accuracy"]) for _ in range(2))

    once.fit(X, Y, epochs=4, verbose=0)
    twice.fit(X, Y, epochs=1, verbose=0)
    twice.fit(X, Y, epochs=4, initial_epoch=1, verbose=0)

    same(once, twice)
    assert twice.history is not None
    assert twice.history.epoch == [1, 2, 3]


def test_compile_begins_anew_but_for_the_weights() -> None:
    model = net()
    model.fit(X, Y, verbose=0)
    before = model.get_weights()

    model.compile(SGD(0.0))
    model.fit(X, Y, verbose=0)

    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.history is not None
    assert list(model.history.history) == ["loss"]


def test_a_fit_follows_from_the_seed() -> None:
    models = [net(seed=seed) for seed in (0, 0, 1)]
    first = models[0].get_weights()
    for model in models:
        model.set_weights(first)
        model.fit(X, Y, verbose=0)

    same(models[0], models[1])
    assert not np.array_equal(models[0].get_weights()[0], models[2].get_weights()[0])  # another order


def test_without_shuffling_samples_come_as_they_lie() -> None:
    models = [net() for _ in range(3)]

    for model, shuffle in zip(models, (False, True, False), strict=True):
        model.fit(X, Y, batch_size=7, shuffle=shuffle, verbose=0)

    same(models[0], models[2])
    assert not np.array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


def test_the_data_that_was_given_is_left_alone() -> None:
    x, y = X.copy(), Y.copy()

    net(Normalization(mean=1, variance=2)).fit(x, y, validation_split=0.3, class_weight={0: 2.0}, verbose=0)

    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_fit_writes_nothing_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    net().fit(X, Y, validation_split=0.2, epochs=2, verbose=0)

    assert os.listdir(tmp_path) == []  # noqa: PTH208  (of the working folder)


FUSED: list[tuple[str, Any, int, Any]] = [  # Any: a loss, targets
    ("softmax", SparseCategoricalCrossentropy(), 3, Y),
    ("softmax", SparseCategoricalCrossentropy(label_smoothing=0.2), 3, Y),
    ("softmax", CategoricalCrossentropy(), 3, ONE_HOT),
    ("sigmoid", BinaryCrossentropy(), 3, ONE_HOT),
    ("sigmoid", BinaryCrossentropy(label_smoothing=0.2), 1, Y % 2),
]


@pytest.mark.parametrize(("activation", "loss", "outputs", "y"), FUSED, ids=str)
def test_a_loss_from_logits_is_the_loss_from_probabilities(activation: str, loss: Any, outputs: int, y: Any) -> None:
    model = net(outputs=outputs, activation=activation)
    model.compile("sgd", loss)
    predicted = torch.tensor(model.predict(X))

    fused = model.evaluate(X, y)

    assert 0.001 < float(predicted.min()) < float(predicted.max()) < 0.999
    target = torch.tensor(y).reshape(90, -1).squeeze(-1) if activation == "softmax" else torch.tensor(y).reshape(90, -1)
    assert fused == pytest.approx(float(loss(target, predicted).mean()), rel=1e-5)
    assert model._training is not None
    kinds = {type(module).__name__ for module in model._training[0].model.modules()}
    assert not kinds & {"Softmax", "Sigmoid"}


def test_the_loss_is_exact_where_probabilities_round_to_nought() -> None:
    model = Sequential([Input(2), Dense(2, "softmax", kernel_initializer=np.eye(2))])
    model.compile("sgd", "sparse_categorical_crossentropy")

    assert model.evaluate([[200.0, 0.0], [0.0, 200.0]], [1, 0]) == pytest.approx(200)  # Keras says 16.1


def test_a_loss_that_takes_no_logits_is_left_as_it_is() -> None:
    model = net()
    model.compile("sgd", "mse")

    assert model.evaluate(X, ONE_HOT) == pytest.approx(float(((model.predict(X) - ONE_HOT) ** 2).mean()), rel=1e-5)


def test_the_end_of_a_submodel_decides_the_loss_when_none_is_given() -> None:
    """It used to be taken for logits, and softmax was applied twice."""
    inner = net()
    outer = Sequential([Input(6), inner])
    inner.compile("sgd", "sparse_categorical_crossentropy")
    outer.compile("sgd")

    assert outer.evaluate(X, Y) == pytest.approx(inner.evaluate(X, Y), rel=1e-5)


def test_a_penalty_after_the_softmax_does_not_make_it_logits() -> None:
    layer = Dense(3, "softmax", activity_regularizer=L2(0.0))
    model = Sequential([Input(6), layer])
    model.compile("sgd")

    probabilities = model.predict(X)[np.arange(90), Y]

    assert model.evaluate(X, Y) == pytest.approx(float(-np.log(probabilities).mean()), rel=1e-5)


DEFAULTS: list[tuple[int, str, Any, type]] = [  # Any: targets
    (3, "softmax", Y, SparseCategoricalCrossentropy),
    (3, "linear", Y, SparseCategoricalCrossentropy),
    (1, "sigmoid", Y % 2, BinaryCrossentropy),
    (3, "sigmoid", ONE_HOT, BinaryCrossentropy),
    (1, "linear", X[:, 0], MeanSquaredError),
    (1, "linear", Y, MeanSquaredError),
    (6, "linear", X, MeanSquaredError),
]


@pytest.mark.parametrize(("outputs", "activation", "y", "loss"), DEFAULTS, ids=str)
def test_without_a_loss_the_end_of_the_model_and_the_targets_decide(
    outputs: int, activation: str, y: Any, loss: type
) -> None:
    model = net(outputs=outputs, activation=activation)
    model.compile("adam")

    history = model.fit(X, y, epochs=20, batch_size=10, verbose=0).history["loss"]

    assert model._training is not None
    assert type(model._training[1].heads[0].loss) is loss
    assert history[-1] < history[0]


def test_metrics_of_logits_are_those_of_probabilities() -> None:
    model = net(activation="linear")
    model.compile("sgd", SparseCategoricalCrossentropy(from_logits=True), metrics=["log_loss", "auc"])

    logs = model.evaluate(X, Y, return_dict=True)

    assert logs["log_loss"] == pytest.approx(logs["loss"], rel=1e-5)
    assert 0 <= logs["auc"] <= 1


def test_metrics_are_given_by_name_or_as_objects() -> None:
    model = net()
    metrics = ["acc", "categoricalAccuracy", TopKCategoricalAccuracy(2, name="top2"), "f1_score"]
    model.compile("sgd", "categoricalCrossentropy", metrics=metrics)

    logs = model.evaluate(X, ONE_HOT, return_dict=True)

    assert list(logs) == ["loss", "acc", "categoricalAccuracy", "top2", "f1_score"]
    assert logs["acc"] == logs["categoricalAccuracy"] <= logs["top2"]


def test_evaluate_gives_a_number_a_list_or_a_dict() -> None:
    model = net()
    model.compile("sgd", "sparse_categorical_crossentropy")
    loss = model.evaluate(X, Y)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])

    assert isinstance(loss, float)
    assert model.evaluate(X, Y) == [pytest.approx(loss), model.evaluate(X, Y, return_dict=True)["accuracy"]]
    assert list(model.evaluate(X, Y, return_dict=True)) == ["loss", "accuracy"]


def test_evaluation_takes_one_sample_and_one_class() -> None:
    model = net()

    assert model.evaluate(X[:1], Y[:1])[0] > 0
    assert model.evaluate(X[Y == 1], Y[Y == 1])[0] > 0


def test_evaluation_does_not_depend_on_the_batch_size_and_weighs_samples() -> None:
    model = net()
    model.compile("sgd", "sparse_categorical_crossentropy")
    weights = np.arange(90) / 45

    losses = [model.evaluate(X, Y, batch_size=size, sample_weight=weights) for size in (1, 7, 90, 1000)]

    by_hand = -np.log(model.predict(X)[np.arange(90), Y]) * weights
    np.testing.assert_allclose(losses, by_hand.mean(), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 1, 7, 90, 1000])
def test_predictions_do_not_depend_on_the_batch_size(batch_size: int | None) -> None:
    model = net(Dropout(0.5), BatchNormalization())

    np.testing.assert_allclose(model.predict(X, batch_size), model.predict(X, 45), rtol=1e-5, atol=1e-7)


def test_predictions_change_nothing() -> None:
    model = net(Dropout(0.5), BatchNormalization())
    before = model.get_weights()

    first, second = model.predict(X), model.predict(X)

    np.testing.assert_array_equal(first, second)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.dtype, type(first)) == (np.float32, np.ndarray)


def test_a_part_of_a_dataset_is_taken_everywhere() -> None:
    part = Part(torch.tensor(X), torch.tensor(Y), [f"x[{index}]" for index in range(90)])
    model, expected = net(), net()

    model.fit(part, validation_data=part, epochs=2, verbose=0)
    expected.fit(X, Y, validation_data=(X, Y), epochs=2, verbose=0)

    same(model, expected)
    assert model.evaluate(part) == expected.evaluate(X, Y)
    np.testing.assert_array_equal(model.predict(part), model.predict(X))


def test_a_dataset_brings_its_validation_part_and_the_names_of_its_classes() -> None:
    dataset = from_arrays(X, NAMES[Y], seed=1)
    model = net()

    history = model.fit(dataset, epochs=2, verbose=0)

    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert model.classes == dataset.classes == ("cat", "dog", "eel")
    assert history.measured["val_loss"] == pytest.approx(model.evaluate(dataset.validation)[0], rel=1e-6)


def test_the_validation_part_of_a_dataset_is_judged_on_where_a_dataset_used_to_be_refused() -> None:
    dataset = from_arrays(X, NAMES[Y], seed=1)
    model, part = net(), dataset.validation

    history = model.fit(dataset.train, validation_data=dataset, verbose=0)

    assert history.measured["val_loss"] == pytest.approx(model.evaluate(part)[0], rel=1e-6)
    assert model.evaluate(dataset) == model.evaluate(part)
    np.testing.assert_array_equal(model.predict(dataset), model.predict(part))


def test_a_dataset_of_other_classes_is_not_judged_on() -> None:
    model = net()
    model.fit(X, NAMES[Y], verbose=0)

    with pytest.raises(BadData, match=r"^the model tells cat, dog, eel apart, the data has ant, bee, cow; "):
        model.evaluate(from_arrays(X, np.array(["ant", "bee", "cow"])[Y]))


def test_a_dataset_of_other_classes_is_not_learned_under_the_old_names() -> None:
    model = net()
    model.fit(X, NAMES[Y], verbose=0)
    dataset = from_arrays(X, np.array(["ant", "bee", "cow"])[Y])

    with pytest.raises(BadData) as caught:
        model.fit(dataset, verbose=0)
    model.classes = None
    model.fit(dataset, verbose=0)

    assert str(caught.value) == (
        "the model tells cat, dog, eel apart, the data has ant, bee, cow; set model.classes = None to teach it others."
    )
    assert model.classes == ("ant", "bee", "cow")


def test_validation_split_holds_out_in_proportion_and_the_tail_on_request() -> None:
    order = np.argsort(Y, kind="stable")  # sorted by class: the tail is of one class
    seen: dict[str, float] = {}
    for split_order in ("shuffled", "tail"):
        model = net()
        model.compile(SGD(0.0), metrics=["accuracy"])
        model.set_weights([*model.get_weights()[:3], np.array([0, 0, 9])])  # it always says 2
        history = model.fit(X[order], Y[order], validation_split=0.2, split_order=split_order, verbose=0)
        seen[split_order] = history.history["val_accuracy"][0]

    assert seen["tail"] == 1.0
    assert seen["shuffled"] == pytest.approx(1 / 3, abs=0.06)


def test_training_data_is_measured_in_evaluation_mode_at_the_end() -> None:
    model = net(Dropout(0.5))

    history = model.fit(X, Y, validation_split=0.2, split_order="tail", epochs=3, verbose=0)

    measured = history.measured
    assert list(measured) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert [measured["loss"], measured["accuracy"]] == pytest.approx(model.evaluate(X[:72], Y[:72]))
    assert [measured["val_loss"], measured["val_accuracy"]] == pytest.approx(model.evaluate(X[72:], Y[72:]))
    assert measured["val_loss"] == pytest.approx(history.history["val_loss"][-1])
    assert measured["loss"] != pytest.approx(history.history["loss"][-1], rel=1e-3)


def test_training_data_is_measured_every_epoch_or_never_on_request() -> None:
    model = net()
    each = model.fit(X, Y, epochs=2, measure_train="epoch", verbose=0)

    assert list(each.history) == ["loss", "accuracy", "train_loss", "train_accuracy"]
    assert each.history["train_loss"][-1] == pytest.approx(each.measured["loss"])
    assert model.fit(X, Y, measure_train="never", verbose=0).measured == {}


def test_the_best_weights_are_measured_when_early_stopping_restored_them() -> None:
    model = net()
    model.compile(SGD(30.0), metrics=["accuracy"])

    history = model.fit(X, Y, validation_split=0.2, epochs=20, callbacks=EarlyStopping(patience=2), verbose=0)

    assert history.stop is not None
    assert "weights of epoch" in history.stop.reason
    assert history.measured["val_loss"] == pytest.approx(min(history.history["val_loss"]), rel=1e-5)


def test_a_callback_may_ask_the_model_while_it_is_trained() -> None:
    """Evaluating in the middle of an epoch used to break the epoch's means."""
    model, quiet = net(Dropout(0.5)), net(Dropout(0.5))
    asked: list[Any] = []  # Any: what evaluate gives

    def ask(event: Event) -> Stop | None:
        if isinstance(event, (StepEnd, EpochEnd)):
            asked.append(model.evaluate(X[:10], Y[:10]))
            model.predict(X[:3])
        return None

    history = model.fit(X, Y, epochs=2, callbacks=[ask], verbose=0)
    expected = quiet.fit(X, Y, epochs=2, verbose=0)

    same(model, quiet)
    assert history.history == expected.history
    assert len(asked) == 2 * 3 + 2


def test_a_single_callback_needs_no_list() -> None:
    epochs: list[int] = []

    net().fit(
        X, Y, epochs=3, callbacks=LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch)), verbose=0
    )

    assert epochs == [0, 1, 2]


def test_a_callback_that_stops_is_heeded_and_its_reason_kept() -> None:
    history = net().fit(
        X, Y, epochs=9, callbacks=LambdaCallback(on_epoch_end=lambda epoch, logs: Stop("enough") if epoch else None),
        verbose=0,
    )  # fmt: skip

    assert history.stop == Stop("enough")
    assert history.epoch == [0, 1]


def test_checkpoints_of_fit_are_models(tmp_path: Path) -> None:
    model = net()

    model.fit(X, NAMES[Y], callbacks=ModelCheckpoint(tmp_path / "{epoch}.keras"), epochs=2, verbose=0)

    again = load_keras(tmp_path / "2.keras")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.classes == ("cat", "dog", "eel")


@pytest.mark.parametrize(
    ("y", "weight"),
    [
        (Y, {0: 2.0, 2: 0.5}),
        (Y, {np.int64(0): 2.0, np.int64(2): 0.5}),
        (ONE_HOT, {0: 2.0, 1: 1.0, 2: 0.5}),
        (NAMES[Y], {"cat": 2.0, "eel": 0.5}),
        (NAMES[Y], {0: 2.0, "eel": 0.5}),
    ],
    ids=["integers", "numpy integers", "one-hot", "names", "both"],
)
def test_class_weights_are_sample_weights_by_class(y: Any, weight: dict[Any, float]) -> None:
    model, expected = net(), net()

    model.fit(X, y, class_weight=weight, epochs=2, verbose=0)
    expected.fit(X, y, sample_weight=np.array([2.0, 1.0, 0.5])[Y], epochs=2, verbose=0)

    same(model, expected)


def test_class_weights_of_one_output_are_those_of_0_and_1() -> None:
    model, expected = (net(outputs=1, activation="sigmoid") for _ in range(2))

    model.fit(X, Y % 2, class_weight={1: 3.0}, verbose=0)
    expected.fit(X, Y % 2, sample_weight=1.0 + 2.0 * (Y % 2), verbose=0)

    same(model, expected)


def test_a_weight_of_nought_leaves_a_sample_out_of_the_gradient() -> None:
    model, expected = net(), net()
    wrong = np.where(np.arange(90) < 45, Y, 0)

    for one, labels in ((model, wrong), (expected, Y)):
        one.compile("sgd")
        one.fit(X, labels, sample_weight=np.arange(90) < 45, shuffle=False, batch_size=90, verbose=0)

    same(model, expected)


def test_validation_weights_are_heeded() -> None:
    weights = np.arange(90) / 45
    model = net()

    history = model.fit(X, Y, validation_data=(X, Y, weights), verbose=0)

    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, sample_weight=weights)[0], rel=1e-5)


def test_labels_for_every_pixel() -> None:
    pixels = np.random.default_rng(0).normal(size=(20, 4, 4, 1)).astype(np.float32)
    y = (pixels[..., 0] > 0).astype(int)
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 1, activation="softmax")])
    model.compile(SGD(1.0), metrics=None)

    losses = model.fit(pixels, y, epochs=20, verbose=0).history["loss"]

    assert losses[-1] < 0.4 < losses[0]
    by_hand = -np.log(np.take_along_axis(model.predict(pixels), y[..., None], -1)).mean()
    assert model.evaluate(pixels, y) == pytest.approx(float(by_hand), rel=1e-4)


def test_a_model_with_nothing_to_train_is_measured() -> None:
    model = Sequential([Input(3), Activation("softmax")])

    history = model.fit(X[:, :3], Y, epochs=2, verbose=0)

    assert history.history["loss"][0] == pytest.approx(history.history["loss"][1])


def test_bfloat16_learns_with_float32_weights() -> None:
    model = net()
    model.compile("adam", metrics=["accuracy"], precision="bfloat16")

    history = model.fit(X, Y, epochs=30, batch_size=10, verbose=0).history

    assert history["accuracy"][-1] > 0.9
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype(np.float32)}
    assert model.predict(X).dtype == np.float32


def two_heads() -> Model:
    x = Input(6, name="x")
    hidden = Dense(8, "tanh")(x)
    return Model(x, [Dense(3, "softmax", name="kind")(hidden), Dense(1, name="size")(hidden)])


def test_several_outputs_have_keys_of_their_own() -> None:
    model = two_heads()
    model.compile("adam", metrics={"kind": ["accuracy"], "size": "mae"}, loss_weights={"size": 0.5})

    history = model.fit(X, {"kind": Y, "size": X[:, 0]}, validation_split=0.2, epochs=2, verbose=0)

    keys = ["loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae"]
    assert list(history.history) == [*keys, *(f"val_{key}" for key in keys)]
    for loss, kind, size in zip(*(history.history[key] for key in keys[:3]), strict=True):
        assert loss == pytest.approx(kind + 0.5 * size, rel=1e-5)
    assert list(model.evaluate(X, [Y, X[:, 0]], return_dict=True)) == keys


def test_no_metrics_are_none_for_every_output() -> None:
    model = two_heads()
    model.compile("adam", metrics=[], weighted_metrics=[])

    assert list(model.fit(X, [Y, X[:, 0]], verbose=0).history) == ["loss", "kind_loss", "size_loss"]


def test_several_inputs_are_trained_on() -> None:
    a, b = Input(3, name="a"), Input(3, name="b")
    model = Model([a, b], Dense(3, "softmax")(Add()([Dense(8, "tanh")(a), Dense(8, "tanh")(b)])))

    by_order = model.fit([X[:, :3], X[:, 3:]], Y, validation_split=0.2, epochs=20, batch_size=10, verbose=0)

    assert by_order.history["accuracy"][-1] > 0.8
    x = {"a": X[:, :3], "b": X[:, 3:]}
    assert model.evaluate(x, Y) == model.evaluate([X[:, :3], X[:, 3:]], Y)


ASKED: list[tuple[str, Callable[[BaseModel], object], str]] = [
    ("optimizer", lambda m: m.compile("adm"), "unknown optimizer 'adm'; did you mean 'adam'"),
    ("loss", lambda m: m.compile("adam", "sparse_crossentropy"), "unknown loss 'sparse_crossentropy'; did you mean"),
    ("metric", lambda m: m.compile("adam", metrics=["acuracy"]), "unknown metric 'acuracy'; did you mean 'accuracy'"),
    ("weighted", lambda m: m.compile("adam", weighted_metrics=["x"]), "unknown metric 'x'; known: "),
    ("output", lambda m: m.compile("adam", {"kind": "mse"}).fit(X, Y, verbose=0), "loss names 'kind'; the model's"),
    ("precision", lambda m: m.compile("adam", precision="half"), "compile(precision='half'): must be 'auto', "),  # type: ignore[arg-type]  # the point
    (
        "device",
        lambda m: m.compile("adam", device="gpu0"),
        "device 'gpu0' is not available here; take 'cpu' or 'auto'.",
    ),
]


@pytest.mark.parametrize(("what", "ask", "text"), ASKED, ids=[what for what, _, _ in ASKED])
def test_what_compile_does_not_know_is_said(what: str, ask: Callable[[BaseModel], object], text: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        ask(net())

    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_train_is_measured_without_class_weights_as_validation_is() -> None:
    """The measured train loss used to be weighted, so that it could not be compared with val_loss."""
    model = net()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])

    history = model.fit(X, Y, epochs=2, class_weight={0: 10.0, 1: 0.1}, verbose=0, measure_train="epoch")

    plain = model.evaluate(X, Y, return_dict=True)
    assert history.measured == pytest.approx(plain)
    assert history.history["train_loss"][-1] == pytest.approx(plain["loss"])


def test_one_checkpoint_callback_saves_the_model_that_is_being_fitted(tmp_path: Path) -> None:
    """The second fit used to write the first model's weights."""
    checkpoint = ModelCheckpoint(tmp_path / "m.keras", monitor="loss")
    first, second = net(seed=1), net(seed=2)
    first.fit(X, Y, verbose=0, callbacks=checkpoint)

    second.fit(X, Y, verbose=0, callbacks=checkpoint)

    same(load_keras(tmp_path / "m.keras"), second)


def test_a_checkpoint_of_another_ending_is_refused_which_used_to_get_a_keras_archive(tmp_path: Path) -> None:
    path = str(tmp_path / "m.h5")

    with pytest.raises(BadValue) as caught:
        net().fit(X, Y, verbose=0, callbacks=ModelCheckpoint(path, monitor="loss"))

    assert str(caught.value) == (
        f"ModelCheckpoint({path!r}): takes a path that ends in .keras or .safetensors; "
        "for other formats pass save=function(state, path)."
    )


def test_a_checkpoint_with_a_function_of_its_own_may_end_as_it_likes(tmp_path: Path) -> None:
    def save(state: State, path: Path) -> None:
        path.write_text(str(state.epoch))

    net().fit(X, Y, verbose=0, callbacks=ModelCheckpoint(tmp_path / "m.txt", save=save))

    assert (tmp_path / "m.txt").read_text() == "1"
