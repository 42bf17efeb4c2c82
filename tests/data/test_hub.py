"""Datasets of Hugging Face and of torch: the real packages, offline."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import TensorDataset

from holdfast.core import BadData, BadValue
from holdfast.data import load
from holdfast.data.hub import is_object, read_object
from holdfast.data.options import Reading
from holdfast.data.sealed import open_seal
from holdfast.data.source import TEST, TRAIN, VALIDATION

datasets: Any = pytest.importorskip("datasets")  # Any: comes without types


def pixels(index: int, size: tuple[int, int] = (8, 6)) -> NDArray[np.uint8]:
    return np.random.default_rng(index).integers(0, 256, (*size, 3), np.uint8)


def png(index: int, size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(index, size)).save(file, "PNG")
    return file.getvalue()


def pictures(count: int, *, start: int = 0, names: tuple[str, ...] = ("cat", "dog"), **columns: Any) -> Any:
    """A dataset of pictures, of the classes by turns."""
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=list(names)),
        **{name: datasets.Value("string") for name in columns},
    }
    rows = {
        "image": [{"bytes": png(start + index), "path": None} for index in range(count)],
        "label": [index % len(names) for index in range(count)],
        **columns,
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def test_a_column_of_pictures_and_one_of_classes_are_found() -> None:
    data = load(pictures(20))

    assert (data.classes, data.shape, data.kind) == (("cat", "dog"), (8, 6, 3), "pictures")
    assert data.train.names[0].startswith("train[")
    place = int(data.train.names[0][6:-1])
    assert data.train.images[0].numpy().tolist() == pixels(place).tolist()


def test_splits_are_the_parts() -> None:
    given = datasets.DatasetDict(train=pictures(8), validation=pictures(4, start=50), test=pictures(4, start=80))

    data = load(given)

    assert (len(data.train), len(data.validation), len(data.test)) == (8, 4, 4)
    assert open_seal(data.test).names == [f"test[{index}]" for index in range(4)]


def test_another_name_of_a_split_is_asked_about() -> None:
    with pytest.raises(BadData, match=r"the splits are train, extra; .* choose them: load\(\{'train'"):
        load({"train": pictures(4), "extra": pictures(4)})


def test_a_split_without_labels_is_named() -> None:
    hidden = pictures(4, start=9).map(lambda row: {"label": -1})

    with pytest.raises(BadData, match=r"test\[0\] has no label \(-1\); leave the split out"):
        load({"train": pictures(8), "test": hidden})


def test_groups_are_a_column() -> None:
    patients = [f"p{index // 4}" for index in range(40)]

    data = load(pictures(40, patient=patients), group_by="patient")

    assert data.facts.groups == 10
    train, selecting = ({patients[int(name[6:-1])] for name in part.names} for part in (data.train, data.validation))
    assert not train & selecting


def test_pictures_are_decoded_as_in_files(tmp_path: Path) -> None:
    for index in range(20):
        folder = tmp_path / ("cat", "dog")[index % 2]
        folder.mkdir(exist_ok=True)
        (folder / f"{index:02}.png").write_bytes(png(index, (12, 9)))
    rows = [{"bytes": png(index, (12, 9)), "path": None} for index in range(20)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    given = datasets.Dataset.from_dict({"image": rows, "label": [0, 1] * 10}, features=features)

    one, other = read_object(given, Reading(image_size=(8, 8))), load(tmp_path, image_size=8)

    assert isinstance(one.images, np.ndarray)
    seen = {picture.tobytes() for picture in one.images}
    assert {picture.numpy().tobytes() for picture in other.train.images} <= seen


def test_a_bad_picture_is_named_and_can_be_left_out() -> None:
    rows = [{"bytes": png(index) if index != 3 else b"no picture", "path": None} for index in range(20)]
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    given = datasets.Dataset.from_dict({"image": rows, "label": [0, 1] * 10}, features=features)

    with pytest.raises(BadData, match=r"train\[3\]"):
        load(given)
    data = load(given, skip_bad=True)

    assert [file.path for file in data.facts.skipped] == ["train[3]"]


def test_columns_of_numbers_are_arrays() -> None:
    values = np.random.default_rng(0).random((20, 5, 2), np.float32)
    features = datasets.Features({"x": datasets.Array2D((5, 2), "float32"), "label": datasets.Value("string")})
    given = datasets.Dataset.from_dict({"x": values, "label": ["up", "down"] * 10}, features=features)

    source = read_object({"train": given, "val": given, "test": given}, Reading())

    assert source.classes == ("down", "up")
    assert source.parts.tolist() == [TRAIN] * 20 + [VALIDATION] * 20 + [TEST] * 20
    assert isinstance(source.images, np.ndarray)
    np.testing.assert_array_equal(source.images[:20].reshape(20, 5, 2), values)


def test_two_columns_that_could_be_the_label_are_asked_about() -> None:
    given = pictures(8).add_column("second", [0] * 8).cast_column("second", datasets.ClassLabel(names=["a", "b"]))

    with pytest.raises(BadData, match="label, second are the columns; which is the one of labels"):
        load(given)

    assert load(pictures(20, other=["a", "b"] * 10), label_by="other").classes == ("a", "b")


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(BadData, match="label_by='kind' is no column of the dataset; it has image, label"):
        load(pictures(8), label_by="kind")


def test_a_stream_is_refused() -> None:
    with pytest.raises(BadData, match="without streaming"):
        load(pictures(8).to_iterable_dataset())


def test_other_objects_are_refused() -> None:
    assert not is_object({"x": 1})
    with pytest.raises(BadValue, match=r"load\(list\): takes a path, a name, or a dataset"):
        load([1, 2])


def test_a_tensor_dataset_of_torch_is_read_with_channels_last() -> None:
    images = torch.rand(20, 3, 8, 6)

    source = read_object(TensorDataset(images, torch.arange(20) % 2), Reading())

    assert (source.classes, source.shape) == (("0", "1"), (8, 6, 3))
    assert isinstance(source.images, np.ndarray)
    np.testing.assert_array_equal(source.images[7], images[7].permute(1, 2, 0).numpy())


class Photos(TorchDataset[tuple[Image.Image, int]]):
    """As torchvision's ImageFolder: pictures of Pillow of any size, and the names of the classes."""

    classes = ("cat", "dog")

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(pixels(index, (10 + index, 12))), index % 2


def test_pictures_of_pillow_are_resized_as_files_are() -> None:
    source = read_object(Photos(), Reading(image_size=(9, 9)))

    assert (source.classes, source.shape) == (("cat", "dog"), (9, 9, 3))
    assert source.labels.tolist() == [0, 1] * 6


def test_sounds_are_decoded_by_our_reader() -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("holdfast.data.sounds")
    rows = []
    for index in range(12):
        file = io.BytesIO()
        soundfile.write(file, np.random.default_rng(index).uniform(-0.5, 0.5, 800).astype("f4"), 8000, format="WAV")
        rows.append({"bytes": file.getvalue(), "path": f"{index}.wav"})
    struct = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"audio": struct, "label": datasets.ClassLabel(names=["yes", "no"])})
    given = datasets.Dataset.from_dict({"audio": rows, "label": [0, 1] * 6}, features=features)

    data = load(given.cast_column("audio", datasets.Audio()))

    assert (data.kind, data.classes) == ("sounds", ("yes", "no"))
    assert data.shape[0] == 800
