"""What holds for all tests: what a program keeps for its user goes elsewhere."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from tempfile import TemporaryDirectory, mkdtemp

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Caches of ours, and of what we start, lie in a folder of their own: the user's is neither read nor changed.

    A fixture would come too late for modules that note the environment when they are imported.
    """
    folder = TemporaryDirectory(prefix="holdfast-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CACHE_HOME"] = folder.name


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """Ray with 2 cores of this machine, which all tests that need it share: it takes seconds to start, and 650 MB."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'holdfast[ray]'")
    import ray

    from holdfast.runs.cluster import set_environment

    set_environment()

    folder = mkdtemp(prefix="ray-", dir="/tmp")  # a socket's path must be short
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what will change in Ray
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=150 * 2**20,
            _temp_dir=folder,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
