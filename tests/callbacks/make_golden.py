"""What Keras's EarlyStopping and ReduceLROnPlateau do with given values, as golden.json.

Run where Keras is:  KERAS_BACKEND=torch .venv-keras/bin/python tests/callbacks/make_golden.py
"""

import json
import random
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]  # the environment of the tests has no Keras
import numpy as np

EPOCHS = 14
Settings = dict[str, Any]  # Any: numbers and None, as JSON


def model() -> Any:  # Any: Keras is not typed
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    made.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse", metrics=["accuracy"])
    made.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    return made


def early_stopping(values: list[float], settings: Settings) -> Settings:
    """Which epoch stops, and which one's weights the model ends with.  The weight of epoch i is i."""
    trained = model()
    callback = keras.callbacks.EarlyStopping(restore_best_weights=True, **settings)
    callback.set_model(trained)
    trained.stop_training = False
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        trained.set_weights([np.full((1, 1), epoch, "float32")])
        callback.on_epoch_end(epoch, {settings["monitor"]: value})
        if trained.stop_training:
            break
    callback.on_train_end()
    return {"stopped": epoch if trained.stop_training else None, "restored": int(trained.get_weights()[0].item())}


def reduce_on_plateau(values: list[float], settings: Settings) -> Settings:
    """The learning rate after each epoch."""
    trained = model()
    callback = keras.callbacks.ReduceLROnPlateau(**settings)
    callback.set_model(trained)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {settings["monitor"]: value})
        rates.append(float(trained.optimizer.learning_rate))
    return {"rates": rates}


def cases() -> list[Settings]:
    chance = random.Random(0)
    rows: list[Settings] = []
    for index in range(60):
        # quarters, so that nothing hangs on rounding; min_delta lies between two of them
        values = [chance.randrange(1, 9) / 4 for _ in range(EPOCHS)]
        settings: Settings = {"monitor": chance.choice(["val_loss", "accuracy"]), "patience": chance.randrange(0, 5)}
        settings["min_delta"] = chance.choice([0, 0.3])
        if index % 2:
            settings |= {"cooldown": chance.randrange(0, 4), "factor": 0.5, "min_lr": chance.choice([0.0, 0.1])}
            result = reduce_on_plateau(values, settings)
        else:
            settings |= {
                "baseline": chance.choice([None, None, 0.6, 1.6]),
                "start_from_epoch": chance.choice([0, 0, 3]),
            }
            result = early_stopping(values, settings)
        rows.append({"values": values, "settings": settings, **result})
    return rows


if __name__ == "__main__":
    target = Path(__file__).with_name("golden.json")
    lines = ",\n".join(json.dumps(row) for row in cases())
    target.write_text(f'{{"keras": "{keras.__version__}", "cases": [\n{lines}\n]}}\n')
