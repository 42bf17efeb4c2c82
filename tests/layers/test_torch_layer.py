"""Any torch module as a layer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from holdfast.callbacks import ModelCheckpoint
from holdfast.core import BadShape, BadValue
from holdfast.layers import Conv2D, Dense, Flatten, Input, Torch
from holdfast.models import Model, Sequential
from holdfast.training import SGD

PIXELS = np.random.default_rng(0).normal(size=(4, 6, 5, 2)).astype(np.float32)


def convolution(shape: tuple[int, ...]) -> nn.Module:
    return nn.Conv2d(shape[-1], 3, 3, stride=2)


def test_it_computes_what_the_module_does_on_channels_first_tensors() -> None:
    model = Sequential([Input((6, 5, 2)), Torch(convolution)])
    own = convolution((6, 5, 2))
    own.load_state_dict(dict(zip(("weight", "bias"), map(torch.tensor, model.get_weights()), strict=True)))

    found = model.predict(PIXELS)

    assert model.outputs[0].shape == (2, 2, 3)
    expected = own(torch.tensor(PIXELS).movedim(-1, 1)).movedim(1, -1).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_it_learns_with_the_layers_around_it() -> None:
    layers = [
        Conv2D(3, 3),
        Torch(lambda shape: nn.Sequential(nn.BatchNorm2d(shape[-1]), nn.SELU())),
        Flatten(),
        Dense(1),
    ]
    model = Sequential([Input((6, 5, 2)), *layers])
    before = model.get_layer(index=1).get_weights()
    model.compile(SGD(0.01), loss="mse")

    losses = model.fit(PIXELS, PIXELS[:, 0, 0, 0], epochs=20, verbose=0).history["loss"]

    assert losses[-1] < losses[0] / 2
    after = model.get_layer(index=1).get_weights()
    assert len(before) == 4  # weight, bias and the moving statistics
    assert all((one != other).any() for one, other in zip(before, after, strict=True))


def test_first_weights_follow_from_the_model_s_seed_and_torch_s_own_is_left_alone() -> None:
    state = torch.random.get_rng_state()

    one, same, other = (
        Sequential([Input((6, 5, 2)), Torch(convolution)], seed=seed).get_weights()[0] for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_it_takes_several_inputs() -> None:
    a, b = Input(3), Input(4)
    model = Model([a, b], Torch(lambda first, second: nn.Bilinear(first[-1], second[-1], 2))([a, b]))

    assert model.predict([np.ones((2, 3)), np.ones((2, 4))]).shape == (2, 2)


def test_weights_go_round_and_the_summary_counts_them() -> None:
    model = Sequential([Input((6, 5, 2)), Torch(convolution, name="mine")])
    given = [np.ones_like(weight) for weight in model.get_weights()]

    model.set_weights(given)

    assert all((weight == 1).all() for weight in model.get_weights())
    assert model.count_params() == 3 * 2 * 9 + 3
    assert "mine (Torch)" in str(model.summary())


def test_frozen_it_does_not_learn() -> None:
    model = Sequential([Input(3), Torch(lambda shape: nn.Linear(shape[0], 2), trainable=False), Dense(1)])
    before = model.get_weights()
    model.compile(SGD(0.1), loss="mse")

    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)

    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_what_is_frozen_inside_it_does_not_learn() -> None:
    # It once did, as the layer as a whole is trainable.
    def half(shape: tuple[int, ...]) -> nn.Module:
        return nn.Sequential(nn.Linear(shape[0], 2).requires_grad_(False), nn.Linear(2, 1))

    model = Sequential([Input(3), Torch(half)])
    before = model.get_weights()
    model.compile(SGD(0.1), loss="mse")

    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)

    changed = [bool((one != other).any()) for one, other in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]


def test_frozen_its_batch_normalization_keeps_its_statistics() -> None:
    model = Sequential([Input(3), Torch(lambda shape: nn.BatchNorm1d(shape[0]), trainable=False), Dense(1)])
    before = model.get_layer(index=0).get_weights()
    model.compile(SGD(0.1), loss="mse")

    model.fit(np.arange(12).reshape(4, 3), np.ones(4), verbose=0)

    for found, expected in zip(model.get_layer(index=0).get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def trained(seed: int) -> list[float]:
    model = Sequential([Input(3), Torch(lambda shape: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5))), Dense(1)])
    model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
    model.seed = seed
    model.compile(SGD(0.01), loss="mse")
    x = np.arange(24).reshape(8, 3)
    return model.fit(x, np.ones(8), batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]


def test_its_own_dropout_follows_from_the_model_s_seed_and_leaves_torch_s_generator_alone() -> None:
    state = torch.random.get_rng_state()

    assert trained(1) == trained(1) != trained(2)
    assert torch.equal(torch.random.get_rng_state(), state)


class Pair(nn.Module):
    """Gives two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


BAD = [
    (lambda: Torch(nn.ReLU()), "must be a function that makes a module."),
    (
        lambda: Torch(lambda shape: 3)(Input(2)),  # type: ignore[arg-type,return-value]  # the point
        "Torch: make returned int; it must return a torch module.",
    ),
    (lambda: Torch(lambda shape: nn.Linear(7, 2))(Input(2)), "Torch: its module does not take (2,): "),
    (
        lambda: Torch(lambda shape: Pair())(Input(2)),
        "Torch: its module must give one tensor (N, C, ...), gave tuple for ",
    ),
    (
        lambda: Torch(lambda shape: nn.Flatten(0))(Input(2)),
        "Torch: its module must give one tensor (N, C, ...), gave shape (4,) for N = 2.",
    ),
]


@pytest.mark.parametrize(("make", "text"), BAD)
def test_what_is_no_layer_is_refused(make: "type[Torch]", text: str) -> None:
    with pytest.raises((BadValue, BadShape)) as caught:
        make()

    assert text in str(caught.value)


def test_a_model_file_has_no_word_for_it(tmp_path: Path) -> None:
    model = Sequential([Input(3), Torch(lambda shape: nn.Linear(shape[0], 2), name="mine")])

    with pytest.raises(BadValue, match=r"layer 'mine': the .keras format has no word for Torch"):
        model.save(tmp_path / "model.keras")


def test_its_weights_are_kept_in_training_and_come_back(tmp_path: Path) -> None:
    one, other = (
        Sequential([Input((6, 5, 2)), Torch(convolution), Flatten(), Dense(3, "softmax")], seed=seed) for seed in (0, 1)
    )
    labels = np.arange(4) % 3
    one.fit(PIXELS, labels, epochs=2, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "{epoch}.safetensors")])

    other.module.load_state_dict(load_file(tmp_path / "2.safetensors"))

    np.testing.assert_array_equal(other.predict(PIXELS), one.predict(PIXELS))


def test_its_weights_go_to_a_file_of_weights_and_come_back(tmp_path: Path) -> None:
    one, other = (
        Sequential([Input((6, 5, 2)), Torch(convolution), Flatten(), Dense(3, "softmax")], seed=seed) for seed in (0, 1)
    )

    one.save_weights(tmp_path / "net.weights.h5")
    other.load_weights(tmp_path / "net.weights.h5")

    np.testing.assert_array_equal(other.predict(PIXELS), one.predict(PIXELS))
