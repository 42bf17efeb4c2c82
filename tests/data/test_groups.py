"""Groups and times in the names of files, in columns and in arrays; and groups that names suggest."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.core import BadData, BadShape, BadValue
from holdfast.data import Dataset, Part, from_arrays, load
from holdfast.data.groups import suggest_groups
from holdfast.data.pictures import Listed
from holdfast.data.sealed import open_seal

MakePhotos = Callable[..., Path]  # the fixture
SPEAKERS = ("george", "jackson", "nicolas", "theo")


def listed(names: list[str]) -> list[Listed]:
    return [Listed(Path(name), name, name.split("/")[0]) for name in names]


def write(folder: Path, names: list[str]) -> Path:
    """A different small picture under each name."""
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8)).save(folder / name)
    return folder


def parts(data: Dataset) -> tuple[Part, Part, Part]:
    return data.train, data.validation, open_seal(data.test)


def spoken(each: int = 3) -> list[str]:
    return [f"{digit}/{who}_{take}.png" for digit in range(3) for who in SPEAKERS for take in range(each)]


def groups_of(part: Part) -> list[int]:
    assert part.groups is not None
    found: list[int] = part.groups.tolist()
    return found


def times_of(part: Part) -> list[float]:
    assert part.times is not None
    found: list[float] = part.times.tolist()
    return found


KINDS = ("cat", "dog")
SUGGESTED = {
    "speakers": (spoken(), SPEAKERS),
    "speakers after the class": (
        [f"{d}/{d}_{who}_{n}.wav" for d in range(3) for who in SPEAKERS for n in (1, 2)],
        SPEAKERS,
    ),
    "patients": (
        [f"{kind}/patient_{p:03}_slice_{n}.png" for p in range(8) for kind in ("ill", "well") for n in range(3)],
        tuple(f"{p:03}" for p in range(8)),
    ),
    "patients of one class each": (
        [f"{('ill', 'well')[p % 2]}/patient{p:02}-{n}.png" for p in range(8) for n in range(3)],
        tuple(f"patient{p:02}" for p in range(8)),
    ),
    "bursts": (
        [f"{('cat', 'dog')[b % 2]}/burst-{b}-{n}.jpg" for b in range(6) for n in range(4)],
        tuple(f"{b}" for b in range(6)),
    ),
    "bursts of numbers": (
        [f"{('cat', 'dog')[b % 2]}/{b:04}_{n:02}.jpg" for b in range(6) for n in range(4)],
        tuple(f"{b:04}" for b in range(6)),
    ),
    "bursts of a camera": (
        [f"{KINDS[b % 2]}/DSC_{b:04}-{n}.jpg" for b in range(6) for n in range(1, 4)],
        tuple(f"DSC_{b:04}" for b in range(6)),
    ),
    "bursts of a phone": (
        [f"{('cat', 'dog')[b % 2]}/0000{n}_BURST2024010{b}.jpg" for b in range(1, 7) for n in range(4)],
        tuple(f"BURST2024010{b}" for b in range(1, 7)),
    ),
    "the speaker at the end": (
        [f"{word}/{n}_speaker{s}.wav" for word in ("no", "yes") for s in range(4) for n in range(3)],
        tuple(f"speaker{s}" for s in range(4)),
    ),
}
SILENT = {
    "cameras": [f"{kind}/IMG_{n:04}.jpg" for kind in KINDS for n in range(20)],
    "two cameras": [f"{kind}/{('IMG', 'DSC', 'PXL')[n % 3]}_{n:04}.jpg" for kind in KINDS for n in range(20)],
    "phones": [f"{kind}/IMG_20240{1 + n % 3}01_1015{n:02}.jpg" for kind in KINDS for n in range(20)],
    "days": [f"{kind}/2024010{1 + n % 3}_1015{n:02}.jpg" for kind in KINDS for n in range(20)],
    "screens": [f"{kind}/Screenshot 2024-01-0{1 + n % 3} at 10.15.{n}.png" for kind in KINDS for n in range(20)],
    "classes": [f"{kind}/{kind}.{n}.jpg" for kind in ("cat", "dog", "fox") for n in range(20)],
    "classes of ImageNet": [f"n0{k}440764/n0{k}440764_{n * 37}.JPEG" for k in range(4) for n in range(20)],
    "classes of two words": [f"{kind}/{kind}_{n}.jpg" for kind in ("pug", "great_dane", "shih_tzu") for n in range(9)],
    "running numbers": [f"{kind}/{n}.png" for kind in KINDS for n in range(20)],
    "running numbers with zeros": [f"{kind}/000000{n:06}.jpg" for kind in KINDS for n in range(20)],
    "numbered pictures": [f"{kind}/image_{n:05}.jpg" for kind in KINDS for n in range(20)],
    "uuids": [
        f"{kind}/3f2504e{n % 10}-4f8{n % 3}-41d{n % 3}-9a0c-0305e82c33{n:02}.jpg" for kind in KINDS for n in range(20)
    ],
    "hashes": [f"{kind}/{'%032x' % (n * 7919 ** 8 + 12345)}.jpg" for kind in KINDS for n in range(20)],
    "photo sharing": [
        f"{kind}/{10043 + n * 77}_{n * 7919**2:08x}_{'nmz'[n % 3]}.jpg" for kind in KINDS for n in range(20)
    ],
    "two speakers": [f"{d}/{who}_{n}.wav" for d in range(3) for who in ("anna", "ben") for n in range(5)],
    "few files": ["cat/a_1.png", "dog/b_1.png"],
    "no files": [],
}  # fmt: skip


@pytest.mark.parametrize("scheme", SUGGESTED)
def test_names_that_hold_groups_are_noticed(scheme: str) -> None:
    names, expected = SUGGESTED[scheme]

    found = suggest_groups(listed(names))

    assert found is not None
    assert found.names == expected


@pytest.mark.parametrize("scheme", SILENT)
def test_other_names_are_left_alone(scheme: str) -> None:
    assert suggest_groups(listed(SILENT[scheme])) is None


def test_the_real_spoken_digits_are_noticed(real_data: Path) -> None:
    folder = real_data / "spoken_digits"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav"))

    found = suggest_groups(listed(names))

    assert found is not None
    assert found.names == ("jackson", "nicolas", "theo", "yweweler")


@pytest.mark.parametrize("scheme", SUGGESTED)
def test_the_command_that_is_told_keeps_each_group_on_one_side(tmp_path: Path, scheme: str) -> None:
    names, expected = SUGGESTED[scheme]
    folder = write(tmp_path / "my data", [Path(name).with_suffix(".png").as_posix() for name in names])

    (note,) = load(folder).facts.notes
    words = shlex.split(note.split(": ", 1)[1])
    data = load(folder, group_by=words[4])

    assert note.startswith(f"names suggest {len(expected)} groups ({expected[0]}, {expected[1]}, {expected[2]}")
    assert words[:4] == ["holdfast", "train", str(folder), "--group-by"]
    assert (data.facts.groups, data.facts.notes) == (len(expected), ())
    held = [{data.group_names[group] for group in groups_of(part)} for part in parts(data)]
    assert sum(map(len, held)) == len(set().union(*held)) == len(expected)


@pytest.mark.parametrize("pattern", [r"/([a-z]+)_", r"(?<=/)[a-z]+"], ids=["a group", "the whole match"])
def test_a_regular_expression_finds_the_groups_in_paths(tmp_path: Path, pattern: str) -> None:
    data = load(write(tmp_path, spoken()), group_by=pattern)

    assert set(data.group_names.values()) == set(SPEAKERS)
    for part in parts(data):
        assert [data.group_names[group] for group in groups_of(part)] == [
            name.split("/")[1].split("_")[0] for name in part.names
        ]
    assert [len(part) for part in parts(data)] == [18, 9, 9]


def test_origin_brings_the_groups_back(tmp_path: Path) -> None:
    data = load(write(tmp_path, spoken()), group_by=r"([a-z]+_\d)", time_by=r"_(\d)")

    again = load(**json.loads(json.dumps(data.origin)))

    assert again.origin == data.origin
    assert again.split_fingerprint == data.split_fingerprint


def test_a_file_that_does_not_match_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "photos", [*spoken(), "2/0.png"])

    with pytest.raises(
        BadData, match=rf"^{folder}: group_by='/\(\[a-z\]\+\)_' does not match 2/0\.png; a regular expression must find"
    ):
        load(folder, group_by="/([a-z]+)_")


def test_what_is_no_regular_expression_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^load\(time_by='\('\): is not a regular expression: missing \)"):
        load(write(tmp_path, spoken()), time_by="(")


def test_samples_without_names_are_grouped_in_python(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"load\(group_by='x'\): the samples of digits have no names; use from_a"):
        load("digits", group_by="x")


def table(folder: Path, head: str, *columns: list[str]) -> Path:
    lines = [head, *(",".join(cells) for cells in zip(*columns, strict=True))]
    (folder / "list.csv").write_text("\n".join(lines))
    return folder / "list.csv"


def test_a_column_of_a_csv_gives_the_groups_and_another_the_times(tmp_path: Path) -> None:
    names = [f"{index}.png" for index in range(40)]
    write(tmp_path, names)
    labels = ["cat" if index % 2 else "dog" for index in range(40)]
    who = [f"p{index // 4}" for index in range(40)]
    days = [f"2024-01-{1 + index % 28:02}" for index in range(40)]
    path = table(tmp_path, "path,label,group,patient,day", names, labels, [*map(str, range(40))], who, days)

    data = load(path, group_by="patient")
    timed = load(path, time_by="day")

    assert data.facts.groups == 10
    assert set(data.group_names.values()) == set(who)
    assert timed.facts.groups == 40  # the column "group" is heeded where nothing else is said
    held = [[days[names.index(name)] for name in part.names] for part in parts(timed)]
    assert max(held[0]) < min(held[1]) <= max(held[1]) < min(held[2])


def test_a_regular_expression_may_read_the_paths_of_a_csv_too(tmp_path: Path) -> None:
    names = spoken()
    write(tmp_path, names)
    path = table(tmp_path, "path,label", names, [name[0] for name in names])

    assert load(path, group_by="/([a-z]+)_").facts.groups == 4
    with pytest.raises(
        BadData, match=r"group_by='speaker' is no column \(path, label\) and does not match 0/george_0\.png"
    ):
        load(path, group_by="speaker")


def test_an_array_of_an_npz_gives_the_groups(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(80).reshape(40, 2), y=np.arange(40) % 2, who=np.arange(40) // 4)

    data = load(tmp_path / "a.npz", group_by="who", time_by="who")

    assert data.facts.groups == 10
    assert [set(times_of(part)) & {0, 9} for part in parts(data)] == [
        {0.0},
        set(),
        {9.0},
    ]
    with pytest.raises(BadData, match=r"group_by='patient' is no array in it; it holds who, x, y"):
        load(tmp_path / "a.npz", group_by="patient")


def test_the_earliest_train_and_the_latest_are_the_test_part(tmp_path: Path) -> None:
    times = np.random.default_rng(0).permutation(100)

    data = from_arrays(np.arange(100).reshape(100, 1), [0, 1] * 50, times=times)

    held = [sorted(times_of(part)) for part in parts(data)]
    assert held == [list(range(70)), list(range(70, 85)), list(range(85, 100))]
    assert data.train.names[0] == f"images[{np.flatnonzero(times < 70)[0]}]"


def test_what_is_of_one_time_stays_together() -> None:
    times = [0] * 10 + [1] * 55 + [2] * 20 + [3] * 15

    data = from_arrays(np.arange(100).reshape(100, 1), [0, 1] * 50, times=times)

    assert [set(times_of(part)) for part in parts(data)] == [{0, 1}, {2}, {3}]


def test_a_group_stands_where_its_latest_sample_belongs() -> None:
    times = list(range(100))
    groups = [*range(100)]
    groups[0] = 99

    data = from_arrays(np.arange(100).reshape(100, 1), [0, 1] * 50, times=times, groups=groups)

    assert {"images[0]", "images[99]"} <= set(open_seal(data.test).names)


def test_too_few_times_are_named() -> None:
    with pytest.raises(
        BadData, match=r"^arrays: has 2 different times, of groups and copies the latest counts; at lea"
    ):
        from_arrays(np.arange(40).reshape(40, 1), [0, 1] * 20, times=[0, 1] * 20)


def test_times_before_which_there_was_one_class_only_are_named() -> None:
    with pytest.raises(BadData, match=r"^arrays: the training part by these times has samples of class '0' only; two"):
        from_arrays(np.arange(40).reshape(40, 1), [0] * 34 + [1] * 6, times=range(40))


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ([1, 2], BadShape, r"^times: have shape \(2,\) for 4 images"),
        ([1, 2, np.nan, 3], BadData, r"^times: must be finite numbers or dates of NumPy"),
        (["a", "b", "c", "d"], BadData, r"^times: must be finite numbers or dates of NumPy"),
    ],
    ids=str,
)
def test_times_that_are_none_are_refused(times: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_arrays(np.arange(4).reshape(4, 1), [0, 1] * 2, times=times)


def test_dates_of_numpy_are_times() -> None:
    days = np.datetime64("2024-01-01") + np.arange(40)

    data = from_arrays(np.arange(40).reshape(40, 1), [0, 1] * 20, times=days)

    assert np.diff(times_of(data.train)).tolist() == [86400] * 27


@pytest.mark.parametrize(
    "form", ["{}", "2024-01-01T00:00:{:02}", "2024-01-01T01:00:{:02}+01:00", "202401{:02}"], ids=str
)
def test_times_in_names_are_numbers_or_iso_dates(tmp_path: Path, form: str) -> None:
    write(tmp_path, [f"{kind}/{form.format(n)}_{kind}.png" for kind in ("cat", "dog") for n in range(10, 30)])

    data = load(tmp_path, time_by=r"/([^_]+)_")

    last = [max(name.split("/")[1].split("_")[0] for name in part.names) for part in parts(data)]
    assert last == [form.format(n) for n in (23, 26, 29)]


def test_what_is_no_time_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"the time of 0/george_0\.png is 'george'; accepted are numbers and ISO da"):
        load(write(tmp_path, spoken()), time_by="/([a-z]+)_")


def test_groups_of_a_given_test_part_leave_train(tmp_path: Path) -> None:
    names = [f"train/{kind}/p{n}_{kind}.png" for kind in ("cat", "dog") for n in range(10)]
    names += [f"test/{kind}/p{n}_{kind}_2.png" for kind in ("cat", "dog") for n in (0, 10)]

    data = load(write(tmp_path, names), group_by=r"(p\d+)_")

    assert data.facts.duplicates_removed == 2
    assert not {"train/cat/p0_cat.png", "train/dog/p0_dog.png"} & {*data.train.names, *data.validation.names}


def test_nothing_is_left_when_every_group_is_tested(tmp_path: Path) -> None:
    names = [f"{part}/{kind}/p{n}.png" for part in ("train", "test") for kind in ("cat", "dog") for n in range(5)]

    with pytest.raises(BadData, match="nothing is left to train on: every group stands in validation or test, too"):
        load(write(tmp_path, names), group_by=r"p\d+")
