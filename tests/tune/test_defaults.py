"""Default spaces and the trial to begin with."""

import pytest

from holdfast.data import Dataset, load
from holdfast.models import convnet
from holdfast.runs.plan import plan
from holdfast.transfer import FromBase
from holdfast.tune import Categorical, Float, as_space, candidate, default_space, default_values
from holdfast.tune.candidate import check_space

CASES = (
    ("digits", "convnet"),
    ("digits", "dense"),
    ("demo:series", "convnet"),
    ("demo:series", "features"),
    ("demo:sounds", "convnet"),
    ("demo:sounds", "convnet1d"),
    ("demo:sounds", "dense"),
    ("demo:table", "convnet"),
    ("demo:volumes", "convnet"),
)


@pytest.fixture(scope="module")
def read() -> dict[str, Dataset]:
    return {name: load(name) for name in {name for name, _ in CASES}}


@pytest.mark.parametrize(("name", "model"), CASES)
def test_a_default_space_has_what_train_does_by_itself(name: str, model: str, read: dict[str, Dataset]) -> None:
    data = read[name]
    space = default_space(data, model)

    values = default_values(space, data, model)

    assert space.has(values)
    found = candidate(values, data, model, {})
    (settings, network), (usual, before) = plan(data, found.model, found.how), plan(data, model, {})
    assert list(map(repr, network.layers)) == list(map(repr, before.layers))
    assert settings.model_dump(exclude={"model"}) == usual.model_dump(exclude={"model"})


@pytest.mark.parametrize(("name", "model"), CASES)
def test_all_of_a_default_space_can_be_trained(name: str, model: str, read: dict[str, Dataset]) -> None:
    data = read[name]
    space = default_space(data, model)

    check_space(space, data, model, {})

    for end in (0, -1):
        values = {key: one.ends[end] for key, one in space.dimensions.items()}
        found = candidate(values, data, model, {})
        plan(data, found.model, found.how)


def test_what_was_told_is_not_chosen(read: dict[str, Dataset]) -> None:
    space = default_space(read["digits"], "convnet", {"learning_rate": 0.01, "weight_decay": 0.1, "augment": None})

    assert not {"learning_rate", "weight_decay", "augment"} & set(space.dimensions)


def test_an_optimizer_that_was_told_is_chosen_around(read: dict[str, Dataset]) -> None:
    space = default_space(read["digits"], "convnet", {"optimizer": "sgd"})

    rate = space.dimensions["learning_rate"]
    assert isinstance(rate, Float)
    assert rate.low < 0.01 < rate.high
    assert "momentum" in space.dimensions
    assert "weight_decay" not in space.dimensions


def test_of_a_base_the_depth_of_fine_tuning_is_chosen(read: dict[str, Dataset]) -> None:
    base = FromBase(convnet((8, 8, 1), 10))

    space = default_space(read["digits"], base)

    depths = space.dimensions["fine_tune"]
    assert isinstance(depths, Categorical)
    assert depths.choices[0] == 0
    assert space.has(default_values(space, read["digits"], base))
    assert "filters" not in space.dimensions


def test_a_model_that_was_made_of_a_base_is_searched_as_that(read: dict[str, Dataset]) -> None:
    data = read["digits"]
    model = FromBase(convnet((8, 8, 1), 10), fine_tune=1).build((8, 8, 1), 10, seed=0)

    space = default_space(data, model)
    values = default_values(space, data, model)

    assert {"fine_tune", "dropout"} <= set(space.dimensions)
    found = candidate(values, data, model, {})
    told, usual = plan(data, found.model, found.how)[0], plan(data, model, {})[0]  # used to leave the base's recipe
    assert told.model_dump(exclude={"model", "dropout"}) == usual.model_dump(exclude={"model", "dropout"})


def test_of_a_model_of_your_own_training_and_dropout_are_chosen(read: dict[str, Dataset]) -> None:
    own = convnet((8, 8, 1), 10)

    space = default_space(read["digits"], own)

    assert {"learning_rate", "dropout.rate"} <= set(space.dimensions)
    assert "filters" not in space.dimensions
    assert space.has(default_values(space, read["digits"], own))
    assert own.compiled is None


def test_where_a_space_does_not_have_it_the_nearest_is_taken(read: dict[str, Dataset]) -> None:
    space = as_space(
        {
            "filters": [40, 32, 64],
            "dropout": {"low": 0.1, "high": 0.3, "step": 0.1},
            "layers": {"low": 4, "high": 8, "step": 2},
            "activation": ["elu", "selu"],
            "optimizer": ["sgd"],
            "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
        }
    )

    values = default_values(space, read["digits"])

    wanted = {"filters": 32, "dropout": 0.3, "layers": 4, "activation": "elu", "optimizer": "sgd", "momentum": 0.7}
    assert values == wanted
    assert space.has(values)


def test_what_stands_at_a_path_is_begun_with(read: dict[str, Dataset]) -> None:
    space = as_space(
        {"layers[2].filters": [12, 24], "conv2d_1.kernel_size": [1, 3], "optimizer.beta_1": [0.85, 0.9]}
        | {"dropout.rate": {"low": 0.0, "high": 0.9}}
    )

    values = default_values(space, read["digits"])

    wanted = {"layers[2].filters": 24, "conv2d_1.kernel_size": 3, "optimizer.beta_1": 0.85, "dropout.rate": 0.5}
    assert values == wanted
