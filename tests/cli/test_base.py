"""`--base`, `--until`, `--fine-tune` and `--preprocessing` of the commands that train, and `holdfast bases`."""

from pathlib import Path

import pytest

from holdfast import Input, Sequential
from holdfast.layers import Conv2D, Dense, GlobalAveragePooling2D

from .conftest import Says

QUICK = ("--epochs", 1, "--device", "cpu")


@pytest.fixture
def base(here: Path) -> Path:
    """A classifier of pictures from -1 to 1 that was made elsewhere, and says nothing of its pixels."""
    layers = [Conv2D(4, 3, name="first"), Conv2D(4, 3, name="second"), GlobalAveragePooling2D()]
    Sequential([Input((6, 6, 1)), *layers, Dense(5, activation="softmax")], "net", seed=0).save(here / "base.keras")
    return here / "base.keras"


def test_train_says_what_is_frozen_and_can_be_asked_evaluated_and_made_again(
    small: Path, base: Path, says: Says
) -> None:
    words = (small, "--base", base, "--preprocessing", "tf", "--until", "second", "--fine-tune", 1, *QUICK)

    code, out, err = says("train", *words)

    assert (code, err) == (0, "")
    told = next(line for line in out.splitlines() if line.startswith("base "))
    assert "base.keras until second: 1 of " in told
    assert told.endswith(" layers with weights are frozen, its last 1 fine-tuned; 163 of 211 weights are trained")
    assert "the deepest layer at 0.7 of that, in float32" in out
    assert says("evaluate", "runs/small-001")[0] == 0
    assert "--until second --fine-tune 1 --preprocessing tf" in Path("runs/small-001/report.html").read_text("utf-8")


def test_a_run_is_a_base_for_the_next(small: Path, says: Says) -> None:
    says("train", small, *QUICK)

    code, out, _ = says("train", small, "--base", "runs/small-001", *QUICK)

    assert code == 0
    assert "weights are trained" in out


@pytest.mark.parametrize(
    "command", [("crossval", "--folds", 2), ("curve", "--sizes", "30,60", "--repeats", 1)], ids=str
)
def test_other_commands_take_a_base(small: Path, base: Path, says: Says, command: tuple[object, ...]) -> None:
    code, _, err = says(*command[:1], small, "--base", base, "--preprocessing", "unit", *command[1:], *QUICK)

    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--until", "first"), "--until says something of a base; give one with --base."),
        (("--fine-tune", "1"), "--fine-tune says something of a base"),
        (("--base", "base.keras", "--model", "dense"), "--model dense and --base base.keras exclude each other"),
        (("--base", "nowhere.keras"), "no such file or folder, and no name of a base"),
        (("--base", "small.npz"), "is no archive of Keras|is no .keras|damaged"),
        (("--base", "base.keras"), "does not say what pixels it takes"),
        (("--base", "base.keras", "--preprocessing", "tf", "--until", "secnd"), "did you mean 'second'?"),
        (("--base", "base.keras", "--preprocessing", "tf", "--fine-tune", "3"), "the base has 2 layers that can be"),
        (("--base", "base.keras", "--preprocessing", "torch"), "'torch' is of RGB pictures"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words_are_one_line(small: Path, base: Path, says: Says, words: tuple[str, ...], message: str) -> None:
    code, _, err = says("train", small, *words)

    assert (code, err.count("\n")) == (2, 1)
    assert any(one in err for one in message.split("|"))
    assert not Path("runs").exists()


def test_bases_lists_the_names(says: Says) -> None:
    code, out, _ = says("bases")

    assert code == 0
    assert any(line.startswith("resnet18 ") and "to be fetched" in line for line in out.splitlines())
