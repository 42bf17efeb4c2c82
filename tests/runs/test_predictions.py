from pathlib import Path

import numpy as np
import pytest

from holdfast.core import BadFile
from holdfast.runs.predictions import Predictions

SAID = Predictions(
    np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]], np.float32), np.array([0, 0, 1]), ["a b.png", "ü\udce4", "c"], "f0"
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    SAID.write(tmp_path / "said.npz")

    found = Predictions.read(tmp_path / "said.npz")

    np.testing.assert_array_equal(found.probabilities, SAID.probabilities)
    assert (list(found.names), found.fingerprint) == (list(SAID.names), "f0")
    assert found.said.tolist() == [0, 1, 1]
    assert found.right.tolist() == [True, False, True]


@pytest.mark.parametrize("contents", [b"", b"no zip", b"PK\x03\x04"])
def test_a_damaged_file_is_named(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "said.npz").write_bytes(contents)

    with pytest.raises(BadFile, match=r"said\.npz: is damaged"):
        Predictions.read(tmp_path / "said.npz")


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"said\.npz: no such file; `holdfast evaluate`"):
        Predictions.read(tmp_path / "said.npz")
