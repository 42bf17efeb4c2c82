"""Listeners: stop when nothing improves, keep the best model, slow down, write logs; and one of your own.

python examples/callbacks.py         # writes best.keras and log.csv
"""

import holdfast
from holdfast.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, TimeBudget
from holdfast.training import EpochEnd, Event, OneCycle, RMSprop, Stop


def stop_when_memorised(event: Event) -> Stop | None:
    """A listener is a function: it hears every event, and a Stop that it answers ends the training."""
    if isinstance(event, EpochEnd) and event.logs["loss"] < 0.2 * event.logs["val_loss"]:
        return Stop(f"epoch {event.epoch + 1}: the loss on train is a fifth of that on validation")
    return None


def main() -> None:
    data = holdfast.data.load("digits")

    model = holdfast.convnet(data.shape, len(data.classes), seed=1)
    model.compile("rmsprop", metrics=["accuracy"])  # the loss follows from the softmax
    best = EarlyStopping(monitor="val_loss", patience=5)  # ends with the weights of the best epoch
    history = model.fit(
        data,
        batch_size=32,
        epochs=60,
        verbose=2,
        callbacks=[
            best,
            ReduceLROnPlateau(patience=2, factor=0.5),
            ModelCheckpoint("best.keras", save_best_only=True),
            CSVLogger("log.csv"),
            TimeBudget(seconds=120),
            stop_when_memorised,
        ],
    )
    print("why it stopped:", history.stop.reason if history.stop else "all epochs are done")
    print("learning rates:", sorted(set(history.learning_rates), reverse=True))

    # Written at the best epoch, to whose weights the model has gone back: the same model.
    logs = holdfast.load("best.keras").compile(metrics=["accuracy"]).evaluate(data.validation, return_dict=True)
    print("best.keras: val_loss", round(logs["loss"], 4), "the best was", round(best.best or 0, 4))

    # A schedule sets the rate at each step of the fit; the listeners above would refuse to interfere.
    cycle = holdfast.convnet(data.shape, len(data.classes), seed=1)
    cycle.compile(RMSprop(OneCycle(0.004), weight_decay=0.01), metrics=["accuracy"])
    history = cycle.fit(data, epochs=8, verbose=0)
    print("one cycle, 8 epochs: validation accuracy", round(history.measured["val_accuracy"], 3))


if __name__ == "__main__":
    main()
