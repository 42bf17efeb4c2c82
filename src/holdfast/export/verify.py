"""Verification: whether an exported model answers as the model does, asked with raw files as its users will ask it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import BadShape
from ..evaluate.interval import Interval, paired
from ..models import BaseModel, Extras
from .form import BATCH, Array, timed
from .formats import FORMATS, Format

LARGEST_DP = 1e-4  # of float32
LARGEST_LOSS = 0.005  # of accuracy, when quantised
ROUNDING = 1e-9

Samples: TypeAlias = Sequence[Path] | Array  # raw files, or (N, *input)
Probabilities: TypeAlias = NDArray[np.float32]  # (N, K)


@dataclass(frozen=True)
class Parity:
    """What an exported model answers, beside what the model answers.

    Attributes:
        format: "keras", "tfjs" or "onnx".
        quantize: None for float32.
        judge: who ran the exported model.
        part: of the data; never the test part.
        n: samples.
        samples: "files", each prepared as the exported model says, or "arrays" where the data has no files.
        max_dp: the largest difference of a probability; None where there is none, of NaN.
        agreement: share of samples with the same likeliest class.
        accuracy, exported_accuracy: of the model and of what was exported.
        difference, interval: the exported accuracy minus the model's, and its 95 % interval (`interval.paired`).
        unknown_agreement: share of samples for which both say "unknown" or both do not; None where nobody can.
        latency_ms, exported_latency_ms: of one sample, prepared, the median of 21; None where nothing came.
        exported_bytes: of all files.
        files: SHA-256 of each.
        missed: what is not as it must be, a sentence each; empty when the export may be used.
    """

    format: str
    quantize: str | None
    judge: str
    part: str
    n: int
    samples: Literal["files", "arrays"]
    max_dp: float | None
    agreement: float
    accuracy: float
    exported_accuracy: float
    difference: float
    interval: Interval
    unknown_agreement: float | None
    latency_ms: float
    exported_latency_ms: float | None
    exported_bytes: int
    files: dict[str, str]
    missed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate was."""
        return not self.missed

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """What parity.json holds."""
        gates = (
            {"smallest_difference": -LARGEST_LOSS} if self.quantize else {"max_dp_below": LARGEST_DP, "agreement": 1.0}
        )
        return {"schema": 1, "passed": self.passed, **asdict(self), "gates": gates}

    def __str__(self) -> str:
        asked = f"n={self.n:,} {self.samples} of {self.part}, by {self.judge}"
        if self.max_dp is None:
            return f"{asked}: {'; '.join(self.missed)}"
        low, high = (100 * end for end in self.interval)
        return (
            f"{asked}: max |dp| {self.max_dp:.1e}, "
            f"{100 * self.agreement:.4g} % agree, accuracy {100 * self.exported_accuracy:.1f} % "
            f"(model {100 * self.accuracy:.1f} %), {100 * self.difference:+.1f} points [{low:.1f}, {high:.1f}]"
        )


@dataclass(frozen=True, eq=False)
class Answers:
    """What an exported model says, or why it says nothing."""

    judge: str
    extras: Extras | None
    probabilities: Probabilities | None
    latency_s: float | None
    trouble: str = ""


def verify(
    model: BaseModel,
    format: Format | str,
    folder: Path,
    samples: Samples,
    labels: NDArray[np.int64],
    *,
    quantize: str | None = None,
    part: str = "validation",
    predict: Callable[[Any], Probabilities] | None = None,  # Any: paths or an array
    progress: Callable[[int, int], None] | None = None,
) -> Parity:
    """Asks a model and its exported form the same.

    Args:
        model: a classifier of one input and one output.
        format: "keras", "tfjs" or "onnx"; or a row such as `formats.FORMATS` has.
        folder: what was exported, and nothing else.
        samples: raw picture files, which each side prepares as it itself says; or an array (N, *input).
        labels: (N,) class indices.
        quantize: as it was exported.
        part: where the samples are from.
        predict: how the model is asked; `model.predict` when None.
        progress: told (samples done, samples in all) while what was exported is asked.

    Raises:
        BadShape: no samples, not one label for each, or answers that are not of two classes or more.
    """
    if not len(samples) or len(samples) != len(labels):
        raise BadShape(f"verify: {len(samples)} samples and {len(labels)} labels; one label for each is needed.")
    row = FORMATS[format] if isinstance(format, str) else format
    said = (predict or model.predict)(samples)
    if said.ndim != 2 or said.shape[1] < 2:
        raise BadShape(
            f"verify: the model answers {said.shape}; probabilities of two classes or more, (N, K), are needed."
        )
    answers = _asked(model, row, folder, samples, progress or (lambda done, total: None))
    found = answers.probabilities
    if found is None or found.shape != said.shape:
        found = np.full_like(said, np.nan)
    right, exported_right = said.argmax(1) == labels, (found.argmax(1) == labels) & np.isfinite(found).all(1)
    both, one, other = (
        int(np.sum(which)) for which in (right & exported_right, exported_right & ~right, right & ~exported_right)
    )
    largest = float(np.abs(said - found).max())
    files = sorted(folder.iterdir())
    parity = Parity(
        format=row.name,
        quantize=quantize,
        judge=answers.judge,
        part=part,
        n=len(labels),
        samples="arrays" if isinstance(samples, np.ndarray) else "files",
        max_dp=largest if np.isfinite(largest) else None,
        agreement=float(np.mean((said.argmax(1) == found.argmax(1)) & np.isfinite(found).all(1))),
        accuracy=float(right.mean()),
        exported_accuracy=float(exported_right.mean()),
        difference=(one - other) / len(labels),
        interval=paired(both, one, other, len(labels) - both - one - other),
        unknown_agreement=_unknown_agreement(model, answers.extras, said, found),
        latency_ms=1000 * timed(model.predict)(_one(model, samples)),
        exported_latency_ms=None if answers.latency_s is None else 1000 * answers.latency_s,
        exported_bytes=sum(path.stat().st_size for path in files),
        files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        missed=(),
    )
    return replace(parity, missed=(*_not_carried(model, answers), *([] if answers.trouble else _missed(parity))))


def _asked(
    model: BaseModel, format: Format, folder: Path, samples: Samples, progress: Callable[[int, int], None]
) -> Answers:
    """Opens what was exported and asks it; whatever goes wrong is an answer, too."""
    judge, extras = "nobody", None
    try:
        with format.open(folder) as form:
            judge, extras = form.judge, form.extras
            reads = form.extras.reads or model.reads  # that it does not say is told by _not_carried
            if isinstance(samples, np.ndarray):
                prepared: Array = samples
            else:
                assert reads is not None, "the model was asked with files before"
                prepared = reads.read(samples)
            said = []
            for first in range(0, len(prepared), BATCH):
                said.append(form.predict(prepared[first : first + BATCH]))
                progress(min(first + BATCH, len(prepared)), len(prepared))
            return Answers(judge, extras, np.concatenate(said), form.latency_s(prepared[:1]))
    except Exception as error:  # of whoever runs it: ONNX Runtime, node, our own reader
        return Answers(judge, extras, None, None, " ".join(str(error).split()) or type(error).__name__)


def _one(model: BaseModel, samples: Samples) -> Array:
    """The first sample, (1, *input)."""
    if isinstance(samples, np.ndarray):
        return samples[:1]
    assert model.reads is not None, "the model was asked with files before"
    return model.reads.read(samples[:1])


def _missed(parity: Parity) -> list[str]:
    """The gates of numbers that were missed."""
    if parity.max_dp is None:
        return ["it gives no probabilities like the model's"]
    if parity.quantize:
        lost = parity.difference < -LARGEST_LOSS - ROUNDING
        said = (
            f"it loses {-100 * parity.difference:.2f} points of accuracy; at most {100 * LARGEST_LOSS:g} are accepted"
        )
        return [said] if lost else []
    found = []
    if not parity.max_dp < LARGEST_DP:
        found.append(f"probabilities differ by up to {parity.max_dp:.2g}; less than {LARGEST_DP:g} is accepted")
    if parity.agreement < 1:
        found.append(f"{round((1 - parity.agreement) * parity.n):,} of {parity.n:,} samples get another class")
    return found


def _not_carried(model: BaseModel, answers: Answers) -> list[str]:
    """What should have travelled with the model and did not."""
    if answers.extras is None or answers.trouble:
        what = "it cannot be opened" if answers.extras is None else f"{answers.judge} cannot run it"
        return [f"{what}: {answers.trouble}"]
    there = answers.extras
    found = [] if there.classes == model.classes else ["it names other classes than the model"]
    if there.reads != model.reads:
        found.append("it reads pictures in another way than the model")
    plain = [None if one is None else one.to_dict() for one in (there.unknown, model.unknown)]
    return found if plain[0] == plain[1] else [*found, 'its answer "unknown" is another than the model\'s']


def _unknown_agreement(
    model: BaseModel, there: Extras | None, said: Probabilities, found: Probabilities
) -> float | None:
    if model.unknown is None or there is None or there.unknown is None or not np.isfinite(found).all():
        return None
    return float(np.mean(model.unknown(said) == there.unknown(found)))
