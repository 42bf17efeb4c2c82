"""Layers that augment: what they make of samples, and from which seeds."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from holdfast.core import BadShape, BadValue
from holdfast.layers import (
    CutMix,
    Dense,
    Flatten,
    Input,
    MixUp,
    RandAugment,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGain,
    RandomHue,
    RandomModule,
    RandomNoise,
    RandomRotation,
    RandomSaturation,
    RandomSwap,
    RandomTimeShift,
    RandomTranslation,
    RandomZoom,
    SpecAugment,
    TrivialAugment,
)
from holdfast.layers.augment import Augmenting, Draws, keys_of
from holdfast.layers.augment_colour import turned
from holdfast.layers.augment_policy import (
    autocontrast,
    brightness,
    colour,
    contrast,
    equalize,
    posterize,
    sharpness,
    solarize,
)
from holdfast.models import Model, Sequential
from layers.building import golden

PICTURES: list[Augmenting] = [
    RandomFlip(),
    RandomTranslation(0.2, 0.2),
    RandomRotation(0.1),
    RandomZoom(0.2),
    RandomCrop(5, 6),
    RandomBrightness(0.3),
    RandomContrast(0.3),
    RandomSaturation((0.2, 0.8)),
    RandomHue(0.3),
    RandomColorJitter((0, 255), 0.1, 0.1, 0.3, 0.1),
    RandomErasing(),
    RandAugment(),
    TrivialAugment(),
]
SERIES: list[Augmenting] = [RandomTimeShift(0.3), RandomNoise(), RandomGain(), SpecAugment()]

OTHER: Any = "other"  # Any: what no setting takes


def pictures(n: int = 12) -> Tensor:
    """Pictures (n, 3, 7, 8) from 0 to 255."""
    return 255 * torch.rand(n, 3, 7, 8, generator=torch.Generator().manual_seed(1))


def draws(n: int, seed: int = 0) -> Draws:
    return Draws(keys_of(torch.arange(n), seed))


def in_training(layer: Augmenting, x: Tensor, seed: int = 0) -> Tensor:
    """What the layer's module makes of a channels-first tensor."""
    shape = (*x.shape[2:], x.shape[1]) if x.dim() > 2 else (x.shape[1],)
    module = layer.build(shape).train()
    assert isinstance(module, RandomModule)
    module.reseed(seed)
    result: Tensor = module(x)
    return result


def case_of(layer: Augmenting) -> tuple[Augmenting, Tensor]:
    return layer, pictures() if layer in PICTURES else pictures()[:, 0]


EVERY = pytest.mark.parametrize("layer", [*PICTURES, *SERIES], ids=lambda layer: type(layer).__name__)


@EVERY
def test_a_seed_decides_what_is_drawn(layer: Augmenting) -> None:
    layer, x = case_of(layer)

    torch.testing.assert_close(in_training(layer, x, 5), in_training(layer, x, 5), rtol=0, atol=0)
    assert not torch.equal(in_training(layer, x, 5), in_training(layer, x, 6))
    own, same = (in_training(type(layer)(**layer.settings() | {"seed": 3}), x, 5) for _ in range(2))
    assert torch.equal(own, same)
    assert not torch.equal(own, in_training(layer, x, 5))


@EVERY
def test_each_sample_draws_its_own_whatever_stands_beside_it(layer: Augmenting) -> None:
    layer, x = case_of(layer)
    same = x[:1].expand_as(x).contiguous()

    found = layer.change(same, draws(len(x)))

    assert len({tuple(one.flatten().tolist()) for one in found}) > 1
    alone = layer.change(x[3:5], draws(len(x)).part(slice(3, 5)))
    torch.testing.assert_close(alone, layer.change(x, draws(len(x)))[3:5], rtol=0, atol=1e-3)  # sums in another order


@EVERY
def test_what_it_is_given_stays_as_it_was(layer: Augmenting) -> None:
    layer, x = case_of(layer)
    before = x.clone()

    layer.change(x, draws(len(x)))

    assert torch.equal(x, before)


@EVERY
def test_nothing_happens_outside_training(layer: Augmenting) -> None:
    layer, x = case_of(layer)
    if isinstance(layer, RandomCrop):
        return
    shape = (7, 8, 3) if x.dim() == 4 else (8, 7)

    assert layer.build(shape).eval()(x) is x


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("translation", RandomTranslation((0.3, 0.3), (-0.2, -0.2), "nearest")),
        ("translation_constant", RandomTranslation((-0.4, -0.4), (0.25, 0.25), "constant", fill_value=7.0)),
        ("rotation", RandomRotation((0.07, 0.07), "nearest")),
        ("rotation_constant", RandomRotation((-0.2, -0.2), "constant", fill_value=9.0)),
        ("zoom_out", RandomZoom((0.3, 0.3), fill_mode="nearest")),
        ("zoom_both", RandomZoom((-0.4, -0.4), (0.2, 0.2), "constant")),
        ("brightness", RandomBrightness((0.2, 0.2))),
        ("darkness", RandomBrightness((-0.3, -0.3))),
        ("saturation", RandomSaturation((0.6, 0.6))),
        ("grey", RandomSaturation((0.0, 0.0))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_drawn_in_one_way_only_is_keras_s(name: str, layer: Augmenting) -> None:
    x, expected = keras_s("x"), keras_s(name)

    found = layer.change(x, draws(2))

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-3)  # of 255


def keras_s(name: str) -> Tensor:
    """Pictures of the golden file, channels first."""
    return torch.tensor(golden("augment")[name]).movedim(-1, 1)


@pytest.mark.parametrize(("name", "mode"), [("flip", "horizontal"), ("flip_vertical", "vertical")])
def test_flips_are_keras_s(name: str, mode: Any) -> None:
    found = RandomFlip(mode).change(keras_s("x").repeat(8, 1, 1, 1), draws(16))

    kept, flipped = keras_s("x").repeat(8, 1, 1, 1), keras_s(name).repeat(8, 1, 1, 1)
    turned_over = [torch.equal(one, other) for one, other in zip(found, flipped, strict=True)]
    stayed = [torch.equal(one, other) for one, other in zip(found, kept, strict=True)]
    assert [not one for one in turned_over] == stayed
    assert 0 < sum(turned_over) < 16


def test_contrast_and_hue_are_keras_s() -> None:
    x = keras_s("x")
    mean = x.mean((2, 3), keepdim=True)

    torch.testing.assert_close(((x - mean) * 1.3 + mean).clamp(0, 255), keras_s("contrast"), rtol=1e-5, atol=1e-3)
    for name, turns in (("hue", 0.1), ("hue_back", -0.1)):
        torch.testing.assert_close(turned(x, torch.full((2,), turns)), keras_s(name), rtol=1e-4, atol=1e-2)
    found = RandomContrast((0.0, 0.3)).change(x, draws(2))
    spread = (found - mean).square().mean((1, 2, 3)) / (x - mean).square().mean((1, 2, 3))
    assert ((spread > 0.9) & (spread <= 1.3**2)).all()


PILLOW: list[tuple[str, Callable[..., Tensor], float | None, Callable[[Image.Image], Image.Image]]] = [
    ("brightness", brightness, 1.4, lambda image: ImageEnhance.Brightness(image).enhance(1.4)),
    ("colour", colour, 0.3, lambda image: ImageEnhance.Color(image).enhance(0.3)),
    ("contrast", contrast, 1.6, lambda image: ImageEnhance.Contrast(image).enhance(1.6)),
    ("sharpness", sharpness, 1.9, lambda image: ImageEnhance.Sharpness(image).enhance(1.9)),
    ("blur", sharpness, 0.1, lambda image: ImageEnhance.Sharpness(image).enhance(0.1)),
    ("posterize", posterize, 3, lambda image: ImageOps.posterize(image, 3)),
    ("solarize", solarize, 100, lambda image: ImageOps.solarize(image, 100)),
    ("autocontrast", autocontrast, None, ImageOps.autocontrast),
    ("equalize", equalize, None, ImageOps.equalize),
]


@pytest.mark.parametrize(("name", "ours", "setting", "theirs"), PILLOW, ids=[row[0] for row in PILLOW])
def test_operations_are_pillow_s(
    name: str, ours: Callable[..., Tensor], setting: float | None, theirs: Callable[[Image.Image], Image.Image]
) -> None:
    smooth = Image.fromarray(np.random.default_rng(0).integers(30, 220, (6, 5, 3), dtype=np.uint8)).resize((40, 32))
    x = torch.tensor(np.asarray(smooth)).movedim(-1, 0)[None].float()

    found = ours(x, *([] if setting is None else [torch.tensor([float(setting)])]))

    expected = torch.tensor(np.asarray(theirs(smooth))).movedim(-1, 0)[None].float()
    assert float((found - expected).abs().max()) <= 1.5  # Pillow rounds on the way


def test_wrap_brings_in_the_other_side_and_reflect_mirrors_at_the_edge() -> None:
    x = torch.arange(1.0, 6.0).view(1, 1, 1, 5).repeat(1, 1, 2, 1)

    wrapped = RandomTranslation((0, 0), (0.4, 0.4), "wrap").change(x, draws(1))
    mirrored = RandomTranslation((0, 0), (0.4, 0.4)).change(x, draws(1))

    torch.testing.assert_close(wrapped[0, 0, 0], torch.tensor([4.0, 5, 1, 2, 3]))
    torch.testing.assert_close(mirrored[0, 0, 0], torch.tensor([2.0, 1, 1, 2, 3]))


def test_a_crop_is_a_window_of_the_picture_and_all_windows_come() -> None:
    x = torch.arange(20.0).view(1, 1, 4, 5).expand(200, 2, 4, 5)

    found = RandomCrop(3, 3).change(x, draws(200))

    firsts = {int(one[0, 0, 0]) for one in found}
    assert firsts == {0, 1, 2, 5, 6, 7}
    one = int(found[0, 0, 0, 0])
    assert found[0, 1].tolist() == [[one + 5 * row + column for column in range(3)] for row in range(3)]


def test_a_crop_outside_training_is_the_largest_window_scaled() -> None:
    model = Sequential([Input((4, 8, 1)), RandomCrop(2, 2)])
    x = np.zeros((1, 4, 8, 1), np.float32)
    x[:, :, 2:6] = 1

    np.testing.assert_allclose(model.predict(x), np.ones((1, 2, 2, 1)))


def test_an_erased_rectangle_has_the_size_and_the_value_asked_for() -> None:
    x = torch.full((400, 3, 20, 20), 50.0)

    found = RandomErasing((0.5, 0.5), (0.25, 0.25), fill_value=(0.0, 100.0, 300.0)).change(x, draws(400))

    erased = (found != x).all(1)
    assert 0.4 < float(erased.flatten(1).any(1).float().mean()) < 0.6
    assert set(erased.flatten(1).sum(1).tolist()) <= {0, 81, 90, 99, 100, 110, 121}  # half of each side, as pixels fall
    assert set(found[erased.unsqueeze(1).expand_as(found)].tolist()) == {0, 100, 255}


def test_noise_stands_so_far_below_the_signal() -> None:
    time = torch.linspace(0, 200, 20_000)
    x = torch.stack([torch.sin(time), 10 * torch.sin(time)])

    noise = RandomNoise(20).change(x, draws(2)) - x

    ratio = x.std(1) / noise.std(1)
    torch.testing.assert_close(ratio, torch.full((2,), 10.0), rtol=0.03, atol=0)


def test_noise_of_series_follows_each_channel() -> None:
    x = torch.randn(1, 2, 5000) * torch.tensor([1.0, 100.0]).view(1, 2, 1)

    noise = RandomNoise((0, 0)).change(x, draws(1)) - x

    torch.testing.assert_close(noise.std(2), x.std(2), rtol=0.05, atol=0)


def test_a_shift_in_time_moves_all_channels_and_repeats_the_ends() -> None:
    x = torch.stack([torch.arange(10.0), torch.arange(10.0) + 100])[None]

    later = RandomTimeShift((0.3, 0.3)).change(x, draws(1))
    earlier = RandomTimeShift((-0.2, -0.2)).change(x, draws(1))

    assert later[0, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert earlier[0, 1].tolist() == [102, 103, 104, 105, 106, 107, 108, 109, 109, 109]


def test_gain_is_in_decibels() -> None:
    assert RandomGain((6.0206, 6.0206)).change(torch.ones(1, 4), draws(1)).tolist()[0] == pytest.approx([2] * 4)


@pytest.mark.parametrize(
    ("shape", "frequency_axis"), [((20, 30), 1), ((30, 20), 2), ((20, 30, 2), 1), ((30, 20, 2), 2)], ids=str
)
def test_masks_cover_bands_and_stretches_of_time(shape: tuple[int, ...], frequency_axis: int) -> None:
    x = torch.rand(50, *shape, generator=torch.Generator().manual_seed(0))
    bands = SpecAugment(1, 0.25, 0, frequency_axis=frequency_axis)
    times = SpecAugment(0, 0.25, 1, 0.2, frequency_axis=frequency_axis)

    for layer, axis, most in ((bands, frequency_axis, 5), (times, 3 - frequency_axis, 6)):
        changed = layer.change(x.movedim(-1, 1), draws(50)).movedim(1, -1) != x
        lines = changed.movedim(axis, 1).flatten(2)
        assert torch.equal(lines.any(2), lines.all(2))
        assert 1 < int(lines.any(2).sum(1).max()) <= most


def test_a_masked_band_of_a_sound_is_silent() -> None:
    x = torch.randn(20, 1000, generator=torch.Generator().manual_seed(0))

    found = SpecAugment(1, 0.3, 0).change(x, draws(20))

    silent = torch.fft.rfft(found - found.mean(1, keepdim=True)).abs() < 1e-3
    assert int(silent.sum(1).max()) > 50
    assert float((found - x).abs().max()) > 0.1


def test_swapped_values_come_from_the_same_column_and_columns_stay_whole() -> None:
    rows = torch.arange(100.0)[:, None] + torch.tensor([0, 1000, 2000, 3000])

    found = RandomSwap(0.4, (1, 3)).change(rows, draws(100))

    assert torch.equal(found // 1000, rows // 1000)
    other = found % 1000 != rows % 1000
    assert torch.equal(other[:, 1], other[:, 2])
    assert torch.equal(other[:, 1], other[:, 3])
    assert 0.25 < float(other[:, 0].float().mean()) < 0.55


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    from scipy.stats import beta, kstest

    found = draws(5000).beta(torch.full((5000,), alpha))

    assert kstest(found.numpy(), beta(alpha, alpha).cdf).pvalue > 0.01


def test_cut_pictures_have_as_much_of_the_other_as_their_label() -> None:
    x, other = torch.zeros(50, 1, 9, 9), torch.ones(50, 1, 9, 9)

    mixed, own = CutMix().mix(x, other, draws(50))

    torch.testing.assert_close(1 - mixed.mean((1, 2, 3)), own)
    assert len(set(own.tolist())) > 5


def test_mixed_samples_lie_between_the_two() -> None:
    x, other = torch.zeros(50, 3), torch.full((50, 3), 10.0)

    mixed, own = MixUp(1.0).mix(x, other, draws(50))

    torch.testing.assert_close(mixed, (10 * (1 - own))[:, None].expand(50, 3))


def test_a_model_with_random_layers_trains_as_its_seed_says() -> None:
    def trained(seed: int) -> list[float]:
        image = Input((7, 8, 3))
        x = TrivialAugment()(RandomFlip()(image))
        model = Model(image, Dense(2, activation="softmax")(Flatten()(x)), seed=seed)
        model.set_weights(Model(image, Dense(2, activation="softmax")(Flatten()(image)), seed=0).get_weights())
        numbers = pictures(24).movedim(1, -1).numpy()
        model.compile("sgd")
        return model.fit(numbers / 255, np.arange(24) % 2, epochs=2, shuffle=False, verbose=0).history["loss"]

    assert trained(1) == trained(1) != trained(2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomFlip(OTHER), r"RandomFlip\(mode='other'\): must be 'horizontal' or"),
        (
            lambda: RandomTranslation(1.5, 0),
            r"RandomTranslation\(height_factor=1.5\): must be a number, or two, between",
        ),
        (lambda: RandomZoom(-1.0), r"RandomZoom\(height_factor=-1.0\): must be more than -1"),
        (lambda: RandomBrightness(OTHER), r"RandomBrightness\(factor='other'\): must be a number, or two\."),
        (lambda: RandomBrightness(0.1, (3, 3)), r"value_range=\(3, 3\)\): must be the smallest and the largest value"),
        (lambda: MixUp(0), r"MixUp\(alpha=0\): must be positive"),
        (lambda: RandAugment(num_ops=0), r"RandAugment\(num_ops=0\): must be positive"),
    ],
    ids=["flip", "translation", "zoom", "words", "range", "mixup", "ops"],
)
def test_settings_are_checked(make: Callable[[], object], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        make()


def test_what_keras_writes_for_one_number_means_what_it_says() -> None:
    assert RandomSaturation([-0.4, 0.4]).factor == RandomSaturation(0.4).factor == (0, 0.4)


def test_shapes_are_checked() -> None:
    with pytest.raises(BadShape, match=r"RandomHue: takes pictures of 3 channels, got \(4, 4, 1\)\."):
        RandomHue(0.1)(Input((4, 4, 1)))
    with pytest.raises(BadShape, match=r"RandomFlip: takes \(H, W, C\), got \(4, 4\)\."):
        RandomFlip()(Input((4, 4)))
    with pytest.raises(BadShape, match=r"RandomSwap: widths are of 3 features, the rows have 4\."):
        RandomSwap(0.1, (1, 2))(Input((4,)))


def test_numbers_lie_between_their_limits() -> None:
    found = draws(10_000).uniform(-2, 3)

    assert -2 <= float(found.min()) < -1.9
    assert 2.9 < float(found.max()) <= 3
    assert float(found.mean()) == pytest.approx(0.5, abs=5 * 5 / math.sqrt(12 * 10_000))
