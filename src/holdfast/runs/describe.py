"""A look at data before any training: what is there, what is wrong with it, and what training on it would take."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, HoldfastError
from ..data import Dataset, Part, Reading
from ..data.load import read_source, sides
from ..data.split import undivided
from ..evaluate import wilson
from . import lines
from .again import READING
from .forecast import Forecast, forecast
from .formats import percent
from .loading import load_shown
from .odd import Odd, odd_samples
from .plan import How, ModelChoice, check_settings
from .sizes import Lengths, Sizes, odd_sizes
from .write import write_text

UNEVEN = 3.0  # times as many samples of one class as of another, from which on accuracy misleads
FEW = 20  # training samples of a class below which little can be learned of it
UNCERTAIN = 200  # validation samples below which cross-validation says more


@dataclass(frozen=True)
class Copies:
    """Samples that are one and the same, or nearly.

    Attributes:
        part, places: where they are: "train" and the indices in it.
        exact: whether all are equal to the last bit.
        classes: the labels that they have; several: some are wrong.
    """

    part: str
    places: tuple[int, ...]
    exact: bool
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Description:
    """What `describe_data` found.

    Attributes:
        data: what was looked at; its test part is still sealed.
        odd: samples to look at.
        usual: what would be odd elsewhere and is common here, a sentence each.
        copies: within train and validation, those under several labels first, then the largest sets.
        sizes: of the files of pictures or sounds; None where there are none.
        advice: sentences.
        forecast: of a training; None where there can be none.
        no_forecast: why not.
        page: the HTML file.
    """

    data: Dataset
    odd: tuple[Odd, ...]
    usual: tuple[str, ...]
    copies: tuple[Copies, ...]
    sizes: Sizes | Lengths | None
    advice: tuple[str, ...]
    forecast: Forecast | None
    no_forecast: str
    page: Path


def describe_data(
    data: Dataset | str | Path,
    model: ModelChoice = "convnet",
    *,
    out: str | Path = "data.html",
    verbose: Literal[0, 1] = 1,
    reading: dict[str, Any] | None = None,  # Any: options of `data.load`
    **how: Unpack[How],
) -> Description:
    """Looks at data before anything is trained on it, and draws it on a page; the test part stays sealed.

    Files that cannot be read are listed, not fatal; nor is it that training would refuse the data, such as a class with
    one sample.

    Args:
        data: a Dataset, or what `data.load` takes.
        model: that the forecast is of, as in `train`.
        out: the HTML file.
        verbose: 1 prints, 0 nothing.
        reading: options of `data.load`, when `data` is a path or a name.
        how: as in `train`; a batch size is chosen to fit where none is given.

    Raises:
        BadData, BadFile, BadValue, UnknownName: as `data.load` does for what cannot be read.
    """
    check_settings(model, how, Path(out).parent)
    refused = ""
    if not isinstance(data, Dataset):
        data, refused = _loaded(data, how.get("seed", 0), reading or {}, quiet=not verbose)
    expected, why_not = (None, "such data cannot be trained on") if refused else _forecast(data, model, how)
    sizes, misfits = odd_sizes(data)
    odd, usual = odd_samples(data)
    found = Description(
        data=data,
        odd=tuple(sorted(misfits + odd, key=lambda one: (one.why.partition(",")[0], one.name))),
        usual=tuple(usual),
        copies=tuple(find_copies(data)),
        sizes=sizes,
        advice=(refused, *advice(data)) if refused else tuple(advice(data)),
        forecast=expected,
        no_forecast=why_not,
        page=Path(out),
    )
    from .pages.describe import page

    write_text(found.page, page(found))
    if verbose:
        say(found)
    return found


def _loaded(path: str | Path, seed: int, reading: dict[str, Any], *, quiet: bool) -> tuple[Dataset, str]:
    """The data, and why training would refuse it, if so: it is then not divided into parts."""
    options = {**reading, "skip_bad": True}
    try:
        return load_shown(quiet=quiet, path=path, seed=seed, **options), ""
    except BadData as error:
        refused = str(error).rstrip(".")
    source = read_source(path, Reading(**{**options, "image_size": sides(options.get("image_size"))}))
    return undivided(source, name=Path(path).resolve().name, origin={"path": str(path)}), refused


def _forecast(data: Dataset, model: ModelChoice, how: How) -> tuple[Forecast | None, str]:
    """What training would take, or why it could not even begin."""
    try:
        return forecast(data, model, **how), ""
    except HoldfastError as error:
        return None, str(error).rstrip(".")


def find_copies(data: Dataset) -> list[Copies]:
    """The sets of copies and near copies within train and validation; no split cuts one.

    Where groups are given, near copies cannot be told from them afterwards: these sets are of exact copies only.
    """
    found = [
        _copies(data, name, part, places)
        for name, part in (("train", data.train), ("validation", data.validation))
        if part.digests is not None
        for places in _sets(part.digests if data.group_names or part.groups is None else part.groups)
    ]
    return sorted(found, key=lambda one: (len(one.classes) == 1, -len(one.places)))


def _sets(values: NDArray[Any]) -> list[NDArray[np.int64]]:  # Any: of any integer type
    """The places of each value that stands there more than once."""
    order = np.argsort(values, kind="stable")
    borders = np.flatnonzero(np.diff(values[order])) + 1
    return [places for places in np.split(order, borders) if len(places) > 1]


def _copies(data: Dataset, name: str, part: Part, places: NDArray[np.int64]) -> Copies:
    assert part.digests is not None
    labels = np.unique(part.labels.numpy()[places])
    exact = len(np.unique(part.digests[places])) == 1
    return Copies(name, tuple(map(int, places)), exact, tuple(data.classes[label] for label in labels))


def class_counts(data: Dataset) -> NDArray[np.int64]:
    """(K, 3): samples of each class in train, validation and test; those of the test part as the split told them."""
    number = len(data.classes)
    counts = [np.bincount(part.labels.numpy(), minlength=number) for part in (data.train, data.validation)]
    told = np.array(data.facts.test_counts or [0] * number)
    return np.stack([*counts, told], 1).astype(np.int64)


def advice(data: Dataset) -> list[str]:
    """What to mind, and what to do about it; a sentence each."""
    counts, things = class_counts(data)[:, 0], data.things
    most, least = int(counts.argmax()), int(counts.argmin())
    said = []
    if counts[most] >= UNEVEN * counts[least]:
        times = f"{counts[most] / counts[least]:.0f} times as many as" if counts[least] else "many more than"
        said.append(
            f"the classes are uneven: {things} of {data.classes[most]!r} are {times} those of "
            f"{data.classes[least]!r}; who always answers {data.classes[most]!r} is right on "
            f"{percent(counts[most] / counts.sum())} of train, so judge by the recall of each class, and collect more "
            f"of the rare ones"
        )
    few = [name for name, count in zip(data.classes, counts, strict=True) if count < FEW]
    if few:
        named = ", ".join(map(repr, few[:3])) + (f" and {len(few) - 3:,} more" if len(few) > 3 else "")
        said.append(f"{named}: fewer than {FEW} training {things}; more of them will help more than any other model")
    n = len(data.validation)
    if 0 < n < UNCERTAIN:
        low, high = wilson(0.9 * n, n)
        said.append(
            f"{n:,} validation {things} are few: of 90.0 % there, the truth is between {percent(low)} and "
            f"{percent(high)}; holdfast crossval judges by all of them"
        )
    if data.facts.conflicts:
        said.append("the same content stands under several labels; correct them before training, see the copies")
    return said


def next_command(found: Description) -> str:
    """What to type to train on this; "" for data that came from memory."""
    origin = found.data.origin
    if not origin or not len(found.data.validation):
        return ""
    words = ["holdfast", "train", str(origin["path"])]
    words += ["--skip-bad"] if found.data.facts.skipped else []
    for name in ("image_size", *READING):
        value = origin.get(name)
        if value is not None and not isinstance(value, list):  # a list: (height, width), which only Python can say
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--batch-size", str(found.forecast.batch_size)] if found.forecast and found.forecast.smaller else []
    return shlex.join(words)


BAR, NAMED, LISTED = 30, 20, 12  # letters of the longest bar; classes, and of other things, that are printed


def say(found: Description) -> None:
    """Prints it."""
    data, tell = found.data, lines.say
    tell("data", lines.data_line(data))
    _say_classes(data)
    if found.sizes is not None:
        tell("sizes" if isinstance(found.sizes, Sizes) else "lengths", str(found.sizes))
    for one in data.facts.skipped[:LISTED]:
        tell("bad", str(one))
    if (more := len(data.facts.skipped) - LISTED) > 0:
        tell("", f"and {more:,} more, see {found.page}")
    for sentence in data.facts.conflicts[:LISTED]:
        tell("labels", f"two for one content: {sentence}")
    for odd in found.odd[:LISTED]:
        tell("look at", f"{odd.name} ({odd.why})")
    if (more := len(found.odd) - LISTED) > 0:
        tell("", f"and {more:,} more, see {found.page}")
    for sentence in (*data.facts.notes, *found.usual):
        tell("note", sentence)
    for sentence in found.advice:
        tell("advice", sentence)
    tell("forecast", forecast_line(found))
    if found.forecast is not None and found.forecast.smaller:
        tell("", f"batch {found.forecast.batch_size:,} was chosen to fit")
    command = next_command(found)
    tell("page", f"{found.page}" + (f" · next: {command}" if command else ""))


def forecast_line(found: Description) -> str:
    """The forecast in a sentence."""
    expected = found.forecast
    if expected is None:
        return f"none: {found.no_forecast}"
    return f"{expected.model}, {expected.parameters:,} parameters, on {expected.device}: {expected}"


def _say_classes(data: Dataset) -> None:
    """A bar for each class; of many the largest and the smallest."""
    totals = class_counts(data).sum(1)
    order = [*range(len(totals))]
    if len(order) > NAMED:
        order = list(map(int, np.argsort(-totals, kind="stable")))
        order = order[: NAMED // 2] + order[-NAMED // 2 :]
    width = min(24, max(len(data.classes[place]) for place in order))
    for number, place in enumerate(order):
        bar = "█" * max(1, round(BAR * totals[place] / totals.max()))
        name = data.classes[place]
        name = name if len(name) <= width else name[: width - 1] + "…"
        if len(totals) > NAMED and number == NAMED // 2:
            lines.say("", f"... {len(totals) - NAMED:,} classes between")
        lines.say("classes" if not number else "", f"{name:<{width}} {bar} {totals[place]:,}")
