"""Callbacks: listeners that record, show, save and stop training.  `training.fit` calls each with every event."""

from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .history import History
from .lambda_callback import LambdaCallback
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .limits import TargetReached, TerminateOnNaN, TimeBudget
from .memory import Resumable
from .model_checkpoint import ModelCheckpoint
from .progress import Progress
from .tensorboard import TensorBoard

__all__ = [
    "CSVLogger",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Progress",
    "ReduceLROnPlateau",
    "Resumable",
    "TargetReached",
    "TensorBoard",
    "TerminateOnNaN",
    "TimeBudget",
]
