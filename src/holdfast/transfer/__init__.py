"""Learning from what was learned: bases, classifiers on them, and how they are trained."""

from .anew import anew
from .base import Preprocessing, load_base
from .classifier import classifier, freeze
from .hf import load_hf
from .pretraining import Pretrained, pretrain
from .rates import discriminative
from .registry import BASES, Base, bases, fetch_base
from .spec import FromBase

__all__ = [
    "BASES",
    "Base",
    "FromBase",
    "Preprocessing",
    "Pretrained",
    "anew",
    "bases",
    "classifier",
    "discriminative",
    "fetch_base",
    "freeze",
    "load_base",
    "load_hf",
    "pretrain",
]
