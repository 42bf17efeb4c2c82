"""Runs: the whole job, from data and a model to a folder with a trained model, its score, its report and its past."""

from .job import resume, train
from .record import Record, Settings
from .report import Facts, card, report
from .run import Run, evaluate

__all__ = ["Facts", "Record", "Run", "Settings", "card", "evaluate", "report", "resume", "train"]
