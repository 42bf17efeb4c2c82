"""Our .keras files: what is in them, what comes back, and what damaged ones say."""

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from holdfast.core import BadFile, BadValue, HoldfastError
from holdfast.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Normalization,
    RandomModule,
    Rescaling,
)
from holdfast.models import Model, Sequential, load_keras

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


def net() -> Sequential:
    layers = [
        Normalization().adapt(X),
        Dense(5, "tanh"),
        BatchNormalization(),
        Dropout(0.5, seed=3),
        Dense(2, "softmax"),
    ]
    return Sequential([Input(4), *layers], "net", seed=7)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def test_a_trained_model_comes_back_with_its_classes_its_seed_and_its_name(tmp_path: Path) -> None:
    model = net()
    model.fit(X, ["cat", "dog"] * 15, epochs=2, verbose=0)
    path = tmp_path / "Läufe von heute" / "das Modell.keras"

    model.save(path)
    again = load_keras(path)

    assert isinstance(again, Sequential)
    assert (again.classes, again.seed, again.name) == (("cat", "dog"), 7, "net")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_came_back_learns_on_as_a_fresh_one_with_these_weights(tmp_path: Path) -> None:
    model = net()
    model.save(tmp_path / "m.keras")
    again = load_keras(tmp_path / "m.keras")

    for one in (model, again):
        one.fit(X, np.arange(30) % 2, epochs=2, verbose=0)

    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_saving_twice_gives_the_same_but_for_the_date(tmp_path: Path) -> None:
    model = net()

    for name in ("one.keras", "other.keras"):
        model.save(tmp_path / name)

    one, other = members(tmp_path / "one.keras"), members(tmp_path / "other.keras")
    assert one.keys() == other.keys() == {"metadata.json", "config.json", "holdfast.json", "model.weights.h5"}
    assert {name for name in one if one[name] != other[name]} <= {"metadata.json"}


def test_weights_lie_where_keras_keeps_them(tmp_path: Path) -> None:
    inner = Sequential([Input(4), Dense(3)], name="inner")
    x = Input(4)
    deep = Model(y := Input(3), Dense(3, name="zz")(y))
    model = Model(x, Dense(2, name="aa")(deep(inner(Dense(4, name="bb")(x)))))
    model.save(tmp_path / "m.keras")
    (tmp_path / "w.h5").write_bytes(members(tmp_path / "m.keras")["model.weights.h5"])

    with h5py.File(tmp_path / "w.h5") as file:
        found: list[str] = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        names = [str(file[f"layers/{place}/vars"].attrs["name"]) for place in ("dense", "dense_1", "sequential")]

    assert sorted(found) == [
        f"layers/{place}/vars/{number}"
        for place in ("dense", "dense_1", "functional/layers/dense", "sequential/layers/dense")
        for number in (0, 1)
    ]
    assert names == ["bb", "aa", "inner"]


def test_a_submodel_used_twice_comes_back_as_one(tmp_path: Path) -> None:
    inner = Sequential([Input((4, 4, 1)), Conv2D(2, 3, activation="relu"), BatchNormalization()], name="inner")
    a, b = Input((4, 4, 1), name="a"), Input((4, 4, 1), name="b")
    model = Model([a, b], Dense(2)(Flatten()(Add()([inner(a), inner(b)]))))
    x = [np.random.default_rng(seed).normal(size=(3, 4, 4, 1)).astype(np.float32) for seed in (0, 1)]

    model.save(tmp_path / "m.keras")
    again = load_keras(tmp_path / "m.keras")

    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.count_params() == model.count_params()


def test_a_submodel_that_is_met_in_two_ways_is_refused_for_keras_cannot_read_it(tmp_path: Path) -> None:
    encoder = Sequential([Input(4), Dense(2)], name="encoder")
    a, b = Input(4), Input(4)
    middle = Model(a, Dense(2)(encoder(a)), name="middle")
    model = Model(b, Add()([encoder(b), middle(b)]), name="outer")

    with pytest.raises(BadValue) as caught:
        model.save(tmp_path / "m.keras")

    assert str(caught.value) == (
        "model 'encoder' stands in two models of 'outer'; the .keras format cannot say that they are one, "
        "so call it in one of them only."
    )
    assert list(tmp_path.iterdir()) == []


def test_files_of_early_keras_without_names_are_read_by_place(tmp_path: Path) -> None:
    model = net()
    model.save(tmp_path / "m.keras")
    content = members(tmp_path / "m.keras")
    (tmp_path / "w.h5").write_bytes(content["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        for part in file["layers"].values():
            del part["vars"].attrs["name"]
    write(tmp_path / "old.keras", {**content, "model.weights.h5": (tmp_path / "w.h5").read_bytes()})

    np.testing.assert_array_equal(load_keras(tmp_path / "old.keras").predict(X), model.predict(X))


def test_dropout_keeps_its_own_seed(tmp_path: Path) -> None:
    net().save(tmp_path / "m.keras")

    modules = [m for m in load_keras(tmp_path / "m.keras").module.modules() if isinstance(m, RandomModule)]

    assert [module.own for module in modules] == [3]


def test_what_cannot_be_saved_leaves_what_was_there(tmp_path: Path) -> None:
    class Mine(Rescaling):
        """A layer of the user's own."""

    path = tmp_path / "m.keras"
    path.write_text("precious")

    with pytest.raises(BadValue, match=r"^layer 'mine': the \.keras format has no word for Mine; "):
        Sequential([Input(4), Mine(2.0)]).save(path)

    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "m.keras"
    folder.mkdir()

    with pytest.raises(BadFile, match=r"^cannot write .*: Is a directory$"):
        net().save(folder)


@pytest.mark.parametrize("name", ["m.h5", "m", "m.keras.zip", None], ids=str)
def test_another_ending_is_refused_which_used_to_get_a_keras_archive_under_its_name(
    name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(BadValue) as caught:
        net().save(name)  # type: ignore[arg-type]  # None is what the test is about, too

    assert str(caught.value) == f"save({name!r}): takes a path that ends in .keras, the one format there is."
    assert list(tmp_path.iterdir()) == []


def without(name: str) -> Any:  # Any: a function from the members of a file to those of a damaged one
    return lambda content: {key: value for key, value in content.items() if key != name}


def changed(name: str, value: bytes) -> Any:  # Any: as above
    return lambda content: {**content, name: value}


def edited(change: Any) -> Any:  # Any: as above, from a change of the configuration
    def edit(content: dict[str, bytes]) -> dict[str, bytes]:
        config = json.loads(content["config.json"])
        change(config["config"])
        return {**content, "config.json": json.dumps(config).encode()}

    return edit


IS_NONE = "is no .keras model file, or a damaged one: "
DAMAGED = [
    ("no configuration", without("config.json"), IS_NONE + "There is no item named 'config.json' in the archive"),
    ("no weights", without("model.weights.h5"), IS_NONE + "There is no item named 'model.weights.h5' in the archive"),
    ("no JSON", changed("config.json", b"{"), IS_NONE + "Expecting property name enclosed in double quotes"),
    ("no text", changed("config.json", b"\xff\xfe\x00"), IS_NONE),
    ("a list", changed("config.json", b"[]"), "its config.json is no JSON object."),
    ("empty", changed("config.json", b"{}"), 'the model configuration has no "config" with "layers".'),
    ("no layers", edited(lambda config: config["layers"].clear()), ""),
    ("no rows", edited(lambda config: config.update(layers=[1, 2])), IS_NONE),
    ("no class", edited(lambda config: config["layers"][1].pop("class_name")), "unknown layer None"),
    ("empty weights", changed("model.weights.h5", b""), IS_NONE),
    ("no HDF5", changed("model.weights.h5", b"not HDF5 at all" * 99), IS_NONE),
    (
        "another width",
        edited(lambda config: config["layers"][2]["config"].update(units=6)),
        "its weights do not fit the model: dense: takes weights of shapes [(4, 6), (6,)], got [(4, 5), (5,)].",
    ),
    (
        "another layer",
        edited(lambda config: config["layers"][2].update(class_name="LSTM")),
        "unknown layer 'LSTM'; docs/keras.md lists those that there are",
    ),
]


@pytest.mark.parametrize(("name", "damage", "text"), DAMAGED, ids=[name for name, _, _ in DAMAGED])
def test_a_damaged_file_is_one_line_that_names_it(
    name: str, damage: Any, text: str, tmp_path: Path
) -> None:  # as above
    net().save(tmp_path / "whole.keras")
    write(tmp_path / "damaged.keras", damage(members(tmp_path / "whole.keras")))

    with pytest.raises(HoldfastError) as caught:
        load_keras(tmp_path / "damaged.keras").get_weights()

    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'damaged.keras'}: {text}") or not text
    assert "\n" not in said
    assert len(said.removeprefix(str(tmp_path))) < 500


@pytest.mark.parametrize("place", range(8))
def test_a_file_with_any_byte_changed_or_cut_off_loads_or_says_why(place: int, tmp_path: Path) -> None:
    net().save(tmp_path / "whole.keras")
    data = bytearray((tmp_path / "whole.keras").read_bytes())
    at = len(data) * (2 * place + 1) // 16
    (tmp_path / "cut.keras").write_bytes(data[:at])
    data[at] ^= 0xFF
    (tmp_path / "changed.keras").write_bytes(data)

    with pytest.raises(HoldfastError, match=r"cut\.keras: is no \.keras model file, or a damaged one: "):
        load_keras(tmp_path / "cut.keras")
    with pytest.raises(HoldfastError, match=r"changed\.keras: "):
        load_keras(tmp_path / "changed.keras")  # the archive has a checksum for each member


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("hello")
    (tmp_path / "empty.keras").write_text("")

    for name in ("text.keras", "empty.keras"):
        with pytest.raises(
            BadFile, match=rf"{name}: is no \.keras model file, or a damaged one: File is not a zip file$"
        ):
            load_keras(tmp_path / name)
    with pytest.raises(BadFile, match=r"nowhere\.keras: no such file\.$"):
        load_keras(tmp_path / "nowhere.keras")
    with pytest.raises(BadFile, match=r"is no \.keras model file, or a damaged one: Is a directory$"):
        load_keras(tmp_path)


def test_a_configuration_of_absurd_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net().save(tmp_path / "m.keras")
    monkeypatch.setattr("holdfast.models.reading.LARGEST_JSON", 100)

    with pytest.raises(BadFile, match=r"m\.keras: its config\.json is larger than 0 MiB\.$"):
        load_keras(tmp_path / "m.keras")
