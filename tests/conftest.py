"""What holds for all tests: what a program keeps for its user goes elsewhere."""

import os
from tempfile import TemporaryDirectory

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Caches of ours, and of what we start, lie in a folder of their own: the user's is neither read nor changed.

    A fixture would come too late for modules that note the environment when they are imported.
    """
    folder = TemporaryDirectory(prefix="holdfast-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CACHE_HOME"] = folder.name
