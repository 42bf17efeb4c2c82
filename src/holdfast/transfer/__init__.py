"""Learning from what was learned: bases, classifiers on them, and how they are trained."""

from .base import Preprocessing, load_base
from .classifier import classifier, freeze
from .spec import FromBase

__all__ = ["FromBase", "Preprocessing", "classifier", "freeze", "load_base"]
