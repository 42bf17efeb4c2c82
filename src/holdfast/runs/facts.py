"""From a judged run to what its report tells."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core import derive
from ..data import Dataset, Part
from ..data.reads import Reads
from ..data.series import Series
from ..data.sounds import Sounds
from ..evaluate import Score, calibration, wilson
from ..models import BaseModel, Unknown
from ..training import get_optimizer
from .again import command_of, crossval_command, crossval_python, python_of, winner_again
from .augmented import augmented_of
from .bases import base_words
from .embedded import embedded_of
from .left_out import LeftOut
from .lines import recipe_line
from .pages.told import Baseline, Confidence, CrossvalFacts, DataFacts, Facts, Making, ModelFacts, PartFacts, Picture
from .record import Record, Settings
from .searched import Searched, judges
from .seeds import SeedSpread

if TYPE_CHECKING:
    from .crossval import CrossValidation
    from .run import Run

SHOWN = 24  # pictures of mistakes, and of samples


def facts_of(run: "Run", data: Dataset, probabilities: NDArray[np.float32]) -> Facts:
    """All that the report of a run tells.

    Args:
        run: judged.
        data: what it was trained on.
        probabilities: (N, K) of the samples that judge it: of validation, as a rule.
    """
    record = run.record
    measured = {"loss": run.train.log_loss.value, "accuracy": run.train.accuracy.value}
    judged = judges(run.folder, data)[1] if record.settings.whole else data.validation
    mistakes, samples = pictures_of(data, judged, probabilities, record.settings.seed)
    seeds, groups = record.scores.get("seeds"), record.scores.get("left_out")
    return Facts(
        name=record.name,
        data=data_facts(data),
        model=model_facts(run.model, record.settings),
        making=making_of(run.folder, record, *_again(run)),
        validation=run.validation,
        train=run.train,
        test=run.test,
        openings=run.openings,
        kept_sealed=run.kept_sealed,
        baselines=baselines_of(run),
        confidence=confidence_of(judged, probabilities, run.model.unknown, record.temperature),
        search=Searched.of(record),
        seeds=SeedSpread.from_dict(seeds) if seeds else None,
        left_out=LeftOut.from_dict(groups) if groups else None,
        verdict=run.verdict,
        stopped=record.stop,
        kept_epoch=record.kept_epoch,
        logs=[{key: np.nan if value is None else value for key, value in row.items()} for row in record.logs],
        measured=measured,
        mistakes=mistakes,
        samples=samples,
        augmented=augmented_of(run.model, data, record.settings),
        embedded=(
            None
            if record.settings.whole  # which has learned from these samples
            else embedded_of(run.model, data, probabilities, record.settings.seed)
        ),
    )


def _again(run: "Run") -> tuple[str, str]:
    """How to make it again; the winner of a search by the values that are kept there."""
    record, searched = run.record, Searched.of(run.record)
    if searched is None or searched.built:
        return command_of(record), python_of(record)
    return winner_again(record, str(run.folder.parent / searched.search / "best.toml"))


def crossval_facts(found: "CrossValidation", data: Dataset, judged: Part, network: BaseModel, cv: Any) -> CrossvalFacts:
    """All that the page of a cross-validation tells.

    Args:
        found: what it found.
        data: that it dealt out.
        judged: the samples of its predictions, in their order.
        network: any of its models.
        cv: what `cross_validate` was told, of any type.
    """
    shares = found.predictions.probabilities
    record = found.record.model_copy(update={"seconds": sum(fold.seconds for fold in found.folds)})
    how = {"cv": cv, "repeats": 1 + max(fold.repeat for fold in found.folds), "refit": found.model is not None}
    return CrossvalFacts(
        name=record.name,
        data=crossval_data(data, judged),
        model=model_facts(network, record.settings),
        making=making_of(found.folder, record, crossval_command(record, **how), crossval_python(record, **how)),
        report=found.report,
        folds=found.folds,
        refit=found.model is not None,
        confidence=confidence_of(judged, shares, None, None),
        mistakes=pictures_of(data, judged, shares, record.settings.seed)[0],
    )


def baselines_of(run: "Run") -> list[Baseline]:
    """The majority class, and what the record has."""
    measured = run.validation
    n = measured.accuracy.n
    majority = Score("accuracy", measured.baseline, wilson(measured.baseline * n, n), n, "validation")
    known = run.record.scores.get("baselines", {})
    return [
        Baseline("majority", majority),
        *(Baseline(name, _score(kept), kept.get("how", "")) for name, kept in known.items()),
    ]


def _score(plain: Mapping[str, Any]) -> Score:  # Any: what JSON holds
    given = {field.name: plain[field.name] for field in fields(Score) if field.name in plain}
    return Score(**(given | {"interval": tuple(given["interval"])}))


def confidence_of(
    part: Part, probabilities: NDArray[np.float32], unknown: Unknown | None, temperature: float | None
) -> Confidence:
    """How far these probabilities (N, K) of a part can be believed, and how many of them count as answers."""
    measured = calibration(part.labels.numpy(), probabilities)
    if unknown is None:
        return Confidence(measured, temperature)
    answered = float(1 - unknown(probabilities).mean())
    return Confidence(measured, temperature, unknown.below, unknown.beyond, unknown.coverage, answered)


def data_facts(data: Dataset) -> DataFacts:
    """The parts and what was found in them."""
    parts = [_part("train", data.train, data), _part("validation", data.validation, data), _sealed(data)]
    return _data(data, parts)


def crossval_data(data: Dataset, judged: Part) -> DataFacts:
    """The same of a cross-validation, which has one part that it deals out."""
    return _data(data, [_part("out-of-fold", judged, data), _sealed(data)])


def _data(data: Dataset, parts: Sequence[PartFacts]) -> DataFacts:
    return DataFacts(
        name=data.name,
        classes=data.classes,
        image_shape=data.shape,
        parts=parts,
        fingerprint=data.fingerprint,
        split_fingerprint=data.split_fingerprint,
        found=data.facts,
        things=data.things,
    )


def _part(name: str, part: Part, data: Dataset) -> PartFacts:
    counts = np.bincount(part.labels.numpy(), minlength=len(data.classes)).tolist()
    times = None if part.times is None else (float(part.times.min()), float(part.times.max()))
    return PartFacts(name, len(part), counts, part.fingerprint, _groups(part, data), times)


def _groups(part: Part, data: Dataset) -> dict[str, int | None]:
    """Samples by the names of the given groups, as they stand in the data."""
    if part.groups is None or not data.group_names:
        return {}
    numbers, counts = np.unique(part.groups, return_counts=True)
    found = zip(numbers.tolist(), counts.tolist(), strict=True)
    return {data.group_names[number]: count for number, count in found if number in data.group_names}


def _sealed(data: Dataset) -> PartFacts:
    """The test part: how many, and the groups that stand nowhere else."""
    seen = {name for part in (data.train, data.validation) for name in _groups(part, data)}
    groups = {name: None for name in data.group_names.values() if name not in seen} if len(data.test) else {}
    return PartFacts("test", len(data.test), None, data.test.fingerprint, groups)


def model_facts(model: BaseModel, settings: Settings) -> ModelFacts:
    """The layers and what they cost."""
    summary, batch = model.summary(), settings.batch_size
    memory = summary.training_bytes(batch, len(get_optimizer(settings.optimizer).slots([])))
    rows = [(row.name, row.layer, row.output_shape[0], row.parameters, row.flops) for row in summary.rows]
    zeros = None if summary.sparsity is None else (summary.sparsity.total.zeros, summary.sparsity.total.numbers)
    base = base_words(model, settings)
    return ModelFacts(name=summary.name, rows=rows, memory=memory, batch_size=batch, base=base, zeros=zeros)


def making_of(folder: Path, record: Record, command: str, python: str) -> Making:
    """How to make the run again, by this command line and these lines of Python."""
    files = sorted((path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file())
    return Making(
        folder=str(folder),
        command=command,
        python=python,
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


def pictures_of(
    data: Dataset, part: Part, probabilities: NDArray[np.float32], seed: int
) -> tuple[list[Picture], list[Picture]]:
    """The worst mistakes on a part, the surest first, and samples drawn at random; of rows of numbers their names."""
    labels, said, sure = part.labels.numpy(), probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(said != labels)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    drawn = np.random.default_rng(derive(seed, "report")).permutation(len(labels))[:SHOWN]

    def picture(place: int) -> Picture:
        return Picture(
            shown(part.images[place], data.reads),
            data.classes[int(labels[place])],
            data.classes[said[place]],
            float(sure[place]),
            part.names[place],
        )

    return [picture(int(place)) for place in worst], [picture(int(place)) for place in drawn]


def shown(sample: Tensor, reads: Reads | None) -> NDArray[Any] | None:  # Any: of any number type
    """A picture (H, W, C); the lines (T, C) of a sound or a series; a volume's middle slice; None of other samples."""
    array: NDArray[Any] = sample.numpy()
    if isinstance(reads, Series):
        return array[:, : len(reads.channels)]  # without the mask
    if isinstance(reads, Sounds):
        return array.reshape(len(array), -1)
    if array.ndim == 4:
        return array[len(array) // 2, ..., :1]
    return array if array.ndim == 3 and array.shape[-1] in (1, 3) else None
