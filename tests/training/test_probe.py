"""precision="auto": what is tried, what is kept, and that a trial leaves nothing behind.  No time is measured here."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast.core import BadValue
from holdfast.data import Batch, Batches, load
from holdfast.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from holdfast.models import Sequential
from holdfast.runs import train
from holdfast.training import Program, State, precision_for, probe

MUCH = 1e12  # operations


class Trials:
    """What was tried: the modules, how often, and with how many threads; bfloat16 takes `ratio` of float32's time."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.modules: list[nn.Module] = []
        self.training: set[bool] = set()
        self.threads: set[int] = set()

    def seconds(self, module: nn.Module, parameters: Sequence[Tensor], program: Program, batch: Batch) -> float:
        self.modules.append(module)
        self.training.add(all(part.training for part in module.modules() if isinstance(part, nn.BatchNorm2d)))
        self.threads.add(torch.get_num_threads())
        return self.ratio if program.precision == "bfloat16" else 1.0

    @property
    def count(self) -> int:
        """How many trials there were."""
        return len({id(module) for module in self.modules})


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trials:
    """Trials without a clock, and a cache of their own."""
    made = Trials(0.5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(probe, "step_seconds", made.seconds)
    monkeypatch.setattr(probe, "SECONDS", 0.0)  # two turns
    return made


def model(width: int = 8, *, seed: int = 0) -> Sequential:
    rows = [
        Conv2D(width, 3),
        BatchNormalization(),
        MaxPooling2D(),
        Flatten(),
        Dropout(0.5),
        Dense(3, kernel_constraint="unit_norm"),
    ]
    made = Sequential([Input((8, 8, 1)), *rows], seed=seed)
    made.compile("adam", "mse")
    return made


def asked(made: Sequential, *, batch_size: int = 4, flops: float = MUCH) -> str:
    """What "auto" means for a training of this model."""
    images = torch.randint(0, 256, (8, 8, 8, 1), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    targets = (torch.zeros(8, 3),)
    state, program = made.training_state(targets, batch_size)
    return precision_for(state, program, Batches(Batch((images,), targets), batch_size=batch_size), flops=flops)


def kept() -> dict[str, str]:
    found: dict[str, str] = json.loads(probe.cache_file().read_text())
    return found


@pytest.mark.parametrize(("ratio", "answer"), [(0.5, "bfloat16"), (0.95, "float32"), (2.0, "float32")])
def test_bfloat16_is_taken_where_it_is_clearly_faster(trials: Trials, ratio: float, answer: str) -> None:
    trials.ratio = ratio

    assert asked(model()) == answer
    assert list(kept().values()) == [answer]


def test_nothing_is_tried_for_small_work(trials: Trials) -> None:
    assert asked(model(), flops=probe.WORTH * 0.99) == "float32"
    assert not trials.modules
    assert not probe.cache_file().exists()


def test_nothing_is_tried_where_nothing_learns(trials: Trials) -> None:
    """A gradient of no parameters used to be asked for, which torch refuses."""
    made = Sequential([Input((8, 8, 1)), Flatten(), Dense(3, trainable=False)])
    made.compile("adam", "mse")

    assert asked(made) == "float32"
    assert not trials.modules


def test_the_answer_is_kept_for_each_model_and_batch_size(trials: Trials) -> None:
    asked(model())
    trials.ratio = 2.0

    assert asked(model()) == asked(model(seed=1)) == "bfloat16"
    assert trials.count == 1
    assert asked(model(width=16)) == "float32"
    assert asked(model(), batch_size=8) == "float32"
    assert trials.count == 3
    assert sorted(kept().values()) == ["bfloat16", "float32", "float32"]


@pytest.mark.parametrize("text", [b"{", b"[1, 2]", b"null", b"\xff\xfe", b"", b'{"a": 1}'], ids=str)
def test_a_cache_that_cannot_be_read_is_made_anew(trials: Trials, text: bytes) -> None:
    probe.cache_file().parent.mkdir(parents=True)
    probe.cache_file().write_bytes(text)

    assert asked(model()) == "bfloat16"
    assert "bfloat16" in kept().values()


def test_an_answer_that_is_none_means_float32(trials: Trials) -> None:
    asked(model())
    probe.cache_file().write_text(json.dumps({name: ["auto"] for name in kept()}))

    assert asked(model()) == "float32"
    assert trials.count == 1


def no_folder(folder: Path) -> None:
    folder.write_text("a file")


def no_file(folder: Path) -> None:
    (folder / "holdfast" / "precision.json").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [no_folder, no_file], ids=["no folder", "no file"])
def test_a_cache_that_cannot_be_written_costs_another_trial(
    trials: Trials, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    spoil(tmp_path / "cache")

    assert asked(model()) == asked(model()) == "bfloat16"
    assert trials.count == 2
    assert not list(tmp_path.rglob("*.tmp"))


def test_who_has_no_home_trains_too(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises RuntimeError for a user without a home."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)

    assert asked(model()) == "bfloat16"


def test_answers_lie_in_the_user_s_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")

    assert probe.cache_file() == Path("/home/somebody/.cache/holdfast/precision.json")


def test_a_trial_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It takes real steps: of a copy."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    made = model(16)
    module = made.module
    heard: list[object] = []
    handle = module.get_submodule("conv2d").register_forward_hook(lambda *_: heard.append(1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    torch.manual_seed(0)
    threads, drawn = torch.get_num_threads(), torch.get_rng_state()

    asked(made)

    assert kept()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert [part.training for part in module.modules()] == modes
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not heard
    handle.remove()


def test_a_trial_trains_with_one_thread(trials: Trials) -> None:
    """It used to run in evaluation mode, where norms and dropouts cost next to nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        asked(model())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

    assert trials.threads == {1}
    assert trials.training == {True}


def test_threads_come_back_when_a_trial_fails(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> float:
        raise RuntimeError("no memory")

    monkeypatch.setattr(probe, "step_seconds", fails)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match="no memory"):
            asked(model())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_trial_of_long_steps_is_short(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(probe, "SECONDS", 1.0)
    monkeypatch.setattr(probe, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))

    asked(model())

    assert len(trials.modules) == 2


def session(made: Sequential) -> Any:  # Any: a Fitting
    from holdfast.models.fitting import prepare

    return prepare(made, np.zeros((8, 8, 8, 1), np.uint8), np.zeros((8, 3)), batch_size=4, verbose=0)


@pytest.mark.parametrize(("ratio", "answer"), [(0.5, "bfloat16"), (2.0, "float32")])
def test_fit_trains_in_what_was_found(
    trials: Trials, ratio: float, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "WORTH", 0.0)
    trials.ratio = ratio

    assert session(model()).program.precision == answer


def test_small_trainings_are_float32(trials: Trials) -> None:
    assert session(model()).program.precision == "float32"
    assert not trials.modules


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_who_says_the_precision_gets_it_untried(
    trials: Trials, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # Any: a Literal
    monkeypatch.setattr(probe, "WORTH", 0.0)
    made = model()
    made.compile("adam", "mse", precision=precision)

    assert session(made).program.precision == precision
    assert not trials.modules


def test_a_program_knows_no_auto() -> None:
    state, program = model().training_state((torch.zeros(2, 3),))

    assert isinstance(state, State)
    assert program.precision == "float32"
    with pytest.raises(BadValue, match="precision 'auto'"):
        Program(program.optimizer, program.heads, precision="auto")  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(("ratio", "answer"), [(0.5, "bfloat16"), (2.0, "float32")])
def test_a_run_writes_down_what_was_found(
    trials: Trials, ratio: float, answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe, "WORTH", 0.0)
    trials.ratio = ratio

    run = train(load("digits"), model="dense", epochs=1, out=tmp_path / "runs", verbose=0)

    written = json.loads(next((tmp_path / "runs").rglob("run.json")).read_text())
    assert written["settings"]["precision"] == answer
    assert run.record.settings.precision == answer


def test_tests_leave_the_user_s_cache_alone() -> None:
    from cli.test_process import ENVIRONMENT

    assert Path(os.environ["XDG_CACHE_HOME"]).name.startswith("holdfast-tests-")
    assert ENVIRONMENT["XDG_CACHE_HOME"] == os.environ["XDG_CACHE_HOME"]
