"""Which of three things a CSV is."""

from pathlib import Path

import pytest

from holdfast.core import BadFile
from holdfast.data.csv_kind import csv_kind, read_grid

STEPS = ",".join(f"t{step}" for step in range(10))
VALUES = ",".join(["0.5"] * 10)
CASES = {
    "paths with names": ("path,label\na.png,cat\n", "files"),
    "paths alone": ("a.png,cat\nb.png,dog\n", "files"),
    "one column": ("a.png\n", "files"),
    "nothing": ("", "files"),
    "numbered steps": (f"{STEPS},label\n{VALUES},a\n", "series"),
    "counted steps": (f"label,{','.join(map(str, range(10)))}\na,{VALUES}\n", "series"),
    "class and numbers": (f"1,{VALUES}\n2,{VALUES}\n", "series"),
    "numbers and class": (f"{VALUES},walk\n", "series"),
    "a step a row": ("id,time,x,label\n1,0,2,a\n1,1,2,a\n2,0,1,b\n2,1,1,b\n", "series"),
    "visits of other classes": ("id,time,x,label\n1,0,2,a\n1,1,2,b\n2,0,1,b\n2,1,1,b\n", "table"),
    "ids that do not repeat": ("id,time,x,label\n1,0,2,a\n2,1,2,b\n", "table"),
    "features": ("age,colour,class\n1,red,x\n", "table"),
    "a gap in the numbers": ("t0,t1,t2,t3,t4,t6,t7,t8,t9,class\n" + "1," * 9 + "x\n", "table"),
    "years as names": ("region,2019,size,label\nA,3,1,x\nB,4,2,y\n", "table"),
    "semicolons": ("acid;sugar;quality\n1;2;3\n", "table"),
    "no names, few numbers": ("5.1,3.5,1.4,0.2,setosa\n", "table"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_csv_has_one_reader(tmp_path: Path, case: str) -> None:
    text, kind = CASES[case]
    path = tmp_path / "a.csv"
    path.write_text(text)

    assert csv_kind(path) == kind


def test_cells_are_parted_by_what_parts_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb,c\n 1\t2\n\n3\t4\n", encoding="utf-8-sig")

    grid = read_grid(path)

    assert grid.names == ("a", "b,c")
    assert (grid.rows, grid.lines) == ([["1", "2"], ["3", "4"]], [2, 4])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("age,2019,label\n30,5,x\n", ("age", "2019", "label")),
        ("3,4,setosa\n5,6,setosa\n", None),
        ("a,a,label\n1,2,x\n", None),
        (",x,label\n0,2,x\n", ("", "x", "label")),
    ],
    ids=["a year", "data", "a name twice", "numbers of rows"],
)
def test_the_first_line_names_columns_if_it_differs_from_those_below(
    tmp_path: Path, text: str, names: tuple[str, ...] | None
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)

    assert read_grid(path).names == names


def test_bytes_are_no_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00a")

    with pytest.raises(BadFile, match=r"a\.csv: is not a CSV file in UTF-8"):
        csv_kind(tmp_path / "a.csv")


@pytest.mark.parametrize(("name", "reason"), [("gone.csv", "no such file"), ("folder.csv", "is a directory")])
def test_a_csv_that_is_not_there_is_a_bad_file(name: str, reason: str, tmp_path: Path) -> None:
    """`holdfast predict` used to call it a failure of its own."""
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(BadFile, match=f"{name}: {reason}"):
        read_grid(tmp_path / name)
