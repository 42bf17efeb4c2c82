"""The sentences of a page: what the numbers of a report say in words, the same on page and card."""

import math
import shlex

import numpy as np

from ...data import Facts as Found
from ...evaluate import Report, Score
from .. import formats, lines
from ..searched import Searched
from ..seeds import SeedSpread
from .told import Confidence, DataFacts, Facts


def shared_words(data: DataFacts, judged: Report, confidence: Confidence | None) -> dict[str, str]:
    """The sentences that all pages share."""
    score = judged.accuracy
    wrong = int(judged.confusion.sum() - np.trace(judged.confusion))
    return {
        "interval": (
            f"{formats.interval(score.interval)} is the 95 % interval: the score rests on {score.n:,} {data.things}, "
            "and on new ones of the same kind the accuracy may be anywhere inside it; the more, the narrower."
        ),
        "mistakes": f"Of {wrong:,} {score.where}, those the model was surest of." if wrong else f"None {score.where}.",
        "chance": formats.decimals(math.log(len(data.classes))),
        "duplicates": _duplicates(data.found),
        "near": _near(data.found),
        "groups": "none given" if data.found.groups is None else f"{data.found.groups:,}, none on two sides",
        "test": "sealed",
        "unseen": "sealed",
        "on": score.where,
        "data": _data_in_short(data),
        "confidence": _confidence(confidence) if confidence else "",
    }


def run_words(facts: Facts) -> dict[str, str]:
    """The sentences that page and card of a run share."""
    score = facts.validation.accuracy
    convolves = any("Conv" in row[1] for row in facts.model.rows)
    untwinned = convolves and "dense twin" not in {one.name for one in facts.baselines}
    return {
        "part": score.part.replace("-", " "),
        "looks": (
            f"{_judged(score)} was looked at {_times(score.looks)}{_chosen_by(facts)} Test is read only when it is "
            "unsealed, and each opening is counted."
        ),
        "optimism": _searched(facts.search) if facts.search else _optimism(score),
        "search": f"{facts.search.sentence}; trained with {_values(facts.search)}" if facts.search else "",
        "nested": (
            f"nested cross-validation of the whole search: accuracy {facts.search.nested.text} "
            f"n={facts.search.nested.n:,}"
            if facts.search and facts.search.nested
            else ""
        ),
        "test": _test(facts),
        "unseen": "–" if facts.openings else "sealed",
        "regression": next((one.how for one in facts.baselines if one.how), ""),
        "seeds": _seeds(facts.seeds, facts) if facts.seeds else "",
        "left_out": str(facts.left_out or ""),
        "twin": f"holdfast compare --twin {shlex.quote(facts.making.folder)}" if untwinned else "",
    }


def flatters(optimism: float) -> bool:
    """Whether it shows in a tenth of a point."""
    return optimism >= 0.0005


def _optimism(score: Score) -> str:
    if not flatters(score.optimism):
        return ""
    return (
        f"Training saw {formats.percent(score.naive)} on validation and chose by such looks what to keep; the best of "
        f"many is too good by luck, here by about {100 * score.optimism:.1f} points, which are taken off."
    )


def _searched(search: Searched) -> str:
    """What the search took off its best score, also where that was next to nothing."""
    taken = f"about {100 * search.optimism:.1f} points, which are" if flatters(search.optimism) else "next to nothing"
    return (
        f"The search saw {formats.percent(search.naive)} for the best of {lines.counted(search.candidates, 'trial')} "
        f"that came to their end, of {search.trials:,} begun; being the best adds luck, here {taken} taken off, "
        "see BBC-CV in docs/honest.md."
    )


def _values(search: Searched) -> str:
    return formats.settings(search.values) or "the defaults"


def _judged(score: Score) -> str:
    return "Train and validation, out of fold," if score.part == "out-of-fold" else "Validation"


def _confidence(confidence: Confidence) -> str:
    measured = confidence.calibration
    said = f"error {formats.percent(measured.ece)}, Brier {formats.decimals(measured.brier)}"
    if confidence.temperature is not None:
        said += f", after temperature {confidence.temperature:.2f}"
    if confidence.unknown_below is not None:
        said += f"; {formats.percent(1 - confidence.answered)} answered “unknown”"
    return said


def _seeds(seeds: SeedSpread, facts: Facts) -> str:
    agreement, seen = seeds.agreement, " as seen" if flatters(facts.validation.accuracy.optimism) else ""
    return (
        f"{formats.percent(seeds.mean)}{seen} on average over {len(seeds.seeds)} seeds, standard deviation "
        f"{100 * seeds.spread:.1f} points; any two agree on {formats.percent(agreement.value)} "
        f"{formats.interval(agreement.interval)} of {agreement.n:,} {facts.data.things}"
    )


def _data_in_short(data: DataFacts) -> str:
    """Split, copies and groups in a line."""
    parts = ", ".join(f"{part.name} {part.n:,}" for part in data.parts)
    near = f"{data.found.near_duplicates:,} near ones" if _near_looked_for(data.found) else "near ones not looked for"
    copies = f"{data.found.duplicates:,} exact copies, {near}"
    groups = "no groups given" if data.found.groups is None else f"{data.found.groups:,} groups"
    order = "; in order of time" if any(part.times for part in data.parts) else ""
    return f"{parts}; {copies}; {groups}{order}"


def _near(found: Found) -> str:
    if not _near_looked_for(found):
        return "not looked for"
    return f"{found.near_duplicates:,} found, none on two sides" if found.near_duplicates else "none found"


def _near_looked_for(found: Found) -> bool:
    return not any(note.startswith("near copies were not looked for") for note in found.notes)


def looks_out_of_fold(score: Score) -> str:
    """What was looked at before a cross-validation."""
    return (
        "Each sample is judged by models that have not seen it or anything tied to it. "
        f"Looks at these samples before this one: {score.looks or 'none'}."
    )


def _test(facts: Facts) -> str:
    """What became of the test part."""
    if not next((part.n for part in facts.data.parts if part.name == "test"), 0):
        return "none was split off"
    if not facts.openings:
        return "sealed, never opened"
    opened = f"opened {_times(facts.openings)}"
    if facts.test is None:
        return f"{opened}, score kept sealed" if facts.kept_sealed else f"{opened} by other runs"
    return opened


def _chosen_by(facts: Facts) -> str:
    """What the looks at validation did to its score."""
    if facts.search:
        return ", to choose among the trials of a search; what that adds to the score is taken off."
    if facts.making.patience is None:
        return ", but stopped nothing and chose no weights; it flatters once you choose between runs by it."
    return " while training chose when to stop and what to keep, and what that adds to its score is taken off."


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")


def _duplicates(found: Found) -> str:
    said = [f"{found.duplicates:,} found, none on two sides" if found.duplicates else "none"]
    said += [f"{found.duplicates_removed:,} removed"] * bool(found.duplicates_removed)
    return "; ".join(said + [f"{len(found.conflicts):,} with conflicting labels"] * bool(found.conflicts))
