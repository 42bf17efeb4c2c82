"""What the tests of exports share: real TF.js in node, from `make web/node_modules/done`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.export.node import TfjsJudge

WEB = Path(os.environ.get("HOLDFAST_WEB", Path(__file__).parents[2] / "web"))


@pytest.fixture(scope="session")
def tfjs() -> Iterator[TfjsJudge]:
    """Real TF.js, one process for all tests."""
    if not TfjsJudge.available(WEB):
        pytest.skip("no TF.js for node; run: apt-get install nodejs npm && make web/node_modules/done")
    with TfjsJudge(WEB) as judge:
        yield judge
