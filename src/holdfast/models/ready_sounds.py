"""Ready-made models for sounds: convolutions over a log-mel spectrogram, and over the waveform itself.

Neither hears how loud a sound was recorded, which says more about the microphone than about the sound.
"""

from ..core import BadShape
from ..layers import (
    Conv1D,
    Conv2D,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    LayerNormalization,
    LogMelSpectrogram,
    MaxPooling1D,
    MaxPooling2D,
    Rescaling,
    Reshape,
    Shape,
)
from .model import Sequential
from .net import PLAIN, Net

RATE_HZ = 16_000  # where nobody says how many samples make a second
SEEN_S, APART_S = 0.032, 0.016  # how much of a sound a frame sees, and how far the next one is, unless sounds are long
MOST_FRAMES = 128
LOWEST_HZ = 50.0
FLOOR_DB = 80.0  # what is softer than the loudest by this much is silence
LEFT = 5  # pooling goes on while a side of the spectrogram is longer than this
LEFT_STEPS = 32  # and of the waveform while there are more steps
FILTERS, MOST = 16, 64  # of the first convolution, and of any
SHORTEST = 256  # samples


def sound_net(shape: Shape, classes: int, *, rate: int = RATE_HZ, net: Net = PLAIN, seed: int = 0) -> Sequential:
    """A log-mel spectrogram against its loudest place; over it 16C3-P2-32C3-P2-64C3-P2-... with batch normalization.

    Where in the sample a sound stands counts: readers put it into the middle.

    Args:
        shape: (samples,).
        classes: how many to tell apart.
        rate: samples a second.
        net: what of this is to be otherwise.
        seed: of the model.
    """
    spectrogram = front_of(shape, rate)
    frames, pitches, _ = spectrogram.out_shape(shape)
    layers: list[Layer] = [spectrogram, Rescaling(2 / FLOOR_DB, offset=1.0)]
    filters, number = FILTERS, 0
    while max(frames, pitches) > LEFT if net.layers is None else number < net.layers:
        pool = (2 if frames > LEFT else 1, 2 if pitches > LEFT else 1)
        width, side = net.width(filters, FILTERS), net.side(3)
        layers += net.convolution(Conv2D, width, side, padding="same", normalized=True)
        layers += [MaxPooling2D(pool)] if pool != (1, 1) else []
        frames, pitches, filters = frames // pool[0], pitches // pool[1], min(2 * filters, MOST)
        number += 1
    return Sequential([Input(shape), *layers, Flatten(), *net.end(classes, dropout=0.3)], name="convnet", seed=seed)


def wave_net(
    shape: Shape, classes: int, *, front: Layer | None = None, rate: int = RATE_HZ, net: Net = PLAIN, seed: int = 0
) -> Sequential:
    """Convolutions on the waveform, the first as long as a hundredth second, pooled by 4 until 32 steps are left.

    Args:
        shape: (samples,).
        classes: how many to tell apart.
        front: the layer that brings samples near 1; None: each sound by its own deviation.
        rate: samples a second.
        net: what of this is to be otherwise; the first kernel stays as long as it is.
        seed: of the model.

    Source: the idea of Dai et al. 2017, Very deep convolutional neural networks for raw waveforms (M5); smaller.
    """
    _check(shape, "convnet1d")
    stride = max(1, rate // 2000)
    steps, filters = -(-shape[0] // stride), FILTERS
    layers = [front or LayerNormalization(epsilon=1e-14, center=False, scale=False), Reshape((*shape, 1))]
    layers += _convolved(net, filters, max(3, rate // 100 | 1), stride)
    number = 1
    while steps > LEFT_STEPS if net.layers is None else number < net.layers:
        pool = 4 if steps > LEFT_STEPS else 1
        layers += [MaxPooling1D(pool)] if pool > 1 else []
        filters, steps = min(2 * filters, MOST), steps // pool
        layers += _convolved(net, filters, net.side(5), 1)
        number += 1
    layers += [GlobalMaxPooling1D() if steps > 1 else GlobalAveragePooling1D(), *net.end(classes, dropout=0.3)]
    return Sequential([Input(shape), *layers], name="convnet1d", seed=seed)


def front_of(shape: Shape, rate: int) -> LogMelSpectrogram:
    """The spectrogram for sounds (samples,) of this rate: frames of 32 ms every 16 ms, farther apart in long sounds."""
    _check(shape, "convnet")
    stride = max(1, round(APART_S * rate), -(-shape[0] // MOST_FRAMES))
    length = 64
    while length < max(SEEN_S * rate * 0.75, stride):
        length *= 2
    return LogMelSpectrogram(
        length,
        stride,
        sampling_rate=rate,
        num_mel_bins=min(64, 32 if rate <= 8_000 else 40 if rate <= 16_000 else 64, length // 4),
        min_freq=min(LOWEST_HZ, rate / 20),
        min_power=1e-20,  # the floor hangs on the loudest place alone, or soft recordings would have another one
        top_db=FLOOR_DB,
        relative=True,
    )


def _convolved(net: Net, filters: int, length: int, stride: int) -> list[Layer]:
    return net.convolution(Conv1D, net.width(filters, FILTERS), length, stride, padding="same", normalized=True)


def _check(shape: Shape, name: str) -> None:
    if len(shape) != 1 or shape[0] < SHORTEST:
        raise BadShape(f"{name}: takes sounds (samples,) of at least {SHORTEST} samples, got {shape}.")
