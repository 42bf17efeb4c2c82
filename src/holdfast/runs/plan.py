"""The plan of a training, of a run, a fold or a seed: from what was asked for to the settings and the model."""

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from ..callbacks import EarlyStopping
from ..core import BadData, BadFile, BadShape, BadValue, UnknownName, derive, suggestion
from ..data import Dataset, Part
from ..data.assign import assign
from ..data.source import VALIDATION
from ..models import (
    BaseModel,
    Fitting,
    Net,
    Variant,
    from_config,
    links,
    pick_device,
    prepare,
    ready_for,
    ready_made,
    to_config,
)
from ..models.arrays import check_number
from ..models.augmenting import Chosen, check_augment, from_recorded, recorded
from ..models.changed import changed
from ..models.frozen import front_of
from ..models.net import PLAIN
from ..models.recipe import (
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
    Discriminative,
    Optimizer,
    Schedule,
    SparseCategoricalCrossentropy,
    get_loss,
    get_optimizer,
)
from ..transfer import FromBase, anew, discriminative
from ..transfer import recipe as on_base
from .again import plain_optimizer, usual_smoothing
from .record import Settings

Precision = Literal["auto", "float32", "bfloat16"]
ModelChoice = str | Path | BaseModel | FromBase | Variant
INNER = 1 / 7  # of the training part says when to stop, where no validation part may


class How(TypedDict, total=False):
    """How to train.  The keys mean what they mean to `holdfast.train`, which has the same defaults."""

    epochs: int | None
    batch_size: int | None
    optimizer: str | Optimizer | None
    learning_rate: float | None
    weight_decay: float | None
    label_smoothing: float | None
    patience: int | None
    augment: Chosen
    seed: int
    device: str
    precision: Precision


def plan(data: Dataset, model: ModelChoice, how: How) -> tuple[Settings, BaseModel]:
    """The settings, with all filled in that was left to the recipe or the data, and the model, compiled to them."""
    seed, optimizer, learning_rate = how.get("seed", 0), how.get("optimizer"), how.get("learning_rate")
    label, network = model_for(data, model, seed)
    check_kept(label, network)
    base = network.made_from if isinstance(network.made_from, FromBase) else None
    size = how.get("batch_size") or recipe_batch_size(len(data.train))
    chosen = optimizer or compiled_optimizer(network)
    algorithm = _algorithm(network, base, chosen, learning_rate, size, how.get("weight_decay"))
    if (smoothing := how.get("label_smoothing")) is None:
        smoothing = usual_smoothing(recipe=chosen is None, base=base is not None)
    augment, patience = how.get("augment", "auto"), how.get("patience")
    if augment == "auto":
        augment = None if chosen or base else _recipe_augment(data, network)
    shift, layers = recorded(augment)
    settings = Settings(
        model=label,
        epochs=how.get("epochs") or (30 if chosen else _recipe_epochs(data, base)),
        batch_size=size,
        optimizer=describe(algorithm),
        patience=5 if patience is None and not isinstance(algorithm.learning_rate, Schedule) else patience,
        seed=seed,
        device=str(pick_device(how.get("device", "auto"))),
        precision=how.get("precision", "auto"),
        recipe=chosen is None,
        label_smoothing=smoothing,
        shift=shift,
        augment=layers,
        **_of_base(base),
    )
    compile_for(network, settings)
    return settings, network


def _algorithm(
    network: BaseModel,
    base: FromBase | None,
    chosen: str | Optimizer | None,
    rate: float | None,
    batch_size: int,
    weight_decay: float | None,
) -> Optimizer:
    """What trains: as it was chosen, or by the recipe; the deeper layers of a base, where they learn, more slowly."""
    if chosen is None and rate is None:
        rate = on_base.LEARNING_RATE if base else recipe_rate(network, batch_size)
    algorithm = optimizer_for(chosen, rate, weight_decay)
    plain = base is None or not base.fine_tune or isinstance(algorithm, Discriminative)
    return algorithm if plain else discriminative(network, algorithm)


def _of_base(base: FromBase | None) -> dict[str, Any]:  # Any: fields of Settings
    """What the settings say of a base; of one that came from memory not where it is."""
    if base is None:
        return {}
    return {
        "base": base.place,
        "until": base.until,
        "fine_tune": base.fine_tune,
        "preprocessing": base.preprocessing,
        "dropout": base.dropout,
    }


def _recipe_epochs(data: Dataset, base: FromBase | None) -> int:
    """Half as many for sounds as for pictures: nets on spectrograms are there sooner."""
    if base is not None:
        return on_base.transfer_epochs(base.fine_tune)
    return recipe_epochs(len(data.train)) // (2 if data.kind == "sounds" else 1)


def _recipe_augment(data: Dataset, network: BaseModel) -> Chosen:
    """What the recipe changes in training: where pictures are; when, how loud and how clearly sounds were recorded."""
    if front_of(network.lowered) is not None:
        return None  # what is frozen is computed once
    return "light" if data.kind == "sounds" else recipe_shift(network, [SparseCategoricalCrossentropy()])


def fitted(data: Dataset, model: ModelChoice, how: How, *, verbose: Literal[0, 1, 2] = 0) -> BaseModel:
    """A model trained on the training part as `train` does, but without a folder; no other part is looked at.

    Args, Raises: see `fitting` and `converged`.
    """
    session = fitting(data, model, how, verbose=verbose)
    session.run()
    return converged(session)


def fitting(
    data: Dataset, model: ModelChoice, how: How, *, callbacks: Sequence[Callback] = (), verbose: Literal[0, 1, 2] = 0
) -> Fitting:
    """The session that trains a model on the training part as `train` does, without a folder.

    Where there is patience, a seventh of the training part says when to stop.

    Args:
        data: of which only the training part counts.
        model: as in `train`; one that is given is not changed, a fresh copy of it is trained.
        how: as in `train`.
        callbacks: who listens.
        verbose: as in `train`; the live line is drawn on terminals only.
    """
    if isinstance(model, BaseModel):
        model.build_for(data.train.images)
        model = anew(model, seed=how.get("seed", 0))
    settings, network = plan(data, model, how)
    train, validation = data.train, data.train.take([])
    if settings.patience is not None:
        train, validation = inner(data.train, settings.seed)
    shown = verbose if verbose != 1 or sys.stdout.isatty() else 0
    session, _ = session_for(network, data.with_parts(train, validation), settings, callbacks, shown)
    return session


def converged(session: Fitting) -> BaseModel:
    """The model of a session that has ended.

    Raises:
        BadValue: training diverged.
    """
    stopper = next((one for one in session.callbacks if isinstance(one, EarlyStopping)), None)
    diverged = stopper.best_epoch is None if stopper else not math.isfinite(session.history.logs[-1]["loss"])
    if diverged:
        raise BadValue("training diverged: the loss was not a number in the end; try a lower learning rate.")
    return session.model


def inner(part: Part, seed: int) -> tuple[Part, Part]:
    """Six sevenths and one seventh of a part: with times the latest, else by class; no group is cut."""
    if part.times is not None:
        late = part.times > np.quantile(part.times, 1 - INNER)
    else:
        blocks = np.arange(len(part)) if part.groups is None else part.groups
        late = assign(part.labels.numpy(), blocks, (1 - INNER, INNER, 0.0), seed=derive(seed, "inner")) == VALIDATION
    if not 0 < late.sum() < len(part):
        raise BadData(f"{len(part)} samples are too few to train with patience; leave it out.")
    return part.take(np.flatnonzero(~late)), part.take(np.flatnonzero(late))


def how_of(settings: Settings) -> How:
    """How a run was trained, in the words of `train`."""
    return How(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=None if settings.recipe else get_optimizer(settings.optimizer),
        weight_decay=plain_optimizer(settings)["config"]["weight_decay"] if settings.recipe else None,
        label_smoothing=settings.label_smoothing,
        patience=settings.patience,
        augment=from_recorded(settings.shift, settings.augment),
        seed=settings.seed,
        device=settings.device,
        precision=settings.precision,
    )


def check_settings(model: ModelChoice, how: How, out: Path) -> None:
    """Raises at once what `plan` would raise after the data was read, which may take long."""
    for name in how.keys() - How.__annotations__.keys():
        raise UnknownName(f"unknown option {name!r}{suggestion(name, list(How.__annotations__))}")
    if isinstance(model, Variant):
        model = model.model
    if isinstance(model, FromBase):
        model.check()
    elif not isinstance(model, BaseModel):
        read_json(Path(model)) if is_file(model) else ready_made.canonical(str(model))
    optimizer_for(how.get("optimizer"), how.get("learning_rate"), how.get("weight_decay"))
    if (smoothing := how.get("label_smoothing")) is not None and not 0 <= smoothing < 1:
        raise BadValue(f"train(label_smoothing={smoothing!r}): must be at least 0 and less than 1.")
    pick_device(how.get("device", "auto"))
    nearest = next(place for place in (out, *out.parents) if os.access(place, os.F_OK))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise BadFile(
            f"cannot make runs in {out}: {nearest} is no folder that can be written to; choose another with --out."
        )
    for name in ("epochs", "batch_size"):
        if (number := how.get(name)) is not None:
            check_number(f"train({name}={number!r})", number)
    augment, precision = how.get("augment"), how.get("precision", "auto")
    check_augment("train", augment)
    recorded(augment)
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
    if settings.whole:
        data = data.with_parts(data.pool, data.pool.take([]))
    network.reads = data.reads
    session = prepare(
        network,
        data if len(data.validation) else data.train,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=[*([stopper] if stopper else []), *callbacks],
        verbose=verbose,
        augment=from_recorded(settings.shift, settings.augment),
        measure_train="never",  # `judge` measures all parts anew, once the weights to keep are known
    )
    return session, stopper


def check_kept(label: str, network: BaseModel) -> None:
    """Raises BadValue for a model that has no configuration, such as one with a `Torch` layer."""
    try:
        to_config(network)
    except BadValue as error:
        raise BadValue(
            f"model {label}: {error} A run keeps its model as such a file; train this one with its own fit."
        ) from error


def model_for(data: Dataset, model: ModelChoice, seed: int) -> tuple[str, BaseModel]:
    """The model to train, and what to call it.

    Raises:
        BadShape: it takes or gives other shapes than the data has.
        UnknownName: no ready-made model of this name; the message suggests the nearest.
    """
    label, network = _made(data, model, seed)
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


def _made(data: Dataset, model: ModelChoice, seed: int, net: Net = PLAIN) -> tuple[str, BaseModel]:
    """What to call the model, and the model; of a ready-made one as `net` tells it."""
    if isinstance(model, Variant):
        _, network = _made(data, model.model, seed, model.net)
        return "model", changed(network, model.changes, seed=seed) if model.changes else network
    if isinstance(model, BaseModel):
        model.build_for(data.train.images)
        return "model", model
    if isinstance(model, FromBase):
        return model.label, model.build(data.shape, len(data.classes), seed=seed)
    if is_file(model):
        return str(Path(model).resolve()), read_model(Path(model), seed)
    label = ready_made.canonical(str(model))
    return label, ready_for(label, data, net=net, seed=seed)


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


def optimizer_for(
    optimizer: str | Optimizer | None, learning_rate: float | None, weight_decay: float | None = None
) -> Optimizer:
    """The optimizer, or the default recipe's, with another learning rate or weight decay where one is given."""
    if optimizer is None:
        found = recipe_optimizer(LEARNING_RATE if learning_rate is None else learning_rate)
    else:
        found = get_optimizer(optimizer)
        found = found if learning_rate is None else replace(found, learning_rate=learning_rate)
    return found if weight_decay is None else replace(found, weight_decay=weight_decay)


def describe(optimizer: Optimizer) -> dict[str, Any]:  # Any: JSON values
    """Keras's JSON form of an optimizer, schedules included."""
    config = {}
    for item in fields(optimizer):
        value = getattr(optimizer, item.name)
        if isinstance(value, Optimizer):  # of a Discriminative
            value = describe(value)
        elif is_dataclass(value):
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
