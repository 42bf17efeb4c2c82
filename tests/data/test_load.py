"""`load` from end to end: every kind of data, bad files, sizes, duplicates, and what comes back."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.core import BadData, BadFile, BadValue, UnknownName
from holdfast.data import BadFileFound, Dataset, Part, load, read_image
from holdfast.data import folder as folders
from holdfast.data.remote import cache_folder
from holdfast.data.sealed import open_seal

MakePhotos = Callable[..., Path]  # the fixture


def parts(data: Dataset) -> tuple[Part, Part, Part]:
    return data.train, data.validation, open_seal(data.test)


def sizes(data: Dataset) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


@pytest.mark.slow
def test_the_bundled_digits_are_scaled_to_bytes() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = load("digits")

    assert sizes(data) == (1257, 270, 270)
    assert (data.name, data.shape, data.classes) == ("digits", (8, 8, 1), tuple("0123456789"))
    for part in parts(data):
        rows = [int(name.removeprefix("digits[").removesuffix("]")) for name in part.names]
        assert part.labels.tolist() == digits.target[rows].tolist()
        assert np.abs(part.images[..., 0].numpy() - digits.images[rows] * 255 / 16).max() <= 0.5
    assert int(data.train.images.max()) == 255


@pytest.mark.slow
def test_the_name_of_bundled_data_wins_over_a_folder_and_says_so(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "digits", cat=3, dog=3)

    assert load("digits").facts.notes == ("the bundled digits were read; for what has this name here write ./digits",)
    assert load("./digits").classes == ("cat", "dog")


def test_a_folder_of_pictures_becomes_three_parts(tmp_path: Path, make_photos: MakePhotos) -> None:
    data = load(make_photos(tmp_path / "photos", cat=20, dog=20, fox=20))

    assert sizes(data) == (42, 9, 9)
    assert (data.name, data.shape, data.classes) == ("photos", (8, 8, 3), ("cat", "dog", "fox"))
    for part in parts(data):
        assert [name.split("/")[0] for name in part.names] == [data.classes[label] for label in part.labels]
        assert len(set(torch.bincount(part.labels).tolist())) == 1


def test_origin_loads_the_same_again(tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photos(tmp_path / "photos", cat=9, dog=9)
    (tmp_path / "photos" / "cat" / "notes.txt").write_text("none")
    monkeypatch.chdir(tmp_path)

    data = load("photos", validation=0.2, test=0.3, seed=5, image_size=(6, 4), skip_bad=True)
    monkeypatch.chdir("/")
    again = load(**json.loads(json.dumps(data.origin)))

    assert data.origin["path"] == str(tmp_path / "photos")
    assert data.shape == (6, 4, 3)
    assert again.split_fingerprint == data.split_fingerprint
    assert again.fingerprint == data.fingerprint
    assert again.facts == data.facts
    assert again.origin == data.origin


def test_another_image_size_makes_no_other_samples(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, size=(20, 20), cat=9, dog=9)

    small, large = load(folder, image_size=8), load(folder, image_size=16)

    # Else the test part would count as never opened at each size that is tried.
    assert [part.fingerprint for part in (small.train, small.validation, small.test, small.pool)] == [
        part.fingerprint for part in (large.train, large.validation, large.test, large.pool)
    ]
    assert small.split_fingerprint == large.split_fingerprint


def test_the_order_of_the_file_system_does_not_matter(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path, cat=9, dog=9)
    expected = load(folder).split_fingerprint
    entries = folders._entries

    monkeypatch.setattr(folders, "_entries", lambda folder: iter(list(entries(folder))[::-1]))

    assert load(folder).split_fingerprint == expected


def test_load_and_read_image_give_the_same_pixels(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, size=(40, 30), cat=4, dog=4)
    picture = Image.open(folder / "cat" / "0.png").resize((64, 48))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "cat" / "turned.jpg", exif=exif)
    picture.convert("L").save(folder / "cat" / "grey.jpg")
    picture.convert("CMYK").save(folder / "cat" / "cmyk.jpg")
    picture.quantize(16).save(folder / "dog" / "palette.gif")
    picture.convert("RGBA").rotate(30).save(folder / "dog" / "alpha.webp", lossless=True)
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 250).save(folder / "dog" / "deep.png")

    data = load(folder, image_size=16)

    seen = 0
    for part in parts(data):
        for image, name in zip(part.images, part.names, strict=True):
            assert torch.equal(image, read_image(folder / name, (16, 16, 3), fit="fit"))
            seen += 1
    assert seen == 14


@pytest.mark.parametrize(
    ("made", "image_size", "expected"),
    [
        ([(12, 20)], None, (12, 20)),
        ([(256, 9)], None, (256, 9)),
        ([(257, 300)], None, (224, 224)),
        ([(30, 40), (50, 31)], None, (24, 24)),
        ([(5, 6), (7, 8)], None, (8, 8)),
        ([(12, 20)], 10, (10, 10)),
        ([(12, 20)], (10, 11), (10, 11)),
    ],
    ids=str,
)
def test_the_size_is_kept_chosen_or_given(
    tmp_path: Path,
    make_photos: MakePhotos,
    made: list[tuple[int, int]],
    image_size: int | tuple[int, int] | None,
    expected: tuple[int, int],
) -> None:
    for index, size in enumerate(made):
        make_photos(tmp_path, size=size, seed=index, **{f"class{index}": 4, f"other{index}": 4})

    assert load(tmp_path, image_size=image_size).shape == (*expected, 3)


def test_pictures_turned_by_exif_count_with_their_upright_size(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, size=(12, 20), cat=4, dog=4)
    exif = Image.Exif()
    exif[0x0112] = 8
    for path in folder.rglob("*.png"):
        Image.open(path).save(path, exif=exif)

    assert load(folder).shape == (20, 12, 3)


def test_grey_pictures_have_one_channel(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=4, dog=4)
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)

    data = load(folder)

    assert data.shape == (8, 8, 1)
    assert torch.equal(data.train.images[0], read_image(folder / data.train.names[0], (8, 8, 1)))


def test_parts_on_top_are_kept_and_missing_ones_split_from_train(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path / "train", cat=20, dog=20)
    make_photos(tmp_path / "test", cat=2, dog=2, seed=1)

    data = load(tmp_path)
    make_photos(tmp_path / "val", cat=3, dog=3, seed=2)
    three = load(tmp_path)

    assert sizes(data) == (34, 6, 4)
    assert sizes(three) == (40, 6, 4)
    assert open_seal(data.test).names == ["test/cat/0.png", "test/cat/1.png", "test/dog/0.png", "test/dog/1.png"]


def test_copies_in_given_parts_are_removed_from_those_before(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path / "train", cat=20, dog=20)
    make_photos(tmp_path / "val", cat=3, dog=3, seed=1)
    make_photos(tmp_path / "test", cat=2, dog=2, seed=2)
    (tmp_path / "val" / "cat" / "x.png").write_bytes((tmp_path / "train" / "cat" / "0.png").read_bytes())
    (tmp_path / "test" / "dog" / "x.png").write_bytes((tmp_path / "train" / "dog" / "0.png").read_bytes())
    (tmp_path / "test" / "dog" / "y.png").write_bytes((tmp_path / "val" / "dog" / "0.png").read_bytes())

    data = load(tmp_path)

    assert sizes(data) == (38, 6, 6)
    assert data.facts.duplicates == data.facts.duplicates_removed == 3
    assert not {"train/cat/0.png", "train/dog/0.png", "val/dog/0.png"} & {*data.train.names, *data.validation.names}


def test_a_validation_part_that_is_the_test_part_again_is_refused(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path / "photos" / "train", cat=20, dog=20)
    make_photos(tmp_path / "photos" / "val", cat=3, dog=3, seed=1)
    make_photos(tmp_path / "photos" / "test", cat=3, dog=3, seed=1)

    with pytest.raises(BadData, match=r"^photos: every sample of its validation part is a copy of a test sample; give"):
        load(tmp_path / "photos")


def test_the_same_pixels_in_other_files_are_copies(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=10, dog=10)
    Image.open(folder / "cat" / "0.png").save(folder / "cat" / "same.bmp")
    Image.open(folder / "cat" / "1.png").save(folder / "dog" / "same.tif")

    for seed in range(5):
        data = load(folder, seed=seed)

        sides = [
            index
            for index, part in enumerate(parts(data))
            for name in part.names
            if name in ("cat/0.png", "cat/same.bmp")
        ]
        assert sides[0] == sides[1]
        assert data.facts.duplicates == 2
        assert data.facts.conflicts == ("cat/1.png (cat) = dog/same.tif (dog)",)


def test_pictures_that_only_look_alike_when_small_are_no_copies(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=10, dog=10)
    for index in range(2):
        picture = Image.new("RGB", (64, 64))
        picture.putpixel((0, 0), (index, 0, 0))
        picture.save(folder / "cat" / f"black{index}.png")

    assert load(folder, image_size=8).facts.duplicates == 0


def test_a_corrupt_exif_block_is_no_reason_to_refuse_a_picture(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=4, dog=4)
    corrupt = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"  # Pillow warns of it; warnings are errors in tests
    Image.open(folder / "cat" / "0.png").save(folder / "cat" / "odd.jpg", exif=corrupt)

    assert sum(sizes(load(folder))) == 9


def bad_folder(folder: Path, make_photos: MakePhotos) -> Path:
    make_photos(folder, size=(16, 16), cat=5, dog=5)
    picture = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "half.png").write_bytes(picture[: len(picture) // 2])
    (folder / "cat" / "zero.jpg").touch()
    (folder / "dog" / "fake.jpg").write_text("text")
    (folder / "dog" / "more").symlink_to(folder / "cat")
    return folder


def test_bad_files_are_all_counted_and_three_named_on_one_line(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = bad_folder(tmp_path / "photos", make_photos)

    with pytest.raises(BadData) as caught:
        load(folder)

    assert str(caught.value) == (
        f"{folder}: 4 of 14 files cannot be read: dog/more (a link to a folder), cat/half.png (truncated), "
        "cat/zero.jpg (empty, 0 bytes) and 1 more; mend them, or go on without them: --skip-bad (skip_bad=True)."
    )


def test_with_skip_bad_they_are_left_out_and_listed(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = bad_folder(tmp_path / "photos", make_photos)

    data = load(folder, skip_bad=True)

    assert sum(sizes(data)) == 10
    assert data.facts.skipped == (
        BadFileFound("dog/more", "a link to a folder"),
        BadFileFound("cat/half.png", "truncated"),
        BadFileFound("cat/zero.jpg", "empty, 0 bytes"),
        BadFileFound("dog/fake.jpg", "not a picture of a known format"),
    )
    for part in parts(data):
        for image, name in zip(part.images, part.names, strict=True):
            assert torch.equal(image, read_image(folder / name, (16, 16, 3)))


def test_classes_whose_files_are_all_bad_are_named(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    (folder / "fox").mkdir()
    (folder / "fox" / "zero.png").touch()

    with pytest.raises(BadData, match=r"^photos: class 'fox' has 0 distinct samples; at least 3 are needed"):
        load(folder, skip_bad=True)


def test_a_folder_without_any_picture_is_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("text")

    with pytest.raises(
        BadData, match=r"holds no picture that can be read: cat/a\.txt \(not a picture of a known format\)"
    ):
        load(tmp_path, skip_bad=True)


def test_class_folders_without_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()

    with pytest.raises(BadData, match=rf"^{tmp_path}: holds no picture that can be read\.$"):
        load(tmp_path)


def test_one_class_folder_is_refused(tmp_path: Path, make_photos: MakePhotos) -> None:
    with pytest.raises(BadData, match=r"^photos: all 5 samples are of class 'cat'; two classes are needed"):
        load(make_photos(tmp_path / "photos", cat=5))


def test_a_csv_lists_pictures_with_groups(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path / "my photos", cat=20, dog=20)
    lines = [
        f"my photos/{name}/{index}.png,{name.upper()},g{index // 2}" for name in ("cat", "dog") for index in range(20)
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,group", *lines]))

    data = load(tmp_path / "list.csv")

    group_of = {line.split(",")[0]: line.split(",")[2] for line in lines}
    groups = [{group_of[name] for name in part.names} for part in parts(data)]
    assert (data.name, data.classes, data.facts.groups) == ("list", ("CAT", "DOG"), 10)
    assert sum(sizes(data)) == 40
    assert sum(len(part) for part in groups) == len(set().union(*groups)) == 10


def test_a_csv_that_names_missing_files_is_refused(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, cat=5, dog=5)
    lines = [f"{name}/{index}.png,{name}" for name in ("cat", "dog") for index in range(6)]
    (tmp_path / "list.csv").write_text("\n".join(lines))

    with pytest.raises(
        BadData, match=r"list\.csv: 2 of 12 files cannot be read: cat/5\.png \(missing\), dog/5\.png \(missing\);"
    ):
        load(tmp_path / "list.csv")
    assert len(load(tmp_path / "list.csv", skip_bad=True).facts.skipped) == 2


def test_a_csv_whose_paths_can_be_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"path,label\na\0.png,cat\nb\0.png,dog\n")

    with pytest.raises(BadData, match=r"list\.csv: 2 of 2 files cannot be read"):
        load(tmp_path / "list.csv")


def test_progress_counts_every_file_once(tmp_path: Path, make_photos: MakePhotos) -> None:
    told: list[tuple[int, int]] = []

    load(make_photos(tmp_path, cat=5, dog=5), progress=lambda done, total: told.append((done, total)))

    assert told == [(done, 10) for done in range(1, 11)]


def test_interrupting_leaves_no_threads(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=20, dog=20)
    before = threading.enumerate()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(folder, progress=interrupt)
    assert set(threading.enumerate()) <= set(before)


def test_too_many_pictures_for_the_memory_are_refused_before_decoding(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "photos", size=(200, 200), cat=5, dog=5)
    monkeypatch.setattr("holdfast.data.pictures.free_memory", lambda: 2_000_000)
    monkeypatch.setattr("holdfast.data.kept.Keep.fits", lambda keep, columns, rows: False)

    with pytest.raises(BadData) as caught:
        load(folder)

    assert str(caught.value) == (
        f"{folder}: 10 pictures of 200x200x3 take 0.0 GB, more than half of the 0.0 GB of free memory, "
        f"and there is no room for them in {cache_folder()}; make room, or make them smaller: --image-size 176 "
        "(image_size=176)."
    )
    assert load(folder, image_size=176).shape == (176, 176, 3)


def test_paths_may_have_spaces_and_any_letters(tmp_path: Path, make_photos: MakePhotos) -> None:
    data = load(make_photos(tmp_path / "Meine Bilder 猫", **{"Kätzchen 'x'": 5, "犬 🐕": 5}))

    assert (data.name, data.classes) == ("Meine Bilder 猫", ("Kätzchen 'x'", "犬 🐕"))


@pytest.mark.parametrize("word", ["digts", "Digits"])
def test_a_misspelt_name_is_met_with_the_right_one(word: str) -> None:
    with pytest.raises(
        UnknownName, match=f"^no file, folder or data set is called '{word}'; did you mean 'digits'\\?$"
    ):
        load(word)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=rf"^{tmp_path}/photos: no such file or folder\.$"):
        load(tmp_path / "photos")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rar").touch()

    with pytest.raises(
        BadData, match=r"a\.rar: is not data that can be loaded; give a folder, a \.zip, an \.npz or a \.csv file"
    ):
        load(tmp_path / "a.rar")


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything, so a mode would not do

    with pytest.raises(BadFile, match=rf"^{tmp_path}: Permission denied\.$"):
        load(tmp_path)


@pytest.mark.parametrize("image_size", [0, -8, 2.5, (8,), "8", True])
def test_impossible_sizes_are_refused(tmp_path: Path, image_size: object) -> None:
    with pytest.raises(BadValue, match="must be a positive number of pixels, or \\(height, width\\)"):
        load(tmp_path, image_size=image_size)  # type: ignore[arg-type]  # what a user might write


def test_arrays_are_not_resized(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(40 * 4, dtype=np.uint8).reshape(40, 2, 2), y=np.arange(40) % 2)

    with pytest.raises(
        BadValue, match=r"load\(image_size=8\): only pictures in files are resized, .*a\.npz holds arrays"
    ):
        load(tmp_path / "a.npz", image_size=8)
    assert load(tmp_path / "a.npz", image_size=2).shape == (2, 2, 1)


def test_shares_are_checked_before_anything_is_read() -> None:
    with pytest.raises(BadValue, match=r"split\(validation=0\)"):
        load("/nowhere", validation=0)


@pytest.mark.slow
def test_real_photos_are_loaded_square_and_stratified(real_data: Path) -> None:
    data = load(real_data / "clothing", resize="stretch")

    assert sizes(data) == (420, 90, 90)
    assert data.shape == (224, 224, 3)
    assert torch.bincount(data.validation.labels).tolist() == [9] * 10
    assert data.facts.skipped == ()
    name = data.validation.names[7]
    assert torch.equal(data.validation.images[7], read_image(real_data / "clothing" / name, (224, 224, 3)))
