"""Learning without labels: the tasks, the losses, and what comes out of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from holdfast import data
from holdfast.core import BadData, BadShape, BadValue
from holdfast.data import Batch, Pictures
from holdfast.data.sounds import Sounds
from holdfast.layers import Normalization, RandomColorJitter, RandomFlip, Rescaling, Shape
from holdfast.transfer import Pretrained, classifier, pretrain
from holdfast.transfer.pretrain_nets import decoder, encoder
from holdfast.transfer.pretrain_tasks import HiddenError, Hide, Method, NTXent, Rebuild, Units, views_for
from holdfast.transfer.pretraining import changed, rebuilt, samples_of

METHODS: tuple[Method, ...] = ("autoencoder", "denoising", "masked", "contrastive")
BYTES = Units.of(Rescaling(1 / 255))


def strokes(n: int = 120, side: int = 16) -> NDArray[np.uint8]:
    """Pictures of a bright stroke, across or down, somewhere."""
    random = np.random.default_rng(n)
    images = np.zeros((n, side, side, 1), np.uint8)
    for number, place in enumerate(random.integers(3, side - 3, n)):
        images[number, place] = 200
        images[number] = images[number].swapaxes(0, 1) if number % 2 else images[number]
    return images


def learn(method: Method = "autoencoder", *, seed: int = 0, epochs: int = 2) -> Pretrained:
    return pretrain(strokes(), method=method, epochs=epochs, seed=seed, device="cpu", verbose=0)


def batch(images: NDArray[np.uint8]) -> tuple[Batch, torch.Tensor]:
    return Batch((torch.from_numpy(images),)), torch.arange(len(images))


def test_contrastive_loss_is_the_published_formula() -> None:
    z = np.random.default_rng(0).normal(size=(6, 4))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    expected = []
    for i in range(6):
        other = (i + 3) % 6
        alike = [np.exp(unit[i] @ unit[k] / 0.5) for k in range(6) if k != i]
        expected.append(-np.log(np.exp(unit[i] @ unit[other] / 0.5) / sum(alike)))

    found = NTXent(0.5)(torch.zeros(6), torch.from_numpy(z))

    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


def test_one_pair_alone_has_nothing_to_be_told_from() -> None:
    assert NTXent()(torch.zeros(2), torch.randn(2, 3)).tolist() == [0, 0]


def test_masked_loss_counts_what_was_hidden_only() -> None:
    targets = torch.tensor([[[[1.0, 0.0], [3.0, 1.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])  # (2, 1, 2, values and hidden)
    outputs = torch.tensor([[[[9.0], [5.0]]], [[[9.0], [9.0]]]])

    assert HiddenError()(targets, outputs).tolist() == [4, 0]


def test_noise_is_on_the_input_and_not_on_the_target() -> None:
    images = strokes(40)

    made = Rebuild(BYTES, noise=0.3)(*batch(images), 0, 0)

    noise = made.inputs[0].numpy() - images
    assert np.array_equal(made.targets[0].numpy(), images.astype(np.float32) / np.float32(255))
    assert abs(noise.std() / 255 - 0.3) < 0.01
    assert abs(noise.mean() / 255) < 0.01


def test_hidden_blocks_are_grey_and_the_rest_is_as_it_was() -> None:
    images = strokes(200, side=28)

    made = Hide(BYTES, share=0.6)(*batch(images), 0, 0)

    clean, hidden = made.targets[0].chunk(2, -1)
    assert np.array_equal(clean.numpy(), images.astype(np.float32) / np.float32(255))
    assert abs(float(hidden.mean()) - 0.6) < 0.02
    blocks = hidden.view(200, 7, 4, 7, 4).movedim(2, 3).flatten(3)
    assert torch.equal(blocks.amin(3), blocks.amax(3))
    expected = np.where(hidden.numpy() > 0, np.float32(127.5), images)
    assert np.array_equal(made.inputs[0].numpy(), expected)


def test_what_is_hidden_of_rows_is_their_mean() -> None:
    rows = np.random.default_rng(0).normal(5, 2, (50, 6)).astype(np.float32)
    units = Units.of(Normalization().adapt(rows))

    made = Hide(units)(Batch((torch.from_numpy(rows),)), torch.arange(50), 0, 0)

    hidden = made.targets[0][:, 6:] > 0
    assert np.allclose(made.inputs[0][hidden], np.broadcast_to(rows.mean(0), rows.shape)[hidden.numpy()])
    assert torch.equal(made.inputs[0][~hidden], torch.from_numpy(rows)[~hidden])


def test_two_views_of_a_sample_differ_and_do_not_follow_from_its_batch() -> None:
    images = torch.from_numpy(strokes(12))
    views = views_for(images)

    whole = views(Batch((images,)), torch.arange(12), 5, 3).inputs[0]
    half = views(Batch((images[6:],)), torch.arange(6, 12), 5, 3).inputs[0]
    later = views(Batch((images,)), torch.arange(12), 5, 4).inputs[0]

    assert whole.shape == (24, 16, 16, 1)
    assert not torch.equal(whole[:12], whole[12:])
    assert torch.equal(whole.chunk(2)[0][6:], half[:6])
    assert torch.equal(whole.chunk(2)[1][6:], half[6:])
    assert not torch.equal(whole, later)


def test_photos_are_mirrored_and_recoloured_and_digits_are_not() -> None:
    colours = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8))

    photos = {type(layer) for layer in views_for(colours).pipeline.layers}
    grey = {type(layer) for layer in views_for(colours[..., :1].expand(-1, -1, -1, 3)).pipeline.layers}

    assert {RandomFlip, RandomColorJitter} <= photos
    assert not {RandomFlip, RandomColorJitter} & grey


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (33, 47, 3), (100, 120, 3), (9,), (50, 3)], ids=str)
def test_a_decoder_gives_samples_of_the_encoders_shape(shape: Shape) -> None:
    network = encoder(shape, Rescaling(1 / 255))
    (features,) = network.outputs[0].shape

    assert features < np.prod(shape)
    assert decoder(shape).inputs[0].shape == (features,)
    assert decoder(shape).outputs[0].shape == shape


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_and_says_how_well(method: Method) -> None:
    found = learn(method, epochs=5)

    losses = found.history.history["val_loss"]
    assert losses[-1] < losses[0]
    assert found.losses.mean().item() == pytest.approx(losses[-1], rel=1e-4)
    assert (found.decoder is None) == (method == "contrastive")
    assert found.encoder.outputs[0].shape == (64,)
    assert len(found.held) == 12


def test_an_autoencoder_rebuilds_what_it_never_saw() -> None:
    images = torch.from_numpy(strokes(300))
    found = pretrain(images, method="autoencoder", epochs=8, device="cpu", verbose=0)

    held = images[found.held]
    error = (rebuilt(found, changed(found, held)) - held).square().mean()

    assert error < 0.5 * (held - held.float().mean(0)).square().mean()


@pytest.mark.parametrize("method", ["masked", "contrastive"])
def test_the_same_seed_gives_the_same_weights(method: Method) -> None:
    one, again, other = (learn(method, epochs=1, seed=seed).encoder.get_weights() for seed in (3, 3, 4))

    assert all(np.array_equal(first, second) for first, second in zip(one, again, strict=True))
    assert not all(np.array_equal(first, second) for first, second in zip(one, other, strict=True))


def test_an_encoder_is_a_base() -> None:
    found = learn()

    model = classifier(found.encoder, 2)
    history = model.fit(strokes(), [0, 1] * 60, epochs=1, verbose=0, validation_split=0.2)

    assert "val_loss" in history.history
    for own, base in zip(model.get_weights(), found.encoder.get_weights(), strict=False):
        assert np.array_equal(own, base)


def test_validation_and_test_are_not_learned_from() -> None:
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    loaded = data.from_arrays(images[:60], [0, 1] * 30, unlabelled=images[40:])

    learned = samples_of(loaded)

    assert len(learned) == len(loaded.train) + 40
    seen = {row.numpy().tobytes() for row in learned}
    assert not any(row.numpy().tobytes() in seen for row in loaded.validation.images)


def test_labels_are_not_read() -> None:
    images = strokes(60)
    one = data.from_arrays(images, [0, 1] * 30)
    other = replace(one, train=replace(one.train, labels=one.train.labels.flip(0)))

    weights = [pretrain(each, epochs=1, device="cpu", verbose=0).encoder.get_weights() for each in (one, other)]

    assert all(np.array_equal(first, second) for first, second in zip(*weights, strict=True))


def test_how_files_are_read_travels_with_the_encoder() -> None:
    loaded = data.from_arrays(strokes(60), [0, 1] * 30)

    assert pretrain(loaded, epochs=1, device="cpu", verbose=0).encoder.reads == Pictures((16, 16), 1)


def test_rows_of_numbers_are_learned_by_a_dense_autoencoder() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 10))

    found = pretrain(rows, epochs=1, device="cpu", verbose=0)

    assert found.method == "denoising"
    assert found.decoder is not None
    assert found.decoder.outputs[0].shape == (10,)
    assert found.encoder.outputs[0].shape == (5,)


def test_what_cannot_be_learned_from_is_named() -> None:
    with pytest.raises(BadData, match="9 samples are too few to learn from; give at least 10"):
        pretrain(strokes(9), verbose=0)
    with pytest.raises(BadShape, match="pictures of 6x6 are too small; take at least 8 pixels"):
        pretrain(strokes(20, side=6 + 1)[:, :6, :6], verbose=0)
    with pytest.raises(
        BadValue, match=r"method='contrastive'\): compares views of pictures, got samples of shape \(3,\)"
    ):
        pretrain(np.zeros((20, 3)), method="contrastive", verbose=0)
    with pytest.raises(BadValue, match=r"method='other'\): must be 'autoencoder', 'denoising'"):
        pretrain(strokes(), method="other", verbose=0)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(BadValue, match="epochs=0"):
        pretrain(strokes(), epochs=0, verbose=0)
    sounds = replace(
        data.from_arrays(np.random.default_rng(0).normal(size=(30, 64)), [0, 1] * 15), reads=Sounds(8000, 64)
    )
    with pytest.raises(BadValue, match="learns from pictures, series and rows of numbers, not from sounds"):
        pretrain(sounds, verbose=0)
