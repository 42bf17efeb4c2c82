"""What the pages tell, as plain values: made by facts.py, shown by report.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...data import Facts as Found
from ...evaluate import Calibration, Report, Score, Verdict
from ..left_out import LeftOut
from ..searched import Searched
from ..seeds import SeedSpread

if TYPE_CHECKING:
    from ..crossval import FoldScore


@dataclass(frozen=True)
class Picture:
    """A picture and what the model says of it.

    Attributes:
        image: (H, W, C), uint8; any other type is stretched from its smallest to its largest value.  Or the lines of
            a sound or of a series, (T, C); None for what cannot be drawn.
        truth: its class.
        predicted: the class the model gives it.
        probability: of the predicted class, in [0, 1].
        name: where it came from, "t-shirt/1.jpg".
    """

    image: NDArray[Any] | None  # Any: of any number type
    truth: str
    predicted: str
    probability: float
    name: str

    @property
    def right(self) -> bool:
        return self.truth == self.predicted


@dataclass(frozen=True)
class Augmented:
    """A training sample as it is, and as it was learned from.

    Attributes:
        name: where it came from.
        truth: its class.
        original: a picture (H, W, C), or the lines of a sound or of a series, (T, C).
        drawn: the same in the first passes over the training part.
        labels: what each of them was labelled with where labels were mixed, "62 % dress, 38 % hat"; else "".
    """

    name: str
    truth: str
    original: NDArray[Any]  # Any: of any number type
    drawn: Sequence[NDArray[Any]]  # Any: as above
    labels: Sequence[str]


@dataclass(frozen=True)
class PartFacts:
    """One part of the data.

    Attributes:
        name: "train", "validation", "test" or "out-of-fold".
        n: samples.
        counts: of each class; None where the part is sealed.
        fingerprint: of its contents.
        groups: samples by the names of the given groups; of a sealed part the names only, with None.  Empty when none
            were given.
        times: of its first and last sample; None when none were given, or where the part is sealed.
    """

    name: str
    n: int
    counts: Sequence[int] | None
    fingerprint: str
    groups: Mapping[str, int | None] = field(default_factory=dict)
    times: tuple[float, float] | None = None

    @property
    def shares(self) -> Sequence[float] | None:
        """Of each class in the part."""
        return None if self.counts is None else [count / max(self.n, 1) for count in self.counts]


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
    things: str = "pictures"  # what its samples are called


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The model.  A row is (name, class, output shape, parameters, FLOPs a picture); `memory` in bytes, to train."""

    name: str
    rows: Sequence[tuple[str, str, tuple[int, ...], int, int]]
    memory: int
    batch_size: int
    base: str = ""  # what it learns from, and what of it is frozen, as a sentence without a full stop
    zeros: tuple[int, int] | None = None  # weights that are exactly 0, of how many, where a proximal L1 makes them so

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


@dataclass(frozen=True)
class Baseline:
    """What a simpler way reaches on the same samples.  `how` says in a few words what it learned from."""

    name: str
    score: Score
    how: str = ""


@dataclass(frozen=True)
class Confidence:
    """How far the probabilities can be believed.

    Attributes:
        calibration: on the part that the page is about.
        temperature: by which the logits were divided before; None where they were not.
        unknown_below: the probability of the best guess below which the answer is "unknown"; None: it never is.
        unknown_beyond: the squared distance from the usual answers beyond which it is.
        coverage: the share of samples of the known kind that is to be answered.
        answered: the share of the part that is.
    """

    calibration: Calibration
    temperature: float | None = None
    unknown_below: float | None = None
    unknown_beyond: float | None = None
    coverage: float | None = None
    answered: float = 1.0


@dataclass(frozen=True, eq=False)
class Plane:
    """Samples as points (N, 2) of a plane; `held` is the share of the variance that it holds, where that is known."""

    title: str
    points: NDArray[Any]  # Any: of any float type
    held: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """Samples of validation as the last layer of the model sees them.

    Attributes:
        layer: whose outputs these features are.
        features, values: numbers of a sample there, and as it is (large pictures made smaller).
        labels, said: (N,) the class, and the one that the model gives.
        names: (N,) where they came from.
        total: samples of validation, of which these were drawn.
        planes: of the same samples.
        alike: the share whose nearest neighbour is of the same class: by the features, and by the values.
    """

    layer: str
    features: int
    values: int
    labels: NDArray[Any]  # Any: of any integer type
    said: NDArray[Any]  # Any: as above
    names: Sequence[str]
    total: int
    planes: Sequence[Plane]
    alike: tuple[Score, Score]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the report of a run tells.

    Attributes:
        name: of the run, "photos-001".
        validation: the score on validation.
        train: measured in evaluation mode, so that it compares with validation; None where it was not.
        test: the score that was told of the test part; None while sealed, or when another run opened it.
        openings: how often the test part has been opened, over all runs of the ledger.
        kept_sealed: why the score of this run's latest opening is not told, as a sentence; "" where it is.
        baselines: what is simpler, the majority class first.
        confidence: how far the probabilities can be believed, on validation.
        search: that has found this run; None where none has.
        seeds: None where one was trained only.
        left_out: few groups, each left out in turn, beside a random split; None where there are none.
        verdict: on over- and underfitting.
        stopped: why training ended, as a sentence.
        kept_epoch: the epoch, from 1, whose weights the model has.
        logs: of each epoch, with Keras's keys: loss, each metric, the same with val_ where validation ran.
        measured: the training part by the finished model in evaluation mode, under the same keys, as far as known.
        mistakes: pictures the model gets wrong, worst first; 24 are plenty.
        samples: validation pictures drawn at random.
        augmented: training samples as they were changed; empty where they were not.
        embedded: samples of validation as points; None where there are few, or nothing before the last layer.
    """

    name: str
    data: DataFacts
    model: ModelFacts
    making: Making
    validation: Report
    train: Report | None = None
    test: Report | None = None
    openings: int = 0
    kept_sealed: str = ""
    baselines: Sequence[Baseline] = ()
    confidence: Confidence | None = None
    search: Searched | None = None
    seeds: SeedSpread | None = None
    left_out: LeftOut | None = None
    verdict: Verdict | None = None
    stopped: str = ""
    kept_epoch: int | None = None
    logs: Sequence[Mapping[str, float]] = ()
    measured: Mapping[str, float] = field(default_factory=dict)
    mistakes: Sequence[Picture] = ()
    samples: Sequence[Picture] = ()
    augmented: Sequence[Augmented] = ()
    embedded: Embedded | None = None


@dataclass(frozen=True, kw_only=True)
class CrossvalFacts:
    """All that the page of a cross-validation tells.

    Attributes:
        name: of the run, "photos-crossval-001".
        report: on the out-of-fold predictions, with Nadeau and Bengio's interval.
        folds: in order, all repeats.
        refit: whether a model was trained on the whole pool and is kept as model.keras.
        confidence: how far the out-of-fold probabilities can be believed.
        mistakes: pictures that the models get wrong, worst first.
    """

    name: str
    data: DataFacts
    model: ModelFacts
    making: Making
    report: Report
    folds: "Sequence[FoldScore]"
    refit: bool = False
    confidence: Confidence | None = None
    mistakes: Sequence[Picture] = ()
