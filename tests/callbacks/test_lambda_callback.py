"""LambdaCallback: which function is called when, and with what."""

from callbacks.moments import Moments
from holdfast.callbacks import LambdaCallback
from holdfast.training import Stop


def test_functions_are_called_as_keras_calls_them() -> None:
    heard: list[tuple[object, ...]] = []
    moments = Moments(epochs=2)
    callback = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: heard.append(("epoch_begin", epoch, logs)),
        on_epoch_end=lambda epoch, logs: heard.append(("epoch_end", epoch, logs)),
        on_train_begin=lambda logs: heard.append(("train_begin", logs)),
        on_train_end=lambda logs: heard.append(("train_end", logs)),
        on_train_batch_end=lambda batch, logs: heard.append(("batch_end", batch, logs)),
    )

    for event in (
        moments.begin(),
        moments.step_end(0, 1, loss=3.0),
        moments.epoch_end(0, loss=2.0),
        moments.epoch_end(1, loss=1.0),
        moments.end(),
    ):
        callback(event)

    assert heard == [
        ("train_begin", {}),
        ("epoch_begin", 0, {}),
        ("batch_end", 0, {"loss": 3.0}),
        ("epoch_end", 0, {"loss": 2.0}),
        ("epoch_begin", 1, {}),
        ("epoch_end", 1, {"loss": 1.0}),
        ("train_end", {"loss": 1.0}),
    ]


def test_the_running_loss_is_not_read_for_nobody() -> None:
    moments = Moments()

    LambdaCallback(on_epoch_end=lambda epoch, logs: None)(moments.step_end(0, 1, loss=3.0))

    assert moments.reads == 0


def test_a_function_may_stop_training() -> None:
    moments, begun = Moments(), list[int]()
    callback = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begun.append(epoch),
        on_epoch_end=lambda epoch, logs: Stop("enough") if logs["val_loss"] < 1 else "go on",
    )

    stop = moments.play(callback, "val_loss", [2.0, 0.5, 0.25])

    assert stop == Stop("enough")
    assert begun == [0, 1]
