"""The manifest: data grows, and no file changes sides."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from holdfast.core import BadData, BadFile
from holdfast.data import Dataset, load, manifest_path
from holdfast.data.sealed import open_seal

MakePhotos = Callable[..., Path]  # the fixture
PARTS = ("train", "validation", "test")


def sides(data: Dataset) -> dict[str, str]:
    """The part of each file."""
    parts = (data.train, data.validation, open_seal(data.test))
    return {name: part for part, samples in zip(PARTS, parts, strict=True) for name in samples.names}


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)).save(path)


def grow(folder: Path, numbers: range) -> Path:
    for number in numbers:
        draw(folder / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    return folder


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "splits" / "photos.json"


def test_files_keep_their_side_and_new_ones_fill_the_parts_in_proportion(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "photos"
    before = sides(load(grow(folder, range(40)), manifest=manifest))

    for number in (60, 100, 200, 400):
        data = load(grow(folder, range(number)), manifest=manifest)

        now = sides(data)
        assert {name: now[name] for name in before} == before
        assert [len(data.train), len(data.validation), len(data.test)] == [
            round(number * share) for share in (0.7, 0.15, 0.15)
        ]
        for part in (data.train, data.validation, open_seal(data.test)):
            assert abs(int(part.labels.sum()) - len(part) / 2) <= 1
        before = now


def test_without_a_manifest_files_do_change_sides(tmp_path: Path) -> None:
    before = sides(load(grow(tmp_path, range(40))))
    now = sides(load(grow(tmp_path, range(60))))

    assert {name: now[name] for name in before} != before


def test_the_first_split_is_that_without_a_manifest(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))

    first, second = (load(folder, manifest=manifest) for _ in range(2))

    assert first.split_fingerprint == second.split_fingerprint == load(folder).split_fingerprint
    assert first.origin["manifest"] == str(manifest)
    assert load(**json.loads(json.dumps(first.origin))).split_fingerprint == first.split_fingerprint


def test_a_test_part_of_files_that_were_all_learned_from_is_refused(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))
    load(folder, test=0, manifest=manifest)

    with pytest.raises(BadData, match=r"photos: was split before, into other parts .* another --seed"):
        load(folder, manifest=manifest)


def test_renamed_and_moved_files_keep_their_side(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))
    before = sides(load(folder, manifest=manifest))
    for name in before:
        path = folder / name
        path.rename(path.with_name(f"renamed-{path.name}"))
    grow(folder, range(100, 140))

    data = load(folder, manifest=manifest)

    now = sides(data)
    assert {name.replace("renamed-", ""): now[name] for name in now if "renamed" in name} == before
    assert data.facts.notes == ()


def test_copies_of_known_files_go_where_these_are(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))
    before = sides(load(folder, manifest=manifest))
    for name in before:
        (folder / name).with_suffix(".copy.png").write_bytes((folder / name).read_bytes())

    now = sides(load(folder, manifest=manifest))

    assert len(now) == 80
    assert all(now[name.replace(".png", ".copy.png")] == now[name] == before[name] for name in before)


def test_groups_of_known_files_go_where_these_are(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "photos"
    for number in range(40):
        draw(folder / ("cat" if number % 2 else "dog") / f"p{number // 2}_{number}.png", number)
    before = sides(load(folder, manifest=manifest, group_by=r"p\d+"))
    for number in range(40, 120):
        draw(folder / ("cat" if number % 2 else "dog") / f"p{number % 20}_{number}.png", number)

    now = sides(load(folder, manifest=manifest, group_by=r"p\d+"))

    group_sides = {(name.split("/")[1].split("_")[0], part) for name, part in now.items()}
    assert len(group_sides) == 20
    assert {name: now[name] for name in before} == before


def test_what_connects_train_with_test_leaves_train_alone(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "photos"
    for number in range(40):
        draw(folder / ("cat" if number % 2 else "dog") / f"p{number}_.png", number)
    before = sides(load(folder, manifest=manifest, group_by=r"p\d+"))
    trained, tested = (next(name for name in before if before[name] == part) for part in ("train", "test"))
    group = trained.split("/")[1].split("_")[0]
    (folder / tested).with_name(f"{group}_copy.png").write_bytes((folder / tested).read_bytes())

    data = load(folder, manifest=manifest, group_by=r"p\d+")

    now = sides(data)
    assert trained not in now
    assert now[tested] == now[f"{tested.split('/')[0]}/{group}_copy.png"] == "test"
    assert data.facts.duplicates_removed == 1
    (folder / tested).with_name(f"{group}_copy.png").unlink()
    assert sides(load(folder, manifest=manifest, group_by=r"p\d+")) == before


def test_the_first_picture_in_colour_changes_no_grey_one(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(20))
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    before = load(folder, manifest=manifest)
    draw(folder / "cat" / "colour.png", 21)

    data = load(folder, manifest=manifest)

    assert (before.shape[-1], data.shape[-1]) == (1, 3)
    assert data.facts.notes == ()  # used to say that all files of the test part were changed
    assert sides(before).items() <= sides(data).items()


def test_test_files_that_were_removed_or_changed_are_told(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))
    before = sides(load(folder, manifest=manifest))
    first, second, third, *_ = (name for name in before if before[name] == "test")
    content = (folder / first).read_bytes()
    (folder / first).unlink()
    draw(folder / second, 999)

    data = load(folder, manifest=manifest)

    told = "since it was split off, so scores on it cannot be compared with earlier ones:"
    assert data.facts.notes == (
        f"of the test part 1 file was changed {told} {second}",
        f"of the test part 1 file was removed {told} {first}",
    )
    assert sides(data)[second] == "test"  # a changed file stays where it is
    (folder / first).write_bytes(content)
    again = load(folder, manifest=manifest)
    assert (sides(again), again.facts.notes) == (before, ())
    (folder / third).unlink()
    assert len(load(folder, manifest=manifest).facts.notes) == 1


def test_given_test_files_are_watched_but_may_be_moved(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "photos"
    grow(folder / "train", range(40))
    grow(folder / "test", range(100, 110))
    load(folder, manifest=manifest)
    (folder / "test" / "cat" / "101.png").unlink()
    (folder / "test" / "cat" / "103.png").rename(folder / "train" / "cat" / "103.png")

    data = load(folder, manifest=manifest)

    assert len(data.facts.notes) == 1
    assert "1 file was removed" in data.facts.notes[0]
    assert sides(data)["train/cat/103.png"] in ("train", "validation")


def test_by_time_what_is_later_joins_the_test_part(tmp_path: Path, manifest: Path) -> None:
    folder = grow(tmp_path / "photos", range(40))
    before = sides(load(folder, manifest=manifest, time_by=r"(\d+)\.png"))
    grow(folder, range(40, 60))

    now = sides(load(folder, manifest=manifest, time_by=r"(\d+)\.png"))

    assert {name: now[name] for name in before} == before
    assert {now[name] for name in now if name not in before} == {"test"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sides": {"trian": {}}}', '{"sides": {"train": 3}}', "\x00"], ids=str
)
def test_what_is_no_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)

    with pytest.raises(
        BadFile, match=rf"^{path}: is no manifest of a split; remove it to split anew, or restore it\.$"
    ):
        load(grow(tmp_path / "photos", range(40)), manifest=path)
    assert path.read_text() == text


def test_a_split_that_fails_writes_nothing(tmp_path: Path, manifest: Path) -> None:
    with pytest.raises(BadData):
        load(grow(tmp_path / "photos", range(3)), manifest=manifest)

    assert not manifest.parent.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadFile, match=r"file/m\.json: Not a directory\.$"):
        load(grow(tmp_path / "photos", range(40)), manifest=tmp_path / "file" / "m.json")


def test_the_manifest_is_known_by_all_that_makes_the_split(tmp_path: Path) -> None:
    folder = grow(tmp_path / "my photos", range(4))
    (tmp_path / "list.csv").touch()

    paths = [
        manifest_path("runs", folder),
        manifest_path("runs", folder, seed=1),
        manifest_path("runs", folder, validation=0.2),
        manifest_path("runs", folder, test=0),
        manifest_path("runs", folder, group_by="a"),
        manifest_path("runs", folder, time_by="a"),
        manifest_path("runs", folder, window=2.0),
        manifest_path("runs", folder, hop=2.0),
        manifest_path("runs", folder, label_by="kind"),
        manifest_path("runs", tmp_path / "list.csv"),
    ]

    assert len(set(paths)) == len(paths)
    assert paths[0] == manifest_path("runs", str(folder), seed=0, window=None)
    assert paths[0] is not None
    assert paths[0].is_absolute()
    assert paths[0].parent == Path("runs", "splits").resolve()
    assert paths[0].name.startswith("my-photos-")
    assert manifest_path("runs", "digits") is manifest_path("runs", tmp_path / "a.npz") is None


@pytest.mark.slow
def test_many_at_once_agree_and_leave_a_whole_file(tmp_path: Path, manifest: Path) -> None:
    small, large = grow(tmp_path / "small", range(40)), grow(tmp_path / "large", range(120))
    program = (
        "import sys; from holdfast.data import load\n"
        "for number in range(20): load(sys.argv[1 + number % 2], manifest=sys.argv[3])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(small), str(large), str(manifest)]) for _ in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]

    known = json.loads(manifest.read_text())["sides"]
    now = sides(load(large, manifest=manifest))
    assert {name for part in known.values() for name in part.values()} == set(now)
    assert all(now[name] == part for part, contents in known.items() for name in contents.values())
    assert sides(load(small, manifest=manifest)).items() <= now.items()
    assert [path.name for path in manifest.parent.iterdir()] == [manifest.name]


@settings(max_examples=15, deadline=None)
@given(numbers=st.lists(st.sets(st.integers(0, 30), min_size=14), min_size=2, max_size=4), seed=st.integers(0, 9))
def test_whatever_comes_and_goes_no_content_changes_sides(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[set[int]], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("grows")
    seen: dict[str, str] = {}
    for present in numbers:
        for path in folder.glob("*/*.png"):
            path.unlink()
        for number in {*present, *range(100, 106)}:
            draw(folder / ("cat" if number % 2 else "dog") / f"{number}.png", number)

        now = sides(load(folder, manifest=folder.parent / f"{folder.name}.json", seed=seed))

        assert all(seen.setdefault(name, part) == part for name, part in now.items())
