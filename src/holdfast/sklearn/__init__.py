"""holdfast in scikit-learn's words: an estimator for pipelines, searches and cross-validation."""

from .classifier import Classifier

__all__ = ["Classifier"]
