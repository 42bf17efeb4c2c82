"""What every floor uses: errors, registries of names, optional imports, seeds and paths.  Imports nothing of ours."""

from .errors import (
    BadData,
    BadFile,
    BadShape,
    BadValue,
    GateMissed,
    HoldfastError,
    Lost,
    MissingExtra,
    NotReady,
    UnknownName,
)
from .memory import keep_freed_memory
from .optional import need
from .paths import whole_file, whole_folder
from .registry import Registry, snake_case, suggestion
from .seeds import derive, generator
from .share import Share

__all__ = [
    "BadData",
    "BadFile",
    "BadShape",
    "BadValue",
    "GateMissed",
    "HoldfastError",
    "Lost",
    "MissingExtra",
    "NotReady",
    "Registry",
    "Share",
    "UnknownName",
    "derive",
    "generator",
    "keep_freed_memory",
    "need",
    "snake_case",
    "suggestion",
    "whole_file",
    "whole_folder",
]
