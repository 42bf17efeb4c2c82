"""What a report tells as JSON values.  Keys are only ever added; `SCHEMA` grows when one changes its meaning."""

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from ...evaluate import Report, Score
from .told import Confidence, DataFacts, Embedded, Facts, Making, ModelFacts, Picture

SCHEMA = 1


def plain(facts: Facts) -> dict[str, Any]:  # Any: what JSON holds
    """All that the report of a run says: numbers unrounded, shares in [0, 1], None for NaN; pictures by their names."""
    said = {
        "schema": SCHEMA,
        "kind": "run",
        "name": facts.name,
        "score": _score(facts.validation.accuracy),
        "train": _report(facts.train),
        "validation": _report(facts.validation),
        "test": {"n": _n(facts.data, "test"), "openings": facts.openings, "kept_sealed": facts.kept_sealed}
        | {"told": _report(facts.test)},
        "baselines": [{"name": one.name, "how": one.how, "accuracy": _score(one.score)} for one in facts.baselines],
        "confidence": _confidence(facts.confidence),
        "search": facts.search and facts.search.to_dict(),
        "seeds": facts.seeds and facts.seeds.to_dict(),
        "left_out": facts.left_out and facts.left_out.to_dict(),
        "verdict": facts.verdict and facts.verdict.to_dict(),
        "stopped": facts.stopped,
        "kept_epoch": facts.kept_epoch,
        "epochs": list(facts.logs),
        "measured": dict(facts.measured),
        "mistakes": [_picture(picture) for picture in facts.mistakes],
        "samples": [_picture(picture) for picture in facts.samples],
        "embedded": _embedded(facts.embedded),
        "model": _model(facts.model),
        "data": _data(facts.data),
        "making": _making(facts.making),
    }
    result: dict[str, Any] = _json(said)  # Any: as above
    return result


def _json(value: Any) -> Any:  # Any: values of dataclasses on their way into JSON
    if is_dataclass(value) and not isinstance(value, type):
        return _json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _json(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _score(score: Score) -> dict[str, Any]:
    return asdict(score) | {"naive": score.naive, "text": str(score)}


def _report(report: Report | None) -> dict[str, Any] | None:
    if report is None:
        return None
    both = {"accuracy": _score(report.accuracy), "log_loss": _score(report.log_loss)}
    wrong = int(report.confusion.sum() - report.confusion.trace())
    return report.to_dict() | both | {"wrong": wrong, "chance_log_loss": math.log(len(report.confusion))}


def _confidence(confidence: Confidence | None) -> dict[str, Any] | None:
    if confidence is None:
        return None
    rest = {key: value for key, value in vars(confidence).items() if key != "calibration"}
    return confidence.calibration.to_dict() | rest


def _picture(picture: Picture) -> dict[str, Any]:
    return {key: getattr(picture, key) for key in ("name", "truth", "predicted", "probability")}


def _embedded(embedded: Embedded | None) -> dict[str, Any] | None:
    if embedded is None:
        return None
    alike = dict(zip(("features", "values"), map(_score, embedded.alike), strict=True))
    return {key: getattr(embedded, key) for key in ("layer", "features", "values", "total")} | {
        "n": len(embedded.labels),
        "counts": np.bincount(embedded.labels),
        "planes": [{"title": plane.title, "held": plane.held} for plane in embedded.planes],
        "nearest_alike": alike,
    }


def _model(model: ModelFacts) -> dict[str, Any]:
    keys = ("name", "kind", "output_shape", "parameters", "flops")
    return {
        "name": model.name,
        "parameters": model.parameters,
        "flops": model.flops,
        "memory": model.memory,
        "batch_size": model.batch_size,
        "layers": [dict(zip(keys, row, strict=True)) for row in model.rows],
    }


def _data(data: DataFacts) -> dict[str, Any]:
    return {
        "name": data.name,
        "classes": list(data.classes),
        "shape": list(data.image_shape),
        "n": sum(part.n for part in data.parts),
        "fingerprint": data.fingerprint,
        "split_fingerprint": data.split_fingerprint,
        "parts": [asdict(part) | {"shares": part.shares} for part in data.parts],
        "found": asdict(data.found),
    }


def _making(making: Making) -> dict[str, Any]:
    return asdict(making) | {"files": [{"name": name, "bytes": size} for name, size in making.files]}


def _n(data: DataFacts, part: str) -> int:
    return next((one.n for one in data.parts if one.name == part), 0)
