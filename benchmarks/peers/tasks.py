"""What is trained: four models in Keras's words, which are holdfast's, too, and the data for them."""

import gzip
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARED = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
MNIST = SHARED / "mnist"
HELD_OUT = 0.15  # of the 60,000, the last: for choosing recipes, never trained on here, as in the browser example
CLASSES = 10

Images = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """A model, its pictures and how it is trained.

    Attributes:
        shape: (H, W, C) of a picture.
        batch_size: pictures a step.
        images: pictures an epoch when throughput is measured.
        optimizer: "rmsprop", or "sgd" with a rate of 0.01 and a momentum of 0.9.
        body: given keras or holdfast and a symbol, the symbol before the last layer.
    """

    name: str
    shape: tuple[int, int, int]
    batch_size: int
    images: int
    optimizer: str
    body: Callable[[Any, Any], Any]  # Any: modules and symbols of Keras or of holdfast

    def model(self, k: Any, front: Sequence[Any] = (), last: Any = None, **named: Any) -> Any:
        """The model, in the words of Keras or holdfast.

        Args:
            k: the module keras or holdfast.
            front: layers before the model.
            last: further settings of the last layer, which gives probabilities.
            named: settings of the model, such as its seed.
        """
        image = k.Input(self.shape)
        symbol = chain(image, *front)
        probabilities = k.layers.Dense(CLASSES, activation="softmax", **(last or {}))(self.body(k, symbol))
        return k.Model(image, probabilities, **named)


def chain(symbol: Any, *layers: Any) -> Any:  # Any: layers and symbols of Keras or of holdfast
    """Layers one after another."""
    for layer in layers:
        symbol = layer(symbol)
    return symbol


def dense(k: Any, x: Any) -> Any:
    """784-42-10."""
    return chain(x, k.layers.Flatten(), k.layers.Dense(42, activation="relu"))


def small(k: Any, x: Any) -> Any:
    """16C3-P2-32C3-P2-32C3-64D-10: the classic net of 33,194 parameters."""
    conv, pool = k.layers.Conv2D, k.layers.MaxPooling2D
    x = chain(x, conv(16, 3, activation="relu"), pool(), conv(32, 3, activation="relu"), pool())
    return chain(x, conv(32, 3, activation="relu"), k.layers.Flatten(), k.layers.Dense(64, activation="relu"))


def big(k: Any, x: Any) -> Any:
    """32C3-32C3-P2-64C3-64C3-P2-drop.25-512D-drop.5-10."""
    conv, pool, dropout = k.layers.Conv2D, k.layers.MaxPooling2D, k.layers.Dropout
    x = chain(x, conv(32, 3, activation="relu"), conv(32, 3, activation="relu"), pool())
    x = chain(x, conv(64, 3, activation="relu"), conv(64, 3, activation="relu"), pool(), dropout(0.25))
    return chain(x, k.layers.Flatten(), k.layers.Dense(512, activation="relu"), dropout(0.5))


def resnet8(k: Any, x: Any) -> Any:
    """The ResNet-8 of MLPerf Tiny: three residual stages, with 1x1 convolutions beside those that halve the picture."""
    conv, norm, relu = k.layers.Conv2D, k.layers.BatchNormalization, k.layers.ReLU
    x = chain(x, conv(16, 3, padding="same"), norm(), relu())
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = chain(x, conv(filters, 3, strides=strides, padding="same"), norm(), relu())
        y = chain(y, conv(filters, 3, padding="same"), norm())
        beside = x if strides == 1 else conv(filters, 1, strides=strides)(x)
        x = relu()(k.layers.Add()([beside, y]))
    return chain(x, k.layers.AveragePooling2D(8), k.layers.Flatten())


TASKS = {
    task.name: task
    for task in (
        Task("dense", (28, 28, 1), 320, 187 * 320, "rmsprop", dense),
        Task("small", (28, 28, 1), 320, 187 * 320, "rmsprop", small),
        Task("big", (28, 28, 1), 128, 100 * 128, "rmsprop", big),
        Task("resnet8", (32, 32, 3), 128, 100 * 128, "sgd", resnet8),
    )
}


@dataclass(frozen=True)
class Data:
    """Pictures (N, H, W, C) and their labels (N,), int64.

    Attributes:
        images: uint8, 0 to 255, or float32, 0 to 1.
        held_out: pictures of the same kind that are not trained on; none of random data.
    """

    images: Images
    labels: NDArray[np.int64]
    held_out: "Data | None" = None

    def as_float(self) -> NDArray[np.float32]:
        """The pictures as float32, 0 to 1."""
        return scaled(self.images)


def scaled(images: Images) -> NDArray[np.float32]:
    """Pictures as float32, 0 to 1; a copy unless they are that already."""
    return images if images.dtype == np.float32 else images.astype(np.float32) / np.float32(255)  # type: ignore[return-value]  # by its dtype


def data_for(task: Task, source: str, images: int | None) -> Data:
    """So many pictures for a task: "random", float32, or of "mnist", uint8, of which the last 15 % are held out."""
    if source == "random":
        return random_data(task.shape, images or task.images)
    pixels, labels = mnist("train")
    kept = round(len(labels) * (1 - HELD_OUT))
    return Data(pixels[: images or kept], labels[: images or kept], Data(pixels[kept:], labels[kept:]))


def random_data(shape: tuple[int, int, int], images: int) -> Data:
    """Noise and random labels: only the shape matters for throughput."""
    draw = np.random.default_rng(0)
    return Data(draw.random((images, *shape), dtype=np.float32), draw.integers(0, CLASSES, images))


def mnist(part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures (N, 28, 28, 1) and labels (N,) of the part "train" or "t10k", in the order of the files."""
    pixels = np.frombuffer(gzip.decompress((MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return pixels.reshape(-1, 28, 28, 1), labels.astype(np.int64)
