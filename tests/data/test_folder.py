"""Folders: what is listed, in which order, and what is said of folders arranged otherwise."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.core import BadData
from holdfast.data.folder import list_folder
from holdfast.data.source import TEST, TRAIN, VALIDATION

MakePhotos = Callable[..., Path]  # the fixture


def test_each_folder_is_a_class_and_files_come_sorted(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, dog=2, cat=1)

    listing = list_folder(tmp_path)

    assert [(file.name, file.label, file.part) for file in listing.files] == [
        ("cat/0.png", "cat", TRAIN),
        ("dog/0.png", "dog", TRAIN),
        ("dog/1.png", "dog", TRAIN),
    ]
    assert listing.classes == ("cat", "dog")
    assert (listing.bad, listing.notes) == ((), ())


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_parts_on_top_are_recognised(tmp_path: Path, make_photos: MakePhotos, validation: str) -> None:
    for part in ("test", "train", validation):
        make_photos(tmp_path / part, cat=1, dog=1)

    listing = list_folder(tmp_path)

    assert [file.part for file in listing.files] == [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST]
    assert listing.files[2].name == f"{validation}/cat/0.png"
    assert listing.classes == ("cat", "dog")


def test_train_may_be_the_name_of_a_class(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, bus=1, train=1)

    assert list_folder(tmp_path).classes == ("bus", "train")


def test_dot_files_are_ignored_and_files_beside_the_classes_noted(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, cat=1, dog=1)
    (tmp_path / ".git").mkdir()
    (tmp_path / "cat" / ".DS_Store").touch()
    (tmp_path / "README.md").touch()

    listing = list_folder(tmp_path)

    assert [file.name for file in listing.files] == ["cat/0.png", "dog/0.png"]
    assert listing.classes == ("cat", "dog")
    assert listing.notes == ("not read, because beside the class folders: README.md",)


def test_files_in_folders_inside_a_class_folder_are_of_that_class(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, cat=1, dog=1)
    make_photos(tmp_path / "cat", anna=1, **{"b/deep": 1})
    (tmp_path / "cat" / "z.png").touch()

    listing = list_folder(tmp_path)

    assert [(file.name, file.label) for file in listing.files] == [
        ("cat/0.png", "cat"),
        ("cat/z.png", "cat"),
        ("cat/anna/0.png", "cat"),
        ("cat/b/deep/0.png", "cat"),
        ("dog/0.png", "dog"),
    ]
    assert listing.files[3].path == tmp_path / "cat" / "b" / "deep" / "0.png"


def test_links_to_folders_in_a_class_folder_are_bad(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, cat=1)
    (tmp_path / "cat" / "more").symlink_to(tmp_path)
    (tmp_path / "cat" / "lost").symlink_to("nowhere")

    listing = list_folder(tmp_path)

    assert [str(bad) for bad in listing.bad] == ["cat/more (a link to a folder)"]
    assert [file.name for file in listing.files] == ["cat/0.png", "cat/lost"]  # found missing when it is opened


def test_names_are_shown_on_one_line_of_valid_text(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, cat=1)
    (tmp_path / "cat" / "a\nb.png").touch()
    (tmp_path / "cat" / b"\xff.png".decode(errors="surrogateescape")).touch()

    assert [file.name for file in list_folder(tmp_path).files] == ["cat/0.png", "cat/a�b.png", "cat/�.png"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=rf"^{tmp_path}: is an empty folder; put the files of each class into a folder"):
        list_folder(tmp_path)


def test_pictures_without_class_folders_are_refused(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path, cat=2) / "cat"

    with pytest.raises(
        BadData, match=rf"^{folder}: has 2 files but no class folders; .* e\.g\. {folder}/cat/1\.jpg\.$"
    ):
        list_folder(folder)


def test_pictures_directly_in_train_and_test_are_no_classes(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path, train=2, test=2)

    with pytest.raises(BadData, match=r"train: has 2 files but no class folders"):
        list_folder(tmp_path)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["val", "test"], r"has test/, val/ but no train/; add it, or have only one folder for each class"),
        (["train", "val", "validation"], r"has train/, val/, validation/; only one of them can be the validation part"),
        (["train", "test", "extra"], r"extra/ beside train/; only train/, validation/ and test/ may stand there"),
    ],
    ids=str,
)
def test_unclear_arrangements_are_refused(
    tmp_path: Path, make_photos: MakePhotos, folders: list[str], message: str
) -> None:
    for folder in folders:
        make_photos(tmp_path / folder, cat=1, dog=1)

    with pytest.raises(BadData, match=message):
        list_folder(tmp_path)
