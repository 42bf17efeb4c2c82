"""`fit(augment=...)`: what becomes of batches and their labels, and that nothing else sees it."""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.core import BadShape, BadValue
from holdfast.data import Batch, RandomShift
from holdfast.data.batches import Batches
from holdfast.data.rows import Mapped, Rows
from holdfast.layers import (
    Concatenate,
    Conv2D,
    CutMix,
    Dense,
    Flatten,
    Input,
    MixUp,
    RandomBrightness,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGain,
    RandomRotation,
    RandomTimeShift,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    TrivialAugment,
)
from holdfast.layers.augment import Augmenting, Draws, keys_of
from holdfast.models import BaseModel, Model, Sequential, prepare
from holdfast.models.augment_choice import choose, value_range
from holdfast.models.augmenting import (
    Pipeline,
    augmentation_for,
    from_recorded,
    mixed_labels,
    pieces,
    recorded,
    runs,
)
from holdfast.training import SGD, CategoricalCrossentropy, Head, Program, SparseCategoricalCrossentropy, loop
from holdfast.training.loop import accumulators, total_loss

N, CLASSES = 24, 3


def photos(n: int = N, side: int = 10, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def labels(n: int = N) -> NDArray[np.int64]:
    return np.arange(n) % CLASSES


def small(shape: tuple[int, ...] = (10, 10, 3), *, seed: int = 0, head: str = "softmax") -> Sequential:
    layers = [Rescaling(1 / 255), Flatten(), Dense(CLASSES, activation=head)]
    return Sequential([Input(shape), *layers], seed=seed)


def pipeline(*steps: Augmenting) -> Pipeline:
    return Pipeline(steps, (CLASSES,))


def batch_of(images: NDArray[Any]) -> Batch:
    return Batch((torch.tensor(images),), (torch.arange(len(images)) % CLASSES,))


def changed(steps: Sequence[Augmenting], images: NDArray[Any], places: Tensor | None = None, number: int = 0) -> Batch:
    """What becomes of these samples in a pass."""
    places = torch.arange(len(images)) if places is None else places
    return pipeline(*steps)(batch_of(images), places, 0, number)


EACH = (RandomFlip("horizontal"), RandomTranslation(0.2, 0.2), RandomBrightness(0.2), TrivialAugment(), RandomErasing())


def test_a_sample_is_changed_the_same_in_any_batch_and_otherwise_in_another_pass() -> None:
    images = photos()

    whole = changed(EACH, images).inputs[0]
    some = changed(EACH, images[[7, 3]], torch.tensor([7, 3])).inputs[0]
    later = changed(EACH, images, number=1).inputs[0]

    assert torch.equal(some[0], whole[7])
    assert torch.equal(some[1], whole[3])
    assert all(not torch.equal(one, other) for one, other in zip(whole, later, strict=True))


def test_pieces_for_the_cache_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*EACH, MixUp(), CutMix())
    whole = changed(steps, photos())

    monkeypatch.setattr("holdfast.models.augmenting.PIECE", 5 * 300)
    assert len(pieces(torch.zeros(N, 10, 10, 3))) == 5
    cut = changed(steps, photos())

    assert torch.equal(whole.inputs[0], cut.inputs[0])
    assert torch.equal(whole.soft[0], cut.soft[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16])
def test_samples_keep_their_type_and_shape_and_bytes_stay_bytes(dtype: type[np.generic]) -> None:
    found = changed((RandomBrightness((0.5, 0.5)), RandomRotation(0.1)), photos().astype(dtype)).inputs[0]

    assert found.dtype == torch.tensor(np.zeros(1, dtype)).dtype
    assert found.shape == (N, 10, 10, 3)
    assert found.is_contiguous()
    assert float(found.max()) == pytest.approx(255)


def test_moves_in_a_row_are_one_and_the_same_as_one_after_another() -> None:
    steps = (RandomFlip(), RandomTranslation((0.2, 0.2), (-0.1, -0.1), "nearest"), RandomFlip("vertical"))
    images = photos(40)
    draws = Draws(keys_of(torch.arange(40), 7))

    assert [len(run) for run in runs(steps)] == [3]
    at_once = pipeline(*steps).changed(torch.tensor(images), steps, draws)

    x, again = torch.tensor(images).float().movedim(-1, 1), Draws(keys_of(torch.arange(40), 7))
    for layer in steps:
        x = layer.change(x, again)
    torch.testing.assert_close(at_once.float(), x.movedim(1, -1), atol=0.51, rtol=0)  # whole pixels, but rounded


def test_what_fills_otherwise_or_has_a_seed_of_its_own_is_taken_by_itself() -> None:
    mixed = (RandomRotation(0.1), RandomZoom(0.1, fill_mode="nearest"), RandomFlip(), RandomFlip(seed=1))

    assert [len(run) for run in runs(mixed)] == [1, 2, 1]


def formula(
    logits: NDArray[np.float64],
    one: NDArray[np.int64],
    two: NDArray[np.int64],
    own: NDArray[np.float64],
    weights: NDArray[np.float64],
    smoothing: float,
) -> float:
    """The mean of own * w1 * loss(label 1) + (1 - own) * w2 * loss(label 2), with smoothing, by the book."""
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def loss(label: NDArray[np.int64]) -> NDArray[np.float64]:
        target = (1 - smoothing) * np.eye(CLASSES)[label] + smoothing / CLASSES
        found: NDArray[np.float64] = -weights[label] * (target * log_p).sum(1)
        return found

    return float((own * loss(one) + (1 - own) * loss(two)).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.5, 3.0, 0.0)], ids=["even", "weighted"])
@pytest.mark.parametrize("loss", [SparseCategoricalCrossentropy, CategoricalCrossentropy])
def test_the_loss_of_mixed_labels_is_the_mixed_loss_of_the_labels(
    loss: type[SparseCategoricalCrossentropy], weights: tuple[float, ...], smoothing: float
) -> None:
    random = np.random.default_rng(3)
    logits, one = random.normal(size=(8, CLASSES)), random.integers(0, CLASSES, 8)
    partner, own = random.permutation(8), random.random(8)
    table = np.array(weights)
    given = Batch((torch.zeros(8, 1),), (torch.tensor(one),), (torch.tensor(table[one]).float(),))
    head = Head(loss(from_logits=True, label_smoothing=smoothing), activation="softmax")
    program = Program(SGD(0.1), (head,))

    mixed = mixed_labels(given, torch.tensor(partner), torch.tensor(own).float(), (CLASSES,))
    found = total_loss(torch.nn.Identity(), program, (torch.tensor(logits).float(),), mixed, accumulators(program))

    expected = formula(logits, one, one[partner], own, table, smoothing)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_labels_that_were_mixed_twice_have_three_shares() -> None:
    given = Batch((torch.zeros(3, 1),), (torch.arange(3),))
    partner, own = torch.tensor([1, 2, 0]), torch.tensor([0.5, 0.5, 0.5])

    once = mixed_labels(given, partner, own, (CLASSES,))
    twice = mixed_labels(once, partner, own, (CLASSES,))

    torch.testing.assert_close(twice.soft[0][0], torch.tensor([0.25, 0.5, 0.25]))
    assert twice.soft[0].sum(1).tolist() == [1, 1, 1]


def test_metrics_count_the_label_that_weighs_most() -> None:
    given = Batch((torch.zeros(2, 1),), (torch.tensor([0, 2]),))

    mixed = mixed_labels(given, torch.tensor([1, 0]), torch.tensor([0.7, 0.4]), (CLASSES,))

    assert mixed.targets[0].tolist() == [0, 0]
    torch.testing.assert_close(mixed.soft[0], torch.tensor([[0.7, 0, 0.3], [0.6, 0, 0.4]]))


def test_one_hot_targets_and_numbers_are_mixed_as_they_are() -> None:
    rows, numbers = torch.eye(3)[:2], torch.tensor([0.0, 1.0])
    partner, own = torch.tensor([1, 0]), torch.tensor([0.75, 0.5])

    mixed = mixed_labels(Batch((torch.zeros(2, 1),), (rows, numbers)), partner, own, (None, None))

    torch.testing.assert_close(mixed.soft[0], torch.tensor([[0.75, 0.25, 0], [0.5, 0.5, 0]]))
    torch.testing.assert_close(mixed.soft[1], torch.tensor([0.25, 0.5]))


@pytest.mark.parametrize("augment", ["none", "light", "strong", [MixUp()], "auto"], ids=str)
def test_judging_and_predicting_never_see_it(augment: Any) -> None:
    images, y = photos(60), labels(60)
    model = small()

    history = model.fit(images, y, epochs=2, verbose=0, validation_data=(images, y), augment=augment)

    loss, accuracy = history.history["val_loss"][-1], history.history["val_accuracy"][-1]
    p = model.predict(images)
    assert accuracy == pytest.approx(float((p.argmax(1) == y).mean()))
    assert loss == pytest.approx(-float(np.log(p[np.arange(60), y]).mean()), rel=1e-5)
    assert history.measured["accuracy"] == pytest.approx(accuracy)
    np.testing.assert_array_equal(p, model.predict(images))


def test_training_follows_from_the_seed() -> None:
    def trained(seed: int, augment: Any) -> list[float]:
        model = small(seed=seed)
        model.set_weights(small(seed=0).get_weights())
        return model.fit(photos(), labels(), epochs=2, verbose=0, augment=augment).history["loss"]

    assert trained(1, "strong") == trained(1, "strong") != trained(2, "strong")
    assert trained(1, "light") != trained(1, "none") != trained(1, "strong")


def test_class_weights_and_several_outputs_go_with_it() -> None:
    image = Input((10, 10, 3))
    flat = Flatten()(Rescaling(1 / 255)(image))
    model = Model(image, [Dense(CLASSES, activation="softmax")(flat), Dense(1, activation="sigmoid")(flat)])
    model.compile(
        "sgd", loss=["sparse_categorical_crossentropy", "binary_crossentropy"], metrics=["accuracy", "accuracy"]
    )

    history = model.fit(photos(), [labels(), labels() == 1], verbose=0, augment=[MixUp(1.0)])
    weighted = small().fit(photos(), labels(), verbose=0, class_weight={1: 3.0}, augment="strong")

    assert all(np.isfinite(values[0]) for values in history.history.values())
    assert np.isfinite(weighted.history["loss"][0])


def test_samples_that_are_fetched_are_changed_likewise() -> None:
    images = photos()
    rows = cast(Tensor, Rows(Mapped(images), np.arange(N)))

    in_memory, fetched = (
        Batches(Batch((data,), (torch.tensor(labels()),)), batch_size=5, shuffle=True, augment=pipeline(*EACH, MixUp()))
        for data in (torch.tensor(images), rows)
    )

    for one, other in zip(in_memory.epoch(1), fetched.epoch(1), strict=True):
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.soft[0], other.soft[0])


def test_an_epoch_that_is_taken_up_in_its_middle_goes_on_as_it_was() -> None:
    batches = Batches(batch_of(photos()), batch_size=5, shuffle=True, augment=pipeline(*EACH, MixUp(), CutMix()))

    whole, rest = list(batches.epoch(2)), list(batches.epoch(2, start=2))

    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.soft[0], other.soft[0])


def chosen(strength: str, data: NDArray[Any], model: BaseModel | None = None, reads: Any = None) -> list[str]:
    return [type(layer).__name__ for layer in choose(strength, model or small(), torch.tensor(data), reads)]


def test_photos_are_mirrored_and_grey_pictures_are_not() -> None:
    grey = np.repeat(photos(channels=1), 3, 3)

    assert chosen("light", photos()) == [
        "RandomFlip",
        "RandomTranslation",
        "RandomRotation",
        "RandomZoom",
        "RandomColorJitter",
    ]
    assert chosen("strong", photos()) == ["RandomFlip", "TrivialAugment", "RandomErasing", "MixUp"]
    for data in (grey, photos(channels=1)):
        assert chosen("light", data) == ["RandomTranslation", "RandomRotation", "RandomZoom"]
        assert chosen("strong", data) == ["TrivialAugment", "RandomErasing", "MixUp"]


def test_other_kinds_have_layers_of_their_own() -> None:
    random = np.random.default_rng(0)
    rows, series, volumes = (
        random.normal(size=shape).astype(np.float32) for shape in ((9, 30), (9, 30, 2), (9, 4, 4, 4, 2))
    )
    hears = Sequential([Input((30, 1, 1)), Conv2D(2, (3, 1)), Flatten(), Dense(2)])

    assert chosen("light", rows) == ["RandomSwap"]
    assert chosen("strong", rows) == ["RandomSwap", "MixUp"]
    assert chosen("light", rows, hears) == ["RandomTimeShift", "RandomGain", "RandomNoise"]
    assert chosen("strong", rows, hears)[3:] == ["SpecAugment", "MixUp"]
    assert chosen("light", series) == ["RandomTimeShift", "RandomGain", "RandomNoise"]
    assert chosen("strong", series)[3:] == ["MixUp"]
    assert chosen("strong", volumes) == ["RandomGain", "RandomNoise", "MixUp"]


def test_the_range_of_values_is_that_of_bytes_or_of_the_data() -> None:
    assert value_range(torch.tensor(photos() // 2)) == (0, 255)
    assert value_range(torch.tensor([[0.25, 4.0]])) == (0.25, 4)
    assert value_range(torch.zeros(2, 2)) == (0, 1)


class Masked:
    """Series of which the last channel says what was measured."""

    kind, masked = "series", True


def test_gaps_in_series_stay_gaps() -> None:
    series = np.random.default_rng(0).normal(size=(6, 20, 3)).astype(np.float32)
    series[..., -1] = np.arange(20) < 15
    series[:, 15:] = 0
    model = Sequential([Input((20, 3)), Flatten(), Dense(CLASSES, activation="softmax")])
    reads: Any = Masked()
    heads = [Head(SparseCategoricalCrossentropy())]

    made = augmentation_for("strong", model, heads, batch_of(series), reads=reads, by_recipe=True)
    assert made is not None
    found = made(batch_of(series), torch.arange(6), 0, 0).inputs[0].numpy()

    np.testing.assert_array_equal(found[..., -1], series[..., -1])
    assert not found[:, 15:].any()
    assert (found[:, :15, :2] != series[:, :15, :2]).all()
    for layer in (MixUp(), RandomTimeShift()):
        with pytest.raises(BadValue, match="does not know the gaps of these series; leave it out"):
            augmentation_for([layer], model, heads, batch_of(series), reads=reads, by_recipe=True)


@pytest.mark.parametrize(
    ("augment", "error", "words"),
    [
        ("hard", BadValue, r"fit\(augment='hard'\): must be 'auto', 'none', 'light', 'strong', a list of layers"),
        ([], BadValue, r"fit\(augment=\[\]\): must be"),
        ([Dense(3)], BadValue, r"fit\(augment=\[Dense\(units=3\)\]\): must be"),
        (RandomFlip(), BadValue, r"fit\(augment=RandomFlip\(\)\): must be"),
        ([RandomCrop(8, 8)], BadShape, r"RandomCrop makes \(8, 8, 3\) of \(10, 10, 3\); put it into the model"),
        (
            [RandomGain(), RandomTimeShift()],
            BadShape,
            r"RandomTimeShift: takes \(samples,\) or \(T, C\), got \(10, 10, 3\)",
        ),
    ],
    ids=["word", "nothing", "dense", "alone", "crop", "series"],
)
def test_what_does_not_fit_is_refused_in_a_sentence(augment: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepare(small(), photos(), labels(), verbose=0, augment=augment)


def test_a_model_that_mixes_inside_is_opened_and_asked_but_not_trained() -> None:
    model = Sequential([Input((10, 10, 3)), MixUp(name="mix"), Flatten(), Dense(CLASSES, activation="softmax")])

    assert model.predict(photos()).shape == (N, CLASSES)
    with pytest.raises(
        BadValue, match=r"MixUp\('mix'\): mixes labels, too, .* give it to fit\(augment=\[MixUp\(\.\.\.\)\]\)"
    ):
        model.fit(photos(), labels(), verbose=0)


def test_targets_that_lie_in_places_are_refused() -> None:
    model = Sequential([Input((10, 10, 3)), Conv2D(CLASSES, 1, activation="softmax")])

    with pytest.raises(BadValue, match=r"has a target at each place of the sample, \(10, 10, 3\)"):
        prepare(model, photos(), np.zeros((N, 10, 10), np.int64), verbose=0, augment=[RandomFlip()])


def test_several_inputs_are_refused() -> None:
    one, two = Input((10, 10, 3)), Input((4,))
    together = Concatenate()([Flatten()(one), two])
    model = Model([one, two], Dense(CLASSES, activation="softmax")(together))

    with pytest.raises(BadValue, match="the model has 2 inputs, and changing one alone may be unsound; put the layers"):
        prepare(model, [photos(), np.zeros((N, 4))], labels(), verbose=0, augment="light")


def test_hinge_losses_do_not_mix() -> None:
    model = small(head="linear").compile("sgd", "hinge")
    targets = np.eye(CLASSES, dtype=np.float32)[labels()]

    with pytest.raises(BadValue, match=r"MixUp mixes labels, and a hinge loss learns -1 or 1 only"):
        prepare(model, photos(), targets, verbose=0, augment=[MixUp()])


def test_code_of_ones_own_is_an_augmentation() -> None:
    seen = []

    def nothing(batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        seen.append((len(batch), len(samples), seed, number))
        return batch

    small().fit(photos(), labels(), batch_size=16, verbose=0, augment=nothing)

    assert seen == [(16, 16, 0, 0), (8, 8, 0, 0)]


@pytest.mark.parametrize(
    "augment",
    [
        None,
        "light",
        "strong",
        RandomShift(2),
        [RandomFlip("vertical"), RandomErasing(0.5, fill_value=(1, 2, 3)), MixUp(0.3)],
    ],
    ids=str,
)
def test_what_was_chosen_can_be_written_and_read(augment: Any) -> None:
    shift, rows = recorded(augment)

    found = from_recorded(shift, json.loads(json.dumps(rows)))

    assert repr(found) == repr(augment or "none")


def test_code_of_ones_own_cannot_be_written() -> None:
    with pytest.raises(BadValue, match=r"code is not; give layers, or train with model\.fit"):
        recorded(lambda batch, samples, seed, number: batch)
    with pytest.raises(BadValue, match="'Dense' is no layer that augments"):
        from_recorded(0, [{"class_name": "Dense", "config": {}}])


def test_unmixed_batches_keep_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[bool] = []
    fast = loop.mean_at_once

    def watched(*arguments: Any) -> Tensor | None:
        found = fast(*arguments)
        ways.append(found is not None)
        return found

    monkeypatch.setattr(loop, "mean_at_once", watched)
    for augment in ([RandomFlip()], [MixUp()]):
        layers: list[Augmenting] = list(augment)
        small().fit(photos(), labels(), batch_size=N, verbose=0, augment=layers, measure_train="never")

    assert ways == [True, False]
