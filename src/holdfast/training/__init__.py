"""Training: what to minimise (`Program`), all that changes (`State`), the loop, and what it tells those who listen."""

from .checkpoint import load_checkpoint, load_model, save_checkpoint
from .cuda import channels_last
from .discriminative import Discriminative
from .events import Begin, Callback, End, EpochEnd, Event, StepEnd, Stop
from .loop import evaluate, fit, hear, listen, predict, tell, train
from .losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    get_loss,
)
from .optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    get_optimizer,
)
from .probe import precision_for
from .program import Head, Program
from .schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    OneCycle,
    PiecewiseConstantDecay,
    Schedule,
)
from .state import State

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Begin",
    "BinaryCrossentropy",
    "Callback",
    "CategoricalCrossentropy",
    "Constant",
    "CosineDecay",
    "CosineSimilarity",
    "Discriminative",
    "End",
    "EpochEnd",
    "Event",
    "ExponentialDecay",
    "Head",
    "Hinge",
    "Huber",
    "KLDivergence",
    "Lion",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Nadam",
    "OneCycle",
    "Optimizer",
    "PiecewiseConstantDecay",
    "Program",
    "RMSprop",
    "Schedule",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "State",
    "StepEnd",
    "Stop",
    "channels_last",
    "evaluate",
    "fit",
    "get_loss",
    "get_optimizer",
    "hear",
    "listen",
    "load_checkpoint",
    "load_model",
    "precision_for",
    "predict",
    "save_checkpoint",
    "tell",
    "train",
]
