"""The default recipe: when it trains, what it sets, and that judging knows nothing of it."""

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.callbacks import ReduceLROnPlateau
from holdfast.core import BadValue
from holdfast.data import RandomShift
from holdfast.layers import Conv2D, Dense, Flatten, Input, Reshape
from holdfast.models import BaseModel, Fitting, Model, Sequential, convnet, prepare
from holdfast.models.recipe import recipe_batch_size, recipe_epochs, recipe_rate
from holdfast.training import Adam, AdamW, BinaryCrossentropy, OneCycle, SparseCategoricalCrossentropy

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (40, 32, 32, 1), np.uint8)
LABELS = np.arange(40) % 3


def net(*, outputs: int = 3, activation: str = "softmax", shape: tuple[int, ...] = (32, 32, 1)) -> Sequential:
    return Sequential([Input(shape), Flatten(), Dense(outputs, activation)])


def session(model: BaseModel, x: Any = PICTURES, y: Any = LABELS, **fit: Any) -> Fitting:  # Any: as fit takes them
    return prepare(model, x, y, verbose=0, **fit)


def top(fitting: Fitting) -> float:
    rate = fitting.program.optimizer.learning_rate
    assert isinstance(rate, OneCycle)
    return rate.max_learning_rate


@pytest.mark.parametrize("model", [net(), net().compile(), net().compile(loss="sparse_categorical_crossentropy")])
def test_without_an_optimizer_the_recipe_trains(model: BaseModel) -> None:
    found = session(model)

    assert isinstance(found.program.optimizer, AdamW)
    assert found.program.heads[0].loss == SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.05)
    assert found.program.heads[0].judged_by == SparseCategoricalCrossentropy(from_logits=True)
    assert found.batches.augment == RandomShift(2)
    assert found.batches.batch_size == 32


def test_with_an_optimizer_all_is_as_in_keras() -> None:
    found = session(net().compile("adam"), np.concatenate([PICTURES] * 60), np.concatenate([LABELS] * 60))

    assert found.program.optimizer == Adam()
    assert found.program.heads[0].loss == SparseCategoricalCrossentropy(from_logits=True)
    assert found.program.judging is found.program
    assert found.batches.augment is None
    assert found.batches.batch_size == 32


@pytest.mark.parametrize(("samples", "size"), [(1, 32), (999, 32), (1_000, 64), (9_999, 64), (10_000, 128)])
def test_the_batch_size_follows_the_size_of_the_data(samples: int, size: int) -> None:
    assert recipe_batch_size(samples) == size


def test_much_data_needs_fewer_epochs() -> None:
    assert [recipe_epochs(samples) for samples in (1, 9_999, 10_000)] == [30, 30, 10]


def test_the_rate_grows_with_the_fourth_root_of_the_batch_size_from_one_fit_to_the_next() -> None:
    model = net()

    small, large = top(session(model, batch_size=2)), top(session(model, batch_size=32))

    assert large == pytest.approx(2 * small)
    assert top(session(model, batch_size=2)) == small


@pytest.mark.parametrize(
    ("hidden", "rate"), [([], 0.01), ([Dense(64)], 0.01), ([Dense(16), Dense(256)], 0.01), ([Dense(256)], 0.005)]
)
def test_wide_dense_nets_get_a_lower_rate(hidden: list[Dense], rate: float) -> None:
    model = Sequential([Input((32, 32, 1)), Flatten(), *hidden, Dense(3, "softmax")])

    assert recipe_rate(model, 128) == pytest.approx(rate)


def test_a_net_that_convolves_keeps_its_rate_however_wide_it_ends() -> None:
    model = Sequential([Input((32, 32, 1)), Conv2D(8, 3), Flatten(), Dense(512), Dense(3, "softmax")])

    assert recipe_rate(model, 128) == pytest.approx(0.01)


def test_the_cycle_spans_the_epochs_of_each_fit() -> None:
    model = net()

    for epochs in (2, 5):
        rates = model.fit(PICTURES, LABELS, batch_size=4, epochs=epochs, verbose=0).learning_rates
        assert len(rates) == epochs
        assert rates[-1] == pytest.approx(top(session(model, batch_size=4)) * OneCycle(1.0).end_factor)
        assert rates[-2] > 100 * rates[-1]


def test_losses_that_are_measured_have_no_smoothing() -> None:
    model = net(shape=(6,)).compile()
    points = RANDOM.normal(size=(40, 6)).astype(np.float32)

    history = model.fit(points, LABELS, epochs=2, validation_data=(points, LABELS), verbose=0)

    p = model.predict(points).astype(np.float64)
    plain = -np.log(p[np.arange(40), LABELS]).mean()
    assert history.history["val_loss"][-1] == pytest.approx(plain, rel=1e-5)
    assert history.measured["loss"] == pytest.approx(plain, rel=1e-5)
    assert model.evaluate(points, LABELS) == pytest.approx(plain, rel=1e-5)


def test_the_loss_of_training_is_the_smoothed_one_that_is_minimised() -> None:
    model = net(shape=(6,)).compile()
    points = RANDOM.normal(size=(32, 6)).astype(np.float32)
    p = model.predict(points).astype(np.float64)

    history = model.fit(points, LABELS[:32], verbose=0)  # one step, so the loss is that of the first weights

    log_p = np.log(p)
    smoothed = -0.95 * log_p[np.arange(32), LABELS[:32]] - 0.05 * log_p.mean(1)
    assert history.history["loss"][0] == pytest.approx(smoothed.mean(), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_loss_that_is_given_as_an_object_keeps_its_own_smoothing(share: float) -> None:
    model = net().compile(loss=SparseCategoricalCrossentropy(label_smoothing=share))

    (head,) = session(model).program.heads

    assert head.loss == SparseCategoricalCrossentropy(from_logits=True, label_smoothing=share)
    assert head.judged_by is None


def test_values_are_learned_without_smoothing_and_from_pictures_as_they_are() -> None:
    found = session(net(outputs=1, activation="linear"), y=RANDOM.normal(size=40))

    assert isinstance(found.program.optimizer, AdamW)
    assert found.program.judging is found.program
    assert found.batches.augment is None


def two_pictures() -> tuple[BaseModel, Any, Any]:
    one, other = Input((32, 32, 1)), Input((32, 32, 1))
    both = [Dense(3, "softmax")(Flatten()(one)), Dense(3, "softmax")(Flatten()(other))]
    return Model([one, other], both), [PICTURES, PICTURES], [LABELS, LABELS]


def a_class_for_each_pixel() -> tuple[BaseModel, Any, Any]:
    return Sequential([Input((32, 32, 1)), Conv2D(3, 1, activation="softmax")]), PICTURES, PICTURES[..., 0] % 3


def an_autoencoder() -> tuple[BaseModel, Any, Any]:
    return net(outputs=1024, activation="sigmoid"), PICTURES, PICTURES.reshape(40, -1) / 255.0


def planes() -> tuple[BaseModel, Any, Any]:
    return net(shape=(32, 16, 2)), PICTURES.reshape(40, 32, 16, 2), LABELS


def tiny() -> tuple[BaseModel, Any, Any]:
    return net(shape=(15, 32, 1)), PICTURES[:, :15], LABELS


def rows() -> tuple[BaseModel, Any, Any]:
    model = Sequential([Input((32, 32)), Reshape((32, 32, 1)), Flatten(), Dense(3, "softmax")])
    return model, PICTURES[..., 0], LABELS


@pytest.mark.parametrize("make", [two_pictures, a_class_for_each_pixel, an_autoencoder, planes, tiny, rows])
def test_what_a_shift_would_harm_is_left_as_it_is(make: Any) -> None:
    model, x, y = make()

    assert session(model, x, y).batches.augment is None


def test_one_class_against_the_other_is_learned_from_shifted_pictures_without_smoothing() -> None:
    found = session(net(outputs=1, activation="sigmoid"), y=LABELS % 2)

    assert found.batches.augment == RandomShift(2)
    assert found.program.heads[0].loss == BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize("optimizer", [None, "adam"])
def test_augmentation_can_be_chosen(optimizer: str | None) -> None:
    model = net().compile(optimizer)

    assert session(model, augment=None).batches.augment is None
    assert session(model, augment=RandomShift(3)).batches.augment == RandomShift(3)
    with pytest.raises(BadValue, match=r"^fit\(augment='yes'\): must be 'auto', 'none', 'light', 'strong', a list"):
        session(model, augment="yes")


def test_only_training_sees_shifted_pictures() -> None:
    found = session(net(), validation_data=(PICTURES, LABELS))

    assert found.measured.augment is None
    assert found.validation is not None
    assert found.validation.augment is None
    assert torch.equal(next(found.measured.epoch(0)).inputs[0], torch.from_numpy(PICTURES))
    assert not torch.equal(next(found.batches.in_order().epoch(0)).inputs[0], next(found.batches.epoch(0)).inputs[0])


def test_what_sets_the_rate_beside_the_cycle_is_refused() -> None:
    with pytest.raises(BadValue, match=r"the program has a schedule, .*; compile\('adam'\) has none"):
        net().fit(PICTURES, LABELS, callbacks=ReduceLROnPlateau("loss"), verbose=0)


def test_the_recipe_learns() -> None:
    labels = RANDOM.integers(0, 2, 200)
    pictures = RANDOM.integers(0, 40, (200, 16, 16, 1)).astype(np.uint8)
    pictures[labels == 1, 6:10] += 100

    history = convnet((16, 16, 1), 2).fit(pictures, labels, epochs=5, verbose=0)

    assert history.measured["accuracy"] == 1.0
