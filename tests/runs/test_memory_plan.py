"""What volumes take of the memory, before they are trained on."""

from pathlib import Path

import numpy as np
import pytest

import holdfast
from holdfast.core import BadData
from holdfast.data import Dataset, from_arrays
from holdfast.runs import memory_plan
from holdfast.runs.forecast import PROCESS, step_bytes
from holdfast.runs.memory_plan import memory_line
from holdfast.runs.plan import plan


def volumes(side: int = 16) -> Dataset:
    random = np.random.default_rng(0)
    return from_arrays(random.normal(size=(24, side, side, side, 1)), [0, 1] * 12, name="scans")


def told(monkeypatch: pytest.MonkeyPatch, data: Dataset, memory: float | None, **how: int) -> str | None:
    """The line where there is so much memory."""
    monkeypatch.setattr(memory_plan, "memory_of", lambda device: memory)
    settings, network = plan(data, "convnet", {"device": "cpu", **how})  # type: ignore[typeddict-item]  # only a batch
    return memory_line(data, network, settings)


def test_what_fits_is_told_with_the_data_and_what_a_batch_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    data = volumes()
    line = told(monkeypatch, data, 16e9)

    settings, network = plan(data, "convnet", {"device": "cpu"})
    needed = PROCESS + 24 * 16**3 * 4 + step_bytes(network, settings)
    assert line == f"fits: {needed / 1e6:.0f} MB of 16 GB at batch 32"
    assert told(monkeypatch, data, None) is None


def test_a_smaller_batch_is_proposed_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = volumes(32)

    with pytest.raises(
        BadData, match=r"training convnet on scans takes .* at batch 512, there are 3 GB; take a smaller"
    ):
        told(monkeypatch, data, 3e9, batch_size=512)
    with pytest.raises(BadData) as caught:
        told(monkeypatch, data, 3e9, batch_size=512)
    batch = int(str(caught.value).split("--batch-size ")[1].split()[0])
    assert told(monkeypatch, data, 3e9, batch_size=batch)
    assert 32 <= batch < 512


def test_smaller_volumes_are_proposed_where_no_batch_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = volumes(64)

    with pytest.raises(BadData, match=r"make the volumes smaller: --image-size (\d+) \(image_size=\1\)\.$"):
        told(monkeypatch, data, 4.9e8)


def test_a_run_on_volumes_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    holdfast.train(volumes(8), epochs=1, device="cpu", out=tmp_path)

    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("memory"))
    assert line.startswith("memory    fits: ")
