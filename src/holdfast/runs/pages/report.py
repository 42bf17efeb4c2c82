"""The report of a run and the page of a cross-validation: HTML without scripts; a model card; and the same as JSON.

All are pure functions of what told.py describes.  What stands where is in the templates beside this file, the geometry
in drawing.py and diagrams.py, the sentences in words.py, the spelling in formats.py.
"""

import json
import math
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...evaluate import Report
from .. import formats
from ..left_out import LeftOut
from . import diagrams, drawing, lines
from .plain import plain
from .scatter import Scatter
from .told import Confidence, CrossvalFacts, Facts
from .words import flatters, looks_out_of_fold, run_words, shared_words

if TYPE_CHECKING:
    import jinja2

SKIPPED_SHOWN = 50
PICTURE_PX = 128
SAMPLE_PX = 80
SORTED_FROM = 21  # classes; below, their own order is the one to look for
GROUPS_SHOWN = 12  # names of groups in a part; of more, the number


def report(facts: Facts) -> str:
    """The whole report as one HTML file that asks the network for nothing: screen, print, light, dark, any width."""
    return rendered("report.html.j2", _of_run(facts), html=True)


def card(facts: Facts) -> str:
    """The model card: the report's words and numbers as Markdown."""
    return rendered("card.md.j2", _of_run(facts), html=False)


def as_json(facts: Facts) -> str:
    """The report's numbers and words as JSON, null for what is not a number; docs/runs.md has its schema."""
    return _writable(json.dumps(plain(facts), indent=1, ensure_ascii=False, allow_nan=False))


def crossval_page(facts: CrossvalFacts) -> str:
    """The page of a cross-validation, as `report` is of a run."""
    values = [fold.accuracy.value for fold in facts.folds]
    score = facts.report.accuracy
    own = {
        "scale": diagrams.Scale([*values, score.value], [score.interval]),
        "repeats": 1 + max(fold.repeat for fold in facts.folds),
        "words": shared_words(facts.data, facts.report, facts.confidence)
        | {"part": "out of fold", "looks": looks_out_of_fold(score)},
    }
    return rendered("crossval.html.j2", _shared(facts, facts.report, facts.confidence) | own, html=True)


def _of_run(facts: Facts) -> dict[str, Any]:  # Any: what the templates take
    """What the templates of a run are given."""
    own = {
        "charts": list(drawing.charts(facts.logs, facts.measured, facts.kept_epoch)),
        "groups_scale": _scale(facts.left_out) if facts.left_out else None,
        "scale": diagrams.Scale(facts.seeds.accuracies, []) if facts.seeds else None,
        "scatter": Scatter(facts.embedded, tuple(facts.data.classes)) if facts.embedded else None,
        "words": shared_words(facts.data, facts.validation, facts.confidence) | run_words(facts),
    }
    return _shared(facts, facts.validation, facts.confidence) | own


def _scale(groups: LeftOut) -> diagrams.Scale:
    """What holds all accuracies of groups and their intervals."""
    scores = [*groups.scores, groups.random]
    return diagrams.Scale([one.value for one in scores], [one.interval for one in scores])


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


def rendered(template: str, values: Mapping[str, Any], *, html: bool) -> str:  # Any: what the templates take
    """A template beside this file, filled in."""
    return _writable(templates(html=html).get_template(template).render(values))


def _writable(text: str) -> str:
    """Python stands lone surrogates in for the bytes of file names that are no UTF-8; no file can hold them."""
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
        "flatters": flatters,
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
        "limits": lines.limits,
        "lines": lines.lines,
        "LINE_WIDE": lines.WIDE,
        "LINE_HIGH": lines.HIGH,
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
