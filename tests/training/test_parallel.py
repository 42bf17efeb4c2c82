"""Data-parallel training: several processes, here threads, give the weights and the logs of one."""

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from holdfast import Input, Sequential
from holdfast.core import BadValue, Lost, Share
from holdfast.data import Batch, Batches, RandomShift
from holdfast.data.rows import Mapped, Rows
from holdfast.layers import (
    L1,
    L2,
    AlphaDropout,
    BatchNormalization,
    Conv2D,
    CutMix,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAveragePooling2D,
    MaxNorm,
    MaxPooling2D,
    MixUp,
    RandomFlip,
    RandomSwap,
    RandomTranslation,
    Rescaling,
    SpatialDropout2D,
    Torch,
)
from holdfast.layers.dropout import DropoutModule, RandomModule
from holdfast.layers.norm import BatchNorm
from holdfast.models import Fitting, prepare
from holdfast.training import SGD, Adam, EpochEnd, Event, Nadam, RMSprop, StepEnd, Stop
from holdfast.training.parallel import Team, check_divisible, checksum, one_of_several, tensors_of

from .rooms import by_all, rooms

__all__ = ["rooms"]  # a fixture

CLASSES = 3
pytestmark = pytest.mark.usefixtures("rooms")


def pictures(n: int = 23, channels: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    return random.integers(0, 255, (n, 8, 8, channels), np.uint8), np.arange(n) % CLASSES


def net(*layers: Any, last: Any = None, shape: tuple[int, ...] = (8, 8, 1)) -> Sequential:  # Any: layers
    first = [Rescaling(1 / 255)] if len(shape) == 3 else []
    return Sequential([Input(shape), *first, *layers, last or Dense(CLASSES, activation="softmax")], seed=3)


def session(case: Mapping[str, Any], team: Team | None = None) -> Fitting:
    """A fresh training of a case; on pictures unless it brings a table."""
    shape = (12,) if case.get("table") else (8, 8, 1)
    x: NDArray[Any]
    x, y = pictures()
    if case.get("table"):
        x = np.random.default_rng(1).normal(size=(23, 12)).astype(np.float32)
    model = net(*case["layers"](), shape=shape, last=case["last"]() if "last" in case else None)
    model.compile(
        optimizer=case.get("optimizer", Adam(0.01)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", "auc"],
        device="cpu",
        precision="float32",
    )
    settings = {"validation_data": (x[:5], y[:5]), "epochs": 2, "batch_size": 7} | case.get("fit", dict)()
    return replace(prepare(model, x, y, verbose=0, measure_train="never", **settings), team=team)


def trained(case: Mapping[str, Any], team: Team | None = None) -> Fitting:
    made = session(case, team)
    made.run()
    return made


CASES: dict[str, dict[str, Any]] = {  # Any: of `session`
    "dropout and shifts": {
        "layers": lambda: [
            Conv2D(8, 3, activation="relu"),
            MaxPooling2D(),
            SpatialDropout2D(0.2),
            Flatten(),
            Dropout(0.4),
            Dense(16, activation="relu"),
            Dropout(0.3, seed=5),
        ],
        "fit": lambda: {"augment": RandomShift(1)},
    },
    "batch norm": {
        "layers": lambda: [
            Conv2D(16, 3),
            BatchNormalization(momentum=0.5),
            Conv2D(16, 3, activation="relu"),
            BatchNormalization(center=False, scale=False),
            Flatten(),
        ],
        "optimizer": SGD(0.05, momentum=0.9),
    },
    "noise and layers that augment": {
        "layers": lambda: [RandomFlip(), RandomTranslation(0.2, 0.2), Flatten(), GaussianNoise(0.3), AlphaDropout(0.2)],
        "optimizer": Nadam(0.01),
    },
    "mixed pictures": {
        "layers": lambda: [Conv2D(4, 3), GlobalAveragePooling2D()],
        "fit": lambda: {"augment": [RandomFlip(), MixUp(), CutMix()]},
    },
    "swapped columns": {
        "table": True,
        "layers": lambda: [Dense(8, activation="relu"), Dropout(0.3)],
        "fit": lambda: {"augment": [RandomSwap(0.4)]},
    },
    "penalties and limits": {
        "layers": lambda: [
            Flatten(),
            Dense(8, kernel_regularizer=L2(0.01), activity_regularizer=L1(0.01), kernel_constraint=MaxNorm(0.5)),
            Dense(8, kernel_regularizer=L1(0.01, proximal=True)),
        ],
        "optimizer": RMSprop(0.01, global_clipnorm=0.1),
        "fit": lambda: {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}, "augment": None},
    },
    "accumulated gradients": {
        "layers": lambda: [Flatten(), Dense(8, activation="relu")],
        "optimizer": Adam(0.01, gradient_accumulation_steps=2, weight_decay=0.01),
        "fit": lambda: {"sample_weight": np.linspace(0, 2, 23)},
    },
}  # fmt: skip


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_team_ends_with_the_weights_and_logs_of_one(name: str, size: int) -> None:
    case = CASES[name]
    one = trained(case)

    team = by_all(size, lambda team: trained(case, team))

    for own in team:
        for mine, alone in zip(
            own.state.model.state_dict().values(), one.state.model.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(mine, alone, rtol=1e-5, atol=1e-5)  # the order of sums is another
        for mine_, alone_ in zip(own.history.logs, one.history.logs, strict=True):
            assert mine_ == pytest.approx(alone_, rel=1e-5, abs=1e-5)
    assert len({checksum(tensors_of(own.state)) for own in team}) == 1


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3, 3)], ids=["row", "picture"])
def test_a_batch_norm_of_several_processes_is_that_of_the_whole_batch(shape: tuple[int, ...]) -> None:
    norm = BatchNormalization().build(shape[2:] + shape[1:2])
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3 + 5
    pull = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def work(team: Team | None) -> list[torch.Tensor]:
        own = copy.deepcopy(norm).train()
        assert isinstance(own, BatchNorm)
        part = slice(None) if team is None else Share.of(7, team.rank, team.size).places
        own.add_up = None if team is None else team.add_up
        leaf = x[part].clone().requires_grad_()
        y = own(leaf)
        found = torch.autograd.grad((y * pull[part]).sum(), [leaf, *own.parameters()])
        return [y.detach(), *found, *(one for one in own.buffers() if one.is_floating_point())]

    one, team = work(None), by_all(3, work)

    joined = [torch.cat, torch.cat, lambda parts: sum(parts), lambda parts: sum(parts)]
    for join, whole, *parts in zip(joined, one, *team, strict=False):
        torch.testing.assert_close(join(parts), whole, rtol=1e-5, atol=1e-5)
    for parts in team:
        torch.testing.assert_close(parts[4:], one[4:], rtol=1e-6, atol=1e-6)


def test_after_training_a_model_is_as_one_that_was_trained_alone() -> None:
    for own in by_all(2, lambda team: trained(CASES["batch norm"], team)):
        norms = [module for module in own.state.model.modules() if isinstance(module, BatchNorm)]
        assert [norm.add_up for norm in norms] == [None, None]
    (own, _) = by_all(2, lambda team: trained(CASES["dropout and shifts"], team))
    assert all(one.share is None for one in own.state.model.modules() if isinstance(one, RandomModule))


def test_a_step_asks_the_others_once_for_gradients_and_metrics_together() -> None:
    sums: list[int] = []

    def work(team: Team) -> None:
        made = session(CASES["dropout and shifts"], team)

        def note(event: Event) -> None:
            if isinstance(event, StepEnd):
                sums.append(team.steps.room.sums)

        replace(made, callbacks=(note,) if team.leads else ()).run()

    by_all(2, work)

    assert np.diff(sums[:4]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("at", [StepEnd, EpochEnd])
def test_the_leaders_stop_ends_all_at_the_same_step(at: type[Event]) -> None:
    def stop(event: Event) -> Stop | None:
        return Stop("enough") if isinstance(event, at) and event.state.step >= 3 else None

    def work(team: Team | None) -> Fitting:
        made = session(CASES["dropout and shifts"], team)
        made = replace(made, callbacks=(stop,) if team is None or team.leads else ())
        made.run()
        return made

    one, team = work(None), by_all(2, work)

    assert [own.state.step for own in team] == [one.state.step] * 2
    assert one.state.step == (3 if at is StepEnd else 4)


def test_a_learning_rate_that_the_leader_changes_is_everybodys_from_the_next_step_on() -> None:
    def slower(event: Event) -> None:
        if isinstance(event, StepEnd):
            event.state.learning_rate *= 0.7

    def work(team: Team | None) -> Fitting:
        made = session(CASES["batch norm"], team)
        made = replace(made, callbacks=(slower,) if team is None or team.leads else ())
        made.run()
        return made

    one, team = work(None), by_all(2, work)

    assert {own.state.learning_rate for own in team} == {one.state.learning_rate}
    assert len({checksum(tensors_of(own.state)) for own in team}) == 1


def test_weights_that_a_callback_changes_on_one_process_alone_are_found_out() -> None:
    def meddle(event: Event) -> None:
        if isinstance(event, EpochEnd):
            with torch.no_grad():
                next(event.state.model.parameters()).add_(1e-6)

    def work(team: Team) -> None:
        made = session(CASES["batch norm"], team)
        replace(made, callbacks=(meddle,) if team.leads else ()).run()

    with pytest.raises(BadValue, match=re.escape("the weights of the 2 workers have drifted apart")):
        by_all(2, work)


def test_who_follows_begins_where_the_leader_stands_also_in_the_middle_of_an_epoch() -> None:
    leader = session(CASES["batch norm"])
    events = leader.events()
    for event in events:
        if isinstance(event, StepEnd) and event.state.step == 6:
            break
    events.close()

    def work(team: Team) -> Fitting:
        made = leader if team.leads else session(CASES["batch norm"])
        team.share_state(made.state, made.program)
        return made

    _, follower = by_all(2, work)

    assert checksum(tensors_of(follower.state)) == checksum(tensors_of(leader.state))
    assert (follower.state.step, follower.state.epoch, follower.state.batch) == (6, 1, 2)
    assert follower.state.running["loss"].compute() == leader.state.running["loss"].compute()


def test_who_does_not_answer_is_lost_for_the_others() -> None:
    def work(team: Team) -> None:
        if team.rank == 1:
            raise KeyboardInterrupt
        team.wait()

    with pytest.raises(Lost, match=r"^one of the 2 workers was lost$"):
        by_all(2, work)


def test_processes_take_turns_the_leader_first_then_one_of_each_machine() -> None:
    order: list[int] = []

    def work(team: Team) -> None:
        with replace(team, local=team.rank % 2).in_turn():  # two machines of two
            order.append(team.rank)

    by_all(4, work)

    assert order[:2] == [0, 2]
    assert sorted(order[2:]) == [1, 3]


@pytest.mark.parametrize(
    ("whole", "shares"),
    [(7, [(0, 3), (3, 4)]), (8, [(0, 4), (4, 4)]), (2, [(0, 1), (1, 1)])],
    ids=["7", "8", "2"],
)
def test_a_batch_is_shared_out_as_evenly_as_can_be(whole: int, shares: list[tuple[int, int]]) -> None:
    found = [Share.of(whole, rank, 2) for rank in range(2)]

    assert [(share.first, share.own) for share in found] == shares
    assert all(share.counts for share in found)


def test_a_batch_of_too_few_samples_is_everybodys_and_counts_once() -> None:
    found = [Share.of(2, rank, 3) for rank in range(3)]

    assert [share.places for share in found] == [slice(0, 2)] * 3
    assert [share.counts for share in found] == [True, False, False]


@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "fetched"])
@pytest.mark.parametrize("augment", [None, RandomShift(1)], ids=["plain", "shifted"])
def test_the_shares_of_all_make_the_batches(augment: RandomShift | None, lazy: bool) -> None:
    x, y = pictures()
    images: Any = Rows(Mapped(x), np.arange(len(x))) if lazy else torch.from_numpy(x)  # Any: Rows pass for tensors
    batches = Batches(Batch((images,), (torch.from_numpy(y),)), batch_size=7, shuffle=True, seed=1, augment=augment)

    parts = [list(batches.shared(rank, 2).epoch(1)) for rank in range(2)]

    for whole, *shares in zip(batches.epoch(1), *parts, strict=True):
        assert torch.equal(torch.cat([share.inputs[0] for share in shares]), whole.inputs[0])
        assert torch.equal(torch.cat([share.targets[0] for share in shares]), whole.targets[0])


def test_of_what_is_fetched_each_process_fetches_its_share_alone() -> None:
    fetched: list[int] = []

    class Counting(Mapped):
        def fetch(self, places: NDArray[np.int64]) -> torch.Tensor:
            fetched.extend(places.tolist())
            return super().fetch(places)

    x, y = pictures()
    images: Any = Rows(Counting(x), np.arange(len(x)))  # Any: as above
    batches = Batches(Batch((images,), (torch.from_numpy(y),)), batch_size=8)

    list(batches.shared(1, 2).epoch(0))

    assert fetched == [4, 5, 6, 7, 12, 13, 14, 15, *range(19, 23)]


def test_samples_have_the_draws_of_their_place_in_the_whole_batch() -> None:
    x = torch.ones(7, 5, 4, 4)
    module = DropoutModule(0.5).train()
    module.reseed(11)
    whole = [module(x), module(x)]

    for rank in range(2):
        module.reseed(11)
        module.share = share = Share.of(7, rank, 2)
        own = [module(x[share.places]), module(x[share.places])]
        assert torch.equal(torch.stack(own), torch.stack(whole)[:, share.places])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (RandomSwap(0.5), "RandomSwap: takes values from other samples of the batch"),
        (Torch(nn.Identity), "a Torch layer may look at the whole batch"),
    ],
    ids=["swap", "torch"],
)
def test_what_looks_at_the_whole_batch_is_refused(layer: Any, message: str) -> None:
    model = net(Flatten(), layer)

    with pytest.raises(BadValue, match=message):
        check_divisible(model.module)


def test_a_process_is_one_of_several_when_it_was_started_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert not one_of_several()
    monkeypatch.setenv("WORLD_SIZE", "2")  # as clusters set it for other programs, too
    assert not one_of_several()
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    assert one_of_several()

    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    with pytest.raises(BadValue, match=re.escape("built without torch.distributed; train in one process")):
        one_of_several()
