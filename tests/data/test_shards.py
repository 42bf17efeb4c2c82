"""Shards: written from data that load knows, read sample by sample, checked before training."""

import hashlib
import json
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import Dataset, Pictures, Rows, load, write_shards
from holdfast.data.sealed import open_seal
from holdfast.data.shard_writer import parse_size
from holdfast.data.threads import DECODERS


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 pictures of two classes, of several formats and shapes; one is a copy, one nearly."""
    random = np.random.default_rng(0)
    root = tmp_path / "photos"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(12):
            small = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
            picture = small.resize((72 + number, 80), Image.Resampling.BICUBIC)
            if number == 3:
                picture.save(root / name / "3.png")
            elif number == 4:
                picture.convert("L").save(root / name / "4.jpg")
            else:
                picture.save(root / name / f"{number}.jpg", quality=95)
    shutil.copy(root / "cat" / "1.jpg", root / "cat" / "copy.jpg")
    Image.open(root / "dog" / "2.jpg").save(root / "dog" / "near.jpg", quality=50)
    return root


@pytest.fixture
def shards(photos: Path) -> Path:
    write_shards(photos, photos.parent / "shards", shard_size="8KB")
    return photos.parent / "shards"


def all_parts(data: Dataset) -> list[tuple[list[str], torch.Tensor, torch.Tensor]]:
    parts = (data.train, data.validation, open_seal(data.test))
    return [(list(part.names), part.labels, part.images[:]) for part in parts]


def test_shards_are_split_as_the_folder_that_they_were_made_of(photos: Path, shards: Path) -> None:
    folder, found = load(photos), load(shards)

    assert isinstance(found.train.images, Rows)
    assert found.fingerprint == folder.fingerprint
    assert found.split_fingerprint == folder.split_fingerprint
    assert found.facts == folder.facts
    assert (found.facts.duplicates, found.facts.near_duplicates) == (1, 1)
    assert found.reads == folder.reads
    for one, other in zip(all_parts(found), all_parts(folder), strict=True):
        assert one[0] == other[0]
        torch.testing.assert_close(one[1:], other[1:], rtol=0, atol=0)


def test_the_pixels_are_those_that_predict_sees(photos: Path, shards: Path) -> None:
    data = load(shards)
    assert data.reads is not None

    files = [photos / name for name in data.train.names]

    assert np.array_equal(data.train.images[:].numpy(), data.reads.read(files))


def test_every_batch_is_decoded_by_the_same_threads(shards: Path) -> None:
    """Each batch used to start threads of its own."""
    images = load(shards).train.images

    images[:12]
    first = {thread.ident for thread in threading.enumerate() if thread.name.startswith("holdfast-decode")}
    images[:12]

    assert {thread.ident for thread in threading.enumerate() if thread.name.startswith("holdfast-decode")} == first
    assert first or DECODERS == 1


def test_the_manifest_may_be_named_itself(shards: Path) -> None:
    data = load(shards / "manifest.json")

    assert data.name == "shards"
    assert data.split_fingerprint == load(shards).split_fingerprint


def test_there_are_several_shards_and_each_is_a_tar_of_whole_samples(shards: Path) -> None:
    names = sorted(path.name for path in shards.iterdir())
    assert names[:2] == ["index.npz", "manifest.json"]
    assert len(names) > 4

    with tarfile.open(shards / "shard-000000.tar") as tar:
        members = tar.getnames()
        label, about = (tar.extractfile(name) for name in members[1:3])
        assert label is not None
        assert about is not None
        number, told = int(label.read()), json.loads(about.read())

    key = members[0].partition(".")[0]
    assert members[1:3] == [f"{key}.cls", f"{key}.json"]
    assert told["label"] == ["cat", "dog"][number]
    assert told["name"].startswith(told["label"])


def test_a_seed_orders_the_samples_and_the_same_seed_gives_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    def written(name: str, seed: int) -> str:
        write_shards(photos, tmp_path / name, seed=seed)
        return hashlib.sha256((tmp_path / name / "shard-000000.tar").read_bytes()).hexdigest()

    assert written("a", 0) == written("b", 0) != written("c", 1)


def test_pictures_may_be_stored_at_the_size_of_training(photos: Path, tmp_path: Path) -> None:
    write_shards(photos, tmp_path / "small", image_size=16)

    small, folder = load(tmp_path / "small"), load(photos, image_size=16)

    assert small.fingerprint == folder.fingerprint
    assert torch.equal(small.train.images[:], folder.train.images[:])


def test_another_size_is_asked_for_when_they_are_loaded(photos: Path, shards: Path) -> None:
    assert torch.equal(load(shards, image_size=16).train.images[:], load(photos, image_size=16).train.images[:])


def test_groups_and_times_are_kept(tmp_path: Path, photos: Path) -> None:
    lines = [
        f"photos/{path.parent.name}/{path.name},{path.parent.name},g{path.stem[0]}" for path in photos.glob("*/*.*")
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,group", *sorted(lines)]))
    write_shards(tmp_path / "list.csv", tmp_path / "grouped")

    found, known = load(tmp_path / "grouped"), load(tmp_path / "list.csv")

    assert found.split_fingerprint == known.split_fingerprint
    assert found.group_names == known.group_names
    assert found.facts == known.facts


def test_groups_that_names_suggest_are_told_of_shards_too(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for patient in "abcd":
            for number in range(3):
                noise = np.random.default_rng([ord(patient), number, len(label), label == "cat"])
                picture = Image.fromarray(noise.integers(0, 255, (8, 8, 3), np.uint8))
                picture.save(tmp_path / "photos" / label / f"{patient * 3}_{number}.png")
    write_shards(tmp_path / "photos", tmp_path / "shards")

    (told,) = load(tmp_path / "photos").facts.notes
    (found,) = load(tmp_path / "shards").facts.notes

    assert "names suggest 4 groups" in told
    assert found == told.replace("photos", "shards")


def test_a_zip_becomes_shards_too(photos: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "photos"), "zip", photos)
    write_shards(tmp_path / "photos.zip", tmp_path / "shards")

    assert load(tmp_path / "shards").split_fingerprint == load(photos).split_fingerprint


def test_how_pictures_of_another_shape_fit_is_kept(photos: Path, tmp_path: Path) -> None:
    write_shards(photos, tmp_path / "shards", resize="crop")

    assert torch.equal(
        load(tmp_path / "shards").train.images[:], torch.as_tensor(load(photos, resize="crop").train.images[:])
    )
    assert load(tmp_path / "shards", resize="fit").reads == load(photos, resize="fit").reads


def test_groups_may_be_found_in_the_names_later(photos: Path, shards: Path) -> None:
    pattern = r"/(\w)"

    assert load(shards, group_by=pattern).split_fingerprint == load(photos, group_by=pattern).split_fingerprint


def test_parts_that_the_data_brings_stay_what_they_are(photos: Path, tmp_path: Path) -> None:
    for name in ("train", "test"):
        shutil.copytree(photos, tmp_path / "parts" / name, ignore=lambda _, files: [f for f in files if f[0] in "357"])
    for path in (tmp_path / "parts" / "test").glob("*/[0-6]*"):
        path.unlink()
    for path in (tmp_path / "parts" / "train").glob("*/[89nc]*"):
        path.unlink()
    write_shards(tmp_path / "parts", tmp_path / "shards")

    found, known = load(tmp_path / "shards"), load(tmp_path / "parts")

    assert found.split_fingerprint == known.split_fingerprint
    assert len(found.test) == len(known.test) > 0


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_arrays_are_kept_as_values(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 5, 4, 1)).astype(dtype) / (1 if dtype == "uint8" else 3)
    values = values.astype(dtype)
    np.savez(tmp_path / "data.npz", x=values, y=np.arange(40) % 2)
    write_shards(tmp_path / "data.npz", tmp_path / "shards", shard_size=8000)

    found, known = load(tmp_path / "shards"), load(tmp_path / "data.npz")

    assert found.split_fingerprint == known.split_fingerprint
    assert (found.shape, found.kind, found.reads) == (known.shape, known.kind, known.reads)
    assert torch.equal(found.train.images[:], torch.as_tensor(known.train.images[:]))


def test_windows_of_shards_do_not_reach_over_the_borders_of_a_split_by_time(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "series" / label).mkdir(parents=True)
        for number in range(2):
            rows = [f"{1000 * number + step},{random.normal()}" for step in range(200)]
            (tmp_path / "series" / label / f"{number}.csv").write_text("\n".join(["t,x", *rows]))
    how: dict[str, Any] = {"window": 20, "hop": 5, "time_by": "t"}
    write_shards(tmp_path / "series", tmp_path / "shards", **how)

    found, known = load(tmp_path / "shards"), load(tmp_path / "series", **how)

    assert found.split_fingerprint == known.split_fingerprint
    assert found.facts.notes == known.facts.notes
    assert "borders of the split by time" in " ".join(found.facts.notes)


@pytest.mark.parametrize("how", [{"image_size": 8}, {"resize": "crop"}], ids=["size", "policy"])
def test_values_are_not_resized(tmp_path: Path, how: dict[str, Any]) -> None:
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).random((40, 5, 4, 1)), y=np.arange(40) % 2)
    write_shards(tmp_path / "data.npz", tmp_path / "shards")

    with pytest.raises(BadValue, match="only pictures in files are resized"):
        load(tmp_path / "shards", **how)


def test_files_that_are_no_pictures_are_named_and_nothing_is_left(photos: Path, tmp_path: Path) -> None:
    (photos / "cat" / "bad.jpg").write_bytes(b"nothing")
    content = (photos / "dog" / "5.jpg").read_bytes()
    (photos / "dog" / "short.jpg").write_bytes(content[: len(content) // 2])

    with pytest.raises(
        BadData, match=r"2 of 28 files cannot be read: cat/bad\.jpg \(not a .*\), dog/short\.jpg \(truncated\)"
    ):
        write_shards(photos, tmp_path / "shards")

    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_bad_files_can_be_left_out(photos: Path, tmp_path: Path) -> None:
    (photos / "cat" / "bad.jpg").write_bytes(b"nothing")
    write_shards(photos, tmp_path / "shards", skip_bad=True)

    found, known = load(tmp_path / "shards"), load(photos, skip_bad=True)

    assert found.split_fingerprint == known.split_fingerprint
    assert found.facts.skipped == known.facts.skipped


def test_a_folder_that_is_there_is_refused(photos: Path, shards: Path) -> None:
    with pytest.raises(BadFile, match="shards: is there already; name a new folder, or remove it"):
        write_shards(photos, shards)


def test_a_folder_within_the_data_is_refused(photos: Path) -> None:
    with pytest.raises(BadFile, match=r"photos/cat/shards: lies in the data, .*; name a folder beside .*/photos\."):
        write_shards(photos, photos / "cat" / "shards")


def test_a_stop_in_the_middle_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(photos, tmp_path / "shards", shard_size="8KB", progress=stop)

    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def _remove(shard: Path) -> None:
    shard.unlink()


def _shorten(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-700])


def _damage(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[600] ^= 1
    shard.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_remove, r"1 of \d+ files is missing: shard-000001\.tar; give the URL again, or copy or write"),
        (_shorten, r"shard-000001\.tar: has [\d,]+ bytes, its manifest says [\d,]+: a part of it is missing; remove"),
        (_damage, r"shard-000001\.tar: is damaged: its SHA-256 is .*, its manifest says .*; remove it"),
    ],
    ids=["missing", "partial", "damaged"],
)
def test_harm_to_a_shard_is_named_before_training(shards: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(shards / "shard-000001.tar")

    with pytest.raises(BadFile, match=message):
        load(shards)


def test_checksums_are_computed_for_what_changed_only(shards: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    load(shards, progress=lambda *done: told.append(done))
    assert told == []  # we wrote them ourselves

    shutil.copytree(shards, tmp_path / "copied")
    load(tmp_path / "copied", progress=lambda *done: told.append(done))
    assert told[-1][0] == told[-1][1] == 1  # MiB, begun
    told.clear()
    load(tmp_path / "copied", progress=lambda *done: told.append(done))

    assert told == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plain: plain | {"holdfast_shards": 2}, "no manifest of shards that this holdfast knows"),
        (lambda plain: plain | {"index": plain["index"] | {"file": "../index.npz"}}, "only files beside it are read"),
        (lambda plain: plain | {"samples": plain["samples"] + 1}, "damaged manifest: its shards do not hold"),
        (lambda plain: plain | {"payload": "pickle"}, "damaged manifest"),
        (lambda plain: plain | {"reads": None}, "does not say how its pictures are read"),
        (lambda plain: {key: value for key, value in plain.items() if key != "classes"}, "damaged manifest"),
        (lambda plain: plain | {"classes": ["cat"]}, "names a shard or a class that is not there"),
        (lambda plain: plain | {"shards": plain["shards"][:1]}, "damaged manifest"),
    ],
    ids=["version", "path", "count", "payload", "reads", "classes", "labels", "shards"],
)
def test_a_manifest_of_a_stranger_is_checked(shards: Path, change: Callable[[object], object], message: str) -> None:
    path = shards / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))

    with pytest.raises(BadFile, match=message):
        load(shards)


def test_a_shard_that_goes_away_during_training_is_named(shards: Path) -> None:
    data = load(shards)
    shutil.rmtree(shards)

    with pytest.raises(BadFile, match=r"shard-00000\d\.tar: has changed since training began: No such file"):
        data.train.images[:]


def test_one_sample_is_one_sample(shards: Path) -> None:
    images = load(shards).train.images

    assert torch.equal(images[0], images[:][0])
    assert torch.equal(images[[3, 1]], images[:][[3, 1]])


@pytest.mark.parametrize(
    ("text", "size"), [("256MB", 256_000_000), ("1 GiB", 2**30), ("1.5kb", 1500), (700, 700)], ids=str
)
def test_sizes_are_numbers_with_a_unit(text: int | str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "3 apples", "0"], ids=repr)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="must be a number of bytes, such as 256MB or 1GiB"):
        parse_size(text)


def test_pictures_without_an_ending_get_the_one_of_their_format(photos: Path, tmp_path: Path) -> None:
    for path in list(photos.glob("*/*.jpg")):
        path.rename(path.with_suffix(""))
    write_shards(photos, tmp_path / "shards")

    with tarfile.open(tmp_path / "shards" / "shard-000000.tar") as tar:
        endings = {name.partition(".")[2] for name in tar.getnames()}

    assert endings == {"jpg", "png", "cls", "json"}
    assert isinstance(load(tmp_path / "shards").reads, Pictures)
