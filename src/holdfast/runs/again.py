"""How to make a run or a cross-validation again: as a command line, and as lines of Python."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..models.augmenting import from_rows
from ..models.recipe import LABEL_SMOOTHING, WEIGHT_DECAY
from ..training import get_optimizer
from ..transfer import recipe as on_base
from ..transfer.rates import FACTOR, UNFREEZE
from .record import Record, Settings

IN_PYTHON = "# made in Python, see below"
READING = ("resize", "group_by", "time_by", "label_by", "sample_rate", "window", "hop", "gap")  # options of `load`


def command_of(record: Record) -> str:
    """The command line that makes this run again."""
    if not _fits_a_command(record):
        return IN_PYTHON
    own = {
        "coverage": record.settings.coverage if record.settings.coverage != 0.95 else None,
        "validation": record.origin["validation"],
        "seeds": record.settings.seeds if record.settings.seeds > 1 else None,
    }
    return _line("train", record.origin, _options(record) | own)


def winner_again(record: Record, values: str) -> tuple[str, str]:
    """The command line and the Python lines that train the winner of a search again.

    Args:
        record: of the run.
        values: the path of the best.toml of the search.
    """
    origin, settings = record.origin, record.settings
    found = f"found = holdfast.tune.configured({values!r})\nrun = holdfast.train(data, found.model, **found.how)"
    python = f"import holdfast\n\ndata = {_data(record)}\n{found}"
    if not origin:
        return IN_PYTHON, python
    line = _line("train", origin, {"config": values, "validation": origin["validation"], **_everywhere(record)})
    if settings.whole:
        line += "  # on train alone; on train and validation together, as here, only the search trains"
    return line, python


def crossval_command(record: Record, *, cv: Any, repeats: int, refit: bool) -> str:  # Any: what `cross_validate` takes
    """The command line that makes this cross-validation again."""
    if not _fits_a_command(record) or not _folds_fit(cv):
        return IN_PYTHON
    options = {"folds": cv, "repeats": repeats if repeats > 1 else None}
    return _line("crossval", record.origin, _options(record) | options) + (" --refit" if refit else "")


def _folds_fit(cv: Any) -> bool:  # Any: as above
    """Whether folds can be said in a word."""
    return isinstance(cv, int) or cv == "groups"


def _options(record: Record) -> dict[str, object]:
    """Of all commands that train."""
    settings = record.settings
    return {
        **({"base": settings.base} if settings.base else {"model": settings.model}),
        "until": settings.until,
        "fine-tune": settings.fine_tune or None,
        "preprocessing": settings.preprocessing,
        "epochs": settings.epochs,
        "batch-size": settings.batch_size,
        "optimizer": None if settings.recipe else plain_optimizer(settings)["class_name"].lower(),
        "learning-rate": rate_of(settings),
        "patience": settings.patience,
        "shift": None if settings.augment else settings.shift,
        "augment": settings.augment or None,
        **_everywhere(record),
    }


def _everywhere(record: Record) -> dict[str, object]:
    """Of luck, of reading and of the machine."""
    settings, origin = record.settings, record.origin
    return {
        "seed": settings.seed,
        "test": origin["test"],
        "image-size": origin["image_size"],
        **{name.replace("_", "-"): origin.get(name) for name in READING},
        "device": settings.device,
        "precision": settings.precision,
    }


def _line(command: str, origin: Mapping[str, Any], options: Mapping[str, object]) -> str:  # Any: JSON values
    words = ["holdfast", command, str(origin["path"])]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    return shlex.join([*words, "--skip-bad"] if origin["skip_bad"] else words)


def _fits_a_command(record: Record) -> bool:
    """Whether all that Python can say was said in a way that the command line can, too."""
    settings, origin = record.settings, record.origin
    if not origin or origin["seed"] != settings.seed or isinstance(origin["image_size"], list):
        return False
    if settings.model == "model" or isinstance(settings.augment, list) or settings.dropout is not None:
        return False
    if _own_rates(settings) or _smoothed(settings):
        return False
    kind, config = plain_optimizer(settings).values()
    if settings.recipe:
        return bool(config["weight_decay"] == WEIGHT_DECAY)
    rate = config["learning_rate"]
    return isinstance(rate, (int, float)) and asdict(get_optimizer(kind)) | {"learning_rate": rate} == config


def _smoothed(settings: Settings) -> bool:
    """Whether label smoothing, which has no option, was told."""
    return settings.label_smoothing != usual_smoothing(recipe=settings.recipe, base=bool(settings.base))


def usual_smoothing(*, recipe: bool, base: bool) -> float:
    """The label smoothing that is taken unless it is told."""
    return 0.0 if not recipe else on_base.LABEL_SMOOTHING if base else LABEL_SMOOTHING


def _own_rates(settings: Settings) -> bool:
    """Whether learning rates of layers are others than follow from --fine-tune."""
    if settings.optimizer["class_name"] != "Discriminative":
        return False
    rates, starts = (settings.optimizer["config"][name] for name in ("rates", "starts"))
    usual = {FACTOR**depth for depth in range(settings.fine_tune + 1)}
    return not settings.base or not set(rates) <= usual or max(starts) != UNFREEZE


def python_of(record: Record) -> str:
    """The Python lines that make this run again."""
    setup, how = _python(record)
    own = record.settings.model_dump(include={"seeds", "coverage"})
    return f"{setup}\nrun = holdfast.train(data, model, {how}, {_arguments(own)})"


def crossval_python(record: Record, *, cv: Any, repeats: int, refit: bool) -> str:  # Any: what `cross_validate` takes
    """The Python lines that make this cross-validation again."""
    folds = repr(cv) if _folds_fit(cv) else "..."
    setup, how = _python(record)
    return f"{setup}\nfound = holdfast.cross_validate(model, data, cv={folds}, repeats={repeats}, refit={refit}, {how})"


def _python(record: Record) -> tuple[str, str]:
    """The lines that make data, model and optimizer, and what a function that trains is told besides."""
    settings, model = record.settings, "...  # your model"
    if settings.base:
        given = settings.model_dump(include={"until", "fine_tune", "preprocessing", "dropout"})
        model = f"holdfast.transfer.FromBase({settings.base!r}, {_arguments(given)})"
    elif settings.model != "model":
        model = repr(settings.model)
    lines = {"data": _data(record), "model": model}
    how = f"learning_rate={rate_of(settings)}"
    if not settings.recipe:
        kind, config = plain_optimizer(settings).values() if settings.base else settings.optimizer.values()
        lines["optimizer"] = f"holdfast.training.{kind}({_arguments(config)})"
        how = "optimizer=optimizer"
    elif (decay := plain_optimizer(settings)["config"]["weight_decay"]) != WEIGHT_DECAY:
        how += f", weight_decay={decay}"
    told = {"epochs", "batch_size", "patience", "seed", "device", "precision"}
    rest = settings.model_dump(include=told | {"label_smoothing"} if _smoothed(settings) else told)
    setup = "\n".join(["import holdfast\n", *(f"{name} = {value}" for name, value in lines.items())])
    return setup, f"{how}, augment={_augment(settings)}, {_arguments(rest)}"


def _data(record: Record) -> str:
    """What reads the data."""
    if not record.origin:
        return "...  # your arrays"
    given = {key: value for key, value in record.origin.items() if key != "path"}
    return f"holdfast.data.load({record.origin['path']!r}, {_arguments(given)})"


def _augment(settings: Settings) -> str:
    """What `augment` says."""
    if settings.shift:
        return f"holdfast.data.RandomShift({settings.shift})"
    if isinstance(settings.augment, str):
        return repr(settings.augment or None)
    return f"[{', '.join(f'holdfast.layers.{layer!r}' for layer in from_rows(settings.augment))}]"


def plain_optimizer(settings: Settings) -> dict[str, Any]:  # Any: Keras's JSON form
    """The optimizer, within the learning rates of the layers of a base, which follow from it."""
    given = settings.optimizer
    found: dict[str, Any] = given["config"]["optimizer"] if given["class_name"] == "Discriminative" else given
    return found


def rate_of(settings: Settings) -> Any:  # Any: a number, or a schedule in Keras's JSON form
    """What `learning_rate` says: of the default recipe the rate at the top of its cycle."""
    rate = settings.optimizer["config"]["learning_rate"]
    return rate["config"]["max_learning_rate"] if settings.recipe else rate


def _arguments(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in values.items() if value is not None)
