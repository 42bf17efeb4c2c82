"""From a judged run to what its report tells."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core import derive
from ..data import Dataset, Part
from ..training import get_optimizer
from .lines import recipe_line
from .record import Record, Settings
from .report import DataFacts, Facts, Making, ModelFacts, PartFacts, Picture

if TYPE_CHECKING:
    from .run import Run

SHOWN = 24  # pictures of mistakes, and of samples


def facts_of(run: "Run", data: Dataset, probabilities: NDArray[np.float32]) -> Facts:
    """All that the report of a run tells.

    Args:
        run: judged.
        data: what it was trained on.
        probabilities: (N, K) of the validation part.
    """
    record = run.record
    measured = {"loss": run.train.log_loss.value, "accuracy": run.train.accuracy.value}
    mistakes, samples = pictures_of(data, probabilities, record.settings.seed)
    return Facts(
        name=record.name,
        data=data_facts(data),
        model=model_facts(run),
        making=making_of(run),
        validation=run.validation,
        train=run.train,
        test=run.test,
        openings=run.openings,
        verdict=run.verdict,
        stopped=record.stop,
        kept_epoch=record.kept_epoch,
        logs=[{key: np.nan if value is None else value for key, value in row.items()} for row in record.logs],
        measured=measured,
        mistakes=mistakes,
        samples=samples,
    )


def data_facts(data: Dataset) -> DataFacts:
    """The parts and what was found in them."""
    parts = [
        _part("train", data.train, len(data.classes)),
        _part("validation", data.validation, len(data.classes)),
        PartFacts("test", len(data.test), None, data.test.fingerprint),
    ]
    return DataFacts(
        name=data.name,
        classes=data.classes,
        image_shape=data.shape,
        parts=parts,
        fingerprint=data.fingerprint,
        split_fingerprint=data.split_fingerprint,
        found=data.facts,
    )


def _part(name: str, part: Part, classes: int) -> PartFacts:
    counts = np.bincount(part.labels.numpy(), minlength=classes).tolist()
    return PartFacts(name, len(part), counts, part.fingerprint)


def model_facts(run: "Run") -> ModelFacts:
    """The layers and what they cost."""
    summary, batch = run.model.summary(), run.record.settings.batch_size
    memory = summary.training_bytes(batch, len(get_optimizer(run.record.settings.optimizer).slots([])))
    rows = [(row.name, row.layer, row.output_shape[0], row.parameters, row.flops) for row in summary.rows]
    return ModelFacts(name=summary.name, rows=rows, memory=memory, batch_size=batch)


def making_of(run: "Run") -> Making:
    """How to make the run again."""
    record = run.record
    files = sorted((path.name, path.stat().st_size) for path in run.folder.iterdir() if path.is_file())
    return Making(
        folder=str(run.folder),
        command=command_of(record),
        python=python_of(record),
        seed=record.settings.seed,
        machine=record.machine,
        device=record.settings.device,
        precision=record.settings.precision,
        recipe=recipe_line(record.settings),
        patience=record.settings.patience,
        versions=record.versions,
        files=files,
        started=record.started,
        seconds=record.seconds,
    )


def command_of(record: Record) -> str:
    """The command line that makes this run again."""
    settings, origin = record.settings, record.origin
    if not _fits_a_command(record):
        return "# made in Python, see below"
    options: dict[str, object] = {
        "model": settings.model,
        "epochs": settings.epochs,
        "batch-size": settings.batch_size,
        "optimizer": None if settings.recipe else settings.optimizer["class_name"].lower(),
        "learning-rate": _rate(settings),
        "patience": settings.patience,
        "shift": settings.shift,
        "coverage": settings.coverage if settings.coverage != 0.95 else None,
        "seed": settings.seed,
        "validation": origin["validation"],
        "test": origin["test"],
        "image-size": origin["image_size"],
        "group-by": origin.get("group_by"),
        "time-by": origin.get("time_by"),
        "device": settings.device,
        "precision": settings.precision,
    }
    words = ["holdfast", "train", str(origin["path"])]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    return shlex.join([*words, "--skip-bad"] if origin["skip_bad"] else words)


def _fits_a_command(record: Record) -> bool:
    """Whether all that Python can say was said in a way that the command line can, too."""
    settings, origin = record.settings, record.origin
    if not origin or settings.model == "model" or origin["seed"] != settings.seed:
        return False
    if settings.recipe:
        return not isinstance(origin["image_size"], list)
    kind, config = settings.optimizer["class_name"], settings.optimizer["config"]
    rate = config["learning_rate"]
    plain = isinstance(rate, (int, float)) and asdict(get_optimizer(kind)) | {"learning_rate": rate} == config
    return plain and not isinstance(origin["image_size"], list)


def python_of(record: Record) -> str:
    """The Python lines that make this run again."""
    settings, kind = record.settings, record.settings.optimizer["class_name"]
    data, model = "...  # your arrays", "...  # your model"
    if record.origin:
        given = {key: value for key, value in record.origin.items() if key != "path" and value is not None}
        data = f"holdfast.data.load({record.origin['path']!r}, {_arguments(given)})"
    if settings.model != "model":
        model = repr(settings.model)
    lines = {"data": data, "model": model}
    rest = settings.model_dump(include={"epochs", "batch_size", "patience", "seed", "device", "precision"})
    how = f"learning_rate={_rate(settings)}"
    if not settings.recipe:
        lines["optimizer"] = f"holdfast.training.{kind}({_arguments(settings.optimizer['config'])})"
        how = "optimizer=optimizer"
    how += f", augment={f'holdfast.data.RandomShift({settings.shift})' if settings.shift else None}"
    return "\n".join(
        [
            "import holdfast\n",
            *(f"{name} = {value}" for name, value in lines.items()),
            f"run = holdfast.train(data, model, {how}, {_arguments(rest)})",
        ]
    )


def _rate(settings: Settings) -> Any:  # Any: a number, or a schedule in Keras's JSON form
    """What `learning_rate` says: of the default recipe the rate at the top of its cycle."""
    rate = settings.optimizer["config"]["learning_rate"]
    return rate["config"]["max_learning_rate"] if settings.recipe else rate


def _arguments(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in values.items() if value is not None)


def pictures_of(data: Dataset, probabilities: NDArray[np.float32], seed: int) -> tuple[list[Picture], list[Picture]]:
    """The worst mistakes on validation, the surest first, and samples drawn at random."""
    if len(data.shape) != 3 or data.shape[-1] not in (1, 3):
        return [], []
    labels = data.validation.labels.numpy()
    said, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(said != labels)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    drawn = np.random.default_rng(derive(seed, "report")).permutation(len(labels))[:SHOWN]
    return _pictures(data, worst, said, sure), _pictures(data, drawn, said, sure)


def _pictures(
    data: Dataset, places: Sequence[int] | NDArray[np.int64], said: NDArray[np.int64], sure: NDArray[np.float32]
) -> list[Picture]:
    part = data.validation
    return [
        Picture(
            part.images[place].numpy(),
            data.classes[int(part.labels[place])],
            data.classes[said[place]],
            float(sure[place]),
            part.names[place],
        )
        for place in map(int, places)
    ]
