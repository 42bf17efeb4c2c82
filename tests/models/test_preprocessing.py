"""What travels with a model besides layers and weights: how files are read, classes, and when an answer is unknown."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from holdfast.core import BadFile, BadValue
from holdfast.data import read_image
from holdfast.layers import Dense, Flatten, Input, Rescaling
from holdfast.models import Extras, Pictures, Sequential, Unknown, extras, load_keras, take_extras


def small(channels: int = 3, classes: int = 2) -> Sequential:
    layers = [Rescaling(1 / 255), Flatten(), Dense(classes, activation="softmax")]
    return Sequential([Input((4, 5, channels), name="picture"), *layers], seed=1)


def reading() -> Sequential:
    model = small()
    model.classes, model.reads = ("cat", "dög"), Pictures.of(model)
    model.unknown = Unknown(0.25, 3.5, np.array([[0.5, -0.5], [-0.25, 0.25]]), 0.95)
    return model


def picture(path: Path, side: int = 17, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 4, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_model_reads_files_as_training_does(tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{seed}.png", seed=seed) for seed in range(3)]

    assert Pictures((4, 5), 3).read(paths).tolist() == [read_image(path, (4, 5, 3)).tolist() for path in paths]


def test_predict_takes_paths(tmp_path: Path) -> None:
    model, path = reading(), picture(tmp_path / "a.png")
    wanted = model.predict(read_image(path, (4, 5, 3)).numpy()[None])

    assert np.array_equal(model.predict(path), wanted)
    assert np.array_equal(model.predict([str(path)]), wanted)


def test_predict_reads_files_as_the_model_says(tmp_path: Path) -> None:
    model, path = reading(), picture(tmp_path / "a.png")
    model.reads = Pictures((4, 5), 3, interpolation="nearest", antialias=False)

    wanted = model.predict(read_image(path, (4, 5, 3), interpolation="nearest").numpy()[None])

    assert np.array_equal(model.predict(path), wanted)


def test_a_model_that_does_not_say_how_refuses_paths(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"does not say how files .*Pictures\.of"):
        small().predict([picture(tmp_path / "a.png")])


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_text("no")

    with pytest.raises(BadFile, match=r"b\.png: not a picture"):
        reading().predict([picture(tmp_path / "a.png"), tmp_path / "b.png"])


@pytest.mark.parametrize(
    "shape", [(4, 4, 2), (16,), (4, 4), (2, 4, 4, 1)], ids=["two channels", "vector", "series", "volume"]
)
def test_models_of_anything_else_read_no_pictures(shape: tuple[int, ...]) -> None:
    assert Pictures.of(Sequential([Input(shape), Dense(2)])) is None


def test_all_of_it_is_in_a_keras_file(tmp_path: Path) -> None:
    model = reading()
    model.save(tmp_path / "m.keras")

    again = load_keras(tmp_path / "m.keras")

    assert extras(again) == extras(model)
    assert (again.classes, again.reads) == (("cat", "dög"), Pictures((4, 5), 3))
    assert again.unknown is not None


def test_it_says_what_the_model_takes_and_gives() -> None:
    plain = extras(reading())

    assert (plain["inputs"], plain["outputs"]) == ({"picture": [4, 5, 3]}, {"dense": [2]})


def test_json_brings_it_back() -> None:
    plain = extras(reading())

    assert Extras.from_dict(json.loads(json.dumps(plain))).to_dict() == plain


def test_files_of_before_have_less(tmp_path: Path) -> None:
    reading().save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        for name in new.namelist():
            content = b'{"classes": ["a", "b"], "seed": 3, "unknown": null}'
            old.writestr(name, content if name == "holdfast.json" else new.read(name))

    model = load_keras(tmp_path / "old.keras")

    assert (model.classes, model.reads, model.seed) == (("a", "b"), None, 3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"fit": "shrink"}, "fit='shrink'"),
        ({"interpolation": "wavelet"}, "interpolation='wavelet'"),
        ({"antialias": False}, "antialias=False"),
        ({"values": [-1, 1]}, r"values=\(-1, 1\)"),
        ({"size": [4, 5, 6]}, r"size=\(4, 5, 6\)"),
        ({"size": [0, 5]}, r"size=\(0, 5\)"),
        ({"size": 4}, "not iterable"),
        ({"size": [10**9, 10**9]}, "up to 16,384"),
        ({"channels": 2}, "channels=2"),
        ({"mean": 3}, "got .*mean"),
    ],
    ids=str,
)
def test_another_way_to_read_is_refused_by_name(wrong: dict[str, Any], says: str) -> None:
    plain = extras(reading())
    plain["reads"] |= wrong

    with pytest.raises(BadFile, match=says):
        take_extras(small(), plain)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"classes": ["a", "b", "c"]}, "names 3 classes; the model has 2 outputs"),
        ({"classes": {"a": 1}}, "a list is needed, got dict"),
        ({"reads": {"size": [8, 8], "channels": 3}}, r"pictures as \(8, 8, 3\); the model takes \(4, 5, 3\)"),
        ({"unknown": {"below": 1}}, "damaged"),
        ({"unknown": {"below": 0, "beyond": 0, "coverage": 0.9, "usual": [[0]]}}, "for 1 classes; the model has 2"),
        ({"unknown": {"below": 0, "beyond": 0, "coverage": 0.9, "usual": [[float("nan")]]}}, "no table of numbers"),
        ({"inputs": 3}, "damaged"),
        ({"seed": "x"}, "damaged"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_model_is_refused(wrong: dict[str, Any], says: str) -> None:
    model = small()

    with pytest.raises(BadFile, match=says):
        take_extras(model, extras(reading()) | wrong)

    assert (model.classes, model.unknown, model.reads) == (None, None, None)


def test_no_object_is_refused() -> None:
    with pytest.raises(BadFile, match="damaged"):
        take_extras(small(), [1])
