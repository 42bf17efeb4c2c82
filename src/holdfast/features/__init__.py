"""Features: the classic remedies for too many dimensions, as scikit-learn pipelines to be fitted inside the folds."""

from .as_model import as_model
from .autoencoder import AutoencoderFeatures
from .l1 import L1LogisticRegression
from .outside import Faked, selection_outside_folds
from .remedies import Remedy, baseline, remedies
from .statistics import SampleStatistics

__all__ = [
    "AutoencoderFeatures",
    "Faked",
    "L1LogisticRegression",
    "Remedy",
    "SampleStatistics",
    "as_model",
    "baseline",
    "remedies",
    "selection_outside_folds",
]
