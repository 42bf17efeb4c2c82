"""Runs on shards: the same as from memory, resumed in the middle of an epoch, and never all in memory."""

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import holdfast
from holdfast.data import RandomShift, Rows, load, write_shards
from holdfast.runs import job
from holdfast.runs.watch import Checkpointing
from holdfast.training import StepEnd

from .small import Break, npz, same, train, with_dropout

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def shards(folder: Path, size: str) -> Path:
    """The small data as shards."""
    write_shards(npz(folder / "small.npz"), folder / "shards", shard_size=size)
    return folder / "shards"


def test_a_run_on_one_shard_is_that_on_the_array(tmp_path: Path) -> None:
    place = shards(tmp_path, "1MB")

    streamed = train(tmp_path / "streamed", load(place), model=with_dropout(), epochs=4)
    held = train(tmp_path / "held", load(tmp_path / "small.npz"), model=with_dropout(), epochs=4)

    assert same(streamed, held)
    assert streamed.validation.to_dict() == held.validation.to_dict()


def test_a_run_on_several_shards_is_resumed_in_the_middle_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load(shards(tmp_path, "10KB"))
    assert isinstance(data.train.images, Rows)
    assert data.train.images.store.blocks is not None
    assert data.train.images.store.blocks.max() > 8
    monkeypatch.setattr(job, "Checkpointing", functools.partial(Checkpointing, every_s=0.0))
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "augment": RandomShift(1)}
    unbroken = train(tmp_path / "unbroken", data, model=with_dropout(), **settings)
    broken = Break(KeyboardInterrupt(), epoch=1, batch=4, at=StepEnd)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "runs", data, model=with_dropout(), **settings, callbacks=[broken])

    run = holdfast.resume(tmp_path / "runs" / "shards-001", verbose=0)  # the data is read again from where it lies

    assert same(run, unbroken)
    assert run.validation.to_dict()["confusion"] == unbroken.validation.to_dict()["confusion"]


def streaming() -> ModuleType:
    """benchmarks/streaming.py."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("streaming", BENCHMARKS / "streaming.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["streaming"] = module  # its processes import it
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
@pytest.mark.timeout(1500)  # 45 s on a quiet machine, more than 600 s on one with twelve times as much to do
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts so on Linux only")
def test_a_set_larger_than_the_limit_of_the_process_is_trained_on_at_a_flat_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2.2 GB of pictures by a process that may take 1.25 GB; with others on its cores its peak is 0.9.

    The full size is a soak test.
    """
    program = streaming()
    program.make(tmp_path / "set", gigabytes=2.2, side=512, stored=30, shard_size="500KB", workers=1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the stacks of more threads count, too

    found = program.flat(tmp_path / "set", limit=1.25e9, side=512, batch=8)

    assert found["times_the_limit"] > 1.7
    assert found["steps"] > 120
    assert found["resident_mb"]["most"] < 500
    assert found["growth_mb_over_all_steps"] < 30
