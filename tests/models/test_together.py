import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.callbacks import EarlyStopping, ReduceLROnPlateau
from holdfast.core import BadValue, NotReady
from holdfast.layers import (
    L1,
    L2,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Input,
    MaxNorm,
    MaxPooling2D,
    Normalization,
    RandomFlip,
    Rescaling,
    SpatialDropout2D,
)
from holdfast.models import Fitting, Model, Sequential, prepare, together
from holdfast.models.together import alike, at_once, trained
from holdfast.training import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Begin,
    EpochEnd,
    Event,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    StepEnd,
    Stop,
    load_checkpoint,
    probe_stacked,
    save_checkpoint,
)

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.random((70, 8, 8, 1)).astype(np.float32)
ROWS = RANDOM.random((70, 6)).astype(np.float32)
LABELS = (PICTURES.mean((1, 2, 3)) * 1e4).astype(np.int64) % 3
MODELS = 3

Layers = Callable[[], list[Any]]  # Any: layers


def dense() -> list[Any]:
    return [Dense(16, activation="relu"), Dropout(0.3), Dense(7, use_bias=False), Dense(3, activation="softmax")]


def conv() -> list[Any]:
    return [
        Rescaling(2.0),
        Conv2D(16, 3, activation="relu"),
        MaxPooling2D(2),
        Conv2D(16, 3, padding="same"),
        SpatialDropout2D(0.2),
        Flatten(),
        Dense(3, activation="softmax"),
    ]


def normed() -> list[Any]:
    return [Conv2D(16, 3, use_bias=False), BatchNormalization(), Flatten(), Dense(3, activation="softmax")]


def drawing() -> list[Any]:
    return [
        RandomFlip(),
        Conv2D(8, 3, activation="gelu"),
        GaussianNoise(0.1),
        Flatten(),
        Dense(3, activation="softmax"),
    ]


def penalised() -> list[Any]:
    return [
        Dense(8, kernel_regularizer=L2(0.01), activity_regularizer=L2(0.01), kernel_constraint=MaxNorm(1.0)),
        Dense(3, activation="softmax", kernel_regularizer=L1(1e-3, proximal=True)),
    ]


def frozen() -> list[Any]:
    return [Conv2D(8, 3, activation="relu", trainable=False), Flatten(), Dense(3, activation="softmax")]


def sessions(
    layers: Layers, optimizers: Sequence[Any] = ("adam",) * MODELS, *, n: Sequence[int] = (70,) * MODELS, **how: Any
) -> list[Fitting]:  # Any: what compile and fit take
    """Sessions that differ in seed, and in what is given for each."""
    made = []
    x = ROWS if layers in (dense, penalised) else PICTURES
    for seed, optimizer in enumerate(optimizers):
        model = Sequential([Input(x.shape[1:]), *layers()], seed=seed)
        model.compile(optimizer, metrics=["accuracy"], precision=how.get("precision", "float32"))
        mine = {key: value() if callable(value) else value for key, value in how.items() if key != "precision"}
        given = {"batch_size": 16, "epochs": 3, "verbose": 0, "validation_split": 0.2, **mine}
        made.append(prepare(model, x[: n[seed]], LABELS[: n[seed]], **given))
    return made


def alone(some: Sequence[Fitting]) -> list[Fitting]:
    for session in some:
        session.run()
    return list(some)


def in_one(some: Sequence[Fitting]) -> list[Fitting]:
    together._run(some)
    return list(some)


def check_same(apart: Sequence[Fitting], one: Sequence[Fitting]) -> None:
    """Weights, slots, counters and histories agree to 1e-5: products of matrices are added up in another order."""
    for a, b in zip(apart, one, strict=True):
        torch.testing.assert_close(b.state.model.state_dict(), a.state.model.state_dict(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(b.state.slots, a.state.slots, rtol=1e-5, atol=1e-5)
        for name in ("learning_rate", "step", "epoch", "batch", "begin"):
            assert getattr(a.state, name) == getattr(b.state, name)
        assert a.history.epoch == b.history.epoch
        assert a.history.stop == b.history.stop
        assert [list(logs) for logs in a.history.logs] == [list(logs) for logs in b.history.logs]
        for mine, theirs in zip(
            [*a.history.logs, a.history.measured], [*b.history.logs, b.history.measured], strict=True
        ):
            assert theirs == pytest.approx(mine, rel=1e-5, abs=1e-5)
        assert not any(part.training for part in b.state.model.modules())
        assert b.model.history is b.history


CASES: dict[str, tuple[Layers, dict[str, Any]]] = {
    "dense": (dense, {}),
    "recipe": (dense, {"optimizers": (None,) * MODELS}),
    "conv": (conv, {}),
    "batch-norm": (normed, {}),
    "draws": (drawing, {}),
    "penalties": (penalised, {}),
    "augmented": (conv, {"augment": lambda: [RandomFlip("horizontal")]}),
    "class-weights": (dense, {"class_weight": {0: 2.0, 1: 1.0, 2: 0.5}}),
    "steps": (dense, {"steps_per_epoch": 3}),
    "train-measured": (dense, {"measure_train": "epoch"}),
    "frozen": (frozen, {"n": (70, 70, 69)}),
    "bfloat16": (dense, {"precision": "bfloat16"}),
    "rates": (dense, {"optimizers": (Adam(1e-3), Adam(1e-2), Adam(3e-2))}),
    "sorts": (dense, {"optimizers": ("adam", SGD(0.1), Nadam(0.01))}),
    "folds": (dense, {"n": (61, 62, 70)}),
    "conv-folds": (conv, {"n": (62, 61, 61)}),
}


@pytest.mark.parametrize("name", CASES)
def test_trained_together_each_is_as_if_trained_alone(name: str) -> None:
    layers, how = CASES[name]

    one = in_one(sessions(layers, **how))

    check_same(alone(sessions(layers, **how)), one)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.05),
        SGD(0.05, momentum=0.9, nesterov=True),
        RMSprop(),
        RMSprop(momentum=0.5, centered=True),
        Adam(weight_decay=0.1),
        Adam(amsgrad=True, clipnorm=0.1),
        AdamW(clipvalue=0.01),
        Adam(global_clipnorm=0.1),
        Adam(gradient_accumulation_steps=2),
        Adagrad(),
        Adadelta(1.0),
        Nadam(),
        Lion(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_optimizer_updates_each_model_as_alone(optimizer: Optimizer) -> None:
    given = (optimizer, optimizer)

    one = in_one(sessions(dense, given, epochs=2))

    check_same(alone(sessions(dense, given, epochs=2)), one)


def test_each_stops_early_when_it_wants_to_and_keeps_its_best_weights() -> None:
    def how() -> dict[str, Any]:
        return {"epochs": 12, "callbacks": lambda: [EarlyStopping(patience=1), ReduceLROnPlateau(patience=0)]}

    rates = Adam(0.3), Adam(1e-3), Adam(0.03)

    one = in_one(sessions(dense, rates, **how()))

    apart = alone(sessions(dense, rates, **how()))
    assert len({len(session.history.epoch) for session in apart}) > 1  # or this would tell nothing
    check_same(apart, one)


def test_callbacks_hear_their_own_events_in_order() -> None:
    def heard(train: Callable[[Sequence[Fitting]], object]) -> list[list[tuple[str, int]]]:
        some = sessions(dense, n=(40, 70, 55))
        told: list[list[tuple[str, int]]] = [[] for _ in some]
        listening = [
            replace(session, callbacks=(*session.callbacks, lambda event, mine=mine: mine.append(word(event))))
            for session, mine in zip(some, told, strict=True)
        ]
        train(listening)
        return told

    def word(event: Event) -> tuple[str, int]:
        return type(event).__name__, event.state.step

    assert heard(in_one) == heard(alone)


def test_a_stop_within_an_epoch_ends_that_training_alone() -> None:
    def stop(event: Event) -> Stop | None:
        return Stop("enough") if isinstance(event, StepEnd) and event.state.step == 2 else None

    def some() -> list[Fitting]:
        first, *others = sessions(dense)
        return [replace(first, callbacks=(stop, *first.callbacks)), *others]

    one = in_one(some())

    check_same(alone(some()), one)
    assert [session.state.step for session in one] == [2, 12, 12]


def test_a_checkpoint_goes_on_alone_where_it_was_taken_together(tmp_path: Any) -> None:
    def keep(event: Event) -> None:
        if isinstance(event, StepEnd) and event.state.step == 6:
            save_checkpoint(tmp_path / "last.safetensors", event.state)

    first, *others = sessions(dense)
    in_one([replace(first, callbacks=(keep, *first.callbacks)), *others])
    resumed = sessions(dense)[0]
    load_checkpoint(tmp_path / "last.safetensors", resumed.state, resumed.program)
    replace(resumed, first=resumed.state.epoch).run()

    torch.testing.assert_close(resumed.state.model.state_dict(), first.state.model.state_dict(), rtol=1e-5, atol=1e-5)


def test_an_error_of_one_ends_all_and_all_hear_of_it() -> None:
    def fail(event: Event) -> None:
        if isinstance(event, EpochEnd):
            raise ValueError("no")

    some = sessions(dense)
    ends: list[Any] = []
    heard = [replace(one, callbacks=(*one.callbacks, lambda event: ends.append(type(event).__name__))) for one in some]
    heard[1] = replace(heard[1], callbacks=(fail, *heard[1].callbacks))

    with pytest.raises(ValueError, match="no"):
        in_one(heard)

    assert ends.count("End") == 3
    assert some[0].history.stop == Stop("interrupted")
    in_one(sessions(dense))
    some[0].model.busy.__enter__()  # nobody holds it any more


def test_one_model_is_not_trained_twice_at_once() -> None:
    first, *_ = sessions(dense)

    with pytest.raises(NotReady, match="is being trained already"):
        in_one([first, first])


def test_only_one_of_several_progress_lines_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    in_one(sessions(dense, verbose=2, epochs=1))

    assert capsys.readouterr().out.count("epoch 1/1") == 1


def test_sessions_of_different_architecture_come_in_different_groups() -> None:
    mixed = [*sessions(dense, epochs=1), *sessions(conv, epochs=1)]

    assert [len(group) for group in alike(mixed)] == [3, 3]
    ended = trained([partial(mixed.__getitem__, number) for number in range(6)], 6)
    assert [session.history.epoch for session, _ in ended] == [[0]] * 6


def test_a_model_that_somebody_has_hooked_into_is_trained_alone() -> None:
    some = sessions(dense)
    some[0].model.module.get_submodule("dense").register_forward_hook(lambda *_: None)

    assert [len(group) for group in alike(some)] == [1, 2]


def test_who_hooks_into_a_model_by_its_first_step_is_heard() -> None:
    heard: list[Any] = []

    def hook(event: Event) -> None:
        if isinstance(event, Begin):
            event.state.model.get_submodule("dense").register_forward_hook(lambda *_: heard.append(1))

    first, *others = sessions(dense, epochs=1)

    in_one([replace(first, callbacks=(hook, *first.callbacks)), *others])

    assert len(heard) == 4 + 1 + 2  # steps, validation, and both parts at the end


def test_models_that_differ_are_refused() -> None:
    with pytest.raises(BadValue, match="cannot be trained as one"):
        in_one([sessions(dense)[0], sessions(conv)[0]])


def test_constants_of_a_fold_are_its_own() -> None:
    def some() -> list[Fitting]:
        made = []
        for seed in range(2):
            front = Normalization()
            front.adapt(ROWS * (1 + seed))
            model = Sequential([Input((6,)), front, *dense()], seed=seed)
            model.compile("adam", precision="float32", metrics=["accuracy"])
            made.append(prepare(model, ROWS * (1 + seed), LABELS, epochs=2, verbose=0, batch_size=16))
        return made

    one = in_one(some())

    check_same(alone(some()), one)


def test_several_inputs_outputs_shared_layers_and_models_within_models() -> None:
    def some() -> list[Fitting]:
        made = []
        for seed in range(2):
            inner = Sequential([Input((6,)), Dense(5, activation="relu"), Dropout(0.2)], name="inner", seed=seed)
            a, b = Input((6,), name="a"), Input((6,), name="b")
            joined = Concatenate()([inner(a), inner(b)])
            ends = Dense(3, activation="softmax", name="kind")(joined), Dense(1, name="size")(joined)
            model = Model([a, b], ends, seed=seed)
            model.compile("adam", ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.5])
            targets = [LABELS, ROWS[:, :1]]
            made.append(prepare(model, [ROWS, ROWS[::-1].copy()], targets, epochs=2, verbose=0, batch_size=16))
        return made

    one = in_one(some())

    check_same(alone(some()), one)


def test_no_more_are_made_at_a_time_than_are_trained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def maker(seed: int) -> Fitting:
        made.append(seed)
        return sessions(dense, epochs=1)[seed % MODELS]

    monkeypatch.setattr(together, "at_once", lambda session, count: 2)

    seen = [len(made) for _ in trained([partial(maker, seed) for seed in range(5)])]

    assert seen == [2, 2, 4, 4, 5]
    assert made == [0, 1, 2, 3, 4]


def test_short_trainings_are_not_worth_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(probe_stacked, "pays")

    assert at_once(sessions(dense)[0], 3) == 1


def test_a_trained_model_keeps_its_own_memory() -> None:
    one = in_one(sessions(dense))

    for parameter in one[0].state.model.parameters():
        assert parameter.untyped_storage().nbytes() == parameter.numel() * 4
    copy.deepcopy(one[0].model)
