"""Dense layers of few outputs lying on their side: what they give, and which are left as they are."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, fx, nn

from holdfast.layers import Dense, Input
from holdfast.models import BaseModel, Sequential
from holdfast.training.passes import fused
from holdfast.training.passes.narrow import Narrow
from training.passes.compare import called, check, pictures

SAMPLES = 160


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def net(*layers: Dense, inputs: int = 600) -> BaseModel:
    return Sequential([Input((inputs,)), *layers], seed=0)


def turned(model: BaseModel) -> int:
    """How many layers the pass has turned."""
    module = fused(model.module)
    assert isinstance(module, fx.GraphModule)
    return sum(isinstance(part, Narrow) for part in called(module))


def rows(samples: int = SAMPLES, inputs: int = 600, dtype: torch.dtype = torch.float32) -> Tensor:
    return pictures(samples, inputs, dtype=dtype)


@pytest.mark.parametrize(
    "layers",
    [
        (Dense(42, "relu"), Dense(10)),
        (Dense(10),),
        (Dense(7, use_bias=False), Dense(3)),
        (Dense(1, "sigmoid"),),
        (Dense(600, "relu"), Dense(42, "relu"), Dense(10)),  # whose gradient goes on to the layer before
    ],
    ids=str,
)
def test_results_and_gradients_are_the_plain_graph_s(layers: tuple[Dense, ...]) -> None:
    model = net(*layers)

    assert turned(model) == 1
    check(model, rows())


@pytest.mark.parametrize(
    ("layer", "inputs"), [(Dense(48), 600), (Dense(64), 600), (Dense(100), 600), (Dense(42), 512)], ids=str
)
def test_other_shapes_stay(layer: Dense, inputs: int) -> None:
    assert not turned(net(layer, inputs=inputs))


def lies(y: Tensor) -> bool:
    """Whether it was computed on its side."""
    return y.stride() == (1, len(y))


def test_few_or_many_samples_one_thread_and_other_precisions_are_computed_as_they_are() -> None:
    linear = nn.Linear(600, 10)
    narrow = Narrow(linear, None)

    assert lies(narrow(rows()))
    assert not lies(narrow(rows(100)))
    assert not lies(narrow(rows(512)))
    assert not lies(narrow(rows().reshape(2, 80, 600))[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert not lies(narrow(rows()))
    torch.set_num_threads(1)
    assert not lies(narrow(rows()))
    torch.set_num_threads(2)
    assert not lies(narrow.double()(rows(dtype=torch.float64)))


def test_one_who_hooked_into_the_layer_hears() -> None:
    model = net(Dense(42, "relu"), Dense(10))
    heard: list[tuple[int, ...]] = []
    linear = next(part for part in model.module.modules() if isinstance(part, nn.Linear))
    linear.register_forward_hook(lambda _, __, y: heard.append(tuple(y.shape)))

    fused(model.module)(rows())

    assert heard == [(SAMPLES, 42)]
