"""Checkpoints: whole or not at all, in writing as in reading."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from holdfast.core import BadFile, BadShape
from holdfast.metrics import MeanAbsoluteError
from holdfast.training import (
    SGD,
    Adam,
    Head,
    MeanSquaredError,
    Optimizer,
    Program,
    State,
    load_checkpoint,
    save_checkpoint,
    train,
)
from training.nets import events, points, scale, squared

PROGRAM = squared(Adam(0.1))


def linear(inputs: int = 3, outputs: int = 2, optimizer: Optimizer | None = None) -> State:
    return State.start(nn.Linear(inputs, outputs), squared(optimizer or Adam(0.1)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "last.safetensors"


def test_numbers_weights_and_slots_come_back(path: Path) -> None:
    state, fresh = State.start(scale(), PROGRAM), State.start(scale(7.0), PROGRAM)
    events(state, PROGRAM, points([1, 2, 3], [0, 0, 0]), epochs=2)
    state.begin, state.learning_rate = 2, 0.25

    save_checkpoint(path, state)
    load_checkpoint(path, fresh, PROGRAM)

    assert (fresh.step, fresh.epoch, fresh.batch, fresh.begin, fresh.learning_rate) == (4, 2, 0, 2, 0.25)
    assert torch.equal(fresh.model.get_parameter("weight"), state.model.get_parameter("weight"))
    assert fresh.slots["velocity"][0].equal(state.slots["velocity"][0])


def test_a_state_is_filled_in_place(path: Path) -> None:
    state = State.start(scale(2.0), PROGRAM)
    save_checkpoint(path, state)
    fresh = State.start(scale(), PROGRAM)
    weight, slot = fresh.model.get_parameter("weight"), fresh.slots["momentum"][0]

    load_checkpoint(path, fresh, PROGRAM)

    assert fresh.model.get_parameter("weight") is weight
    assert fresh.slots["momentum"][0] is slot
    assert weight.requires_grad
    assert weight.item() == 2.0


def test_metrics_of_the_epoch_under_way_come_back(path: Path) -> None:
    program = squared(metrics=(MeanAbsoluteError("mae"),))
    state = State.start(scale(), program)
    for _ in train(state, program, points([1, 2, 3], [0, 0, 0]), epochs=1):
        if state.batch == 1:
            break
    fresh = State.start(scale(), program)

    save_checkpoint(path, state)
    load_checkpoint(path, fresh, program)

    assert float(fresh.running["mae"].compute()) == pytest.approx(1.5)
    assert float(fresh.running["loss"].compute()) == pytest.approx(2.5)


def test_memory_comes_back_with_its_tensors(path: Path) -> None:
    weights = {"a/b": torch.tensor([1.5]), "a": torch.arange(6).reshape(2, 3)}
    memory: dict[str, Any] = {  # Any: JSON values and tensors
        "EarlyStopping": {"best": 0.5, "epoch": None, "weights": weights},
        "History": {"logs": [{"loss": 1.0}, {"loss": float("nan")}], "rows": [torch.zeros(2), [torch.ones(1)]]},
        "empty": {},
        "pair": (1, "two"),
        "tensor": {"tensor": "a text"},
    }

    save_checkpoint(path, linear(), memory=memory)
    found = load_checkpoint(path, linear(), PROGRAM)

    assert found["EarlyStopping"]["best"] == 0.5
    assert found["EarlyStopping"]["epoch"] is None
    assert found["EarlyStopping"]["weights"].keys() == weights.keys()
    assert all(found["EarlyStopping"]["weights"][key].equal(weights[key]) for key in weights)
    assert found["History"]["logs"][0] == {"loss": 1.0}
    assert found["History"]["logs"][1]["loss"] != found["History"]["logs"][1]["loss"]
    assert found["History"]["rows"][1][0].tolist() == [1.0]
    assert (found["empty"], found["pair"], found["tensor"]) == ({}, [1, "two"], {"tensor": "a text"})


def test_tensors_that_share_memory_are_kept(path: Path) -> None:
    state = linear()
    weights = dict(state.model.state_dict())

    save_checkpoint(path, state, memory={"weights": weights})
    found = load_checkpoint(path, state, PROGRAM)

    assert found["weights"]["weight"].equal(weights["weight"])


def test_channels_last_weights_keep_values_and_format(path: Path) -> None:
    def state() -> State:
        model = nn.Conv2d(3, 4, 2)
        model.weight.data = model.weight.data.contiguous(memory_format=torch.channels_last)
        return State.start(model, PROGRAM)

    one, other = state(), state()

    save_checkpoint(path, one)
    load_checkpoint(path, other, PROGRAM)

    found: Tensor = other.model.get_parameter("weight")
    assert found.equal(one.model.get_parameter("weight"))
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert other.slots["velocity"][0].is_contiguous(memory_format=torch.channels_last)


def test_nothing_of_a_model_without_parameters_is_kept_but_its_numbers(path: Path) -> None:
    program = squared(SGD(0.1))
    state, fresh = (State.start(nn.Identity(), program) for _ in range(2))
    events(state, program, points([1], [0]), epochs=3)

    save_checkpoint(path, state)
    load_checkpoint(path, fresh, program)

    assert fresh.step == 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("Error while serializing")])
def test_a_write_that_fails_in_the_middle_leaves_the_old_file(
    error: Exception, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = linear()
    save_checkpoint(path, state)
    before = path.read_bytes()

    def half(tensors: dict[str, Tensor], filename: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, filename, metadata)
        filename.write_bytes(filename.read_bytes()[:100])
        raise error

    monkeypatch.setattr("holdfast.training.checkpoint.save_file", half)
    with pytest.raises(BadFile, match=r"^cannot write .*last\.safetensors: (No space left|Error while)"):
        save_checkpoint(path, state)

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(path, linear())
    before = path.read_bytes()

    def interrupted(tensors: dict[str, Tensor], filename: Path, metadata: dict[str, str]) -> None:
        filename.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.training.checkpoint.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, linear())

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_kept_leaves_no_file(path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(path, linear(), memory={"what": object()})

    assert list(path.parent.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadFile, match=r"^cannot write .*file/last\.safetensors: "):
        save_checkpoint(tmp_path / "file" / "last.safetensors", linear())


def test_names_with_spaces_and_unicode_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "mein Läufchen 手写" / "zuletzt (1).safetensors"

    save_checkpoint(path, linear())

    assert load_checkpoint(str(path), linear(), PROGRAM) == {}


@pytest.mark.parametrize(
    ("saved", "loaded", "text"),
    [
        (
            linear(3),
            linear(4),
            r"model/weight has shape \(2, 3\) in the file, has shape \(2, 4\) here\.$",
        ),
        (
            linear(optimizer=Adam(0.1)),
            linear(optimizer=SGD(0.1, momentum=0.9)),
            r"slots/velocity/0 has shape \(2, 3\) in the file, is not here\.$",
        ),
        (
            linear(optimizer=SGD(0.1)),
            linear(optimizer=Adam(0.1)),
            r"slots/momentum/0 is not in the file, has shape \(2, 3\) here\.$",
        ),
    ],
    ids=["another width", "slots that are not known", "slots that are missing"],
)
def test_another_model_or_optimizer_is_named_and_nothing_is_changed(
    saved: State, loaded: State, text: str, path: Path
) -> None:
    """A state used to be half overwritten, and slots that it had no place for were dropped in silence."""
    saved.step, saved.learning_rate = 99, 0.5
    with torch.no_grad():
        for parameter in saved.model.parameters():
            parameter.fill_(9.0)
    save_checkpoint(path, saved)
    before = {key: value.clone() for key, value in loaded.model.state_dict().items()}

    with pytest.raises(BadShape, match=rf"^{path}: is of another model or optimizer: {text}"):
        load_checkpoint(path, loaded, PROGRAM)

    assert (loaded.step, loaded.learning_rate) == (0, 0.1)
    assert all(value.equal(before[key]) for key, value in loaded.model.state_dict().items())


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(BadFile, match=rf"^{path}: cannot be read as a checkpoint: No such file"):
        load_checkpoint(path, linear(), PROGRAM)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\xff" * 64])
def test_a_file_of_another_kind_is_named(content: bytes, path: Path) -> None:
    path.write_bytes(content)

    with pytest.raises(BadFile, match=rf"^{path}: cannot be read as a checkpoint: "):
        load_checkpoint(path, linear(), PROGRAM)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_named_and_nothing_is_changed(share: float, path: Path) -> None:
    save_checkpoint(path, linear())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    state = linear()
    before = state.model.get_parameter("weight").clone()

    with pytest.raises(BadFile, match=rf"^{path}: cannot be read as a checkpoint: "):
        load_checkpoint(path, state, PROGRAM)

    assert state.model.get_parameter("weight").equal(before)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"holdfast": "{}"}, {"holdfast": "no JSON"}])
def test_weights_of_somebody_else_are_no_checkpoint(metadata: dict[str, str] | None, path: Path) -> None:
    save_file({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, path, metadata)

    with pytest.raises(BadFile, match=rf"^{path}: (is no checkpoint of holdfast|cannot be read as a checkpoint)"):
        load_checkpoint(path, linear(), PROGRAM)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=rf"^{tmp_path}: cannot be read as a checkpoint: "):
        load_checkpoint(tmp_path, linear(), PROGRAM)


def test_a_program_with_more_metrics_can_go_on(path: Path) -> None:
    state = State.start(scale(), squared())
    events(state, squared(), points([1, 2], [0, 0]), epochs=1)
    save_checkpoint(path, state)
    program = Program(SGD(0.0), (Head(MeanSquaredError(), metrics=(MeanAbsoluteError("mae"),)),))
    fresh = State.start(scale(), program)

    load_checkpoint(path, fresh, program)
    happened = events(fresh, program, points([1, 2], [0, 0]), epochs=2)

    assert "mae" in getattr(happened[-1], "logs", {})
