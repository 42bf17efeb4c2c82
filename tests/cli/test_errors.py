"""Wrong input: one line on standard error that names the thing and the remedy, the right exit code, nothing written."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from holdfast.cli import main
from holdfast.core import Lost

from .conftest import Says

TRAIN = "See: holdfast train --help"
LAYERS = [
    {"class_name": "InputLayer", "config": {"batch_shape": [None, 6, 6, 1], "name": "pixels"}},
    {"class_name": "Flatten", "config": {"name": "flat"}},
]


def net(*last: dict[str, object]) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"name": "net", "layers": [*LAYERS, *last]}})


def dense(units: int, activation: str = "softmax") -> dict[str, object]:
    return {"class_name": "Dense", "config": {"units": units, "activation": activation}}


@pytest.fixture
def stuff(small: Path) -> Path:
    """Files of all kinds that are wrong in one way each."""
    here = small.parent
    with np.load(small) as arrays:
        images, labels = arrays["x"], arrays["y"]
    holes = images.astype(np.float32)
    holes[3, 2, 2] = np.nan
    single, pair = labels.copy(), labels.copy()
    single[0], pair[:2] = 7, 7
    np.savez(here / "nan.npz", x=holes, y=labels)
    np.savez(here / "one.npz", x=images, y=labels * 0)
    np.savez(here / "single.npz", x=images, y=single)
    np.savez(here / "pair.npz", x=images, y=pair)
    np.savez(here / "short.npz", x=images, y=labels[1:])
    np.savez(here / "names.npz", a=images, b=labels)
    np.savez(here / "points.npz", x=np.random.default_rng(0).normal(size=(90, 4)), y=labels)
    (here / "bad.npz").write_bytes(b"PK nonsense")
    (here / "notes.txt").write_text("no data")
    (here / "empty").mkdir()
    (here / "flat").mkdir()
    (here / "flat" / "1.jpg").touch()
    (here / "blank" / "cat").mkdir(parents=True)
    (here / "broken.json").write_text("{")
    (here / "list.json").write_text("[1]")
    (here / "layer.json").write_text(net({"class_name": "Dnse", "config": {"units": 3}}))
    (here / "linear.json").write_text(net(dense(3, "linear")))
    (here / "four.json").write_text(net(dense(4)))
    (here / "large.json").write_text(net(dense(3)).replace("[null, 6, 6, 1]", "[null, 8, 8, 1]"))
    return here


WRONG = [
    # words on the command line
    ("trian", "No such command 'trian'. Did you mean 'train', 'pretrain'? See: holdfast --help"),
    ("train", "DATA is missing; try: holdfast train digits"),
    ("train small.npz more", f"Got unexpected extra argument(s) (more). {TRAIN}"),
    ("train small.npz --epoch 3", f"No such option: --epoch (Possible options: --epochs). {TRAIN}"),
    (
        "train small.npz --epochs 0",
        f"Invalid value for '--epochs': Input should be greater than or equal to 1. {TRAIN}",
    ),
    ("train small.npz --epochs x", "Invalid value for '--epochs': Input should be a valid integer"),
    ("train small.npz --batch-size 0", "Invalid value for '--batch-size': Input should be greater than"),
    (
        "train small.npz --precision half",
        "Invalid value for '--precision': 'half' is not one of 'auto', 'float32'",
    ),
    ("predict", "Missing argument 'RUN'. See: holdfast predict --help"),
    ("predict runs/x", "Missing argument 'FILE'. See: holdfast predict --help"),
    ("predict small.npz x.png", "small.npz: is no .keras model file"),
    ("evaluate small.npz", "small.npz: is a file; give the folder of a run, such as runs/digits-001."),
    ("evaluate", "Missing argument 'RUN'. See: holdfast evaluate --help"),
    # names
    ("train digit", "no file, folder or data set is called 'digit'; did you mean 'digits'?"),
    ("train small.npz --model convnt", "unknown model 'convnt'; did you mean 'convnet' or 'convnet1d'?"),
    ("train small.npz --optimizer adm", "unknown optimizer 'adm'; did you mean 'adam' or"),
    ("train small.npz --device abacus", "device 'abacus' is not available here; take 'cpu' or 'auto'."),
    # numbers
    (
        "train small.npz --learning-rate -1",
        "OneCycle(max_learning_rate=-1.0): must be positive.",
    ),
    (
        "train small.npz --validation 0",
        "split(validation=0.0): must be more than 0 and less than 1; without validation",
    ),
    ("train small.npz --test 0.6 --validation 0.5", "the parts add up to 1.1 of the data; they must leave some for"),
    ("train small.npz --image-size 28", "only pictures in files are resized, small.npz holds arrays."),
    # data
    ("train nowhere/", "no file, folder or data set is called 'nowhere'"),
    ("train nowhere.npz", "nowhere.npz: no such file or folder."),
    ("train notes.txt", "notes.txt: is not data that can be loaded; give a folder, a .zip, an .npz or a .csv file."),
    (
        "train empty",
        "empty: is an empty folder; put the files of each class into a folder of its own, e.g. empty/cat/1",
    ),
    ("train flat", "flat: has 1 file but no class folders; put the files of each class into a folder of its own"),
    ("train blank", "blank: holds no picture that can be read"),
    ("train bad.npz", "bad.npz: is not an .npz of plain arrays"),
    ("train names.npz", "names.npz: holds a, b; accepted are x and y, images and labels, or x_train, y_train, x_test"),
    ("train nan.npz", "images[3] holds NaN or infinite values (1 samples in all do); remove them."),
    ("train one.npz", "one: all 90 samples are of class '0'; two classes are needed."),
    ("train single.npz", "single: class '7' has 1 distinct samples; at least 3 are needed, one for each part"),
    ("train pair.npz", "pair: class '7' has 2 distinct samples; at least 3 are needed, one for each part"),
    ("train short.npz", "images: 90 images and 89 labels; there must be one label for each image."),
    # models
    ("train points.npz", "convnet: takes pictures (H, W, C) of at least 6x6, got (4,); the model 'dense' takes any."),
    ("train small.npz --model nowhere.json", "nowhere.json: No such file or directory."),
    ("train small.npz --model empty.json", "empty.json: No such file or directory."),
    ("train small.npz --model broken.json", "broken.json: is no JSON: Expecting property name"),
    (
        "train small.npz --model list.json",
        "list.json: is no model configuration; it must be a JSON object with class_name",
    ),
    ("train small.npz --model layer.json", "layer.json: unknown layer 'Dnse'; did you mean 'Dense'?"),
    (
        "train small.npz --model linear.json",
        "linear.json: its outputs are no probabilities; end it in activation='softm",
    ),
    (
        "train small.npz --model four.json",
        "four.json: gives (4,), the data has 3 classes; end it in Dense(3, activation=",
    ),
    (
        "train small.npz --model large.json",
        "large.json: takes (8, 8, 1), the data has (6, 6, 1); change its Input or --im",
    ),
    # places
    (
        "train small.npz --out notes.txt",
        "cannot make runs in notes.txt: notes.txt is no folder that can be written to; ch",
    ),
    (
        "train nowhere --out notes.txt/x",
        "cannot make runs in notes.txt/x: notes.txt is no folder that can be written to;",
    ),
    ("train --resume nowhere", "nowhere: is no run, it has no run.json; `holdfast runs` lists them."),
    ("train --resume empty", "empty: is no run, it has no run.json; `holdfast runs` lists them."),
    (
        "train --resume empty --epochs 9",
        "--resume goes on with the options that the run began with; leave --epochs out.",
    ),
    (
        "train --resume empty --skip-bad",
        "--resume goes on with the options that the run began with; leave --skip-bad out.",
    ),
    ("predict nowhere 1.png", "nowhere: is no run, it has no run.json; `holdfast runs` lists them."),
    ("evaluate empty --unseal", "empty: is no run, it has no run.json; `holdfast runs` lists them."),
    ("runs", "runs: there is no ledger.db, which every folder of runs has; try: holdfast train digits"),
    ("runs --out empty", "empty: there is no ledger.db, which every folder of runs has; try: holdfast train digits"),
]


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(("words", "text"), WRONG, ids=[words for words, _ in WRONG])
def test_wrong_input_is_said_in_one_line(stuff: Path, says: Says, words: str, text: str) -> None:
    before = files(stuff)

    code, _, err = says(*words.split())

    assert code == 2
    assert err.startswith("holdfast: ")
    assert text in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert files(stuff) == before


def test_names_with_spaces_and_unicode_are_given_back_as_they_were(here: Path, says: Says) -> None:
    (here / "leere Fotos 写真").mkdir()

    code, _, err = says("train", "leere Fotos 写真")

    assert code == 2
    assert err.startswith("holdfast: leere Fotos 写真: is an empty folder; put the files")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(small: Path, says: Says) -> None:
    out = small.parent / "read only"
    out.mkdir(mode=0o555)

    code, _, err = says("train", small, "--out", out / "runs")

    assert code == 2
    assert f"cannot make runs in {out / 'runs'}: {out} is no folder that can be written to; choose another" in err


def test_a_folder_that_may_not_be_written_is_said_as_far_as_the_system_tells(
    small: Path, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.access
    monkeypatch.setattr("holdfast.runs.plan.os.access", lambda path, mode: mode == os.F_OK and really(path, mode))

    code, out, err = says("train", small, "--out", "new/runs")

    assert (code, out) == (2, "")
    assert (
        err
        == "holdfast: cannot make runs in new/runs: . is no folder that can be written to; choose another with --out.\n"
    )


def test_a_failure_of_ours_is_one_line_and_exit_code_1(
    small: Path, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("holdfast.runs.train", broken)

    code, _, err = says("train", small)

    assert code == 1
    assert err == "holdfast: failure: ZeroDivisionError: division by zero (--debug shows where)\n"


@pytest.mark.parametrize("words", ["--debug train digit", "train digit --debug", "train --debug digit"])
def test_debug_shows_the_traceback(here: Path, says: Says, words: str) -> None:
    code, _, err = says(*words.split())

    assert code == 2
    assert err.startswith("Traceback (most recent call last):\n")
    assert re.search(r"^holdfast\.core\.errors\.UnknownName: no file, folder or data set", err, re.MULTILINE)
    assert err.endswith("\nholdfast: no file, folder or data set is called 'digit'; did you mean 'digits'?\n")


def test_ctrl_c_is_130_and_says_nothing(here: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.runs.loading.load", interrupt)

    assert says("train", "digits") == (130, "", "")


def test_words_are_taken_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["holdfast", "trian"])

    assert main() == 2
    assert "No such command 'trian'" in capsys.readouterr().err


def test_one_of_several_processes_says_which_one_it_is(here: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")  # as torchrun sets it
    monkeypatch.setenv("RANK", "3")

    code, _, err = says("crossval", "digits")

    assert code == 2
    assert err == (
        "holdfast: rank 3: torchrun is for holdfast train; crossval works in one process, start it without.\n"
    )


def test_who_was_left_alone_by_another_process_fails_in_one_line_or_in_silence(
    here: Path, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(["one of the 2 workers was lost", ""])

    def lost(*_: object, **__: object) -> None:
        raise Lost(next(said))

    monkeypatch.setattr("holdfast.runs.loading.load", lost)

    assert says("train", "digits") == (1, "", "holdfast: one of the 2 workers was lost\n")
    assert says("train", "digits") == (1, "", "")
