"""`holdfast.load` tells files apart by what is in them; weights alone fill a model that is there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast import load
from holdfast.core import BadFile, BadValue
from holdfast.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    Input,
    Normalization,
    ReLU,
)
from holdfast.models import BaseModel, Model, Sequential
from models.foreign import write_keras2, write_tfjs

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(5, 6, 6, 2)).astype(np.float32)


def convnet() -> Sequential:
    layers = [Conv2D(3, 3, use_bias=False), BatchNormalization(), ReLU(), DepthwiseConv2D(2), Flatten(), Dense(4)]
    return Sequential([Input((6, 6, 2)), *layers], "net")


def nested() -> Model:
    """A model in a model, twice, with a frozen layer and moving statistics, so that Keras 2's order is another."""
    y = Input((36,), name="rows")
    frozen = Dense(7, trainable=False, name="frozen")(BatchNormalization(name="norm")(Dense(7, name="first")(y)))
    inner = Model(y, Dense(7, name="last")(frozen), name="inner")
    x = Input((6, 6, 2), name="picture")
    flat = [Flatten(name=f"flat_{n}")(Conv2D(1, 1, name=f"conv_{n}")(x)) for n in (0, 1)]
    return Model(x, Dense(2, name="end")(Add(name="sum")([inner(flat[0]), inner(flat[1])])), name="outer")


def shaken(model: BaseModel) -> BaseModel:
    model.set_weights([RANDOM.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return model


WRITERS: dict[str, Callable[[BaseModel, Path], Path]] = {
    "keras": lambda model, folder: model.save(folder / "m.keras") or folder / "m.keras",  # type: ignore[func-returns-value]
    "h5": lambda model, folder: write_keras2(model, folder / "m.h5"),
    "model.json": lambda model, folder: write_tfjs(model, folder),
    "folder": lambda model, folder: write_tfjs(model, folder).parent,
    "another ending": lambda model, folder: write_keras2(model, folder / "m.keras"),
    "one shard": lambda model, folder: write_tfjs(model, folder, shards=1),
    "many shards": lambda model, folder: write_tfjs(model, folder, shards=7),
}


@pytest.mark.parametrize("make", [convnet, nested], ids=["convnet", "nested"])
@pytest.mark.parametrize("way", WRITERS)
def test_a_model_of_each_format_predicts_the_same(way: str, make: Callable[[], BaseModel], tmp_path: Path) -> None:
    model = shaken(make())

    again = load(WRITERS[way](model, tmp_path))

    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == list(model.lowered.names.values())[-len(again.layers) :]


@pytest.mark.parametrize(("quantize", "off"), [("float16", 1e-3), ("uint8", 4e-3), ("uint16", 2e-5)])
def test_quantized_weights_become_floats_again(quantize: str, off: float, tmp_path: Path) -> None:
    model = shaken(convnet())

    again = load(write_tfjs(model, tmp_path, quantize=quantize))

    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=off)


def renamed() -> Sequential:
    """`convnet` with other names."""
    layers = [
        Conv2D(3, 3, use_bias=False, name="a"),
        BatchNormalization(name="b"),
        ReLU(),
        DepthwiseConv2D(2, name="c"),
        Flatten(),
        Dense(4, name="d"),
    ]
    return Sequential([Input((6, 6, 2)), *layers])


@pytest.mark.parametrize("other", [convnet, renamed], ids=["same names", "other names"])
@pytest.mark.parametrize("whole", [True, False], ids=["model.h5", "weights only"])
def test_weights_of_keras_2_fill_a_model(whole: bool, other: Callable[[], Sequential], tmp_path: Path) -> None:
    model, empty = shaken(convnet()), other()

    empty.load_weights(write_keras2(model, tmp_path / "w.h5", whole=whole))

    np.testing.assert_array_equal(empty.predict(X), model.predict(X))


@pytest.mark.parametrize("make", [convnet, nested], ids=["convnet", "nested"])
def test_saved_weights_fill_a_model_again(make: Callable[[], BaseModel], tmp_path: Path) -> None:
    model, empty = shaken(make()), make()

    model.save_weights(tmp_path / "m.weights.h5")
    empty.load_weights(tmp_path / "m.weights.h5")

    np.testing.assert_array_equal(empty.predict(X), model.predict(X))
    with pytest.raises(
        BadValue, match=r"^save_weights\('m\.h5'\): takes a path that ends in \.weights\.h5, as in Keras"
    ):
        model.save_weights("m.h5")


def test_weights_that_do_not_fit_leave_the_model_as_it_was(tmp_path: Path) -> None:
    wider = Sequential([Input((6, 6, 2)), Conv2D(3, 3, name="conv2d"), Flatten(), Dense(4, name="dense")])
    model = Sequential([Input((6, 6, 2)), Conv2D(3, 3, name="conv2d"), Flatten(), Dense(5, name="dense")])
    before = model.get_weights()
    wider.save_weights(tmp_path / "m.weights.h5")

    for path in (tmp_path / "m.weights.h5", write_keras2(wider, tmp_path / "m.h5")):
        with pytest.raises(
            BadFile, match=r"its weights do not fit the model: dense: takes weights of shapes \[\(48, 5\)"
        ):
            model.load_weights(path)

    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_fewer_layers_are_counted(tmp_path: Path) -> None:
    path = write_keras2(Sequential([Input(4), Dense(2, name="only")]), tmp_path / "w.h5", whole=False)

    with pytest.raises(
        BadFile, match=r"they are of 1 layers \(only, \.\.\.\), the model has 4 with weights \(conv2d, "
    ):
        convnet().load_weights(path)


def test_numbers_of_a_normalization_that_are_built_in_are_not_changed(tmp_path: Path) -> None:
    import h5py

    model = Sequential([Input(2), Normalization(name="norm")])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"norm"]
        file.create_group("norm").attrs["weight_names"] = [b"mean:0", b"variance:0", b"count:0"]
        file["norm/mean:0"], file["norm/variance:0"], file["norm/count:0"] = [1.0, 2.0], [1.0, 1.0], 3

    with pytest.raises(BadValue, match=r"Normalization\('norm'\): has other numbers in the file, .* holdfast\.load"):
        model.load_weights(tmp_path / "w.h5")


def test_a_file_of_weights_is_no_model(tmp_path: Path) -> None:
    for path in (tmp_path / "m.weights.h5", write_keras2(convnet(), tmp_path / "w.h5", whole=False)):
        convnet().save_weights(tmp_path / "m.weights.h5")
        with pytest.raises(BadFile, match=r"h5: holds weights and no model; make the model .* model\.load_weights"):
            load(path)


def test_files_by_theano_are_refused_for_it_turned_its_kernels(tmp_path: Path) -> None:
    path = write_keras2(convnet(), tmp_path / "m.h5", backend="theano")

    with pytest.raises(BadFile, match=r"was written by Keras on Theano, which turns the kernels of Conv2D\('conv2d'\)"):
        load(path)


def test_what_is_none_of_these_is_told_what_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\x04onnx")
    (tmp_path / "empty").write_bytes(b"")

    for name in ("m.onnx", "empty"):
        with pytest.raises(BadFile, match=rf"{name}: is no model that holdfast reads; those are \.keras files, HDF5 "):
            load(tmp_path / name)
    with pytest.raises(BadFile, match=r"is a folder without a model\.json; "):
        load(tmp_path)
    convnet().save(tmp_path / "model.keras")
    with pytest.raises(BadFile, match=r"is a folder without a model\.json; load .*model\.keras\.$"):
        load(tmp_path)
    with pytest.raises(BadFile, match=r"nowhere: no such file\.$"):
        load(tmp_path / "nowhere")


def test_a_shard_that_is_missing_or_too_long_is_named(tmp_path: Path) -> None:
    path = write_tfjs(convnet(), tmp_path)
    with (tmp_path / "group1-shard2of2.bin").open("ab") as file:
        file.write(b"0")

    with pytest.raises(
        BadFile, match=r"model\.json: its weights take \d+ bytes by the manifest; the files .* have \d+\.$"
    ):
        load(path)
    (tmp_path / "group1-shard2of2.bin").unlink()
    with pytest.raises(BadFile, match=r"model\.json: names the file 'group1-shard2of2\.bin', which is not there\.$"):
        load(path)


def test_names_that_tfjs_gives_when_it_saves_are_understood(tmp_path: Path) -> None:
    model = shaken(convnet())
    path = write_tfjs(model, tmp_path)
    text = path.read_text().replace('"conv2d/kernel"', '"conv2d_Conv2D1/kernel_1"')
    path.write_text(text.replace('"dense/bias"', '"net/dense_Dense1/bias"'))

    np.testing.assert_array_equal(load(path).predict(X), model.predict(X))


def test_a_weight_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write_tfjs(convnet(), tmp_path)
    path.write_text(path.read_text().replace('"dense/bias"', '"dense/prejudice"'))

    with pytest.raises(
        BadFile, match=r"its weights do not fit the model: 'dense/bias' is not among them, or not once\.$"
    ):
        load(path)


def test_weights_of_names_that_mean_other_layers_here_go_by_place(tmp_path: Path) -> None:
    """Keras counts names over all models: a file's first layer, called as our second, gave that its weights."""
    theirs = Sequential([Input(3), Dense(3, name="dense_1"), Dense(3, name="dense_2")], seed=1)
    theirs.save_weights(tmp_path / "m.weights.h5")
    ours = Sequential([Input(3), Dense(3), Dense(3)], seed=2)

    ours.load_weights(tmp_path / "m.weights.h5")

    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
