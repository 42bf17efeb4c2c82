"""Calibration of a trained model on the validation part: its temperature, and when it answers "unknown"."""

import numpy as np

from ..data import Dataset
from ..evaluate import fit_temperature
from ..models import BaseModel, Unknown, fold_temperature

LEARNED = 5_000  # samples that show what answers are usual


def calibrate(model: BaseModel, data: Dataset, coverage: float) -> float | None:
    """Divides the model's logits by the temperature that suits validation best, and sets `model.unknown`.

    Returns:
        The temperature; None where the model does not end in a Dense layer and a softmax, and so stays as it is.
    """
    labels = data.validation.labels.numpy()
    temperature = fit_temperature(labels, model.predict(data.validation))
    folded = fold_temperature(model, temperature)
    places = np.linspace(0, len(data.train) - 1, min(len(data.train), LEARNED)).astype(np.int64)
    learned = model.predict(data.train.take(places))
    model.unknown = Unknown.fit(learned, model.predict(data.validation), coverage)
    return temperature if folded else None
