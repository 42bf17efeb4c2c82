"""Tars of others: made by hand, by tar, and by the real `webdataset`, which reads ours, too."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.core import BadData, BadFile
from holdfast.data import load, write_shards
from holdfast.data.tars import npy_bytes, tar_samples


def picture(seed: int, ending: str = "png") -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)
    Image.fromarray(noise).save(file, {"png": "PNG", "jpg": "JPEG"}[ending])
    return file.getvalue()


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def samples(numbers: range, *, label: str = "cls") -> dict[str, bytes]:
    """Pictures with their labels."""
    members = {}
    for number in numbers:
        members[f"{number:06d}.png"] = picture(number)
        members[f"{number:06d}.{label}"] = str(number % 3).encode()
    return members


def test_a_webdataset_tar_is_read_with_its_labels(tmp_path: Path) -> None:
    data = load(tar(tmp_path / "set.tar", samples(range(30))))

    assert (data.name, data.classes, data.shape) == ("set", ("0", "1", "2"), (12, 10, 3))
    assert len(data.train) + len(data.validation) + len(data.test) == 30
    for name, label, image in zip(data.train.names, data.train.labels, data.train.images, strict=True):
        number = int(name.partition(".")[0])
        assert int(label) == number % 3
        with Image.open(io.BytesIO(picture(number))) as known:
            assert np.array_equal(image.numpy(), np.asarray(known))


def test_a_folder_of_tars_is_one_set_and_looked_through_once(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for number in range(3):
        tar(tmp_path / "set" / f"{number}.tar", samples(range(10 * number, 10 * number + 10)))
    told: list[tuple[int, int]] = []

    first = load(tmp_path / "set", progress=lambda *done: told.append(done))
    looked = len(told)
    second = load(tmp_path / "set", progress=lambda *done: told.append(done))

    assert second.split_fingerprint == first.split_fingerprint
    assert len(told) == looked > 0
    assert sorted(first.train.names)[0].startswith("0/0000")


def test_a_tar_that_changes_is_looked_through_again(tmp_path: Path) -> None:
    path = tar(tmp_path / "set.tar", samples(range(30)))
    before = load(path)

    tar(path, samples(range(33)))

    assert len(load(path).train) > len(before.train)


def test_other_pictures_of_the_same_names_are_read_as_they_are_now(tmp_path: Path) -> None:
    def grey(number: int) -> bytes:
        file = io.BytesIO()
        Image.new("L", (6, 6), 7 * number).save(file, "PNG")
        return file.getvalue()

    path = tar(tmp_path / "set.tar", {f"{number % 2}/{number}.png": grey(number) for number in range(30)})
    assert load(path).shape == (6, 6, 1)

    tar(path, {f"{number % 2}/{number}.png": picture(number) for number in range(30)})

    assert load(path).shape == (12, 10, 3)


def test_folders_of_classes_in_a_tar_are_classes(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir()
        for number in range(10):
            (tmp_path / "photos" / label / f"{number}.png").write_bytes(picture(number + 100 * (label == "cat")))
    with tarfile.open(tmp_path / "photos.tar", "w") as file:
        for path in sorted((tmp_path / "photos").rglob("*.png")):
            file.add(path, path.relative_to(tmp_path / "photos").as_posix())

    found, known = load(tmp_path / "photos.tar"), load(tmp_path / "photos")

    assert found.split_fingerprint == known.split_fingerprint
    assert found.train.names[0] == known.train.names[0]


def test_names_of_tars_say_the_parts(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for number, part in enumerate(("train", "val", "test")):
        tar(tmp_path / "set" / f"photos-{part}-000.tar", samples(range(20 * number, 20 * number + 20)))

    data = load(tmp_path / "set")

    assert (len(data.train), len(data.validation), len(data.test)) == (20, 20, 20)


def test_a_json_says_label_group_and_name(tmp_path: Path) -> None:
    members = dict[str, bytes]()
    for number in range(40):
        about = {"label": ["cat", "dog"][number % 2], "group": f"g{number // 4}", "name": f"{number}.png"}
        members |= {f"{number}.png": picture(number), f"{number}.json": json.dumps(about).encode()}

    data = load(tar(tmp_path / "set.tar", members))

    assert data.classes == ("cat", "dog")
    assert set(data.group_names.values()) == {f"g{number}" for number in range(10)}


@pytest.mark.parametrize("kind", ["png", "npy"])
def test_samples_without_a_group_are_in_none(tmp_path: Path, kind: str) -> None:
    members = {}
    for number in range(30):
        group = f"g{number // 2}" if number < 12 else None
        content = picture(number) if kind == "png" else npy_bytes(np.full(3, number))
        members[f"{number}.{kind}"] = content
        members[f"{number}.json"] = json.dumps({"label": number % 2, "group": group}).encode()

    data = load(tar(tmp_path / "set.tar", members))

    assert data.facts.groups == 6
    assert (len(data.train), len(data.validation), len(data.test)) == (22, 4, 4)


def test_arrays_in_a_tar_are_values(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((30, 4, 2))
    members = dict[str, bytes]()
    for number, row in enumerate(rows):
        members |= {f"{number}.npy": npy_bytes(row), f"{number}.cls": str(number % 2).encode()}

    data = load(tar(tmp_path / "set.tar", members))

    numbers = [int(name.partition(".")[0]) for name in data.train.names]
    assert torch.equal(data.train.images[:], torch.from_numpy(rows[numbers].astype(np.float32)))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"1.png": picture(1)}, r"1 in set\.tar has no label; give it 1\.cls with a number or a word"),
        ({"1.txt": b"hello", "1.cls": b"0"}, r"1 in set\.tar holds \.txt, \.cls: .* one picture, or one"),
        ({"1.png": picture(1), "1.jpg": picture(1, "jpg"), "1.cls": b"0"}, r"holds \.png, \.jpg, \.cls"),
        ({"1.png": picture(1), "1.json": b"{"}, r"1\.json in set\.tar is no JSON"),
        ({}, "holds no samples"),
        (
            {"1.png": b"nothing", "1.cls": b"0", "2.png": picture(1), "2.cls": b"1"},
            r"1 of 2 files cannot be read: 1\.p",
        ),
        (
            {"1.npy": npy_bytes(np.zeros(3)), "1.cls": b"0", "2.npy": npy_bytes(np.zeros(4)), "2.cls": b"1"},
            r"2\.npy is",
        ),
        (
            {"1.npy": npy_bytes(np.array([np.nan])), "1.cls": b"0", "2.npy": npy_bytes(np.zeros(1)), "2.cls": b"1"},
            "NaN",
        ),
        ({"1.npy": npy_bytes(np.zeros(3)), "1.cls": b"0", "2.png": picture(1), "2.cls": b"1"}, "give tars of one kind"),
    ],
    ids=["label", "payload", "several", "json", "empty", "bad", "shapes", "nan", "kinds"],
)
def test_what_is_wrong_in_a_tar_is_named(tmp_path: Path, members: Mapping[str, bytes], message: str) -> None:
    with pytest.raises(BadData, match=message):
        load(tar(tmp_path / "set.tar", members))


def test_what_else_lies_in_a_tar_is_told(tmp_path: Path) -> None:
    members = {"README.md": b"Photos.", "docs/LICENSE": b"MIT"} | {f"{n % 2}/{n}.png": picture(n) for n in range(30)}

    data = load(tar(tmp_path / "set.tar", members))

    assert len(data.train) + len(data.validation) + len(data.test) == 30
    assert "not read, because no samples: README.md, docs/LICENSE" in data.facts.notes


def test_bad_pictures_are_left_out_if_told_to(tmp_path: Path) -> None:
    path = tar(tmp_path / "set.tar", samples(range(30)) | {"x.png": b"nothing", "x.cls": b"0"})

    data = load(path, skip_bad=True)

    assert [bad.path for bad in data.facts.skipped] == ["x.png"]
    with pytest.raises(BadData, match="1 of 31 files cannot be read"):
        load(path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tar(tmp_path / "set.tar", samples(range(30)))
    monkeypatch.setenv("HOLDFAST_CACHE", str(path / "cache"))

    with pytest.raises(BadFile, match=r"^cannot write .*/cache/tars/.*: HOLDFAST_CACHE\.$"):
        load(path)


def test_compressed_tars_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tar(tmp_path / "set.tar", samples(range(30)))
    (tmp_path / "set.tar.gz").write_bytes(gzip.compress(path.read_bytes()))

    with pytest.raises(BadFile, match=r"set\.tar\.gz: is compressed, .*unpack it to a plain \.tar"):
        load(tmp_path / "set.tar.gz")


@pytest.mark.parametrize("keep", [0.5, 0.0], ids=["half", "nothing"])
def test_a_tar_that_is_not_whole_is_named(tmp_path: Path, keep: float) -> None:
    path = tar(tmp_path / "set.tar", {"1.png": picture(1) * 100, "1.cls": b"0"})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])

    with pytest.raises(BadFile, match=r"set\.tar: (ends within 1\.png|is an empty file)"):
        list(tar_samples(path))


@pytest.mark.parametrize("harm", ["cut between members", "cut in a header", "noise for a header"])
def test_no_sample_is_lost_in_silence(tmp_path: Path, harm: str) -> None:
    path = tar(tmp_path / "set.tar", samples(range(30)))
    with tarfile.open(path) as file:
        begin = file.getmembers()[40].offset
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut between members": content[:begin],
            "cut in a header": content[: begin + 100],
            "noise for a header": content[:begin] + b"x" * 512 + content[begin + 512 :],
        }[harm]
    )

    with pytest.raises(BadFile, match=rf"set\.tar: (ends too early|is damaged).* at byte {begin:,}; copy"):
        load(path)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_real_webdataset_reads_our_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    for number in range(30):
        folder = tmp_path / "photos" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(picture(number))
    write_shards(tmp_path / "photos", tmp_path / "shards", shard_size="5KB")
    urls = [str(path) for path in sorted((tmp_path / "shards").glob("*.tar"))]

    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("png", "cls", "json"))

    assert len(urls) > 1
    assert len(read) == 30
    for pixels, label, about in read:
        with Image.open(tmp_path / "photos" / about["name"]) as known:
            assert np.array_equal(pixels, np.asarray(known))
        assert "abc"[label] == about["label"] == about["name"][0]


def test_we_read_shards_of_the_real_webdataset(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    (tmp_path / "set").mkdir()
    with webdataset.ShardWriter(str(tmp_path / "set" / "%04d.tar"), maxcount=8, verbose=0) as sink:
        for number in range(30):
            sink.write({"__key__": f"sample{number:04d}", "png": picture(number), "cls": number % 3})

    data = load(tmp_path / "set")

    assert len(list((tmp_path / "set").iterdir())) == 4
    assert data.classes == ("0", "1", "2")
    assert len(data.train) + len(data.validation) + len(data.test) == 30


def test_shards_without_their_manifest_are_still_a_set(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / "photos" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(picture(number))
    write_shards(tmp_path / "photos", tmp_path / "shards")
    known = load(tmp_path / "shards")
    for name in ("manifest.json", "index.npz"):
        (tmp_path / "shards" / name).unlink()

    found = load(tmp_path / "shards")

    assert found.classes == known.classes
    assert {*found.train.names, *found.validation.names} <= {
        path.relative_to(tmp_path / "photos").as_posix() for path in tmp_path.glob("photos/*/*")
    }
    shutil.rmtree(tmp_path / "photos")
    assert found.train.images[:].shape[1:] == known.shape
