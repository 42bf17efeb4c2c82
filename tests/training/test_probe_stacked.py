import json
from typing import Any

import pytest
import torch
from torch import fx, nn

from holdfast.data import Batch, Batches
from holdfast.training import Adam, Head, Program, SparseCategoricalCrossentropy, State, probe_stacked
from holdfast.training.probe import cache_file
from holdfast.training.probe_stacked import WORTH, even, models_at_once, pays


def training(model: nn.Module | None = None) -> tuple[State, Program, Batches]:
    net = fx.symbolic_trace(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))) if model is None else model
    program = Program(Adam(), (Head(SparseCategoricalCrossentropy(from_logits=True)),))
    data = Batch((torch.ones(64, 4),), (torch.arange(64) % 3,), (None,))
    return State.start(net, program), program, Batches(data, batch_size=16)


@pytest.fixture(autouse=True)
def fresh(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("models", "most", "size"), [(5, 8, 5), (8, 8, 8), (9, 8, 5), (64, 8, 8), (5, 1, 1), (3, 0, 1), (17, 8, 6)]
)
def test_groups_are_as_few_and_as_even_as_may_be(models: int, most: int, size: int) -> None:
    assert even(models, most) == size


@pytest.mark.parametrize("answer", [True, False], ids=["pays", "does-not"])
def test_the_answer_of_a_trial_is_kept(answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def trial(*given: Any) -> bool:
        asked.append(given[-1])
        return answer

    monkeypatch.setattr(probe_stacked, "pays", trial)

    found = [models_at_once(*training(), models=9, steps=WORTH) for _ in range(2)]

    assert found == ([5, 5] if answer else [1, 1])
    assert asked == [5]  # once
    assert list(json.loads(cache_file("stacked").read_text()).values()) == ["together" if answer else "apart"]
    assert not cache_file().exists()  # the other question's


def test_nothing_is_tried_for_one_model_for_short_trainings_and_for_what_is_no_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(probe_stacked, "pays")

    assert models_at_once(*training(), models=1, steps=10 * WORTH) == 1
    assert models_at_once(*training(), models=2, steps=WORTH // 2 - 1) == 1
    assert models_at_once(*training(nn.Linear(4, 3)), models=8, steps=WORTH) == 1


def test_a_trial_changes_nothing() -> None:
    state, program, batches = training()
    state.model.eval()
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    threads = torch.get_num_threads()

    models_at_once(state, program, batches, models=4, steps=WORTH)

    torch.testing.assert_close(state.model.state_dict(), before, rtol=0, atol=0)
    assert (state.step, state.batch, state.running) == (0, 0, {})
    assert not any(part.training for part in state.model.modules())
    assert torch.get_num_threads() == threads


def test_what_cannot_be_trained_together_is_trained_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(probe_stacked, "seconds", fail)
    state, program, batches = training()

    assert not pays(state, program, next(batches.epoch(0)), batches, 4)


def test_models_that_the_memory_does_not_hold_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(probe_stacked, "pays", lambda *given: asked.append(given[-1]))
    weights, inputs = (4 * 8 + 8 + 8 * 3 + 3) * 4, 16 * 4 * 4
    monkeypatch.setattr(probe_stacked, "free_memory", lambda: 4 * 3 * (8 * weights + 64 * inputs))

    models_at_once(*training(), models=8, steps=WORTH)

    assert asked == [3]
