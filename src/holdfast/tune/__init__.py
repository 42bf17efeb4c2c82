"""Hyperparameter search: spaces, trials, and what was found."""

from .candidate import Build, Candidate, candidate, configured
from .defaults import default_space, default_values
from .space import Categorical, Float, Int, Space, as_space, read_values, write_values

__all__ = [
    "Build",
    "Candidate",
    "Categorical",
    "Float",
    "Int",
    "Space",
    "as_space",
    "candidate",
    "configured",
    "default_space",
    "default_values",
    "read_values",
    "write_values",
]
