"""Tables in CSV files."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import load
from holdfast.data import table as module
from holdfast.data.options import Reading
from holdfast.data.reads import reads_from_dict, reads_to_dict
from holdfast.data.table import Column, Table, read_table

PETS = """name,weight,age,fur,kind
Rex,30,,long,dog
Tom,4,3,short,cat
Ada,25,5,?,dog
Kim,5,NA,long,cat
Bob,20,7,short,dog
Pia,4,9,long,cat
"""


def table(path: Path, text: str = PETS) -> Path:
    path.write_text(text)
    return path


def values(samples: object) -> NDArray[np.float32]:
    """What samples in memory hold."""
    return np.asarray(samples)


def many(path: Path, rows: int = 60) -> Path:
    """A table with numbers, some missing, and words, one of them in its last row only."""
    random = np.random.default_rng(0)
    lines = ["size,colour,age,label"]
    for row in range(rows):
        colour = "rare" if row == rows - 1 else random.choice(["red", "blue"])
        age = "" if row % 5 == 0 else f"{random.normal(40, 9):.2f}"
        lines.append(f"{random.normal():.4f},{colour},{age},{'ab'[row % 2]}")
    return table(path, "\n".join(lines))


def test_numbers_are_features_as_they_are_and_words_make_one_each(tmp_path: Path) -> None:
    source = read_table(table(tmp_path / "pets.csv"), Reading())

    assert isinstance(source.reads, Table)
    assert source.reads.features == (
        "weight",
        "age",
        "age is missing",
        "fur = long",
        "fur = missing",
        "fur = short",
    )
    assert_array_equal(
        source.images,
        np.array(
            [
                [30, 0, 1, 1, 0, 0],
                [4, 3, 0, 0, 0, 1],
                [25, 5, 0, 0, 1, 0],
                [5, 0, 1, 1, 0, 0],
                [20, 7, 0, 0, 0, 1],
                [4, 9, 0, 1, 0, 0],
            ],
            np.float32,
        ),
    )
    assert source.classes == ("cat", "dog")
    assert_array_equal(source.labels, [1, 0, 1, 0, 1, 0])
    assert list(source.names[:2]) == ["line 2", "line 3"]


def test_what_was_guessed_and_left_out_is_said(tmp_path: Path) -> None:
    notes = read_table(table(tmp_path / "pets.csv"), Reading()).notes

    assert notes == (
        "the class is taken from the last column, 'kind'; to name another: --label-by COLUMN",
        "left out of the columns: 'name' (6 different words in 6 rows)",
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["1"] * 6, "constant"),
        ([""] * 6, "empty"),
        (["7", "8", "9", "10", "11", "12"], "a number of each row"),
        ([f"n{row}" for row in range(6)], "6 different words in 6 rows"),
    ],
    ids=["constant", "empty", "numbers of rows", "names"],
)
def test_columns_that_say_nothing_are_left_out(tmp_path: Path, values: list[str], why: str) -> None:
    rows = [
        f"{value},{size},{'ab'[place % 2]}" for place, (value, size) in enumerate(zip(values, "135246", strict=True))
    ]

    source = read_table(table(tmp_path / "a.csv", "x,size,label\n" + "\n".join(rows)), Reading())

    assert source.notes == (f"left out of the columns: 'x' ({why})",)
    assert source.images.shape == (6, 1)


def test_what_is_missing_is_the_median_of_the_training_part_and_of_no_other(tmp_path: Path) -> None:
    data = load(many(tmp_path / "a.csv"))

    assert isinstance(data.reads, Table)
    train, others = values(data.train.images), values(data.validation.images)
    age, missing = train[:, data.reads.features.index("age")], train[:, -1]
    median = np.median(age[missing == 0])
    assert missing.sum() > 0
    assert (age[missing == 1] == median).all()
    assert (others[others[:, -1] == 1, -2] == median).all()
    assert data.reads.columns[2].fill == pytest.approx(median)


def test_rows_outside_the_training_part_do_not_change_how_it_is_read(tmp_path: Path) -> None:
    path = many(tmp_path / "a.csv")
    before = load(path)
    lines = path.read_text().splitlines()
    for name in before.validation.names:
        line = int(name.removeprefix("line ")) - 1
        cells = lines[line].split(",")
        lines[line] = ",".join([f"{1000 + line}.5", cells[1], cells[2] and "999", cells[3]])
    changed = table(tmp_path / "b.csv", "\n".join(lines))

    after = load(changed)

    assert after.train.names == before.train.names
    assert after.reads == before.reads
    assert_array_equal(after.train.images, before.train.images)


def test_a_word_that_only_other_parts_have_counts_as_none_of_those_known(tmp_path: Path) -> None:
    seeds = (load(many(tmp_path / "a.csv"), seed=seed) for seed in range(20))
    data = next(data for data in seeds if "line 61" in data.validation.names)

    assert isinstance(data.reads, Table)
    assert data.reads.columns[1].words == ("blue", None, "red")
    row = values(data.validation.images)[list(data.validation.names).index("line 61")]
    assert_array_equal(row[1:4], [0, 0, 0])


def test_folds_learn_anew_what_stands_for_missing_numbers(tmp_path: Path) -> None:
    data = load(many(tmp_path / "a.csv"))
    half = data.train.take(range(20))

    fold = data.with_parts(half, data.train.take(range(20, 40)))

    before, after = values(half.images), values(fold.train.images)
    missing = before[:, -1] == 1
    assert (after[missing, -2] == np.median(before[~missing, -2])).all()
    assert fold.reads != data.reads


def test_files_are_read_as_training_read_them_by_the_names_of_columns(tmp_path: Path) -> None:
    path = many(tmp_path / "a.csv")
    data = load(path)
    assert isinstance(data.reads, Table)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    turned = table(tmp_path / "b.csv", "\n".join(",".join(["x", *row[2::-1]]) for row in rows).replace("x", "note", 1))

    found = data.reads.read([turned, path])

    assert_array_equal(found[:60], found[60:])
    names = data.reads.names([turned])
    assert names[0] == f"{turned}:2"
    places = [int(name.removeprefix("line ")) - 2 for name in data.train.names]
    assert_array_equal(found[places], data.train.images)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight,fur\n3,long\n", r"new\.csv: lacks the column 'age', which the model learned from"),
        ("weight,age,fur\nheavy,3,long\n", r"new\.csv: line 2: weight is 'heavy'; a number is needed"),
        ("weight,age,fur\n1,3\n", r"new\.csv: line 2 has another number of cells than the first line"),
        ("3,4,5\n", r"new\.csv: is no table: its first line must name its columns, each once"),
    ],
    ids=["no such column", "no number", "short row", "no names"],
)
def test_files_that_do_not_fit_the_model_are_named(tmp_path: Path, text: str, message: str) -> None:
    reads = read_table(table(tmp_path / "pets.csv"), Reading()).reads
    assert reads is not None

    with pytest.raises(BadFile, match=message):
        reads.read([table(tmp_path / "new.csv", text)])


def test_numbers_and_words_that_were_never_missing_or_seen_are_read_all_the_same(tmp_path: Path) -> None:
    reads = Table((Column("weight", fill=4.0), Column("fur", ("long", "short"))))

    assert_array_equal(reads.read([table(tmp_path / "a.csv", "weight,fur\n,wet\n")]), [[4, 0, 0]])


@pytest.mark.parametrize("name", ["label", "Class", "target"])
def test_the_class_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / "a.csv", f"{name},x,y\na,1,2\nb,4,5\na,3,3\n")

    source = read_table(path, Reading())

    assert (source.classes, source.notes) == (("a", "b"), ())


def test_any_column_can_be_the_class_a_group_a_time_or_a_part(tmp_path: Path) -> None:
    text = "site,day,x,grade,split\nA,2024-01-01,1,10,train\nB,2024-01-02,2,9,train\nA,2024-01-03,5,10,test\n"

    source = read_table(table(tmp_path / "a.csv", text), Reading(label_by="grade", group_by="site", time_by="day"))

    assert source.classes == ("9", "10")
    assert source.groups is not None
    assert source.times is not None
    assert (source.group_names, source.groups.tolist()) == (("A", "B"), [0, 1, 0])
    assert np.diff(source.times).tolist() == [86400, 86400]
    assert source.parts.tolist() == [0, 0, 2]
    assert values(source.images).tolist() == [[1], [2], [5]]


@pytest.mark.parametrize("option", ["label_by", "group_by", "time_by"])
def test_a_column_that_is_not_there_is_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(BadData, match=rf"{option}='wieght' is no column; did you mean 'weight'\?"):
        read_table(table(tmp_path / "pets.csv"), Reading(**{option: "wieght"}))  # type: ignore[arg-type]  # one of three


def test_rows_without_a_class_or_of_another_length_are_named_or_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "pets.csv", PETS + "Zoe,3,4,long,\nMax,4\n")

    with pytest.raises(
        BadData, match=r"2 of 8 rows cannot be used: line 8 \(no class\), line 9 \(2 cells in 5 columns\); mend them"
    ):
        read_table(path, Reading())
    source = read_table(path, Reading(skip_bad=True))

    assert (len(source.labels), len(source.skipped)) == (6, 2)


def test_a_column_of_numbers_with_a_slip_is_not_lost_unseen(tmp_path: Path) -> None:
    rows = [f"{row}.{row}5,{'ab'[row % 2]}" for row in range(30)]
    rows[3] = "1.2.3,a"

    with pytest.raises(BadData, match=r"a\.csv: column 'x' holds numbers, but '1\.2\.3' in row 4; correct"):
        read_table(table(tmp_path / "a.csv", "x,label\n" + "\n".join(rows)), Reading())


def test_a_column_of_values_is_no_class(tmp_path: Path) -> None:
    rows = [f"{row % 7},{row}.5" for row in range(30)]

    with pytest.raises(BadData, match=r"column 'price' has 30 different values in 30 rows; a class is shared"):
        read_table(table(tmp_path / "a.csv", "x,price\n" + "\n".join(rows)), Reading())


def test_a_column_that_alone_tells_all_classes_apart_is_told(tmp_path: Path) -> None:
    rows = [f"{row % 5},{'xy'[row % 2]},{row % 2 * 50 + row / 3:.2f},{'ab'[row % 2]}" for row in range(60)]

    notes = read_table(table(tmp_path / "a.csv", "i,code,price,label\n" + "\n".join(rows)), Reading()).notes

    assert len(notes) == 1
    assert notes[0].startswith("'code', 'price' alone tell all classes apart; what was made from the class")


def test_equal_rows_are_copies_and_stay_on_one_side(tmp_path: Path) -> None:
    path = many(tmp_path / "a.csv")
    lines = path.read_text().splitlines()

    data = load(table(path, "\n".join([*lines, *lines[1:11]])))

    assert data.facts.duplicates == 10
    sides = [{tuple(row) for row in values(part.images).tolist()} for part in (data.train, data.validation)]
    assert not sides[0] & sides[1]


def test_a_table_with_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    text = "picture,kind\n" + "\n".join(f"p{row},{'ab'[row % 2]}" for row in range(8))

    with pytest.raises(BadData, match=r"no column is left to learn from: 'picture' \(8 different words in 8 rows\)"):
        read_table(table(tmp_path / "a.csv", text), Reading())


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 300)

    with pytest.raises(BadData, match=r"6 rows of 6 features take .* leave out columns, 'fur' has 3 of them"):
        read_table(table(tmp_path / "pets.csv"), Reading())


def test_options_of_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"load\(image_size=\(8, 8\)\): does not concern tables"):
        load(many(tmp_path / "a.csv"), image_size=8)


def test_a_list_of_files_without_classes_is_no_table(tmp_path: Path) -> None:
    """It was a table of one column, which had nothing to do with pictures."""
    (tmp_path / "list.csv").write_text("path\na.jpg\nb.jpg\n")

    with pytest.raises(BadData, match=r"list\.csv: names files, and no classes; add a column called label"):
        load(tmp_path / "list.csv", image_size=8)


def test_a_way_of_reading_goes_through_json() -> None:
    reads = Table((Column("x", flagged=True, fill=0.5), Column("y", ("a", None))))

    assert reads_from_dict(reads_to_dict(reads)) == reads
    assert reads.shape == (4,)


@pytest.mark.parametrize(
    "plain",
    [{}, {"columns": [{"name": "x"}]}, {"columns": [{"name": "x", "words": None, "flagged": False, "fill": "nan"}]}],
    ids=["nothing", "no words", "no number"],
)
def test_a_damaged_description_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(BadValue, match="a table is described by its columns"):
        Table.from_dict(plain)


def test_numbers_are_standardised_and_ones_and_zeros_are_not() -> None:
    reads = Table((Column("x", flagged=True), Column("y", ("a", "b")), Column("z")))
    train = np.array([[1, 0, 1, 0, 5], [3, 1, 0, 1, 5]], np.float32)

    mean, variance = reads.moments(train)

    assert mean.tolist() == [2, 0, 0, 0, 5]
    assert variance.tolist() == [1, 1, 1, 1, 1]
