"""The report of a run: one HTML page without scripts, and a model card.  Both are pure functions of `Facts`.

What stands where is in the templates beside this file, the geometry in drawing.py, the spelling in formats.py.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Facts as Found
from ..evaluate import Report, Verdict
from . import drawing, formats

if TYPE_CHECKING:
    import jinja2

SKIPPED_SHOWN = 50
PICTURE_PX = 128
SAMPLE_PX = 80
SORTED_FROM = 21  # classes; below, their own order is the one to look for


@dataclass(frozen=True)
class Picture:
    """A picture and what the model says of it.

    Attributes:
        image: (H, W, C) or (H, W), uint8; any other type is stretched from its smallest to its largest value.
        truth: its class.
        predicted: the class the model gives it.
        probability: of the predicted class, in [0, 1].
        name: where it came from, "t-shirt/1.jpg".
    """

    image: NDArray[Any]
    truth: str
    predicted: str
    probability: float
    name: str

    @property
    def right(self) -> bool:
        return self.truth == self.predicted


@dataclass(frozen=True)
class PartFacts:
    """One part of the data: "train", "validation" or "test".  `counts` by class, None where the part is sealed."""

    name: str
    n: int
    counts: Sequence[int] | None
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What was trained on; `found` is what loading and splitting found on the way."""

    name: str
    classes: Sequence[str]
    image_shape: tuple[int, ...]
    parts: Sequence[PartFacts]
    fingerprint: str
    split_fingerprint: str
    found: Found


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The model.  A row is (name, class, output shape, parameters, FLOPs a picture); `memory` in bytes, to train."""

    name: str
    rows: Sequence[tuple[str, str, tuple[int, ...], int, int]]
    memory: int
    batch_size: int

    @property
    def parameters(self) -> int:
        return sum(row[3] for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row[4] for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Making:
    """How the run was made and how to make it again.  `files` is (name, bytes); `started` in words, UTC."""

    folder: str  # as to be given to `holdfast evaluate`
    command: str
    python: str
    seed: int
    machine: str
    device: str
    precision: str
    recipe: str
    patience: int | None
    versions: Mapping[str, str]
    files: Sequence[tuple[str, int]]
    started: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a report tells.

    Attributes:
        name: of the run, "photos-001".
        validation: the score on validation.
        train: measured in evaluation mode, so that it compares with validation; None where it was not.
        test: the score at the latest opening; None while sealed, or when another run opened it.
        openings: how often the test part has been opened, over all runs of the ledger.
        verdict: on over- and underfitting.
        stopped: why training ended, as a sentence.
        kept_epoch: the epoch, from 1, whose weights the model has.
        logs: of each epoch, with Keras's keys: loss, each metric, the same with val_ where validation ran.
        measured: the training part by the finished model in evaluation mode, under the same keys, as far as known.
        mistakes: pictures the model gets wrong, worst first; 24 are plenty.
        samples: validation pictures drawn at random.
    """

    name: str
    data: DataFacts
    model: ModelFacts
    making: Making
    validation: Report
    train: Report | None = None
    test: Report | None = None
    openings: int = 0
    verdict: Verdict | None = None
    stopped: str = ""
    kept_epoch: int | None = None
    logs: Sequence[Mapping[str, float]] = ()
    measured: Mapping[str, float] = field(default_factory=dict)
    mistakes: Sequence[Picture] = ()
    samples: Sequence[Picture] = ()


def report(facts: Facts) -> str:
    """The whole report as one HTML file that asks the network for nothing: screen, print, light, dark, any width."""
    return _render("report.html.j2", facts, html=True)


def card(facts: Facts) -> str:
    """The model card: the report's words and numbers as Markdown."""
    return _render("card.md.j2", facts, html=False)


def _render(template: str, facts: Facts, *, html: bool) -> str:
    rows, many = facts.validation.per_class, len(facts.data.classes) >= SORTED_FROM
    values = {
        "facts": facts,
        "charts": list(drawing.charts(facts.logs, facts.measured, facts.kept_epoch)),
        "matrix": drawing.Matrix(facts.validation.confusion, facts.data.classes),
        "many": many,
        "per_class": sorted(rows, key=lambda row: (math.isnan(row.recall), row.recall)) if many else rows,
        "words": _words(facts),
    }
    text = templates(html=html).get_template(template).render(values)
    # Python stands lone surrogates in for the bytes of file names that are no UTF-8; no file can hold them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def templates(*, html: bool) -> "jinja2.Environment":
    """The templates beside this file, with the filters that they use."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "data_uri": formats.data_uri,
        "decimals": formats.decimals,
        "duration": formats.duration,
        "fence": formats.fence,
        "hundredths": lambda share: formats.percent(share).removesuffix(" %"),
        "interval": formats.interval,
        "md": formats.markdown,
        "number": lambda count: f"{count:,}",
        "percent": formats.percent,
        "quote": shlex.quote,
        "scaled": formats.scaled,
        "shape": lambda shape: " × ".join(map(str, shape)),
        "size": formats.size,
        "tied": lambda text: str(text).replace(" %", "\N{NO-BREAK SPACE}%"),
        "tiny": lambda image: max(image.shape[:2]) <= PICTURE_PX // 2,
        "whole_percent": lambda share: f"{math.floor(100 * share)} %",
    }
    environment.globals |= {"SKIPPED_SHOWN": SKIPPED_SHOWN, "PICTURE_PX": PICTURE_PX, "SAMPLE_PX": SAMPLE_PX}
    environment.globals |= {
        name: getattr(drawing, name) for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")
    }
    return environment


def _words(facts: Facts) -> dict[str, str]:
    """The sentences that page and card share."""
    score, opened = facts.validation.accuracy, _times(facts.openings)
    wrong = int(facts.validation.confusion.sum() - np.trace(facts.validation.confusion))
    return {
        "interval": (
            f"{formats.interval(score.interval)} is the 95 % interval: the score rests on {score.n:,} pictures, "
            "and on new ones of the same kind the accuracy may be anywhere inside it; the more pictures, the narrower."
        ),
        "looks": (
            f"Validation was looked at {_times(score.looks)}{_chosen_by(facts)} Test is read only when it is unsealed, "
            "and each opening is counted."
        ),
        "mistakes": f"Of {wrong:,} on validation, those the model was surest of." if wrong else "None on validation.",
        "test": f"opened {opened}" if facts.openings else "sealed, never opened",
        "chance": formats.decimals(math.log(len(facts.data.classes))),
        "duplicates": _duplicates(facts.data.found),
    }


def _chosen_by(facts: Facts) -> str:
    """What the looks at validation did to its score."""
    if facts.making.patience is None:
        return ", but stopped nothing and chose no weights; it flatters once you choose between runs by it."
    return " while training chose when to stop and what to keep, which makes its score slightly optimistic."


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")


def _duplicates(found: Found) -> str:
    said = [f"{found.duplicates:,} found, none on two sides" if found.duplicates else "none"]
    near = found.near_duplicates
    said += [f"{near:,} near {'copy' if near == 1 else 'copies'} found, none on two sides"] * bool(near)
    said += [f"{found.duplicates_removed:,} removed"] * bool(found.duplicates_removed)
    return "; ".join(said + [f"{len(found.conflicts):,} with conflicting labels"] * bool(found.conflicts))
