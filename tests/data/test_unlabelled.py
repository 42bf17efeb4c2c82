"""A pool of samples without labels, beside those with labels."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast import data
from holdfast.core import BadData, BadFile, BadShape
from holdfast.data import Dataset

RANDOM = np.random.default_rng(7)


def picture(path: Path, seed: int, *, quality: int = 0, size: int = 72) -> Path:
    """A smooth picture that no other seed resembles; as PNG, or as JPEG of a quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    image.save(path, quality=quality) if quality else image.save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of ten pictures, and five others without labels."""
    for number in range(20):
        picture(tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    for number in range(5):
        picture(tmp_path / "photos" / "unlabelled" / f"x{number}.png", 100 + number)
    return tmp_path / "photos"


def known(loaded: Dataset) -> tuple[int, int, int]:
    return len(loaded.train), len(loaded.validation), len(loaded.test)


def names(loaded: Dataset) -> list[str]:
    assert loaded.unlabelled is not None
    return sorted(loaded.unlabelled.names)


def test_the_folder_unlabelled_is_a_pool_and_no_class(photos: Path) -> None:
    loaded = data.load(photos)

    assert loaded.classes == ("cat", "dog")
    assert sum(known(loaded)) == 20
    assert names(loaded) == [f"unlabelled/x{number}.png" for number in range(5)]
    assert loaded.unlabelled is not None
    assert loaded.unlabelled.labels.tolist() == [-1] * 5
    assert loaded.unlabelled.images.shape == (5, 72, 72, 3)
    assert "5 samples without labels are a pool for pre-training" in loaded.facts.notes


def test_it_may_be_spelt_with_one_l(photos: Path) -> None:
    (photos / "unlabelled").rename(photos / "unlabeled")

    loaded = data.load(photos)

    assert loaded.classes == ("cat", "dog")
    assert len(names(loaded)) == 5


def test_it_may_hold_folders_and_stand_beside_train(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    shutil.copytree(photos / "cat", root / "train" / "cat")
    shutil.copytree(photos / "dog", root / "train" / "dog")
    picture(root / "unlabelled" / "2021" / "a.png", 200)
    picture(root / "train" / "unlabelled" / "b.png", 201)

    loaded = data.load(root)

    assert loaded.classes == ("cat", "dog")
    assert names(loaded) == ["train/unlabelled/b.png", "unlabelled/2021/a.png"]


def test_a_zip_has_one_too(photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.png")):
            archive.write(path, path.relative_to(photos))

    loaded = data.load(tmp_path / "photos.zip")

    assert loaded.classes == ("cat", "dog")
    assert len(names(loaded)) == 5


def test_copies_and_near_copies_of_labelled_samples_are_no_part_of_it(photos: Path) -> None:
    shutil.copy(photos / "dog" / "0.png", photos / "unlabelled" / "exact.png")
    picture(photos / "unlabelled" / "near.jpg", 1, quality=85)

    loaded = data.load(photos)

    assert len(names(loaded)) == 5
    assert not {"unlabelled/exact.png", "unlabelled/near.jpg"} & set(names(loaded))
    note = "5 samples without labels are a pool for pre-training; 2 more, copies of labelled ones, are left out"
    assert note in loaded.facts.notes


def test_a_near_copy_of_a_near_copy_is_left_out_too(photos: Path) -> None:
    picture(photos / "unlabelled" / "near.jpg", 1, quality=90)
    with Image.open(photos / "unlabelled" / "near.jpg") as image:
        image.save(photos / "unlabelled" / "nearer.jpg", quality=60)

    assert len(names(data.load(photos))) == 5


def test_parts_are_the_same_with_a_pool_as_without(photos: Path) -> None:
    with_pool = data.load(photos, seed=3)
    shutil.rmtree(photos / "unlabelled")

    without = data.load(photos, seed=3)

    assert with_pool.split_fingerprint == without.split_fingerprint
    assert list(with_pool.train.names) == list(without.train.names)
    assert without.unlabelled is None


def test_the_fingerprint_of_the_data_knows_the_pool(photos: Path) -> None:
    first = data.load(photos).fingerprint
    picture(photos / "unlabelled" / "more.png", 300)

    assert data.load(photos).fingerprint != first


def test_without_a_pool_fingerprints_are_those_of_before() -> None:
    loaded = data.from_arrays([[[index]] for index in range(20)], [0, 1] * 10)

    assert (loaded.fingerprint, loaded.split_fingerprint) == ("faa37a3b9b201d20", "50837b80139fd1cc")


def test_a_regular_expression_for_groups_need_not_match_it(photos: Path) -> None:
    loaded = data.load(photos, group_by=r"(?:cat|dog)/(\d)")

    assert sum(known(loaded)) == 20
    assert len(names(loaded)) == 5


def test_a_pool_alone_cannot_be_trained_on(tmp_path: Path) -> None:
    picture(tmp_path / "only" / "unlabelled" / "a.png", 0)

    with pytest.raises(BadData, match="no sample has a label; learn from them as they are with: holdfast pretrain"):
        data.load(tmp_path / "only")


def test_arrays_have_a_pool() -> None:
    values = RANDOM.normal(size=(40, 5)).astype(np.float32)
    others = np.concatenate([values[:3], RANDOM.normal(size=(7, 5)).astype(np.float32)])

    loaded = data.from_arrays(values, [0, 1] * 20, unlabelled=others)

    assert names(loaded) == [f"unlabelled[{number}]" for number in range(3, 10)]
    assert sum(known(loaded)) == 40
    assert loaded.unlabelled is not None
    assert np.allclose(loaded.unlabelled.images.numpy(), others[3:])


def test_a_pool_of_arrays_is_like_the_samples() -> None:
    with pytest.raises(BadShape, match=r"train images have shape \(5,\), unlabelled images \(6,\)"):
        data.from_arrays(np.zeros((4, 5)), [0, 1] * 2, unlabelled=np.zeros((4, 6)))


def test_an_npz_has_a_pool(tmp_path: Path) -> None:
    x = RANDOM.integers(0, 256, (30, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x=x[:20], y=[0, 1] * 10, unlabelled=x[20:])

    loaded = data.load(tmp_path / "a.npz")

    assert len(names(loaded)) == 10
    assert loaded.shape == (8, 8, 1)


def test_folds_keep_the_pool(photos: Path) -> None:
    loaded = data.load(photos)

    fold = loaded.with_parts(loaded.pool.take(range(8)), loaded.pool.take(range(8, 12)))

    assert fold.unlabelled is loaded.unlabelled


def test_shards_hold_labelled_samples_only(photos: Path, tmp_path: Path) -> None:
    manifest = data.write_shards(photos, tmp_path / "shards", shard_size="1MB")

    loaded = data.load(manifest)

    assert loaded.classes == ("cat", "dog")
    assert sum(known(loaded)) == 20
    assert loaded.unlabelled is None


def test_a_folder_without_class_folders_is_a_pool(photos: Path) -> None:
    loaded = data.load_pool(photos / "unlabelled")

    assert (known(loaded), loaded.classes, loaded.things) == ((0, 0, 0), (), "pictures")
    assert len(names(loaded)) == 5
    assert loaded.shape == (72, 72, 3)


def test_files_in_a_single_folder_are_a_pool_and_not_of_one_class(photos: Path) -> None:
    shutil.rmtree(photos / "dog")
    shutil.rmtree(photos / "unlabelled")
    picture(photos / "beside.png", 50)

    loaded = data.load_pool(photos)

    assert known(loaded) == (0, 0, 0)
    assert len(names(loaded)) == 11


def test_data_with_classes_gives_its_training_part_and_its_pool(photos: Path) -> None:
    loaded = data.load_pool(photos, seed=2)

    assert loaded.split_fingerprint == data.load(photos, seed=2).split_fingerprint
    assert len(names(loaded)) == 5


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_arrays_in_files_are_pools(tmp_path: Path, name: str) -> None:
    values = RANDOM.integers(0, 256, (12, 8, 8), np.uint8)
    np.save(tmp_path / name, values) if name == "x.npy" else np.savez(tmp_path / name, unlabelled=values)

    loaded = data.load_pool(tmp_path / name)

    assert len(names(loaded)) == 12
    assert loaded.shape == (8, 8, 1)


def test_what_is_no_pool_is_named(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "empty").mkdir()
    (photos / "unlabelled" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "x.npy").write_bytes(b"no array")
    np.savez(tmp_path / "y.npz", labels=[1])

    with pytest.raises(BadData, match="empty: is an empty folder; put files into it"):
        data.load_pool(tmp_path / "empty")
    with pytest.raises(BadData, match=r"1 of 6 files cannot be read: bad.png .*--skip-bad"):
        data.load_pool(photos / "unlabelled")
    with pytest.raises(BadFile, match=r"x.npy: is no .npy of a plain array"):
        data.load_pool(tmp_path / "x.npy")
    with pytest.raises(BadData, match=r"y.npz: holds labels; call the samples 'unlabelled'"):
        data.load_pool(tmp_path / "y.npz")
    assert len(names(data.load_pool(photos / "unlabelled", skip_bad=True))) == 5
