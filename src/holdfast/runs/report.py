"""The report of a run and the page of a cross-validation: HTML without scripts; a model card; and the same as JSON.

All are pure functions of what told.py describes.  What stands where is in the templates beside this file, the geometry
in drawing.py and diagrams.py, the spelling in formats.py.
"""

import json
import math
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Facts as Found
from ..evaluate import Report, Score
from . import diagrams, drawing, formats
from .plain import plain
from .seeds import SeedSpread
from .told import Confidence, CrossvalFacts, DataFacts, Facts

if TYPE_CHECKING:
    import jinja2

SKIPPED_SHOWN = 50
PICTURE_PX = 128
SAMPLE_PX = 80
SORTED_FROM = 21  # classes; below, their own order is the one to look for
GROUPS_SHOWN = 12  # names of groups in a part; of more, the number


def report(facts: Facts) -> str:
    """The whole report as one HTML file that asks the network for nothing: screen, print, light, dark, any width."""
    return _render("report.html.j2", _of_run(facts), html=True)


def card(facts: Facts) -> str:
    """The model card: the report's words and numbers as Markdown."""
    return _render("card.md.j2", _of_run(facts), html=False)


def as_json(facts: Facts) -> str:
    """The report's numbers and words as JSON, null for what is not a number; docs/runs.md has its schema."""
    return (
        json.dumps(plain(facts), indent=1, ensure_ascii=False, allow_nan=False)
        .encode("utf-8", "backslashreplace")
        .decode("utf-8")
    )


def crossval_page(facts: CrossvalFacts) -> str:
    """The page of a cross-validation, as `report` is of a run."""
    values = [fold.accuracy.value for fold in facts.folds]
    score = facts.report.accuracy
    own = {
        "scale": diagrams.Scale([*values, score.value], [score.interval]),
        "repeats": 1 + max(fold.repeat for fold in facts.folds),
        "words": _shared_words(facts.data, facts.report, facts.confidence)
        | {"part": "out of fold", "looks": _looks_out_of_fold(score)},
    }
    return _render("crossval.html.j2", _shared(facts, facts.report, facts.confidence) | own, html=True)


def _of_run(facts: Facts) -> dict[str, Any]:  # Any: what the templates take
    """What the templates of a run are given."""
    own = {
        "charts": list(drawing.charts(facts.logs, facts.measured, facts.kept_epoch)),
        "scale": diagrams.Scale(facts.seeds.accuracies, []) if facts.seeds else None,
        "words": _shared_words(facts.data, facts.validation, facts.confidence) | _words(facts),
    }
    return _shared(facts, facts.validation, facts.confidence) | own


def _shared(facts: Facts | CrossvalFacts, judged: Report, confidence: Confidence | None) -> dict[str, Any]:  # Any: same
    """What the sections of both kinds of pages are given; `judged` is what the page is about."""
    rows, many = judged.per_class, len(facts.data.classes) >= SORTED_FROM
    return {
        "facts": facts,
        "data": facts.data,
        "model": facts.model,
        "making": facts.making,
        "judged": judged,
        "confidence": confidence,
        "reliability": diagrams.Reliability(confidence.calibration, confidence.unknown_below) if confidence else None,
        "matrix": drawing.Matrix(judged.confusion, facts.data.classes),
        "many": many,
        "per_class": sorted(rows, key=lambda row: (math.isnan(row.recall), row.recall)) if many else rows,
    }


def _render(template: str, values: Mapping[str, Any], *, html: bool) -> str:  # Any: what the templates take
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
        "flatters": _flatters,
        "hundredths": lambda share: formats.percent(share).removesuffix(" %"),
        "interval": formats.interval,
        "md": formats.markdown,
        "number": lambda count: f"{count:,}",
        "percent": formats.percent,
        "quote": shlex.quote,
        "scaled": formats.scaled,
        "shape": lambda shape: " × ".join(map(str, shape)),
        "size": formats.size,
        "moment": formats.moment,
        "tied": lambda text: str(text).replace(" %", "\N{NO-BREAK SPACE}%"),
        "tiny": lambda image: max(image.shape[:2]) <= PICTURE_PX // 2,
        "whole_percent": lambda share: f"{math.floor(100 * share)} %",
    }
    environment.globals |= {
        "SKIPPED_SHOWN": SKIPPED_SHOWN,
        "PICTURE_PX": PICTURE_PX,
        "SAMPLE_PX": SAMPLE_PX,
        "GROUPS_SHOWN": GROUPS_SHOWN,
        "zip": zip,
    }
    environment.globals |= {
        name: getattr(drawing, name) for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")
    }
    return environment


def _shared_words(data: DataFacts, judged: Report, confidence: Confidence | None) -> dict[str, str]:
    """The sentences that all pages share."""
    score = judged.accuracy
    wrong = int(judged.confusion.sum() - np.trace(judged.confusion))
    part = "out of fold" if score.part == "out-of-fold" else f"on {score.part}"
    return {
        "interval": (
            f"{formats.interval(score.interval)} is the 95 % interval: the score rests on {score.n:,} {data.things}, "
            "and on new ones of the same kind the accuracy may be anywhere inside it; the more, the narrower."
        ),
        "mistakes": f"Of {wrong:,} {part}, those the model was surest of." if wrong else f"None {part}.",
        "chance": formats.decimals(math.log(len(data.classes))),
        "duplicates": _duplicates(data.found),
        "near": _near(data.found),
        "groups": "none given" if data.found.groups is None else f"{data.found.groups:,}, none on two sides",
        "test": "sealed",
        "unseen": "sealed",
        "on": part,
        "data": _data_in_short(data),
        "confidence": _confidence(confidence) if confidence else "",
    }


def _words(facts: Facts) -> dict[str, str]:
    """The sentences that page and card of a run share."""
    score = facts.validation.accuracy
    names, convolves = {one.name for one in facts.baselines}, any("Conv" in row[1] for row in facts.model.rows)
    return {
        "part": "validation",
        "looks": (
            f"Validation was looked at {_times(score.looks)}{_chosen_by(facts)} Test is read only when it is unsealed, "
            "and each opening is counted."
        ),
        "optimism": _optimism(score),
        "test": _test(facts),
        "unseen": "–" if facts.openings else "sealed",
        "regression": next((one.how for one in facts.baselines if one.how), ""),
        "seeds": _seeds(facts.seeds, facts.data.things) if facts.seeds else "",
        "twin": ""
        if "dense twin" in names or not convolves
        else f"holdfast compare --twin {shlex.quote(facts.making.folder)}",
    }


def _flatters(optimism: float) -> bool:
    """Whether it shows in a tenth of a point."""
    return optimism >= 0.0005


def _optimism(score: Score) -> str:
    if not _flatters(score.optimism):
        return ""
    return (
        f"Seen on validation were {formats.percent(score.naive)}, the best of {score.looks:,} looks; the best of many "
        f"is too good by luck, here by about {100 * score.optimism:.1f} points, which are taken off."
    )


def _confidence(confidence: Confidence) -> str:
    measured = confidence.calibration
    said = f"error {formats.percent(measured.ece)}, Brier {formats.decimals(measured.brier)}"
    if confidence.temperature is not None:
        said += f", after temperature {confidence.temperature:.2f}"
    if confidence.unknown_below is not None:
        said += f"; {formats.percent(1 - confidence.answered)} answered “unknown”"
    return said


def _seeds(seeds: SeedSpread, things: str) -> str:
    agreement = seeds.agreement
    return (
        f"{formats.percent(seeds.mean)} on average over {len(seeds.seeds)} seeds, standard deviation "
        f"{100 * seeds.spread:.1f} points; any two agree on {formats.percent(agreement.value)} "
        f"{formats.interval(agreement.interval)} of {agreement.n:,} {things}"
    )


def _data_in_short(data: DataFacts) -> str:
    """Split, copies and groups in a line."""
    parts = ", ".join(f"{part.name} {part.n:,}" for part in data.parts)
    near = f"{data.found.near_duplicates:,} near ones" if _near_looked_for(data.found) else "near ones not looked for"
    copies = f"{data.found.duplicates:,} exact copies, {near}"
    groups = "no groups given" if data.found.groups is None else f"{data.found.groups:,} groups"
    return f"{parts}; {copies}; {groups}"


def _near(found: Found) -> str:
    if not _near_looked_for(found):
        return "not looked for"
    return f"{found.near_duplicates:,} found, none on two sides" if found.near_duplicates else "none found"


def _near_looked_for(found: Found) -> bool:
    return not any(note.startswith("near copies were not looked for") for note in found.notes)


def _looks_out_of_fold(score: Score) -> str:
    return (
        "Each sample is judged by models that have not seen it or anything tied to it. "
        f"Looks at these samples before this one: {score.looks or 'none'}."
    )


def _test(facts: Facts) -> str:
    """What became of the test part."""
    if not facts.openings:
        return "sealed, never opened"
    opened = f"opened {_times(facts.openings)}"
    if facts.test is None:
        return f"{opened}, score kept sealed" if facts.kept_sealed else f"{opened} by other runs"
    return opened


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
