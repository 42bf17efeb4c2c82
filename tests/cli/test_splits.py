"""Splits on the command line: groups, times, warnings, and the manifest that runs share."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Says

QUICK = ("--epochs", 1, "--model", "dense")


def spoken(folder: Path, takes: range, speakers: str = "abcdef") -> Path:
    """Pictures named as recordings are: of two words, by speakers, in takes."""
    random = np.random.default_rng(takes.start)
    for word, light in (("no", 0), ("yes", 120)):
        (folder / word).mkdir(parents=True, exist_ok=True)
        for who in speakers:
            for take in takes:
                pixels = random.integers(light, light + 130, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / word / f"speaker-{who}_{take}.png")
    return folder


def test_a_warning_shows_the_command_that_keeps_groups_on_one_side(here: Path, says: Says) -> None:
    spoken(here / "words", range(4))

    code, out, _ = says("train", "words", *QUICK)
    (warning,) = (line for line in out.splitlines() if line.startswith("warning"))
    words = shlex.split(warning.split(": ", 1)[1])
    again, told, _ = says(*words[1:], *QUICK)

    assert (code, again) == (0, 0)
    assert warning.startswith("warning   names suggest 6 groups (a, b, c and 3 more) that this split cuts, which")
    assert words == ["holdfast", "train", "words", "--group-by", "speaker-([^/_]+)_"]
    assert "6 groups, none on two sides" in told
    assert "warning   6 groups are few: none is sealed as a test part" in told
    assert "flatters" not in told


def test_judging_again_and_the_command_of_a_run_know_groups_and_times(here: Path, says: Says) -> None:
    spoken(here / "words", range(4))
    says("train", "words", *QUICK, "--group-by", "speaker-([a-z])_", "--time-by", "-(.)_", "--seed", 1)  # no number
    pattern = "speaker-([a-z]_[0-9])"

    code, _, err = says("train", "words", *QUICK, "--group-by", pattern, "--time-by", "_([0-9])", "--seed", 1)
    assert (code, err) == (0, "")
    code, out, err = says("evaluate", "runs/words-001", "--unseal", "--yes")

    assert (code, err) == (0, "")
    assert "test      test accuracy" in out
    card = Path("runs/words-001/card.md").read_text()
    assert f"--group-by {shlex.quote(pattern)} --time-by {shlex.quote('_([0-9])')}" in card
    record = json.loads(Path("runs/words-001/run.json").read_text())
    assert (record["origin"]["group_by"], record["origin"]["time_by"]) == (pattern, "_([0-9])")


def test_data_that_grows_keeps_its_test_part(here: Path, says: Says) -> None:
    spoken(here / "words", range(4))
    says("train", "words", *QUICK)
    (manifest,) = Path("runs/splits").iterdir()
    before = json.loads(manifest.read_text())["sides"]
    spoken(here / "words", range(4, 8))

    code, out, _ = says("train", "words", *QUICK)

    now = json.loads(manifest.read_text())["sides"]
    assert code == 0
    assert "train 67, validation 15, test 14 (sealed)" in out or "train 68, validation 14, test 14 (sealed)" in out
    assert all(now[part].items() >= before[part].items() for part in before)
    code, _, err = says("evaluate", "runs/words-001")
    assert (code, err.count("\n")) == (2, 1)
    assert "the data has changed since words-001 was trained" in err
    assert says("evaluate", "runs/words-002")[0] == 0


def test_a_test_file_that_is_gone_is_told(here: Path, says: Says) -> None:
    spoken(here / "words", range(4))
    says("train", "words", *QUICK)
    (manifest,) = Path("runs/splits").iterdir()
    (here / "words" / next(iter(json.loads(manifest.read_text())["sides"]["test"].values()))).unlink()

    code, out, _ = says("train", "words", *QUICK)

    assert code == 0
    assert "warning   of the test part 1 file was removed since it was split off" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--group-by", "("), "load(group_by='('): is not a regular expression"),
        (("--group-by", "x"), "words: group_by='x' does not match no/speaker-a_0.png"),
        (("--time-by", "[a-z]+"), "the time of no/speaker-a_0.png is 'no'; accepted are numbers and ISO dates"),
    ],
    ids=str,
)
def test_wrong_words_are_one_line_and_leave_nothing(
    here: Path, says: Says, options: tuple[str, str], message: str
) -> None:
    spoken(here / "words", range(4))

    code, out, err = says("train", "words", *QUICK, *options)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not Path("runs").exists()


def test_of_many_classes_the_one_that_differs_most_is_told(here: Path, says: Says) -> None:
    labels = np.arange(140) % 7
    np.savez(here / "seven.npz", x=np.arange(140 * 16).reshape(140, 4, 4) % 251, y=labels)

    _, out, _ = says("train", "seven.npz", *QUICK)

    assert "\nclasses   7, with the same shares in train/validation/test\n" in out
