"""Calibration of a trained model on the validation part: its temperature, and when it answers "unknown"."""

from pathlib import Path

import numpy as np

from ..data import Dataset
from ..evaluate import fit_temperature
from ..models import BaseModel, Unknown, fold_temperature
from .searched import ANSWERS, judges, tempered

LEARNED = 5_000  # samples that show what answers are usual


def calibrate(model: BaseModel, data: Dataset, coverage: float, folder: Path | None = None) -> float | None:
    """Divides the model's logits by the temperature that suits validation best, and sets `model.unknown`.

    Args:
        model: trained.
        data: of which it has not learned the validation part.
        coverage: as in `train`.
        folder: of the run; where the winner of a search has learned that part, too, it holds the answers of its trial,
            which then stand for its own.

    Returns:
        The temperature; None where the model does not end in a Dense layer and a softmax, and so stays as it is.
    """
    kept = judges(folder, data)[2] if folder is not None and (folder / ANSWERS).exists() else None
    said = model.predict(data.validation) if kept is None else kept.probabilities
    temperature = fit_temperature(data.validation.labels.numpy() if kept is None else kept.labels, said)
    folded = fold_temperature(model, temperature)
    places = np.linspace(0, len(data.train) - 1, min(len(data.train), LEARNED)).astype(np.int64)
    learned = model.predict(data.train.take(places))
    said = model.predict(data.validation) if kept is None else tempered(said, temperature if folded else None)
    model.unknown = Unknown.fit(learned, said, coverage)
    return temperature if folded else None
