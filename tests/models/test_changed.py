"""Other settings of single layers, told by paths."""

import pytest
import torch

from holdfast.core import BadValue, UnknownName
from holdfast.layers import Conv2D, Dense, Flatten, Input
from holdfast.models import BaseModel, Model, Sequential, convnet, from_config, to_config
from holdfast.models.changed import changed


def _functional() -> Model:
    inputs = Input((8, 8, 1))
    x = Flatten()(Conv2D(4, 3, name="conv")(inputs))
    return Model(inputs, Dense(3, activation="softmax")(x))


MODELS: dict[str, BaseModel] = {
    "Sequential": Sequential([Input((8, 8, 1)), Conv2D(4, 3, name="conv"), Flatten(), Dense(3, activation="softmax")]),
    "functional": _functional(),
    "configuration": from_config(to_config(_functional())),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_layer_is_changed_by_its_name(kind: str) -> None:
    model = changed(MODELS[kind], {"conv.filters": 7, "conv.activation": "relu"}, seed=0)

    assert (
        repr(model.get_layer("conv").layer) == "Conv2D(filters=7, kernel_size=(3, 3), activation='relu', name='conv')"
    )
    assert model.outputs[0].shape == (3,)
    assert repr(MODELS[kind].get_layer("conv").layer) == "Conv2D(filters=4, kernel_size=(3, 3), name='conv')"


def test_a_layer_is_changed_by_its_place_as_in_layers() -> None:
    model = changed(convnet((28, 28, 1), 10), {"layers[1].filters": 8, "layers[-2].units": 5}, seed=0)

    assert [getattr(layer, "filters", 0) for layer in model.layers][1] == 8
    assert getattr(model.layers[-2], "units", 0) == 5


def test_initializers_and_regularizers_are_said_by_name() -> None:
    model = changed(MODELS["Sequential"], {"conv.kernel_initializer": "he_normal", "dense.use_bias": False}, seed=0)

    assert "HeNormal" in repr(model.get_layer("conv").layer)
    assert len(model.get_layer("dense").get_weights()) == 1


def test_weights_follow_from_the_seed_and_frozen_layers_keep_theirs() -> None:
    model = Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(4, 3, trainable=False, name="frozen"),
            Conv2D(2, 3, name="free"),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        seed=5,
    )

    first, again, other = (changed(model, {"free.filters": 3}, seed=seed) for seed in (1, 1, 2))

    for found in (first, again, other):
        kept, before = (one.get_layer("frozen").get_weights()[0] for one in (found, model))
        assert (kept == before).all()
    states = [torch.cat([one.flatten() for one in found.module.parameters()]) for found in (first, again, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_frozen_layers_of_a_model_within_keep_their_weights_too() -> None:
    inner = Sequential([Input((8, 8, 1)), Conv2D(4, 3, trainable=False, name="frozen"), Flatten()], name="inner")
    model = Sequential([Input((8, 8, 1)), inner, Dense(3, activation="softmax")], seed=5)

    found = changed(model, {"dense.use_bias": False}, seed=1)

    kept, before = (one.get_layer("inner").layer for one in (found, model))
    assert isinstance(kept, BaseModel)
    assert isinstance(before, BaseModel)
    assert (kept.get_layer("frozen").get_weights()[0] == before.get_layer("frozen").get_weights()[0]).all()


def test_the_compilation_is_the_new_models_too() -> None:
    model = convnet((28, 28, 1), 10)
    model.compile("sgd")

    assert changed(model, {"conv2d.filters": 2}, seed=0).compiled is model.compiled


WRONG: dict[str, tuple[str, int | str, type[Exception], str]] = {
    "layer": ("conv2d_9.filters", 8, UnknownName, "^conv2d_9.filters: the model has no layer 'conv2d_9'; did you mean"),
    "far": ("zzz.filters", 8, UnknownName, "^zzz.filters: the model has no layer 'zzz'; "),
    "number": ("layers[9].filters", 8, UnknownName, r"^layers\[9\].filters: the model has 9 layers, layers\[0\] to"),
    "setting": ("conv2d.filter", 8, UnknownName, "^conv2d.filter: Conv2D has no 'filter'; did you mean 'filters'"),
    "value": ("conv2d.filters", 0, BadValue, r"^layer 'conv2d': Conv2D\(filters=0"),
    "name": ("conv2d.activation", "rely", UnknownName, "unknown activation 'rely'; did you mean 'relu'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_paths_that_lead_nowhere_name_what_there_is(case: str) -> None:
    path, value, kind, message = WRONG[case]

    with pytest.raises(kind, match=message):
        changed(convnet((28, 28, 1), 10), {path: value}, seed=0)


def test_a_model_within_is_no_layer() -> None:
    inner = Sequential([Input((4,)), Dense(3)], name="inner")
    model = Sequential([Input((4,)), inner, Dense(2, activation="softmax")])

    with pytest.raises(BadValue, match=r"^inner.units: 'inner' is a model; settings are those of a layer"):
        changed(model, {"inner.units": 2}, seed=0)
