"""`holdfast curve`: what it prints, what it writes, what it refuses."""

from pathlib import Path

import pytest

from holdfast.runs import Record

from .conftest import Says

QUICK = ("--epochs", 2, "--device", "cpu", "--repeats", 1)


def test_a_line_a_training_then_what_it_says(small: Path, says: Says) -> None:
    code, out, err = says("curve", small, *QUICK)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("data      small: 90 pictures, 3 classes")
    lines = lines[lines.index("sizes     31, 62; 1 training each") :]
    assert lines[1].startswith("31        validation ")
    assert lines[3].startswith("more data from 31 to 62 pictures the accuracy ")
    assert lines[4].startswith("model     of 62 training pictures it gets ")
    assert lines[5] == "saved     runs/small-curve-001 · report: runs/small-curve-001/report.html"
    assert Path("runs/small-curve-001/curve.json").is_file()


def test_every_option_reaches_the_curve(small: Path, says: Says) -> None:
    words = (
        "--model dense --sizes 30,20,50 --repeats 2 --epochs 3 --batch-size 8 --optimizer rmsprop --learning-rate 0.02 "
        "--patience 1 --validation 0.2 --test 0.1 --seed 7 --device cpu --precision float32 --out elsewhere --quiet"
    )

    code, out, err = says("curve", small, *words.split())

    record = Record.read(Path("elsewhere/small-curve-001"))
    settings = record.settings
    assert (code, out, err) == (0, "", "")
    assert [point["n"] for point in record.scores["curve"]["points"]] == [20, 30, 50]
    assert [len(point["repeats"]) for point in record.scores["curve"]["points"]] == [2, 2, 2]
    assert (settings.model, settings.epochs, settings.batch_size, settings.patience) == ("dense", 3, 8, 1)
    assert (settings.optimizer["class_name"], settings.seed, settings.precision) == ("RMSprop", 7, "float32")
    assert record.sizes == {"train": 63, "validation": 18, "test": 9}


def test_the_runs_list_knows_it(small: Path, says: Says) -> None:
    says("curve", small, *QUICK, "-q")

    code, out, _ = says("runs")

    assert code == 0
    assert "small-curve-001" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sizes", "10,x"), "--sizes 10,x: must be whole numbers with commas between them, such as 100,200,400."),
        (("--sizes", "-5,20"), "--sizes -5,20: must be whole numbers"),
        (("--sizes", "20"), "a curve needs at least two sizes."),
        (("--sizes", "20,500"), "small has 62 training samples, no 500."),
        (("--sizes", "1,20"), "1 samples are too few for one of each of the 3 classes."),
        (("--repeats", 0), "Invalid value for '--repeats': Input should be greater than or equal to 1."),
        (("--model", "convnt"), "did you mean 'convnet' or 'convnet1d'?"),
    ],
)
def test_wrong_words_are_one_line_and_leave_nothing(
    small: Path, says: Says, words: tuple[object, ...], message: str
) -> None:
    code, out, err = says("curve", small, *words, "-q")

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert not Path("runs").exists()


def test_of_few_groups_none_is_sealed_as_in_training(photos: Path, says: Says) -> None:
    """A curve behind a cross-validation by the same few groups was refused: it wanted a test part."""
    for file in photos.rglob("*.png"):
        file.rename(file.with_stem(f"{'abcd'[int(file.stem) % 4]}_{file.stem}"))
    grouped = (photos, "--group-by", "([a-d])_", "--image-size", 12, "--model", "dense")
    assert says("crossval", *grouped, "--folds", 2, "--epochs", 1, "-q")[0] == 0

    code, out, err = says("curve", *grouped, "--sizes", "10,20", *QUICK)

    assert (code, err) == (0, "")
    assert "no test part · 4 groups, none on two sides" in out
