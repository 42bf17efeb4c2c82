"""The callbacks in real trainings: together, interrupted, and resumed from a checkpoint."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from holdfast.callbacks import (
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    ModelCheckpoint,
    Progress,
    ReduceLROnPlateau,
    Resumable,
    TargetReached,
    TerminateOnNaN,
    TimeBudget,
)
from holdfast.core import UnknownName
from holdfast.data import Batch, Batches
from holdfast.metrics import Accuracy
from holdfast.training import (
    Callback,
    EpochEnd,
    Event,
    Head,
    Program,
    RMSprop,
    SparseCategoricalCrossentropy,
    State,
    Stop,
    evaluate,
    fit,
    load_checkpoint,
    save_checkpoint,
    train,
)

PROGRAM = Program(RMSprop(0.05), (Head(SparseCategoricalCrossentropy(from_logits=True), metrics=(Accuracy(),)),))


def noise(seed: int, n: int) -> Batches:
    """Points whose labels are chance: whoever learns them by heart does worse on others."""
    draw = torch.Generator().manual_seed(seed)
    points, labels = torch.randn(n, 4, generator=draw), torch.randint(0, 2, (n,), generator=draw)
    return Batches(Batch((points,), (labels,)), batch_size=8, shuffle=True)


TRAIN, VALIDATION = noise(0, 40), noise(1, 40)


def make_state() -> State:
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    return State.start(model, PROGRAM)


def run(state: State, *callbacks: Callback, epochs: int = 30, validation: Batches | None = VALIDATION) -> Stop | None:
    return fit(train(state, PROGRAM, TRAIN, epochs=epochs, validation=validation), callbacks)


def test_the_model_ends_with_the_weights_of_its_best_epoch() -> None:
    state, early, history = make_state(), EarlyStopping(patience=4), History()

    stop = run(state, early, history)

    best = min(history.history["val_loss"])
    epoch = history.history["val_loss"].index(best) + 1
    assert (
        stop
        == history.stop
        == Stop(f"epoch {epoch + 4}: val_loss has not improved for 4 epochs; weights of epoch {epoch} restored")
    )
    assert evaluate(state.model, PROGRAM, VALIDATION)["val_loss".removeprefix("val_")] == pytest.approx(best, rel=1e-6)


def test_a_plain_history_has_keras_s_keys() -> None:
    history = History()

    run(make_state(), history, epochs=2)

    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.learning_rates == [0.05, 0.05]


def test_all_listen_and_all_is_closed_when_one_of_them_fails(tmp_path: Path) -> None:
    file, state, history = io.StringIO(), make_state(), History()
    console = Console(file=file, force_terminal=True, force_interactive=True, width=120)

    def fail(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            raise RuntimeError("the disk is on fire")

    others: list[Callback] = [
        CSVLogger(tmp_path / "log.csv"),
        ModelCheckpoint(tmp_path / "{epoch}.safetensors"),
        Progress(console=console),
        TimeBudget(3600),
        TerminateOnNaN(every=1),
        history,
    ]
    with pytest.raises(RuntimeError, match="the disk is on fire"):
        run(state, *others, LambdaCallback(on_epoch_end=fail))

    assert history.epoch == [0, 1]
    assert file.getvalue().count("\x1b[?25h") == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.safetensors", "2.safetensors", "log.csv"]


def saving(path: Path, callbacks: list[Callback]) -> Callable[[Event], None]:
    """Writes what a run's checkpoint holds, after each epoch."""

    def save(event: Event) -> None:
        if isinstance(event, EpochEnd):
            memory = {type(one).__name__: one.state_dict() for one in callbacks if isinstance(one, Resumable)}
            save_checkpoint(path / f"{event.state.epoch}.safetensors", event.state, memory=memory)

    return save


def team() -> list[Any]:  # Any: History among them is asked for its lists
    return [History(), EarlyStopping(patience=6), ReduceLROnPlateau(patience=2, factor=0.5), TimeBudget(3600)]


@pytest.mark.parametrize("epoch", [1, 3, 7])
def test_a_resumed_training_ends_as_the_unbroken_one(epoch: int, tmp_path: Path) -> None:
    unbroken, callbacks = make_state(), team()
    expected = run(unbroken, *callbacks, saving(tmp_path, callbacks))
    resumed, again = make_state(), team()

    memory = load_checkpoint(tmp_path / f"{epoch}.safetensors", resumed, PROGRAM)
    for callback in again:
        callback.load_state_dict(memory[type(callback).__name__])
    stop = run(resumed, *again)

    assert stop == expected is not None
    assert again[0].history == callbacks[0].history
    assert again[0].learning_rates == callbacks[0].learning_rates
    assert len(set(again[0].learning_rates)) > 1
    for one, other in zip(resumed.model.parameters(), unbroken.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(patience=1),
        ReduceLROnPlateau(patience=1),
        TargetReached(target=2.0),
        ModelCheckpoint("best.safetensors", save_best_only=True),
        ModelCheckpoint("{epoch}-{val_loss:.1f}.safetensors"),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_epochs_that_are_not_judged_are_passed_over(
    callback: Callback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With validation_freq=2 each used to fail at the first epoch: the logs have no val_loss."""
    monkeypatch.chdir(tmp_path)
    state, history = make_state(), History()

    fit(train(state, PROGRAM, TRAIN, epochs=3, validation=VALIDATION, validation_freq=2), [callback, history])

    assert history.epoch == [0, 1, 2]
    assert len(history.history["val_loss"]) == 1
    if isinstance(callback, ModelCheckpoint):
        assert len(list(tmp_path.iterdir())) == 1


def test_patience_counts_judged_epochs() -> None:
    state, early = make_state(), EarlyStopping("val_accuracy", patience=2, baseline=1.0, restore_best_weights=False)

    stop = fit(train(state, PROGRAM, TRAIN, epochs=30, validation=VALIDATION, validation_freq=3), [early])

    assert stop is not None
    assert state.epoch % 3 == 0
    assert state.epoch >= 6


def test_a_value_that_judged_epochs_miss_is_an_error() -> None:
    state = make_state()

    with pytest.raises(UnknownName, match="val_precision"):
        fit(
            train(state, PROGRAM, TRAIN, epochs=4, validation=VALIDATION, validation_freq=2),
            [EarlyStopping("val_precision")],
        )
    assert state.epoch == 2
