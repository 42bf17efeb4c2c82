"""A frozen front: where it ends, that its features are computed once, and that nothing else changes."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.callbacks import EarlyStopping
from holdfast.data import Part, RandomShift
from holdfast.data.kept import Columns, Keep, Writing
from holdfast.data.rows import Mapped, Rows
from holdfast.layers import (
    L2,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MixUp,
    RandomFlip,
    ReLU,
    Rescaling,
)
from holdfast.models import Model, Pictures, Sequential, fitting, kept_features
from holdfast.models.frozen import Front, front_of
from holdfast.training import AdamW, EpochEnd, load_checkpoint, save_checkpoint
from holdfast.training.passes import folded
from holdfast.training.split import Split
from holdfast.transfer import classifier, load_base

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
MOBILENET = DATA / "mobilenet_v1_1.0_224_conv_pw_12"
RANDOM = np.random.default_rng(0)
IMAGES = torch.from_numpy(RANDOM.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8))
LABELS = torch.from_numpy(np.arange(40) % 2)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples went through a front, each time."""
    counts: list[int] = []
    plain = kept_features._compute

    def compute(front: Front, places: NDArray[np.int64], *rest: object) -> None:
        counts.append(len(places))
        plain(front, places, *rest)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(kept_features, "_compute", compute)
    return counts


def close(one: object, other: object) -> None:
    """Up to rounding: batch norms are folded, and sums taken in another order."""
    np.testing.assert_allclose(np.asarray(one, np.float64), np.asarray(other, np.float64), rtol=1e-4, atol=1e-5)


def part(start: int = 0, stop: int = 40) -> Part:
    return Part(IMAGES[start:stop], LABELS[start:stop], [str(n) for n in range(start, stop)])


def net(*head: Layer, frozen: bool = True, seed: int = 3) -> Sequential:
    front = [
        Rescaling(1 / 127.5, -1),
        Conv2D(8, 3, padding="same", use_bias=False, trainable=not frozen, name="conv"),
        BatchNormalization(trainable=not frozen, name="norm"),
        ReLU(6.0),
        GlobalAveragePooling2D(),
    ]
    model = Sequential(
        [Input((16, 16, 3)), *front, *(head or (Dropout(0.3), Dense(2, "softmax", name="dense")))], seed=seed
    )
    running = model.get_layer("norm").layer
    assert running is not None
    model.set_weights([np.abs(w) + 0.5 if n in (3, 4) else w for n, w in enumerate(model.get_weights())])
    return model


def whole(model: Sequential, monkeypatch: pytest.MonkeyPatch) -> Sequential:
    """The same model, trained without features."""
    monkeypatch.setattr(fitting, "front_of", lambda lowered: None)
    return model


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_front_ends_before_what_draws_or_learns_where_the_features_are_few() -> None:
    front = front_of(net().lowered)

    assert front is not None
    assert front.shape == (8,)
    assert not any(name.startswith("dense") for name, _ in front.trunk.named_modules())


def test_a_convolution_that_learns_gets_maps() -> None:
    maps = Sequential([Input((16, 16, 3)), Conv2D(4, 3, trainable=False), Conv2D(5, 3), Flatten(), Dense(2, "softmax")])

    front = front_of(maps.lowered)

    assert front is not None
    assert front.shape == (14, 14, 4)
    features = front.trunk(IMAGES)
    torch.testing.assert_close(front.split(maps.module)(features), maps.module(IMAGES))


NONE: dict[str, Callable[[], Sequential]] = {
    "all learn": lambda: net(frozen=False),
    "nothing learns": lambda: Sequential([Input(3), Dense(2, trainable=False)]),
    "no weights in front": lambda: Sequential([Input((4, 4, 3)), Rescaling(2.0), Flatten(), Dense(2)]),
    "frozen behind what learns": lambda: Sequential([Input(3), Dense(4), Dense(2, trainable=False)]),
    "a norm that moves": lambda: Sequential(
        [Input(3), BatchNormalization(center=False, scale=False), Dense(4, trainable=False), Dense(2)]
    ),
    "what draws": lambda: Sequential([Input(3), Dropout(0.5), Dense(4, trainable=False), Dense(2)]),
    "activity that costs": lambda: Sequential(
        [Input(3), Dense(4, activity_regularizer=L2(0.1), trainable=False), Dense(2)]
    ),
}


@pytest.mark.parametrize("make", NONE.values(), ids=NONE.keys())
def test_there_is_no_front(make: Callable[[], Sequential]) -> None:
    assert front_of(make().lowered) is None


def test_a_front_with_branches_ends_where_all_goes_through_one_tensor() -> None:
    x = Input((8,))
    one = Dense(4, trainable=False)(x)
    two = Add()([one, Dense(4, trainable=False)(one)])
    model = Model(x, Dense(2)(Concatenate()([two, Dense(3)(two)])))
    skipping = Model(x, Dense(2)(Concatenate()([two, Dense(3)(one)])))

    front, earlier = front_of(model.lowered), front_of(skipping.lowered)

    assert front is not None
    assert earlier is not None
    values = torch.randn(5, 8)
    torch.testing.assert_close(front.trunk(values), Model(x, two).module(values))
    torch.testing.assert_close(earlier.trunk(values), Model(x, one).module(values))
    torch.testing.assert_close(earlier.split(skipping.module)(earlier.trunk(values)), skipping.module(values))


def test_a_frozen_model_within_a_model_is_a_front() -> None:
    base = Sequential([Input((16, 16, 3)), Conv2D(4, 3, trainable=False), GlobalAveragePooling2D()])
    model = Sequential([Input((16, 16, 3)), base, Dense(2, "softmax")])

    front = front_of(model.lowered)

    assert front is not None
    assert front.shape == (4,)
    assert front.key == front.key


def test_several_inputs_may_come_together_in_the_front(computed: list[int]) -> None:
    a, b = Input((3,)), Input((2,))
    both = Dense(4, trainable=False)(Concatenate()([a, b]))
    model = Model([a, b], Dense(1)(both))
    x = [np.ones((6, 3), np.float32), RANDOM.normal(size=(6, 2)).astype(np.float32)]

    model.fit(x, np.arange(6.0), epochs=1, verbose=0)
    model.fit(x, np.arange(6.0), epochs=1, verbose=0)

    assert computed == [6]


def test_training_on_features_gives_what_training_the_whole_model_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = net(), net()

    history = model.fit(part(0, 30), epochs=3, validation_data=part(30), verbose=0, augment="none")
    expected = whole(other, monkeypatch).fit(part(0, 30), epochs=3, validation_data=part(30), verbose=0, augment="none")

    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        close(one, two)
    for key, values in expected.history.items():
        close(history.history[key], values)


def test_frozen_weights_and_statistics_stay_bit_by_bit() -> None:
    model = net()
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items() if "dense" not in name}

    model.fit(part(), epochs=2, verbose=0)

    after = model.module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_each_sample_goes_through_the_front_once_whatever_is_asked(computed: list[int]) -> None:
    model = net()

    model.fit(part(0, 30), epochs=4, validation_data=part(30), verbose=0)
    model.predict(part(10, 35))
    model.evaluate(part(5, 40))
    net().fit(part(20, 40), epochs=2, validation_data=part(0, 20), verbose=0)

    assert computed == [30, 10]


def test_copies_are_computed_once(computed: list[int]) -> None:
    twice = Part(torch.cat([IMAGES, IMAGES]), torch.cat([LABELS, LABELS]), [""] * 80)

    net().fit(twice, epochs=1, verbose=0)

    assert computed == [40]


def test_other_weights_or_settings_are_another_front(computed: list[int]) -> None:
    model = net()
    model.fit(part(), epochs=1, verbose=0)
    weights = model.get_weights()

    model.set_weights([weights[0] + 1, *weights[1:]])
    model.predict(part())
    net(seed=4).predict(part())

    assert computed == [40, 40, 40]


OTHERS: dict[str, list[Layer]] = {
    "as it was": [Rescaling(2.0), Conv2D(4, 3, trainable=False), ReLU()],
    "scale": [Rescaling(3.0), Conv2D(4, 3, trainable=False), ReLU()],
    "dilation": [Rescaling(2.0), Conv2D(4, 3, dilation_rate=2, trainable=False), ReLU()],
    "padding": [Rescaling(2.0), Conv2D(4, 3, padding="same", trainable=False), ReLU()],
    "limit": [Rescaling(2.0), Conv2D(4, 3, trainable=False), ReLU(6.0)],
    "slope": [Rescaling(2.0), Conv2D(4, 3, trainable=False), ReLU(negative_slope=0.1)],
}


def test_fronts_of_equal_weights_and_other_settings_are_told_apart() -> None:
    keys = set()
    for layers in OTHERS.values():
        model = Sequential([Input((16, 16, 3)), *layers, GlobalAveragePooling2D(), Dense(2, "softmax")], seed=1)
        front = front_of(model.lowered)
        assert front is not None
        keys.add(front.key)

    assert len(keys) == len(OTHERS)


def test_the_head_may_change_and_the_features_stay(computed: list[int]) -> None:
    net().predict(part())
    net(Dense(5, "relu"), Dense(2, "softmax")).predict(part())

    assert computed == [40]


def test_parts_and_arrays_get_the_same_answers() -> None:
    model = net()

    close(model.predict(part()), model.predict(IMAGES.numpy()))
    model.fit(part(), epochs=1, verbose=0)
    close(model.predict(part()), model.predict(IMAGES.numpy()))
    close(model.evaluate(part()), model.evaluate(IMAGES, LABELS))


def test_features_of_a_sample_do_not_depend_on_its_neighbours(cache: Path) -> None:
    model = net()
    together = model.predict(part())
    for path in files(cache):
        path.unlink()

    alone = np.concatenate([model.predict(part(n, n + 1)) for n in range(12)])

    np.testing.assert_array_equal(alone, together[:12])


def test_a_state_is_the_same_with_features_and_without(tmp_path: Path) -> None:
    model = net()
    session = fitting.prepare(model, part(), epochs=1, verbose=0)
    names = list(session.state.model.state_dict())

    session.run()
    save_checkpoint(tmp_path / "a.safetensors", session.state)
    again = fitting.prepare(model, part(), epochs=1, verbose=0, augment=[MixUp()])
    load_checkpoint(tmp_path / "a.safetensors", again.state, again.program)

    assert isinstance(session.model, Sequential)
    assert names == list(model.module.state_dict())
    assert not isinstance(again.state.model, Split)
    assert (
        len(again.state.slots["first"] if "first" in again.state.slots else next(iter(again.state.slots.values()))) == 2
    )


def test_a_training_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path, model, again = tmp_path / "last.safetensors", net(), net()
    session = fitting.prepare(model, part(), epochs=4, verbose=0)
    for event in session.events():
        if isinstance(event, EpochEnd) and event.epoch == 1:
            save_checkpoint(path, event.state)

    resumed = fitting.prepare(again, part(), epochs=4, verbose=0)
    load_checkpoint(path, resumed.state, resumed.program)
    replace(resumed, first=resumed.state.epoch).run()

    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_early_stopping_brings_the_best_weights_back() -> None:
    model = net()

    history = model.fit(
        part(0, 30),
        epochs=8,
        validation_data=part(30),
        verbose=0,
        callbacks=EarlyStopping(monitor="val_loss", patience=2),
    )

    judged = model.evaluate(part(30), return_dict=True)
    assert judged["loss"] == pytest.approx(min(history.history["val_loss"]), rel=1e-5)


def test_changed_copies_are_drawn_once_and_taken_in_turn(computed: list[int]) -> None:
    session = fitting.prepare(net(), part(), epochs=6, batch_size=40, shuffle=False, verbose=0, augment=RandomShift(2))

    passes = [next(iter(session.batches.epoch(number))).inputs[0] for number in range(6)]
    fitting.prepare(net(), part(), epochs=6, verbose=0, augment=RandomShift(2))

    assert all(torch.equal(passes[n], passes[n + 4]) for n in range(2))
    assert not any(torch.equal(passes[0], passes[n]) for n in range(1, 4))
    assert len(computed) == 1 + kept_features.VIEWS  # the samples themselves are judged


def test_a_changed_copy_gives_the_features_that_it_would_have_given_on_the_way() -> None:
    layers = [RandomFlip("horizontal", seed=1)]
    session = fitting.prepare(net(), part(), epochs=2, batch_size=40, shuffle=False, verbose=0, augment=layers)
    model = net()
    front = front_of(model.lowered)
    assert front is not None
    flipped = torch.flip(IMAGES, [2])

    given = next(iter(session.batches.epoch(1))).inputs[0]

    both = front.trunk(IMAGES), front.trunk(flipped)
    errors = torch.stack([(given - one).abs().amax(1) for one in both]).amin(0)
    assert errors.max() < 1e-5


@pytest.mark.parametrize("augment", [[MixUp()], lambda batch, samples, seed, number: batch], ids=["mixed", "code"])
def test_what_cannot_be_drawn_before_trains_the_whole_model(augment: object, computed: list[int]) -> None:
    session = fitting.prepare(net(), part(), epochs=1, verbose=0, augment=augment)  # type: ignore[arg-type]

    assert not isinstance(session.state.model, Split)
    assert session.batches.data.inputs[0].shape == IMAGES.shape
    assert computed == []


def test_auto_changes_nothing_before_a_frozen_front() -> None:
    assert fitting.prepare(net(), part(), verbose=0).batches.augment is None
    assert fitting.prepare(net(frozen=False), part(), verbose=0).batches.augment == RandomShift(1)


def test_samples_that_are_fetched_are_read_once(computed: list[int]) -> None:
    store = Mapped(IMAGES.numpy())
    fetched: list[int] = []
    plain = store.fetch

    def fetch(places: NDArray[np.int64]) -> Tensor:
        fetched.extend(places.tolist())
        return plain(places)

    store.fetch = fetch  # type: ignore[method-assign]
    rows: Tensor = Rows(store, np.arange(40))  # type: ignore[assignment]  # what stands for one
    model = net()

    model.fit(Part(rows, LABELS, [""] * 40), epochs=1, verbose=0)
    seen = len(fetched)
    model.fit(Part(rows, LABELS, [""] * 40), epochs=3, verbose=0)

    assert computed == [40]
    assert len(fetched) == seen


def test_features_that_exceed_the_memory_stay_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_features, "free_memory", lambda: 1000)

    session = fitting.prepare(net(), part(), epochs=2, verbose=0)
    on_disk = session.run().history["loss"]
    monkeypatch.undo()

    assert isinstance(session.batches.data.inputs[0], Rows)
    assert on_disk[1] < on_disk[0]


def test_without_room_on_disk_features_are_in_memory(
    computed: list[int], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(Keep, "fits", lambda *_: False)
    model = net()

    assert isinstance(fitting.prepare(model, part(), verbose=0).state.model, Split)
    assert computed == [40]
    assert files(cache) == []


def test_without_any_room_the_whole_model_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keep, "fits", lambda *_: False)
    monkeypatch.setattr(kept_features, "free_memory", lambda: 1000)
    model = net()

    session = fitting.prepare(model, part(), epochs=2, verbose=0)

    assert not isinstance(session.state.model, Split)
    assert session.run().history["loss"]
    assert model.predict(part()).shape == (40, 2)


@pytest.mark.parametrize("then", ["replaced", "removed"])
def test_what_others_do_to_the_cache_meanwhile_changes_no_answer(
    then: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net().predict(part(0, 5))
    (kept,) = files(cache)
    of_five, plain = kept.read_bytes(), Keep.write

    @contextmanager
    def write(self: Keep, columns: Columns, room: int) -> Iterator[Writing]:
        with plain(self, columns, room) as writing:
            yield writing
        if then == "removed":
            shutil.rmtree(cache)
            return
        other = self.path.with_suffix(".other")
        other.write_bytes(of_five)  # of a process that began when there was nothing more
        other.replace(self.path)

    monkeypatch.setattr(Keep, "write", write)

    close(net().predict(part()), net().predict(IMAGES.numpy()))


def test_a_cache_that_is_removed_while_features_are_computed_costs_nothing_but_them(
    cache: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = kept_features._compute

    def compute(*given: object) -> None:
        counting(*given)  # type: ignore[arg-type]  # as they came
        shutil.rmtree(cache)

    monkeypatch.setattr(kept_features, "_compute", compute)

    close(net().predict(part()), net().predict(IMAGES.numpy()))
    assert computed == [40]


def test_who_is_interrupted_leaves_nothing_half_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: object, done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kept_features.Telling, "__call__", interrupt)

    with pytest.raises(KeyboardInterrupt):
        net().fit(part(), epochs=1)

    assert files(cache) == []


def test_who_has_hooked_into_the_front_hears_of_every_sample() -> None:
    model = net()
    heard: list[int] = []
    handle = model.module.get_submodule("conv").register_forward_hook(lambda *_: heard.append(1))

    model.fit(part(), epochs=2, batch_size=40, verbose=0, measure_train="never")
    handle.remove()

    assert len(heard) == 2


def test_the_threads_of_torch_are_as_many_as_before() -> None:
    before = torch.get_num_threads()

    net().predict(part())

    assert torch.get_num_threads() == before


def test_progress_is_told_once_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept_features, "PATIENCE_S", 0.0)
    monkeypatch.setattr(kept_features, "PRINT_S", 0.0)

    with kept_features.Telling(quiet=False) as told:
        told(120, 480)
    with kept_features.Telling(quiet=True) as told:
        told(240, 480)

    said = capsys.readouterr().out
    assert said.startswith("features  120/480")
    assert "240" not in said


@pytest.mark.parametrize("act", [ReLU(), ReLU(6.0), None], ids=["relu", "relu6", "linear"])
def test_folded_norms_give_the_same(act: Layer | None) -> None:
    layers = [
        Conv2D(16, 3, strides=2, padding="same", use_bias=False),
        BatchNormalization(),
        *([act] if act else []),
        DepthwiseConv2D(3, padding="same"),
        BatchNormalization(scale=False),
    ]
    model = Sequential([Input((16, 16, 3)), *layers])
    random = np.random.default_rng(1)
    model.set_weights([random.uniform(0.2, 1.5, weight.shape) for weight in model.get_weights()])
    x = torch.rand(4, 16, 16, 3)

    made = folded(model.module)

    kinds = [type(part).__name__ for part in made.modules()]
    assert "BatchNorm" not in kinds
    assert kinds.count("Folded") == 2
    torch.testing.assert_close(made(x), model.module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not MOBILENET.exists(), reason="needs ../shared/data, or HOLDFAST_DATA")
def test_a_head_on_mobilenet_learns_photos_from_features_that_are_the_network_s(computed: list[int]) -> None:
    paths = [path for name in ("pants", "hat") for path in sorted((DATA / "clothing" / name).iterdir())[:20]]
    images = torch.from_numpy(Pictures((96, 96), 3).read(paths))
    photos = Part(images, torch.arange(40) // 20, [path.name for path in paths])
    model = classifier(load_base(MOBILENET), 2, input_shape=(96, 96, 3))

    model.compile(AdamW(0.003), metrics=["accuracy"])
    history = model.fit(photos, epochs=10, verbose=0)

    assert computed == [40]
    assert history.history["accuracy"][-1] > 0.9
    close(model.predict(photos), model.predict(images.numpy()))
