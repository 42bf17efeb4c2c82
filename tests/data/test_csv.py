"""CSV files that list pictures."""

from pathlib import Path

import pytest

from holdfast.core import BadData, BadFile
from holdfast.data.csv import list_csv
from holdfast.data.listing import UNKNOWN, Files
from holdfast.data.source import TEST, TRAIN, VALIDATION


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a.png,cat\nb c.png,dog\n",
        "path,label\na.png,cat\nb c.png,dog\n",
        "Label,Note,Path\r\ncat,x,a.png\r\n\r\ndog,,b c.png\r\n",
        'filename,class\n"a.png", cat\nb c.png,dog',
    ],
    ids=["no header", "header", "other order", "quotes"],
)
def test_paths_and_labels_are_read_with_or_without_column_names(tmp_path: Path, text: str) -> None:
    listing = list_csv(table(tmp_path / "t.csv", text))

    assert [(file.path, file.name, file.label, file.group) for file in listing.files] == [
        (tmp_path / "a.png", "a.png", "cat", None),
        (tmp_path / "b c.png", "b c.png", "dog", None),
    ]
    assert listing.classes == ("cat", "dog")


@pytest.mark.parametrize("head", ["", "path,label,group\n"], ids=["no header", "header"])
def test_the_third_column_is_the_group(tmp_path: Path, head: str) -> None:
    listing = list_csv(table(tmp_path / "t.csv", head + "a.png,cat,anna\nb.png,dog,ben\n"))

    assert [file.group for file in listing.files] == ["anna", "ben"]


def test_a_byte_order_mark_and_any_letters_are_fine(tmp_path: Path) -> None:
    listing = list_csv(table(tmp_path / "t.csv", "path,label\nGröße/猫.png,Kätzchen\n", encoding="utf-8-sig"))

    assert [(file.name, file.label) for file in listing.files] == [("Größe/猫.png", "Kätzchen")]


def test_absolute_paths_stay(tmp_path: Path) -> None:
    listing = list_csv(table(tmp_path / "t.csv", "/photos/a.png,cat\n"))

    assert listing.files[0].path == Path("/photos/a.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv: is empty; each line needs path,label or path,label,group\.$"),
        ("a.png\n", r"t\.csv: line 1 has 1 columns; each line needs"),
        ("a.png;cat\n", r"t\.csv: line 1 has 1 columns; each line needs"),
        ("a.png,cat\nb.png,\n", r"t\.csv: line 2 is 'b\.png,'; each line needs .*, the same for all lines"),
        ("a.png,cat,anna\n\nb.png,dog\n", r"t\.csv: line 3 is 'b\.png,dog'; each line needs"),
        ("path,label,group\na.png,cat,\n", r"t\.csv: line 2 is 'a\.png,cat,'; each line needs"),
    ],
    ids=["empty", "one column", "semicolons", "no label", "a group missing", "a group empty"],
)
def test_incomplete_lines_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        list_csv(table(tmp_path / "t.csv", text))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\xff\xfe")

    with pytest.raises(BadFile, match=r"t\.csv: is not a CSV file in UTF-8"):
        list_csv(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("path,label,part\na.png,cat,train\nb.png,dog,Test\nc.png,cat,val\n", None),
        ("path,label,split,group\na.png,cat,train,x\nb.png,dog,test,y\nc.png,cat,validation,x\n", ["x", "y", "x"]),
        ("a.png,cat,train\nb.png,dog,test\nc.png,cat,valid\n", None),
        ("a.png,cat,x,train\nb.png,dog,y,test\nc.png,cat,x,val\n", ["x", "y", "x"]),
    ],
    ids=["column", "column and group", "third without names", "fourth without names"],
)
def test_parts_may_be_given(tmp_path: Path, text: str, groups: list[str] | None) -> None:
    files = list_csv(table(tmp_path / "t.csv", text)).files

    assert [file.part for file in files] == [TRAIN, TEST, VALIDATION]
    assert [file.group or "" for file in files] == (groups or [""] * 3)


@pytest.mark.parametrize("text", ["path,label,part\na.png,cat,trian\n", "a.png,cat,x,trian\n"], ids=["names", "none"])
def test_an_unknown_part_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        BadData, match=r"t\.csv: line \d is of part 'trian'; known are train, validation, val, valid, test"
    ):
        list_csv(table(tmp_path / "t.csv", text))


def test_size_and_time_of_change_are_noted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"123")

    files = list_csv(table(tmp_path / "t.csv", "a.png,cat\nb.png,dog\n")).files

    assert isinstance(files, Files)
    assert files.stamps.tolist() == [[3, (tmp_path / "a.png").stat().st_mtime_ns], [UNKNOWN, UNKNOWN]]
