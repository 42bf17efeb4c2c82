"""`holdfast pays`: what it prints, what it writes, what it refuses."""

from pathlib import Path

import pytest

from holdfast import Sequential
from holdfast.layers import Conv2D, Dense, Flatten, Input, Rescaling
from holdfast.runs import Record

from .conftest import Says

QUICK = ("--epochs", 1, "--model", "dense", "--device", "cpu", "--precision", "float32", "--seeds", 1)


@pytest.fixture
def base(here: Path) -> Path:
    """`base.keras`, which has learned nothing."""
    layers = [Rescaling(1 / 255), Conv2D(4, 3, activation="relu"), Flatten(), Dense(5, "softmax")]
    Sequential([Input((6, 6, 1)), *layers], name="tiny").save(here / "base.keras")
    return here / "base.keras"


def test_a_line_a_training_then_what_it_says(small: Path, base: Path, says: Says) -> None:
    code, out, err = says("pays", small, "--base", base, "--labels", "50%,100%", *QUICK)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("data      small: 90 pictures, 3 classes")
    assert "labels    31 (50 %), 62 (100 %); 1 seed of scratch, fine-tuned, transfer" in lines
    assert sum(" seed 1 of 1" in line for line in lines) == 6
    assert [line.split()[0] for line in lines[-3:]] == ["verdict", "verdict", "saved"]
    assert lines[-1] == "saved     runs/small-pays-001 · report: runs/small-pays-001/report.html"
    assert Path("runs/small-pays-001/pays.json").is_file()
    assert "small-pays-001" in says("runs")[1]


def test_every_option_reaches_the_study(small: Path, base: Path, says: Says) -> None:
    words = (
        f"--base {base.name} --until conv2d --fine-tune 1 --preprocessing none --model dense --labels 100%,60 "
        "--seeds 2 --time 0.5 --epochs 1 --batch-size 8 --learning-rate 0.02 --validation 0.2 --test 0.1 --seed 7 "
        "--device cpu --precision float32 --out elsewhere --quiet"
    )

    code, out, err = says("pays", small, *words.split())

    record = Record.read(Path("elsewhere/small-pays-001"))
    settings, found = record.settings, record.scores["pays"]
    assert (code, out, err) == (0, "", "")
    assert [(point["share"], point["n"], point["budget"]) for point in found["points"]] == [
        (0.6, 38, 0.5),
        (1, 63, 0.5),
    ]
    assert [len(one["repeats"]) for one in found["points"][0]["outcomes"]] == [2, 2, 2]
    assert (found["scratch"], found["layers"]) == ("dense", 1)
    assert (settings.until, settings.preprocessing, settings.batch_size, settings.seed) == ("conv2d", "none", 8, 7)
    assert record.sizes == {"train": 63, "validation": 18, "test": 9}


def test_the_help_says_what_is_compared(says: Says) -> None:
    code, out, _ = says("pays", "--help")

    assert code == 0
    assert "Trains three ways, with paired seeds and under equal time" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--labels", "1%,x"), "--labels 1%,x: must be shares of up to 100 % with commas between them, such as 1%,10%"),
        (("--labels", "0%"), "--labels 0%: must be shares"),
        (("--labels", "1%"), "nothing is left to train on; 1 %: 1 labels are not one of each of the 3 classes."),
        (("--until", "conv"), "did you mean 'conv2d'"),
        (("--fine-tune", "9"), "fine_tune=9: the base has 1 layers that can be trained; take at most those."),
        (("--seeds", "0"), "Invalid value for '--seeds': Input should be greater than or equal to 1."),
        (("--time", "0"), "pays(time_s=0.0): must be seconds above 0."),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_wrong_words_are_one_line_and_leave_nothing(
    small: Path, base: Path, says: Says, words: tuple[str, ...], message: str
) -> None:
    code, out, err = says("pays", small, "--base", base, *words, "-q")

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert not Path("runs").exists()


def test_a_base_is_needed(small: Path, says: Says) -> None:
    code, _, err = says("pays", small)

    assert code == 2
    assert "Missing option '--base'." in err
