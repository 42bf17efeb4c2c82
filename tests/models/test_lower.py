"""Lowering: what the torch module is, what it is called, and how it is trained."""

import gc
import keyword
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from holdfast.core import BadShape
from holdfast.layers import (
    L2,
    Activation,
    Add,
    Conv2D,
    Dense,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    Reshape,
    Softmax,
)
from holdfast.models import Model, Sequential
from holdfast.models.lower import calls_in, for_training, links, removable

STRANGE = ["a b", "a_b", "a__b", "a-b", "1st", "class", "type", "training", "graph", "meta", "forward", "self", "torch"]
STRANGE += ["größe", "数", "_", "lambda", "add_module", "conv__pad", "conv", "operator"]


def test_the_code_can_be_read() -> None:
    model = Sequential([Input((6, 6, 1), name="image"), Conv2D(2, 3, 2, "same", activation="relu", name="conv")])

    assert isinstance(model.module, fx.GraphModule)
    code = [line.partition(";")[0].strip() for line in model.module.code.strip().splitlines()]
    assert code == [
        "def forward(self, image):",
        "image_1 = self.image(image)",
        "conv__pad = self.conv__pad(image_1)",
        "conv = self.conv(conv__pad)",
        "conv__activation = self.conv__activation(conv)",
        "movedim = torch.movedim(conv__activation, 1, -1)",
        "return movedim",
    ]


def test_the_modules_are_torch_s_own() -> None:
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 3), MaxPooling2D(), Flatten(), Dense(3, "softmax")])

    named = {name: type(module) for name, module in model.module.named_children()}

    assert named["conv2d"] is nn.Conv2d
    assert named["max_pooling2d"] is nn.MaxPool2d
    assert named["dense"] is nn.Linear
    assert list(model.module.state_dict()) == ["conv2d.weight", "conv2d.bias", "dense.weight", "dense.bias"]


def test_layers_and_inputs_may_be_called_anything() -> None:
    """Names that torch or Python keep for themselves, and names that differ in signs only, used to collide."""
    inputs = [Input(2, name=f"{name}?") for name in STRANGE]
    layers = [Dense(1, name=name) for name in STRANGE]
    model = Model(inputs, [layer(x) for layer, x in zip(layers, inputs, strict=True)])
    x = [np.random.default_rng(number).normal(size=(3, 2)).astype(np.float32) for number in range(len(STRANGE))]

    found = model.predict(x)

    assert not any(keyword.iskeyword(name) for name, _ in model.module.named_children())
    for number, name in enumerate(STRANGE):
        kernel = model.get_layer(name).kernel.numpy()
        np.testing.assert_allclose(found[number], x[number] @ kernel, rtol=1e-5, atol=1e-6)


def test_a_shared_layer_has_one_set_of_weights_and_learns_from_all_its_uses() -> None:
    a, b = Input(3), Input(3)
    shared = Dense(2, kernel_initializer=np.ones((3, 2)))
    model = Model([a, b], [shared(a), shared(b)])
    x = np.ones((1, 3), np.float32)
    model.compile("sgd", "mse")

    model.fit([x, 2 * x], [np.zeros((1, 2)), np.zeros((1, 2))], verbose=0)

    # d/dk of (3k)²/2 + (6k)²/2 a column, at k=1 in each of three places: 1*3 + 2*6, times the rate of 0.01
    np.testing.assert_allclose(model.get_weights()[0], 1 - 0.01 * (3 + 12), rtol=1e-6)
    assert model.count_params() == 8


def test_a_layer_shared_by_inputs_of_different_shapes_is_refused() -> None:
    a, b = Input(3), Input(4)
    shared = Dense(2, name="shared")

    with pytest.raises(BadShape) as caught:
        Model([a, b], Add()([shared(a), shared(b)])).get_weights()

    assert str(caught.value) == "shared is shared by inputs of shapes ((3,),) and ((4,),); they must be equal."


def test_frozen_layers_ask_for_no_gradient() -> None:
    model = Sequential([Input(3), Dense(4, trainable=False), Dense(2)])

    assert [weight.requires_grad for weight in model.module.parameters()] == [False, False, True, True]
    assert model.summary().trainable == 10


@pytest.mark.slow
def test_a_model_exports_with_several_inputs_outputs_and_submodels() -> None:
    a, b = Input((4, 4, 1), name="a"), Input((4, 4, 1), name="b")
    inner = Sequential([Input((4, 4, 1)), Conv2D(2, 3, activation="relu")], name="inner")
    both = Add()([inner(a), inner(b)])
    model = Model([a, b], [both, Flatten()(both)])
    x = tuple(torch.randn(2, 4, 4, 1, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))

    exported = torch.export.export(model.module, x)

    for found, expected in zip(exported.module()(*x), model.module(*x), strict=True):
        torch.testing.assert_close(found, expected)


ENDS: list[tuple[str, list[Layer], str, bool]] = [
    ("dense softmax", [Dense(3, "softmax")], "softmax", True),
    ("dense sigmoid", [Dense(3, "sigmoid")], "sigmoid", True),
    ("dense", [Dense(3)], "linear", False),
    ("activation layer", [Dense(3), Activation("softmax")], "softmax", True),
    ("softmax layer", [Dense(3), Softmax()], "softmax", True),
    ("a softmax for each pixel", [Reshape((2, 2, 1)), Conv2D(3, 1, activation="softmax")], "softmax", True),
    ("over the rows", [Reshape((2, 2, 1)), Softmax(axis=1)], "linear", True),
    ("before a flatten", [Reshape((2, 2, 1)), Conv2D(3, 1, activation="softmax"), Flatten()], "linear", False),
    ("under a penalty", [Dense(3, "softmax", activity_regularizer=L2(0.1))], "softmax", False),
]


@pytest.mark.parametrize(("name", "layers", "link", "last"), ENDS, ids=[end[0] for end in ENDS])
def test_the_activation_at_the_end_is_seen(name: str, layers: list[Layer], link: str, last: bool) -> None:
    module = Sequential([Input(4), *layers]).module

    assert links(module) == [link]
    assert removable(module) == [last]


def test_the_activation_at_the_end_of_a_submodel_is_seen_but_stays() -> None:
    x = Input(4)
    hidden = Dense(3)(x)
    pixels = Reshape((2, 2, 1))(x)
    outputs = [Activation("sigmoid")(hidden), hidden, Conv2D(3, 1, activation="softmax")(pixels)]
    inner, y = Model(x, outputs), Input(4)
    module = Model(y, inner(y)).module

    assert links(module) == ["sigmoid", "linear", "softmax"]
    assert removable(module) == [False, False, False]


def test_the_module_for_training_gives_logits_and_shares_the_weights() -> None:
    model = Sequential([Input((3, 3, 1)), Conv2D(4, 3, activation="softmax")])
    training = for_training(model.module, ["softmax"])
    x = torch.randn(2, 3, 3, 1, generator=torch.Generator().manual_seed(0))

    logits, probabilities = training(x), model.module(x)

    assert not [module for module in training.modules() if isinstance(module, nn.Softmax)]
    torch.testing.assert_close(logits.softmax(-1), probabilities)
    assert {id(weight) for weight in training.parameters()} == {id(weight) for weight in model.module.parameters()}
    assert list(training.state_dict()) == list(model.module.state_dict())


def test_a_softmax_that_others_need_stays_in_the_training_module() -> None:
    x = Input(4)
    p = Activation("softmax")(x)
    model = Model(x, [p, Dense(1)(p)])

    training = for_training(model.module, ["softmax", "linear"])

    given = torch.ones(1, 4)
    logits, value = training(given)
    torch.testing.assert_close(logits, given)
    torch.testing.assert_close(value, model.module(given)[1])


def test_nothing_is_made_anew_when_nothing_is_fused() -> None:
    module = Sequential([Input(4), Dense(2)]).module

    assert for_training(module, ["linear"]) is module


def test_calls_are_counted_through_submodels() -> None:
    shared = Dense(2)
    x = Input(2)
    inner = Model(x, shared(shared(x)))
    y = Input(2)
    outer = Model(y, inner(inner(y)))

    counts = calls_in(outer.module)

    assert counts[inner.module] == 2
    assert counts[inner.lowered.mains[shared]] == 4


def test_a_pooling_layer_s_constants_are_no_weights() -> None:
    model = Sequential([Input((3, 3, 1)), GlobalMaxPooling2D()])

    assert model.count_params() == 0
    assert model.get_weights() == []


def test_double_and_half_precision_go_through() -> None:
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 3, padding="same", strides=2), Flatten(), Dense(2)])
    x: Tensor = torch.ones(1, 4, 4, 1)

    assert model.module.double()(x.double()).dtype == torch.float64


def test_weights_are_freed_with_the_model() -> None:
    """Modules used to wait for the garbage collector, their weights on a GPU, too."""
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile("adam")
    gc.disable()
    try:
        model.fit(np.eye(4), [0, 1, 2, 0], verbose=0)
        state, _ = model.training_state([torch.zeros(4)])
        tensors = [model.module.get_parameter("dense.weight"), state.slots["velocity"][0]]
        gone = [weakref.ref(tensor) for tensor in tensors]

        del model, state, tensors

        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()
