"""Runs: the whole job, from data and a model to a folder with a trained model, its score, its report and its past."""

from .crossval import CrossValidation, cross_validate
from .job import resume, train
from .record import Record, Settings
from .report import Facts, card, report
from .run import Run, evaluate

__all__ = [
    "CrossValidation",
    "Facts",
    "Record",
    "Run",
    "Settings",
    "card",
    "cross_validate",
    "evaluate",
    "report",
    "resume",
    "train",
]
