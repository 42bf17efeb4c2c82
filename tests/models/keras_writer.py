"""Writes models with real Keras, for holdfast to read: NAME.keras and NAME.npz for each.

Run: .venv-keras/bin/python tests/models/keras_writer.py FOLDER

Each .npz holds "input_0", ..., "output_0", ... and "weight_0", ... in Keras's order; those of Normalization are left
out.  Models whose names begin with "foreign" hold what holdfast does not have, and come without an .npz.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))  # where `making` lives

import numpy as np
from making.common import Array, Model, generator, keras, listed, torch

L = keras.layers


def sequential() -> Model:
    """A picture classifier with every kind of layer that stands in a row, trained for a step."""
    model = keras.Sequential(
        [
            keras.Input((12, 11, 3)),
            L.Rescaling([1 / 255, 0.5, 1.0], offset=0.1),
            L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
            L.Conv2D(
                8, 3, padding="same", activation="leaky_relu", kernel_initializer=keras.initializers.HeNormal(seed=3)
            ),
            L.BatchNormalization(momentum=0.9),
            L.MaxPooling2D(2, padding="same"),
            L.Conv2D(
                4,
                (2, 3),
                strides=(2, 1),
                groups=2,
                kernel_regularizer="l2",
                activity_regularizer=keras.regularizers.L1(0.01),
            ),
            L.LayerNormalization(),
            L.SpatialDropout2D(0.2),
            L.ZeroPadding2D(((1, 0), (0, 2))),
            L.AveragePooling2D(2, strides=1),
            L.ReLU(6.0, negative_slope=0.1),
            L.Flatten(),
            L.Dense(12, activation="gelu", use_bias=False, trainable=False),
            L.Reshape((4, 3)),
            L.Activation("swish"),
            L.Reshape((-1,)),
            L.Dropout(0.3, seed=5),
            L.Dense(
                5, activation=keras.activations.softmax, kernel_initializer=keras.initializers.Orthogonal(gain=2.0)
            ),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = generator("sequential/train")
    model.fit(rng.uniform(0, 255, (8, 12, 11, 3)), np.arange(8) % 5, epochs=2, verbose=0)
    return model


def branches() -> Model:
    """Two inputs, two outputs, a shared layer, merges, and names that are not in the order of making."""
    late = L.Dense(3, name="dense")  # made first, used last
    a, b = keras.Input((6, 6, 2), name="picture"), keras.Input((4,), name="numbers")
    shared = L.Conv2D(2, 3, padding="same", activation="relu", name="zz_shared")
    once = shared(a)
    twice = shared(once)
    summed = L.Add()([once, twice, a])
    pooled = L.Concatenate()([L.GlobalAveragePooling2D()(summed), L.GlobalMaxPooling2D()(twice)])
    joined = L.Concatenate(axis=-1)([pooled, L.Dense(5, activation="tanh", name="aa_first")(b)])
    kind = L.Softmax()(late(joined))
    size = L.Dense(1, name="size")(L.Dense(3)(joined))
    return keras.Model([a, b], [size, kind])


def nested() -> Model:
    """Models in models: a Sequential and a functional one, each used twice, and an adapted Normalization inside."""
    norm = L.Normalization(name="standard")
    norm.adapt(generator("nested/adapt").normal(3.0, 2.0, (100, 5)))
    front = keras.Sequential([keras.Input((5,)), norm, L.Dense(4, activation="relu"), L.Dense(4)], name="front")
    x = keras.Input((4,))
    deep = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization()])
    middle = keras.Model(x, [L.Dense(2)(deep(x)), L.Dense(4)(x)], name="middle")
    a, b = keras.Input((5,)), keras.Input((5,))
    short, long = middle(front(a))
    again, _ = middle(front(b))
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([short, long, again])))


def adapted() -> Model:
    """A Normalization whose numbers Keras keeps as weights, over one number and over channels."""
    data = generator("adapted").normal(100, 30, (50, 4, 4, 2))
    channels, one = L.Normalization(), L.Normalization(axis=None)
    channels.adapt(data)
    one.adapt(np.asarray(channels(data)))
    return keras.Sequential([keras.Input((4, 4, 2)), channels, one, L.Flatten(), L.Dense(2)])


def named_outputs() -> Model:
    """Outputs as a dict."""
    x = keras.Input((3,))
    return keras.Model(x, {"b": L.Dense(2, name="b")(x), "a": L.Dense(1, name="a")(x)})


def arrays() -> Model:
    """Settings that are arrays."""
    return keras.Sequential(
        [
            keras.Input((2, 2, 3)),
            L.Rescaling(np.array([1.0, 2.0, 3.0]), offset=np.array([0.5, 0.0, -0.5])),
            L.Normalization(mean=np.array([1.0, 2.0, 3.0]), variance=np.array([1, 4, 9])),
        ]
    )


def without_input() -> Model:
    """A Sequential that learned its shape from data."""
    model = keras.Sequential([L.Flatten(), L.Dense(3, name="last")])
    model(np.zeros((1, 3, 2), np.float32))
    return model


def pictures_of_bytes() -> Model:
    """An input of bytes."""
    return keras.Sequential([keras.Input((3, 3, 1), dtype="uint8"), L.Rescaling(1 / 255), L.Flatten(), L.Dense(2)])


def gates() -> Model:
    """Every way to bring two inputs together, and every activation that is a layer of its own."""
    a, b = keras.Input((6, 5, 4)), keras.Input((6, 5, 4))
    summed = L.Subtract()([L.PReLU(shared_axes=[1, 2])(a), L.ELU(alpha=0.7)(b)])
    gate = L.RepeatVector(1)(L.GlobalAveragePooling2D()(L.LeakyReLU(negative_slope=0.2)(summed)))
    gated = L.Multiply()([summed, L.Reshape((1, 1, 4))(gate)])
    small = L.Average()([L.Maximum()([gated, a]), L.Minimum()([gated, b])])
    normed = L.UnitNormalization(axis=[1, 2])(L.GroupNormalization(groups=2)(small))
    turned = L.Permute((3, 1, 2))(L.Resizing(5, 4, interpolation="nearest")(L.CenterCrop(4, 4)(normed)))
    rows = L.Reshape((4, 20))(turned)
    noisy = L.AlphaDropout(0.2)(L.GaussianDropout(0.1)(L.GaussianNoise(0.1, seed=3)(rows)))
    return keras.Model([a, b], L.Dot(axes=(2, -1), normalize=True)([noisy, rows]))


def words() -> Model:
    """Whole numbers that become vectors."""
    x = keras.Input((6,), dtype="int32")
    vectors = L.Embedding(9, 4, embeddings_constraint="max_norm", embeddings_regularizer="l2")(x)
    return keras.Model(x, L.Dense(2)(L.Flatten()(vectors)))


def sounds() -> Model:
    """A spectrogram, and a convnet behind it."""
    return keras.Sequential(
        [
            keras.Input((400,)),
            L.MelSpectrogram(fft_length=64, sequence_stride=32, sampling_rate=8000, num_mel_bins=8),
            L.Reshape((8, 13, 1)),
            L.Conv2D(2, 3),
            L.Flatten(),
            L.Dense(2),
        ]
    )


def kept_in_bounds() -> Model:
    """Weight constraints."""
    return keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            L.Conv2D(3, 3, kernel_constraint=keras.constraints.MaxNorm(1.5, axis=[0, 1, 2]), bias_constraint="non_neg"),
            L.BatchNormalization(gamma_constraint="non_neg"),
            L.Flatten(),
            L.Dense(2, kernel_constraint=keras.constraints.UnitNorm()),
        ]
    )


def series() -> Model:
    """Everything for series, trained for two epochs."""
    model = keras.Sequential(
        [
            keras.Input((30, 2)),
            L.ZeroPadding1D((2, 1)),
            L.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
            L.MaxPooling1D(3, strides=2, padding="same"),
            L.DepthwiseConv1D(3, depth_multiplier=2, strides=2, padding="same", depthwise_regularizer="l2"),
            L.BatchNormalization(),
            L.SpatialDropout1D(0.2, seed=4),
            L.SeparableConv1D(5, 2, depth_multiplier=3, activation="elu", pointwise_constraint="max_norm"),
            L.UpSampling1D(3),
            L.Cropping1D((1, 2)),
            L.Conv1DTranspose(4, 4, strides=3, padding="same", output_padding=1),
            L.AveragePooling1D(2),
            L.Conv1D(4, 5, groups=2),
            L.GlobalAveragePooling1D(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(generator("series/train").normal(size=(9, 30, 2)), np.arange(9) % 3, epochs=2, verbose=0)
    return model


def volumes() -> Model:
    """Everything for volumes, in two branches."""
    x = keras.Input((6, 8, 7, 2))
    down = L.MaxPooling3D((1, 2, 2), padding="same")(L.Conv3D(4, 3, strides=(2, 1, 1), padding="same")(x))
    down = L.SpatialDropout3D(0.1)(L.Conv3D(4, 2, groups=2, activation="relu")(L.ZeroPadding3D((1, 0, 2))(down)))
    up = L.Conv3DTranspose(2, (2, 3, 1), strides=(2, 1, 2), padding="same")(L.UpSampling3D((1, 2, 1))(down))
    side = L.AveragePooling3D(2, strides=1)(L.Cropping3D(((0, 1), (1, 1), (2, 0)))(x))
    ends = [L.GlobalMaxPooling3D()(up), L.GlobalAveragePooling3D(keepdims=True)(side)]
    return keras.Model(x, [L.Dense(2)(L.Concatenate()([ends[0], L.Flatten()(ends[1])])), up])


def mobile() -> Model:
    """Depthwise, separable and transposed convolutions of images, there and back."""
    x = keras.Input((8, 9, 3))
    small = L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, use_bias=False)(x)
    small = L.SeparableConv2D(5, (2, 3), padding="same", dilation_rate=2, activation="relu")(small)
    large = L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="tanh")(small)
    large = L.Cropping2D(((0, 0), (0, 1)))(L.UpSampling2D(interpolation="bilinear")(large))
    back = L.DepthwiseConv2D((1, 4), dilation_rate=(1, 2))(L.UpSampling2D((2, 1))(L.Cropping2D(1)(x)))
    return keras.Model(x, [L.GlobalMaxPooling2D(keepdims=True)(large), back])


def foreign_layer() -> Model:
    return keras.Sequential([keras.Input((3, 2)), L.LSTM(4)])


def foreign_setting() -> Model:
    return keras.Sequential([keras.Input((3,)), L.Embedding(4, 2, mask_zero=True, name="kept")])


def foreign_rounding() -> Model:
    return keras.Sequential([keras.Input((4, 4, 1), dtype="uint8", name="bytes"), L.Resizing(3, 3, name="scaled")])


def foreign_precision() -> Model:
    return keras.Sequential([keras.Input((3,)), L.Dense(4, dtype="mixed_float16", name="half")])


def foreign_axis() -> Model:
    return keras.Sequential([keras.Input((3, 4)), L.BatchNormalization(axis=1)])


def augmented() -> Model:
    """Layers that change pictures in training, each told one number or two.

    Without RandomCrop, which Keras does not predict, and RandomBrightness and RandomSaturation, which no .h5 holds.
    """
    layers = [
        L.RandomFlip("horizontal", seed=1),
        L.RandomTranslation(0.1, (-0.2, 0.1), fill_mode="nearest"),
        L.RandomRotation(0.1, interpolation="nearest"),
        L.RandomZoom(0.2),
        L.RandomContrast(0.3, value_range=(0, 1)),
        L.RandomHue(0.1),
        L.RandomColorJitter(brightness_factor=0.1, saturation_factor=0.4, hue_factor=(0.1, 0.2)),
        L.RandomErasing(fill_value=(1, 2, 3)),
        L.RandAugment(num_ops=1),
        L.MixUp(),
        L.CutMix(),
    ]
    return keras.Sequential([keras.Input((6, 5, 3)), *layers, L.Flatten(), L.Dense(3)])


MODELS: list[Callable[[], Model]] = [
    augmented,
    sequential,
    branches,
    nested,
    adapted,
    named_outputs,
    arrays,
    without_input,
    pictures_of_bytes,
    gates,
    words,
    sounds,
    kept_in_bounds,
    series,
    volumes,
    mobile,
    foreign_layer,
    foreign_setting,
    foreign_rounding,
    foreign_precision,
    foreign_axis,
]


def inputs_of(model: Model, name: str) -> list[Array]:
    """Three samples for each input."""
    rng = generator(f"{name}/inputs")
    shapes = [tuple(symbol.shape[1:]) for symbol in model.inputs]
    kinds = [symbol.dtype for symbol in model.inputs]
    return [
        rng.integers(0, 256, (3, *shape), np.uint8)
        if kind == "uint8"
        else rng.integers(0, 9, (3, *shape), np.int32)
        if kind == "int32"
        else rng.normal(size=(3, *shape)).astype(np.float32)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]


def shaken(model: Model, name: str) -> Model:
    """The model with weights that are at none of their defaults; those that were adapted stay."""
    rng = generator(f"{name}/weights")
    for layer in model._flatten_layers():
        if not isinstance(layer, L.Normalization):
            for weight in (*layer._trainable_variables, *layer._non_trainable_variables):
                if weight.name in ("gamma", "moving_variance"):
                    weight.assign(rng.uniform(0.5, 1.5, weight.shape))
                elif "seed" not in weight.name:
                    weight.assign(rng.normal(0, 1 / np.sqrt(max(1, np.prod(weight.shape[:-1]))), weight.shape))
    return model


def weights_of(model: Model) -> list[Array]:
    """The weights in Keras's order, without the numbers of Normalization, which holdfast keeps as settings."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, L.Normalization)]
    left_out = {id(weight) for norm in norms for weight in norm.weights}
    return [np.array(weight) for weight in model.weights if id(weight) not in left_out]


def main(folder: str) -> None:
    """Writes all of them."""
    torch.set_num_threads(1)
    for make in MODELS:
        name = make.__name__
        model: Any = shaken(make(), name)
        model.save(Path(folder) / f"{name}.keras")
        model.save(Path(folder) / f"{name}.h5")  # as Keras 2 did, but for the nodes of functional models
        model.save_weights(Path(folder) / f"{name}.weights.h5")
        if name.startswith("foreign"):
            continue
        inputs = inputs_of(model, name)
        outputs = keras.tree.flatten(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
        found = {**listed("input", inputs), **listed("output", outputs), **listed("weight", weights_of(model))}
        np.savez(Path(folder) / f"{name}.npz", allow_pickle=False, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
