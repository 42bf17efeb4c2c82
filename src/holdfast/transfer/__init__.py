"""Learning from what was learned: bases, classifiers on them, and how they are trained."""

from .anew import anew
from .base import Preprocessing, load_base
from .classifier import classifier, freeze
from .pretraining import Pretrained, pretrain
from .rates import discriminative
from .spec import FromBase

__all__ = [
    "FromBase",
    "Preprocessing",
    "Pretrained",
    "anew",
    "classifier",
    "discriminative",
    "freeze",
    "load_base",
    "pretrain",
]
