"""Archives: arranged as folders are, read as they are, and refused where somebody means harm."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.core import BadData, BadFile
from holdfast.data import load
from holdfast.data.archive import list_archive
from holdfast.data.sealed import open_seal
from holdfast.data.source import TEST, TRAIN

MakePhotos = Callable[..., Path]  # the fixture


def packed(folder: Path, *, around: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A .zip of what is in a folder, beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, around + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("around", ["", "photos/"], ids=["plain", "in a folder"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_zip_holds_what_its_folder_holds(tmp_path: Path, make_photos: MakePhotos, around: str, method: int) -> None:
    folder = make_photos(tmp_path / "photos", cat=9, dog=9)
    make_photos(folder / "cat", seed=1, deep=2)

    data, same = load(packed(folder, around=around, method=method)), load(folder)

    assert data.name == "photos"
    assert data.fingerprint == same.fingerprint
    assert data.split_fingerprint == same.split_fingerprint
    assert data.train.names == same.train.names
    assert np.array_equal(open_seal(data.test).images[:], open_seal(same.test).images[:])


def test_parts_on_top_are_recognised(tmp_path: Path, make_photos: MakePhotos) -> None:
    for part in ("train", "test"):
        make_photos(tmp_path / "photos" / part, cat=1, dog=1)

    listing = list_archive(packed(tmp_path / "photos"))

    assert [(file.name, file.part) for file in listing.files] == [
        ("train/cat/0.png", TRAIN),
        ("train/dog/0.png", TRAIN),
        ("test/cat/0.png", TEST),
        ("test/dog/0.png", TEST),
    ]


def test_what_macs_and_people_put_beside_is_no_picture(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=1, dog=1))
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/cat/._0.png", "cat/.DS_Store", "README.txt"):
            archive.writestr(name, "text")

    listing = list_archive(path)

    assert [file.name for file in listing.files] == ["cat/0.png", "dog/0.png"]
    assert listing.notes == ("not read, because beside the class folders: README.txt",)


def test_damaged_and_encrypted_members_are_named(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=6, dog=6), method=zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        members = {one.filename: one for one in archive.infolist()}
    content = bytearray(path.read_bytes())
    content[members["cat/1.png"].header_offset + 80] ^= 1
    begin = content.index(b"PK\x01\x02")  # the directory at the end
    content[content.index(b"cat/2.png", begin) - 46 + 8] |= 1
    content[content.index(b"cat/3.png", begin) - 46 + 10] = 12  # bzip2
    path.write_bytes(content)

    data = load(path, skip_bad=True)

    assert [str(bad) for bad in data.facts.skipped] == [
        "cat/1.png (damaged in the archive)",
        "cat/2.png (encrypted in the archive, unpack it yourself)",
        "cat/3.png (packed in another way than by deflate, unpack it yourself)",
    ]


def test_a_member_that_unpacks_to_more_than_it_says_is_damaged(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=5, dog=5))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/bomb.png", bytes(10**7))
    content = bytearray(path.read_bytes())
    place = content.index(b"cat/bomb.png", content.index(b"PK\x01\x02")) - 46 + 24
    content[place : place + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)

    assert [str(bad) for bad in load(path, skip_bad=True).facts.skipped] == ["cat/bomb.png (damaged in the archive)"]


def test_a_member_of_many_gigabytes_is_not_unpacked(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=5, dog=5))
    content = bytearray(path.read_bytes())
    place = content.index(b"cat/1.png", content.index(b"PK\x01\x02")) - 46 + 24
    content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)

    assert [str(bad) for bad in load(path, skip_bad=True).facts.skipped] == ["cat/1.png (more than 1 GB when unpacked)"]


def test_members_that_overlap_are_a_bomb(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=2, dog=2))
    content = bytearray(path.read_bytes())
    begin = content.index(b"PK\x01\x02")
    place = content.index(b"dog/0.png", begin) - 46 + 42
    content[place : place + 4] = bytes(4)  # the first member again
    path.write_bytes(content)

    with pytest.raises(BadFile, match=r"photos\.zip: its members overlap, as those of a zip bomb do; it is not read"):
        load(path)


def test_half_an_archive_is_refused(tmp_path: Path, make_photos: MakePhotos) -> None:
    path = packed(make_photos(tmp_path / "photos", cat=2, dog=2))
    path.write_bytes(path.read_bytes()[:300])

    with pytest.raises(BadFile, match=r"photos\.zip: is no whole \.zip: File is not a zip file"):
        load(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"a\.zip: is an empty folder; put the files of each class into a folder of its own, e\.g\. cat/1\.jpg"),
        (["1.jpg", "2.jpg"], r"a\.zip: has 2 files but no class folders"),
        (["val/cat/1.jpg", "test/cat/1.jpg"], r"a\.zip: has test/, val/ but no train/"),
        (["train/1.jpg", "test/cat/1.jpg"], r"a\.zip: train/: has 1 file but no class folders"),
    ],
    ids=["empty", "flat", "no train", "flat train"],
)
def test_unclear_arrangements_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "text")

    with pytest.raises(BadData, match=message):
        load(tmp_path / "a.zip")
