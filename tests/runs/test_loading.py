"""Reading the data of a run."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.core import BadValue
from holdfast.runs.loading import load_shown


def test_arrays_in_place_of_a_path_are_told_where_to_go(tmp_path: Path) -> None:
    pair = np.zeros((20, 8, 8, 1)), np.zeros(20)

    with pytest.raises(BadValue, match=r"arrays go to holdfast\.data\.from_arrays"):  # used to be Python's TypeError
        load_shown(quiet=True, out=tmp_path, path=pair)
