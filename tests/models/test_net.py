"""What a ready-made net can be told to have."""

from typing import Any

import pytest

from holdfast.core import BadValue, UnknownName
from holdfast.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
)
from holdfast.layers.regularizers import L1L2
from holdfast.models import BaseModel, Net, convnet, dense
from holdfast.models.ready_series import features_net, series_net
from holdfast.models.ready_sounds import sound_net, wave_net
from holdfast.models.ready_tables import table_net
from holdfast.models.ready_volumes import volume_net

CONVS = (Conv1D, Conv2D, Conv3D)
MAKERS: dict[str, tuple[Any, tuple[int, ...]]] = {  # Any: functions of several signatures
    "pictures": (convnet, (28, 28, 1)),
    "small pictures": (convnet, (8, 8, 1)),
    "sounds": (sound_net, (8000,)),
    "waves": (wave_net, (8000,)),
    "series": (series_net, (128, 2)),
    "volumes": (volume_net, (16, 16, 16, 1)),
}
DENSE: dict[str, tuple[Any, tuple[int, ...]]] = {  # Any: as above
    "table": (table_net, (12,)),
    "features": (features_net, (128, 2)),
    "dense": (dense, (28, 28, 1)),
}


def _of(model: BaseModel, *kinds: type) -> list[Any]:  # Any: layers of these kinds
    return [layer for layer in model.layers if isinstance(layer, kinds)]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_convolutional_net_is_as_wide_deep_and_held_back_as_it_is_told(kind: str) -> None:
    make, shape = MAKERS[kind]
    told = Net(
        filters=6,
        layers=4,
        kernel_size=5,
        units=10,
        activation="elu",
        kernel_initializer="he_normal",
        dropout=0.25,
        l1=0.1,
        l2=0.01,
        batch_normalization=True,
    )

    model = make(shape, 3, net=told)

    convolutions, hidden = _of(model, *CONVS), _of(model, Dense)[:-1]
    assert (len(convolutions), convolutions[0].filters) == (4, 6)
    assert {size for one in convolutions[1:] for size in one.kernel_size} == {5}
    assert [one.units for one in hidden] == [10]
    assert [one.rate for one in _of(model, Dropout)] == [0.25]
    assert len(_of(model, BatchNormalization)) == 5
    assert {type(one.kernel_initializer).__name__ for one in (*convolutions, *hidden)} == {"HeNormal"}
    assert {one.kernel_regularizer for one in _of(model, Dense, *CONVS)} == {L1L2(0.1, 0.01)}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_goes_without_saying_may_be_said(kind: str) -> None:
    make, shape = MAKERS[kind]
    usual = make(shape, 3)
    convolutions, hidden, drops = _of(usual, *CONVS), _of(usual, Dense)[:-1], _of(usual, Dropout)

    said = Net(
        filters=convolutions[0].filters,
        layers=len(convolutions),
        kernel_size=convolutions[1].kernel_size[0],
        units=hidden[0].units if hidden else 0,
        dropout=drops[0].rate if drops else 0.0,
        activation="relu",
        batch_normalization=bool(_of(usual, BatchNormalization)),
    )

    assert list(map(repr, make(shape, 3, net=said).layers)) == list(map(repr, usual.layers))


@pytest.mark.parametrize("layers", [1, 2, 5, 6])
@pytest.mark.parametrize("kind", MAKERS)
def test_any_number_of_layers_leaves_something_to_flatten(kind: str, layers: int) -> None:
    make, shape = MAKERS[kind]

    model = make(shape, 3, net=Net(layers=layers, kernel_size=7, filters=2))

    assert model.outputs[0].shape == (3,)
    assert len(_of(model, *CONVS)) == layers


@pytest.mark.parametrize("kind", DENSE)
def test_a_dense_net_has_as_many_hidden_layers_as_it_is_told(kind: str) -> None:
    make, shape = DENSE[kind]

    model = make(shape, 3, net=Net(layers=3, units=10, dropout=0.5, batch_normalization=True))

    hidden = _of(model, Dense)[:-1]
    assert [one.units for one in hidden] == ([10, 5, 5] if kind == "table" else [10, 10, 10])
    assert {one.rate for one in _of(model, Dropout)} == {0.5}
    assert len(_of(model, BatchNormalization)) == 3


@pytest.mark.parametrize("kind", [*MAKERS, *DENSE])
def test_of_0_units_there_is_no_hidden_layer(kind: str) -> None:
    make, shape = (MAKERS | DENSE)[kind]

    assert len(_of(make(shape, 3, net=Net(units=0)), Dense)) == 1


def test_later_convolutions_grow_in_the_proportion_that_they_always_have() -> None:
    filters = [one.filters for one in _of(convnet((96, 96, 3), 3, net=Net(filters=4)), Conv2D)]

    assert filters == [4, 8, 16, 16]


def test_a_series_with_a_mask_minds_it_in_layers_that_were_added() -> None:
    model = series_net((128, 2), 3, masked=True, net=Net(layers=5))

    assert len([layer for layer in model.layers if type(layer).__name__ == "Multiply"]) == 1 + 5  # the front's, too


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {  # Any: wrong on purpose
    "filters": ({"filters": 0}, BadValue, "^filters=0: must be a whole number of at least 1"),
    "units": ({"units": 2.5}, BadValue, "^units=2.5: must be a whole number of at least 0"),
    "dropout": ({"dropout": 1.0}, BadValue, "^dropout=1.0: must be at least 0 and less than 1"),
    "l2": ({"l2": -1.0}, BadValue, "^l2=-1.0: must be a finite number of at least 0"),
    "activation": ({"activation": "rely"}, UnknownName, "^activation: unknown activation 'rely'; did you mean 'relu'"),
    "initializer": (
        {"kernel_initializer": "hi_normal"},
        UnknownName,
        "^kernel_initializer: unknown initializer 'hi_normal'; did you mean 'he_normal'",
    ),
    "normalization": ({"batch_normalization": 2}, BadValue, "^batch_normalization=2: must be true or false"),
}


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_no_net_can_have_are_refused_when_they_are_said(case: str) -> None:
    settings, kind, message = WRONG[case]

    with pytest.raises(kind, match=message):
        Net(**settings)


def test_what_was_told_is_known_by_name() -> None:
    assert Net(filters=8, batch_normalization=False).told == {"filters": 8, "batch_normalization": False}
