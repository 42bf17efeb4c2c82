import copy
from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from holdfast.core import BadValue
from holdfast.layers.dropout import DropoutModule
from holdfast.layers.norm import Affine
from holdfast.training.passes.several import Apart, Denses, Turn, as_one, interchangeable

MODELS = 3


def several(make: Callable[[], nn.Module], seed: int = 0) -> list[nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [make() for _ in range(MODELS)]


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Linear(5, 4), (5,)),
        (lambda: nn.Linear(5, 4, bias=False), (7, 5)),
        (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1), (4, 9)),
        (lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False, padding="same"), (4, 6, 5)),
        (lambda: nn.Conv3d(2, 4, 2, dilation=2), (2, 5, 5, 5)),
        (lambda: nn.BatchNorm1d(5), (5,)),
        (lambda: nn.Sequential(nn.Linear(5, 3), nn.ReLU()), (5,)),
    ],
    ids=["dense", "dense-of-series", "conv1d", "conv2d-groups", "conv3d", "batch-norm", "several"],
)
def test_modules_together_give_what_each_gives_and_their_gradients(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    parts, turn = several(make), Turn([0, 2])  # the second does not take part
    alone = copy.deepcopy(parts)
    x = torch.randn(2 * 4, *shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
    mine = x.detach().clone().requires_grad_()

    y = as_one(parts, turn, grouped=True)(x)
    torch.autograd.backward(y.square().sum())

    each = torch.cat([alone[0](mine[:4]), alone[2](mine[4:])])
    torch.autograd.backward(each.square().sum())
    torch.testing.assert_close(y, each, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(x.grad, mine.grad, rtol=1e-4, atol=1e-5)
    for part, other in zip(parts, alone, strict=True):
        for a, b in zip(part.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(part.state_dict(), other.state_dict())


def test_modules_without_weights_stand_for_each_other() -> None:
    assert interchangeable([nn.ReLU(), nn.ReLU()])
    assert interchangeable([nn.Flatten(1), nn.Flatten(1)])
    assert interchangeable([Affine(torch.ones(2), torch.zeros(2)), Affine(torch.ones(2), torch.zeros(2))])


def test_modules_with_other_settings_constants_draws_or_weights_do_not() -> None:
    assert not interchangeable([nn.Flatten(1), nn.Flatten(2)])
    assert not interchangeable([nn.ReLU(), nn.Tanh()])
    assert not interchangeable([Affine(torch.ones(2), torch.zeros(2)), Affine(torch.ones(2), torch.ones(2))])
    assert not interchangeable([DropoutModule(0.5), DropoutModule(0.5)])
    assert not interchangeable([nn.BatchNorm1d(2, affine=False), nn.BatchNorm1d(2, affine=False)])
    assert not interchangeable([nn.Linear(2, 2), nn.Linear(2, 2)])


def test_a_module_of_the_users_own_sees_the_samples_of_its_model_alone() -> None:
    class Centred(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean(0)

    parts, x = [Centred(), Centred()], torch.arange(8.0).view(4, 2)

    module = as_one(parts, Turn([0, 1]), grouped=False)

    torch.testing.assert_close(module(x), torch.cat([parts[0](x[:2]), parts[1](x[2:])]))


def test_convolutions_are_one_with_groups_only_where_that_is_asked_for() -> None:
    parts = several(lambda: nn.Conv2d(1, 2, 3))

    assert isinstance(as_one(parts, Turn(), grouped=False), Apart)
    assert not isinstance(as_one(parts, Turn(), grouped=True), Apart)


def test_a_graph_keeps_its_modules_and_calls_theirs_together() -> None:
    graphs: list[nn.Module] = [fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2), nn.ReLU())) for _ in range(2)]

    one = as_one(graphs, Turn([0, 1]), grouped=False)

    assert isinstance(one.get_submodule("0"), Denses)
    assert isinstance(graphs[0].get_submodule("0"), nn.Linear)  # it can still be trained alone


def test_graphs_that_compute_different_things_are_refused() -> None:
    graphs: list[nn.Module] = [fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2), *more)) for more in ([], [nn.ReLU()])]

    with pytest.raises(BadValue, match="they compute different things"):
        as_one(graphs, Turn([0, 1]), grouped=False)


def test_frozen_dense_layers_get_no_gradients() -> None:
    parts = several(lambda: nn.Linear(5, 4).requires_grad_(False))

    x = torch.ones(6, 5, requires_grad=True)

    y = Denses(parts, Turn([0, 1, 2]))(x)

    torch.autograd.backward(y.sum())
    assert all(parameter.grad is None for part in parts for parameter in part.parameters())
    assert x.grad is not None  # what is below may learn all the same
