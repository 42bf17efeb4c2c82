"""The whole job: data and a model in, a run out, in a folder with ledger and report."""

import glob
import json
import math
import os
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..callbacks import EarlyStopping
from ..core import BadFile, BadShape, BadValue, UnknownName
from ..data import Dataset, RandomShift
from ..evaluate import Ledger
from ..layers import Normalization
from ..models import BaseModel, Fitting, from_config, links, pick_device, prepare, ready_made, to_config
from ..models.arrays import check_number
from ..models.recipe import (
    LABEL_SMOOTHING,
    LEARNING_RATE,
    recipe_batch_size,
    recipe_epochs,
    recipe_optimizer,
    recipe_rate,
    recipe_shift,
)
from ..training import (
    Callback,
    CategoricalCrossentropy,
    Optimizer,
    Schedule,
    SparseCategoricalCrossentropy,
    get_loss,
    get_optimizer,
)
from . import lines
from .loading import load_shown
from .record import Record, Settings, machine, versions
from .run import LEDGER, MODEL, Run, check_same, data_of, holds_pictures, judge, ledger_of
from .watch import Checkpointing, Looking, alone
from .write import remove_remains

CHECKPOINT = Path("checkpoints") / "last.safetensors"


def train(
    data: Dataset | str | Path,
    model: str | Path | BaseModel = "convnet",
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
    augment: RandomShift | Literal["auto"] | None = "auto",
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    out: str | Path = "runs",
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1, 2] = 1,
) -> Run:
    """Trains a classifier on labelled data and writes a run that can be believed.

    Without an optimizer the default recipe trains, see `BaseModel.compile`, and the last weights are kept; at a
    constant learning rate, or with patience, those of the epoch with the best validation loss.  Every look at
    validation is written into the ledger; the test part stays sealed.

    Args:
        data: a Dataset, or what `data.load` takes.
        model: "convnet", "dense", the path of a Keras JSON configuration, or a model.
        epochs: the recipe's cycle spans them; with patience, at most.  None: 30, by the recipe 10 from 10,000 training
            samples on.
        batch_size: samples a step; None: 32 below 1,000 training samples, 64 below 10,000, else 128.
        optimizer: a name or an Optimizer; None: the one that the model was compiled with, else the default recipe.  The
            loss is cross-entropy always.
        learning_rate: instead of the optimizer's own; of the recipe, at the top of the cycle.
        patience: epochs without improvement in validation loss after which training stops.  None: 5 at a constant
            learning rate; else all epochs are trained, for a schedule comes to its best at its end.
        augment: as in `BaseModel.fit`.
        seed: of order and dropout, and of the weights unless the model comes with its own.
        device: "auto", "cpu", "cuda", ...
        precision: of the training steps; "auto" takes bfloat16 where a short trial finds it faster.
        out: folder of the runs, in which `<name>-001` and so on are made, and of their ledger.
        callbacks: more listeners.
        verbose: 0 silent, 1 with a progress line, 2 with a line an epoch.

    Returns:
        The Run, judged on train and validation.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong; no folder is left then.
    """
    say = lines.say if verbose else lines.quiet
    out = Path(out)
    check_settings(model, optimizer, learning_rate, device, out)
    check_words(batch_size, augment, precision)
    data = data if isinstance(data, Dataset) else load_shown(quiet=not verbose, path=data, seed=seed)
    label, network = model_for(data, model, seed)
    size = recipe_batch_size(len(data.train)) if batch_size is None else batch_size
    chosen = optimizer or compiled_optimizer(network)
    if chosen is None and learning_rate is None:
        learning_rate = recipe_rate(network, size)
    if epochs is None:
        epochs = 30 if chosen else recipe_epochs(len(data.train))
    how = optimizer_for(chosen, learning_rate)
    if augment == "auto":
        augment = None if chosen else recipe_shift(network, [SparseCategoricalCrossentropy()])
    settings = Settings(
        model=label,
        epochs=epochs,
        batch_size=size,
        optimizer=describe(how),
        patience=5 if patience is None and not isinstance(how.learning_rate, Schedule) else patience,
        seed=seed,
        device=str(pick_device(device)),
        precision=precision,
        recipe=chosen is None,
        label_smoothing=0.0 if chosen else LABEL_SMOOTHING,
        shift=augment.pixels if augment else 0,
    )
    compile_for(network, settings)
    say("data", lines.data_line(data))
    say("model", lines.model_line(network, size, how))
    session, stopper = session_for(network, data, settings, callbacks, verbose)
    settings.precision = session.program.precision  # so that resuming does not ask again
    if settings.recipe:
        say("recipe", f"{lines.recipe_line(settings)}, in {settings.precision}")
    with Ledger.open(out / LEDGER) as ledger:
        folder = new_folder(out, data.name)
        record = Record(
            name=folder.name,
            status="running",
            started=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            ledger_id=ledger.begin_run(folder.name, data.fingerprint, data.split_fingerprint, dataset=data.name),
            data=data.name,
            origin=dict(data.origin),
            classes=list(data.classes),
            shape=list(data.shape),
            sizes={"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
            pictures=holds_pictures(data.train),
            prints=prints_of(data),
            settings=settings,
            config=to_config(network),
            machine=machine(),
            versions=versions(),
        )
        with alone(folder):
            return carry_out(folder, record, session, stopper, data, ledger, say)


def resume(
    folder: str | Path,
    data: Dataset | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1, 2] = 1,
) -> Run:
    """Goes on with a run that was interrupted; on the same CPU it ends bit by bit as if it had not been.

    Args:
        folder: of the run.
        data: what it is trained on; read again from where it came when None.
        callbacks: the further listeners that `train` was given.
        verbose: as in `train`.

    Raises:
        BadValue: the run has finished.
        BadFile: no run there, or no checkpoint.
        BadData: the data has changed.
    """
    folder = Path(folder)
    say = lines.say if verbose else lines.quiet
    with ExitStack() as held:
        held.enter_context(alone(folder))
        record = Record.read(folder)
        if record.status == "finished":
            raise BadValue(f"{folder}: this run has finished; there is nothing to resume.")
        ledger = held.enter_context(ledger_of(folder, record))
        data = data_of(record, folder, quiet=not verbose) if data is None else data
        check_same(record, data)
        record.origin = dict(data.origin) or record.origin  # it may have moved
        settings = record.settings
        network = from_config(record.config, seed=settings.seed)
        network.classes = tuple(record.classes)
        compile_for(network, settings)
        say("data", lines.data_line(data))
        say("model", lines.model_line(network, settings.batch_size, get_optimizer(settings.optimizer)))
        session, stopper = session_for(network, data, settings, callbacks, verbose)
        return carry_out(folder, record, session, stopper, data, ledger, say, resumed=True)


def carry_out(
    folder: Path,
    record: Record,
    session: Fitting,
    stopper: EarlyStopping | None,
    data: Dataset,
    ledger: Ledger,
    say: lines.Say,
    *,
    resumed: bool = False,
) -> Run:
    """Trains, judges, and writes everything; what fails on the way is written, too."""
    looking = Looking(ledger, record.ledger_id, data.validation.fingerprint)
    keeping = Checkpointing(folder / CHECKPOINT, (looking, *session.callbacks))
    if resumed:
        remove_remains(folder)
        keeping.restore(session.state, session.program)
        say("resumed", f"{folder} after epoch {session.state.epoch} of {record.settings.epochs}")
    else:
        keeping.save(session.state)
    session = replace(session, callbacks=(keeping,), first=session.state.epoch)
    record.status = "running"
    record.write(folder)  # after the checkpoint: whatever has a record can be resumed
    began = time.perf_counter() - record.seconds
    try:
        history = session.run()
        if not history.logs:
            raise BadValue(f"training stopped before the end of an epoch: {history.stop and history.stop.reason}.")
        kept = len(history.logs) - 1 if stopper is None else stopper.best_epoch
        if kept is None or (stopper is None and not math.isfinite(history.logs[-1]["val_loss"])):
            raise BadValue("training diverged: the validation loss was never a number; try a lower learning rate.")
        record.seconds = time.perf_counter() - began
        record.logs = [{key: _number(value) for key, value in row.items()} for row in history.logs]
        record.stop = history.stop.reason if history.stop else f"all {record.settings.epochs} epochs are done"
        record.kept_epoch = kept + 1
        session.model.save(folder / MODEL)
        run = judge(folder, record, session.model, data, ledger)
        record.status = "finished"
        ledger.end_run(record.ledger_id, "finished")
        record.write(folder)
    except BaseException as error:
        record.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        record.seconds = time.perf_counter() - began
        with suppress(Exception):  # the first error is the one to tell
            record.write(folder)
            ledger.end_run(record.ledger_id, record.status)
            if not isinstance(error, BadValue):  # that would come again
                say("go on", lines.resume_line(folder, from_memory=not record.origin))
        raise
    (folder / CHECKPOINT).unlink(missing_ok=True)
    say("score", str(run.validation))
    say("verdict", str(run.verdict))
    say("saved", lines.saved_line(folder, sealed=len(data.test) > 0))
    return run


def check_settings(
    model: str | Path | BaseModel,
    optimizer: str | Optimizer | None,
    learning_rate: float | None,
    device: str,
    out: Path,
) -> None:
    """Raises at once what `train` would raise after the data was read, which may take long."""
    if not isinstance(model, BaseModel):
        read_json(Path(model)) if is_file(model) else ready_made.canonical(str(model))
    optimizer_for(optimizer, learning_rate)
    pick_device(device)
    nearest = next(place for place in (out, *out.parents) if os.access(place, os.F_OK))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise BadFile(
            f"cannot make runs in {out}: {nearest} is no folder that can be written to; choose another with --out."
        )


def check_words(batch_size: object, augment: object, precision: object) -> None:
    """Raises BadValue for what a user of Python may write and one of the command line may not."""
    if batch_size is not None:
        check_number(f"train(batch_size={batch_size!r})", batch_size)
    if augment not in ("auto", None) and not isinstance(augment, RandomShift):
        raise BadValue(f"train(augment={augment!r}): must be 'auto', None or a holdfast.data.RandomShift.")
    if precision not in ("auto", "float32", "bfloat16"):
        raise BadValue(f"train(precision={precision!r}): must be 'auto', 'float32' or 'bfloat16'.")


def compile_for(network: BaseModel, settings: Settings) -> None:
    """Compiles the model as the settings say, whether they are new or those of a run to be resumed."""
    network.compile(
        settings.optimizer,
        "sparse_categorical_crossentropy",
        ["accuracy"],
        device=settings.device,
        precision=settings.precision,
    )
    assert network.compiled is not None
    network.compiled = replace(network.compiled, smoothing=settings.label_smoothing)


def session_for(
    network: BaseModel, data: Dataset, settings: Settings, callbacks: Sequence[Callback], verbose: Literal[0, 1, 2]
) -> tuple[Fitting, EarlyStopping | None]:
    """A training session that stops early and keeps the best weights, if it has patience.

    Without, it keeps the last: a schedule has its best weights at its end, though probabilities under label smoothing,
    and with them the validation loss, may look best before.
    """
    stopper = None if settings.patience is None else EarlyStopping(patience=settings.patience)
    session = prepare(
        network,
        data,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=[*([stopper] if stopper else []), *callbacks],
        verbose=verbose,
        augment=RandomShift(settings.shift) if settings.shift else None,
        measure_train="never",  # `judge` measures all parts anew, once the weights to keep are known
    )
    return session, stopper


def model_for(data: Dataset, model: str | Path | BaseModel, seed: int) -> tuple[str, BaseModel]:
    """The model to train, and what to call it.

    Raises:
        BadShape: it takes or gives other shapes than the data has.
        UnknownName: no ready-made model of this name; the message suggests the nearest.
    """
    if isinstance(model, BaseModel):
        label, network = "model", model
        network.build_for(data.train.images)
    elif is_file(model):
        label, network = str(Path(model).resolve()), read_model(Path(model), seed)
    else:
        label = ready_made.canonical(str(model))
        front = None if holds_pictures(data.train) else Normalization().adapt(data.train.images)
        network = ready_made[label](data.shape, len(data.classes), front=front, seed=seed)
    takes = [symbol.shape for symbol in network.inputs]
    gives = [symbol.shape for symbol in network.outputs]
    if (len(takes), len(gives)) != (1, 1):
        raise BadShape(f"model {label}: has {len(takes)} inputs and {len(gives)} outputs; a run takes one of each.")
    if takes[0] != data.shape:
        raise BadShape(f"model {label}: takes {takes[0]}, the data has {data.shape}; change its Input or --image-size.")
    if gives[0] != (len(data.classes),):
        raise BadShape(
            f"model {label}: gives {gives[0]}, the data has {len(data.classes)} classes; "
            f"end it in Dense({len(data.classes)}, activation='softmax')."
        )
    if links(network.module) != ["softmax"]:
        raise BadValue(f"model {label}: its outputs are no probabilities; end it in activation='softmax'.")
    network.classes = data.classes
    network.seed = seed  # of order and dropout; the weights are made by now
    return label, network


def compiled_optimizer(network: BaseModel) -> Optimizer | None:
    """What the user compiled the model with; None for the default recipe.

    Raises:
        BadValue: it was compiled with another loss than a run minimises.
    """
    if network.compiled is None:
        return None
    loss = network.compiled.loss
    if loss is not None and get_loss(loss) not in (CategoricalCrossentropy(), SparseCategoricalCrossentropy()):
        raise BadValue(f"the model is compiled with {loss!r}; a run minimises plain cross-entropy, model.fit any loss.")
    return network.compiled.optimizer


def optimizer_for(optimizer: str | Optimizer | None, learning_rate: float | None) -> Optimizer:
    """The optimizer, or the default recipe's, with another learning rate where one is given."""
    if optimizer is None:
        return recipe_optimizer(LEARNING_RATE if learning_rate is None else learning_rate)
    found = get_optimizer(optimizer)
    return found if learning_rate is None else replace(found, learning_rate=learning_rate)


def describe(optimizer: Optimizer) -> dict[str, Any]:  # Any: JSON values
    """Keras's JSON form of an optimizer, schedules included."""
    config = {}
    for item in fields(optimizer):
        value = getattr(optimizer, item.name)
        if is_dataclass(value):
            value = {"class_name": type(value).__name__, "config": asdict(value)}  # type: ignore[arg-type]  # no class
        config[item.name] = value
    return {"class_name": type(optimizer).__name__, "config": config}


def is_file(model: str | Path) -> bool:
    """Whether this is the path of a configuration rather than a name."""
    return isinstance(model, Path) or model.endswith(".json")


def read_model(path: Path, seed: int) -> BaseModel:
    """The model of a configuration.

    Raises:
        BadFile: no such file, or no model that can be built.
    """
    try:
        return from_config(read_json(path), seed=seed)
    except (BadValue, UnknownName) as error:
        raise BadFile(f"{path}: {error}") from error
    except (LookupError, TypeError, AttributeError) as error:
        raise BadFile(f"{path}: is no configuration of a model: {type(error).__name__} {error}.") from error


def read_json(path: Path) -> dict[str, Any]:  # Any: JSON values
    """A model configuration.

    Raises:
        BadFile: no such file, or no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise BadFile(f"{path}: is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadFile(f"{path}: is no model configuration; it must be a JSON object with class_name and config.")
    return value


def new_folder(out: Path, name: str) -> Path:
    """Makes `out/<name>-001`, or the next number that is free.

    Raises:
        BadFile: it cannot be made.
    """
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    taken = [path.name.removeprefix(f"{stem}-") for path in out.glob(f"{glob.escape(stem)}-*")] if out.is_dir() else []
    number = max((int(end) for end in taken if end.isdecimal()), default=0) + 1
    while True:
        folder = out / f"{stem}-{number:03d}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1  # another process was faster
        except OSError as error:
            raise BadFile(f"cannot make the folder {folder}: {error.strerror}; choose another with --out.") from error


def prints_of(data: Dataset) -> dict[str, str]:
    """The fingerprints that say whether data is still the same."""
    return {
        "data": data.fingerprint,
        "split": data.split_fingerprint,
        "train": data.train.fingerprint,
        "validation": data.validation.fingerprint,
        "test": data.test.fingerprint,
    }


def _number(value: float) -> float | None:
    """NaN and infinity have no word in JSON."""
    return value if math.isfinite(value) else None
