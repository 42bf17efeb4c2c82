"""Hyperparameter search: spaces, trials, and what was found."""

from .candidate import Build, Candidate, candidate, configured
from .defaults import default_space, default_values
from .found import Search
from .search import resume_search, search
from .space import Categorical, Float, Int, Space, as_space, read_values, write_values

__all__ = [
    "Build",
    "Candidate",
    "Categorical",
    "Float",
    "Int",
    "Search",
    "Space",
    "as_space",
    "candidate",
    "configured",
    "default_space",
    "default_values",
    "read_values",
    "resume_search",
    "search",
    "write_values",
]
