"""Optional packages: imported where they are needed, asked for in one line when they are missing."""

import importlib
from types import ModuleType

from .errors import MissingExtra


def need(module: str, *, extra: str) -> ModuleType:
    """The module of this name.

    Raises:
        MissingExtra: it is not installed; the message gives the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtra(f"{package} is not installed; run: pip install 'holdfast[{extra}]'") from error
