"""A look at data before training: what is found, printed and drawn."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from holdfast.core import BadFile
from holdfast.data import Dataset, from_arrays, load
from holdfast.data.sealed import open_seal
from holdfast.data.sounds import Sounds
from holdfast.runs import describe_data, forecast
from holdfast.runs.describe import Description, advice, class_counts, find_copies, next_command
from holdfast.runs.lines import data_line
from holdfast.runs.pages.describe import grid, page

from .small import in_memory


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "SECONDS", 0.01)


def described(data: Dataset | str | Path, tmp_path: Path, **how: object) -> Description:
    return describe_data(data, out=tmp_path / "data.html", verbose=0, device="cpu", **how)  # type: ignore[arg-type]


def photo(index: int, size: tuple[int, int] = (72, 64)) -> Image.Image:
    """Smooth patches, as near copies are told by what remains of them."""
    coarse = np.random.default_rng(index).integers(0, 256, (9, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """60 photos of cats and dogs, and seven of what goes wrong."""
    folder = tmp_path / "pets"
    for index in range(60):
        (folder / ("cat", "dog")[index % 2]).mkdir(parents=True, exist_ok=True)
        photo(index).save(folder / ("cat", "dog")[index % 2] / f"{index:02}.png")
    (folder / "cat" / "empty.jpg").touch()
    (folder / "dog" / "notes.txt").write_text("no picture")
    (folder / "dog" / "cut.png").write_bytes((folder / "dog" / "01.png").read_bytes()[:900])
    photo(0).save(folder / "cat" / "copy.png")
    photo(2).save(folder / "dog" / "wrong.png")
    ImageOps.mirror(photo(4)).save(folder / "cat" / "mirrored.png")
    photo(70, (7, 8)).save(folder / "cat" / "tiny.png")
    return folder


def test_damaged_data_is_described_with_every_bad_file(damaged: Path, tmp_path: Path) -> None:
    found = described(damaged, tmp_path)

    assert {file.path for file in found.data.facts.skipped} == {"cat/empty.jpg", "dog/notes.txt", "dog/cut.png"}
    html = found.page.read_text(encoding="utf-8")
    assert "3 files cannot be read" in html
    for file in found.data.facts.skipped:
        assert file.path in html
        assert file.reason in html
    assert next_command(found) == f"holdfast train {damaged} --skip-bad"


def test_what_to_type_next_has_the_options_of_reading(damaged: Path, tmp_path: Path) -> None:
    data = load(damaged, skip_bad=True, image_size=48, resize="fit")

    found = described(data, tmp_path)

    assert next_command(found) == f"holdfast train {damaged} --skip-bad --image-size 48 --resize fit"


def test_copies_are_found_within_train_and_validation(damaged: Path) -> None:
    data = load(damaged, skip_bad=True, test=0)

    found = {frozenset(getattr(data, one.part).names[place] for place in one.places): one for one in find_copies(data)}

    wrong = found[frozenset({"cat/02.png", "dog/wrong.png"})]
    assert (wrong.exact, wrong.classes) == (True, ("cat", "dog"))
    assert find_copies(data)[0] == wrong
    assert found[frozenset({"cat/00.png", "cat/copy.png"})].exact
    assert not found[frozenset({"cat/04.png", "cat/mirrored.png"})].exact


def test_groups_are_not_taken_for_copies() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6), np.uint8)
    images[7] = images[6]

    data = from_arrays(images, [0, 1] * 20, groups=np.arange(40) // 4, test=0)

    (copies,) = find_copies(data)
    names = getattr(data, copies.part).names
    assert {names[place] for place in copies.places} == {"images[6]", "images[7]"}


def test_nothing_of_the_test_part_is_shown(damaged: Path, tmp_path: Path) -> None:
    (damaged / "cat" / "tiny.png").unlink()
    (damaged / "dog" / "wrong.png").unlink()
    found = described(damaged, tmp_path)

    html = found.page.read_text(encoding="utf-8")
    assert len(found.data.test) > 5
    assert [name for name in open_seal(found.data.test).names if name in html] == []


def test_counts_are_those_of_all_parts() -> None:
    data = in_memory()

    counts = class_counts(data)

    assert counts.sum(0).tolist() == [84, 18, 18]
    assert counts[:, 2].tolist() == list(data.facts.test_counts)


def test_uneven_and_rare_classes_are_told_with_what_to_do() -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 6, 6), np.uint8)
    labels = ["often"] * 185 + ["rare"] * 15

    said = advice(from_arrays(images, labels))

    assert said[0].startswith("the classes are uneven: pictures of 'often' are 12 times as many as those of 'rare'")
    assert "is right on 92." in said[0]
    assert said[1].startswith("'rare': fewer than 20 training pictures")
    assert re.search(
        r"30 validation pictures are few: of 90\.0 % there, the truth is between 74\.4 % and 96\.5 %", said[2]
    )


def test_large_and_even_data_needs_no_advice() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2000, 2, 2), np.uint8)

    assert advice(from_arrays(images, np.arange(2000) % 4)) == []


def test_data_that_the_model_does_not_take_is_described_without_a_forecast(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((60, 3, 3, 3))
    data = from_arrays(values, [0, 1] * 30)

    found = describe_data(data, out=tmp_path / "data.html", verbose=0)

    assert found.forecast is None
    assert "takes pictures" in found.no_forecast
    assert found.no_forecast.split("'")[0] in found.page.read_text(encoding="utf-8")


def test_the_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    html = described("digits", tmp_path).page.read_text(encoding="utf-8")

    assert "<script" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert "default-src 'none'" in html
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall("<img[^>]*>", html))
    assert all("aria-label=" in tag or "aria-hidden" in tag for tag in re.findall("<svg[^>]*>", html))


def test_names_that_mean_something_to_html_are_written_as_they_are(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6), np.uint8)
    data = from_arrays(images, ["<b>&", 'a"b'] * 20)

    html = described(data, tmp_path).page.read_text(encoding="utf-8")

    assert "&lt;b&gt;&amp;" in html
    assert "<b>&</b>" not in html


def test_the_same_data_gives_the_same_samples(tmp_path: Path) -> None:
    one, other = grid(load("digits")), grid(load("digits"))

    assert [[shown.name for shown in row] for _, row in one] == [[shown.name for shown in row] for _, row in other]
    assert [name for name, _ in one] == [str(digit) for digit in range(10)]


def test_many_classes_are_sorted_by_size_and_some_are_drawn(tmp_path: Path) -> None:
    labels = np.concatenate([np.arange(30).repeat(4), np.full(10, 29)])
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 6, 6), np.uint8)
    data = from_arrays(images, labels)

    found = described(data, tmp_path)

    assert len(grid(data)) == 20
    html = page(found)
    assert html.index("<th>29</th>") < html.index("<th>0</th>")


def test_it_is_printed(tmp_path: Path, damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    describe_data(damaged, out=tmp_path / "x.html", device="cpu")

    lines = capsys.readouterr().out.splitlines()
    words = [line.split()[0] for line in lines]
    assert words[:2] == ["data", "classes"]
    assert "█" in lines[1]
    assert any(line.startswith("sizes     72x64 (") for line in lines)
    assert "bad       cat/empty.jpg (empty, 0 bytes)" in lines
    assert any(
        line.startswith("labels    two for one content: cat/02.png (cat) = dog/wrong.png (dog)") for line in lines
    )
    assert any(line.startswith("forecast  convnet, ") and "on cpu: fits: " in line for line in lines)
    assert lines[-1] == f"page      {tmp_path / 'x.html'} · next: holdfast train {damaged} --skip-bad"


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file or folder"):
        described(tmp_path / "nothing.csv", tmp_path)


def test_near_copies_that_nobody_looked_for_are_not_said_to_be_none(damaged: Path, tmp_path: Path) -> None:
    small = described("digits", tmp_path).page.read_text(encoding="utf-8")
    large = described(damaged, tmp_path).page.read_text(encoding="utf-8")

    assert "None are the exact copy of another; near copies were not looked for." in small
    assert "recompressed, resized, mirrored or shifted" in large


def test_data_that_training_refuses_is_described_whole(damaged: Path, tmp_path: Path) -> None:
    (damaged / "owl").mkdir()
    (damaged / "owl" / "only.png").write_bytes((damaged / "dog" / "05.png").read_bytes()[:99])
    photo(99).save(damaged / "owl" / "one.png")

    found = described(damaged, tmp_path)

    assert "class 'owl' has 1 distinct samples; at least 3 are needed" in found.advice[0]
    assert class_counts(found.data)[2].tolist() == [1, 0, 0]
    assert {"owl/only.png", "cat/empty.jpg"} <= {file.path for file in found.data.facts.skipped}
    assert (found.forecast, next_command(found)) == (None, "")
    assert "such data cannot be trained on" in found.page.read_text(encoding="utf-8")


def test_a_class_without_any_good_file_is_counted_as_none(damaged: Path, tmp_path: Path) -> None:
    (damaged / "owl").mkdir()
    (damaged / "owl" / "broken.png").touch()

    found = described(damaged, tmp_path)

    assert class_counts(found.data)[2].tolist() == [0, 0, 0]
    assert "cat/02.png (cat) = dog/wrong.png (dog)" in found.data.facts.conflicts[0]


def test_of_sounds_seconds_and_sounds_are_told_not_values_and_pictures() -> None:
    data = from_arrays(np.arange(40 * 400, dtype=np.float32).reshape(40, 400), [0, 1] * 20)
    told = replace(data, reads=Sounds(8000, 400), facts=replace(data.facts, conflicts=("a.wav (0) = b.wav (1)",)))

    line = data_line(told)

    assert "40 sounds, 2 classes, 0.05 s at 8,000 Hz" in line
    assert "1 sound under two labels" in line
