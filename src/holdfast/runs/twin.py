"""The dense twin of a run: the figure of a convnet against a network without convolutions, for any data set."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from ..core import BadValue, whole_file
from ..data import Dataset
from ..evaluate import Report
from ..models import BaseModel, dense_twin, from_config, to_config
from ..training import Discriminative
from . import lines
from .formats import percent
from .job import train
from .plan import how_of
from .predictions import Predictions
from .record import Record
from .run import VALIDATION, Run, check_finished, check_same, data_of, write_pages
from .watch import alone

TWIN = "dense-twin.json"


def train_twin(folder: str | Path, data: Dataset | None = None, *, verbose: Literal[0, 1, 2] = 1) -> Path:
    """Trains the dense twin of a run's model under equal settings, as a run beside it; once.

    Data, split, epochs, batch size, seed, optimizer or recipe, shifts and precision are the run's own; the recipe's
    learning rate follows from the width of the twin, as it does for every model.  What the twin reaches on validation
    is then among the baselines of the run, whose report is written anew.

    Args:
        folder: of the run.
        data: what it was trained on; read again from where it came when None.
        verbose: as in `train`.

    Returns:
        The folder of the twin's run.

    Raises:
        BadFile: no run there.
        BadValue: a run that has not finished, that has no convolutions, or whose data came from memory and is not
            given.
        BadData: the data is no longer what the run was trained on.
    """
    folder = Path(folder)
    say = lines.say if verbose else lines.quiet
    with alone(folder):
        record = Record.read(folder)
        check_twin(record, folder, given=data is not None)
        there = folder.parent / record.twin
        if record.twin and there.is_dir():
            say("twin", f"{there} is the dense twin of {record.name} already; it is not trained again")
            warn(there, say)
            return there
        answers = Predictions.read(folder / VALIDATION)
        data = data_of(record, folder, quiet=not verbose) if data is None else data
        check_same(record, data)
        config = to_config(dense_twin(_model(record)))
        with whole_file(folder / TWIN) as temporary:
            temporary.write_text(json.dumps(config, indent=1), encoding="utf-8")
        how = how_of(record.settings)
        if isinstance(algorithm := how["optimizer"], Discriminative):
            how["optimizer"] = algorithm.optimizer  # the rates were those of the run's own layers
        twin = train(data, folder / TWIN, **how, out=folder.parent, verbose=verbose)
        record.twin = twin.folder.name
        record.scores.setdefault("baselines", {})["dense twin"] = asdict(twin.validation.accuracy)
        record.write(folder)
        write_pages(Run.load(folder), data, answers.probabilities)
    warn(twin.folder, say)
    return twin.folder


def warn(folder: Path, say: lines.Say) -> None:
    """Says it when a twin learned nothing: then it stands for no network without convolutions.

    So it may go with large pictures, where as many parameters are a handful of hidden units.
    """
    record = Record.read(folder)
    train = Report.from_dict(record.scores["train"])
    if train.accuracy.interval[0] <= train.baseline:
        units = _model(record).summary().rows[-2].output_shape[0][-1]
        say(
            "warning",
            f"the dense twin, of {units} hidden units, learned nothing (train {train.accuracy.text}, majority class "
            f"{percent(train.baseline)}), so the difference says little of convolutions; try more epochs, or smaller "
            "pictures, which leave it more units: --image-size",
        )


def check_twin(record: Record, folder: Path, *, given: bool) -> None:
    """Raises BadValue for a run that can have no twin."""
    if record.kind != "run":
        raise BadValue(f"{folder}: is no training; the dense twin is trained beside one: holdfast train, then compare.")
    check_finished(record, folder)
    if all(parameter.dim() < 3 for parameter in _model(record).module.parameters()):
        raise BadValue(f"{folder}: its model has no convolutions, so it is a network without them already.")
    if not given and not record.origin:
        raise BadValue(f"{folder}: its data came from memory; give it: holdfast.runs.train_twin(folder, data).")


def _model(record: Record) -> BaseModel:
    return from_config(record.config, seed=record.settings.seed)
