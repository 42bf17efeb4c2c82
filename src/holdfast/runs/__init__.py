"""Runs: the whole job, from data and a model to a folder with a trained model, its score, its report and its past."""

from .compare import Compared, compare_runs
from .crossval import CrossValidation, cross_validate
from .curve import LearningCurve, learning_curve
from .describe import Description, describe_data
from .dims import Dimensions, dimensions
from .export import Exported, export_run
from .job import resume, train
from .labels import LabelReview, review_labels
from .on_ray import resume_on_ray, train_on_ray
from .pages.report import card, report
from .pages.told import Facts
from .payoff import Pays, pays
from .pretraining import Base, pretrain
from .record import Record, Settings
from .run import Run, evaluate
from .twin import train_twin

__all__ = [
    "Base",
    "Compared",
    "CrossValidation",
    "Description",
    "Dimensions",
    "Exported",
    "Facts",
    "LabelReview",
    "LearningCurve",
    "Pays",
    "Record",
    "Run",
    "Settings",
    "card",
    "compare_runs",
    "cross_validate",
    "describe_data",
    "dimensions",
    "evaluate",
    "export_run",
    "learning_curve",
    "pays",
    "pretrain",
    "report",
    "resume",
    "resume_on_ray",
    "review_labels",
    "train",
    "train_on_ray",
    "train_twin",
]
