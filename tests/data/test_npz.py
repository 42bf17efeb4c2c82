"""NumPy archives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core import BadData, BadFile, BadShape
from holdfast.data import load
from holdfast.data.sealed import open_seal

IMAGES = np.arange(40 * 4, dtype=np.uint8).reshape(40, 2, 2)
LABELS = np.arange(40) % 2


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("x_train", "y_train")], ids=str)
def test_pairs_go_by_several_names(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays: dict[str, Any] = {names[0]: IMAGES, names[1]: LABELS}  # Any: savez has options among its names
    np.savez(tmp_path / "shapes.npz", **arrays)

    data = load(tmp_path / "shapes.npz")

    assert (len(data.train), len(data.validation), len(data.test)) == (28, 6, 6)
    assert (data.name, data.shape, data.classes) == ("shapes", (2, 2, 1), ("0", "1"))


def test_the_test_part_of_keras_is_the_test_part(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "m.npz", x_train=IMAGES[:30], y_train=LABELS[:30], x_test=IMAGES[30:], y_test=LABELS[30:]
    )

    data = load(tmp_path / "m.npz")

    assert (len(data.train), len(data.validation)) == (26, 4)
    assert open_seal(data.test).images[..., 0].numpy().tolist() == IMAGES[30:].tolist()


def test_other_names_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pixels=IMAGES, y=LABELS)

    with pytest.raises(BadData, match=r"a\.npz: holds pixels, y; accepted are x and y, images and labels, or x_train"):
        load(tmp_path / "a.npz")


def test_test_images_without_labels_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES)

    with pytest.raises(BadData, match=r"a\.npz: holds x_test, x_train, y_train; accepted are"):
        load(tmp_path / "a.npz")


def test_damaged_and_pickled_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", x=IMAGES, y=LABELS)
    whole = (tmp_path / "whole.npz").read_bytes()
    np.savez(tmp_path / "pickled.npz", x=IMAGES, y=np.array([None] * 40, object))
    np.save(tmp_path / "one.npy", IMAGES)
    contents = {
        "half.npz": whole[: len(whole) // 2],
        "empty.npz": b"",
        "text.npz": b"no archive",
        "pickled.npz": (tmp_path / "pickled.npz").read_bytes(),
        "one.npz": (tmp_path / "one.npy").read_bytes(),
    }

    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadFile, match=f"/{name}: is not an .npz of plain arrays: "):
            load(tmp_path / name)


def test_one_hot_labels_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=IMAGES, y=np.eye(2)[LABELS])

    with pytest.raises(BadShape, match=r"labels have shape \(40, 2\)"):
        load(tmp_path / "a.npz")
