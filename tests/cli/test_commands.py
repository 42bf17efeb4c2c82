"""The commands do what the README promises, and say it."""

import io
import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

import holdfast
from holdfast.models import convnet, to_config
from holdfast.runs import Run
from holdfast.runs.run import openings

from .conftest import Says, write_npz

QUICK = ("--epochs", 2, "--device", "cpu")
SCORE = (
    r"validation accuracy \d+\.\d % \[\d+\.\d, \d+\.\d\] n=\d+, looked at (once|[\d,]+ times) · log-loss .* · majority"
)


class Terminal(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(text))


def test_train_tells_data_model_training_score_verdict_and_where_it_is(here: Path, photos: Path, says: Says) -> None:
    code, out, err = says("train", "my photos", *QUICK)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert re.fullmatch(
        r"data      my photos: 40 pictures, 2 classes, (\d+)x\1 RGB · train 28, validation 6, test 6 \(sealed\) · "
        "no duplicates across parts",
        lines[0],
    )
    assert lines.pop(1) == "classes   cat 50.0/50.0/50.0 %, dög 50.0/50.0/50.0 % of train/validation/test"
    assert re.fullmatch(
        r"model     convnet: 3 conv, 1 pool, 1 dense, [\d,]+ parameters, [\d.]+ .FLOP a sample, "
        r"[\d.]+ .?B to train at batch 32",
        lines[1],
    )
    assert lines[2].startswith("recipe    AdamW, one cycle up to 0.0")
    assert lines[2].endswith(" over 2 epochs, label smoothing 0.05, in float32")
    assert lines[3].startswith("training  epoch 1/2  ")
    assert re.match(f"score     {SCORE}", lines[-3])
    assert re.match(r"verdict   (overfitting|underfitting|good fit|cannot say): train ", lines[-2])
    assert lines[-1] == (
        "saved     runs/my-photos-001 · report: runs/my-photos-001/report.html · "
        "next: holdfast evaluate runs/my-photos-001 --unseal"
    )
    assert (here / "runs" / "my-photos-001" / "report.html").is_file()


def test_it_says_its_version(says: Says) -> None:
    assert says("--version") == (0, f"holdfast {holdfast.__version__}\n", "")


def test_no_summary_of_a_command_is_cut_short(says: Says) -> None:
    _, out, _ = says("--help")

    assert "..." not in out.partition("Commands:")[2]


def test_digits_are_bundled(here: Path, says: Says) -> None:
    code, out, _ = says("train", "digits", "--epochs", 1)

    assert code == 0
    assert (
        "data      digits: 1,797 pictures, 10 classes, 8x8 grey · train 1,257, validation 270, test 270 (sealed)" in out
    )


def test_every_option_reaches_the_run(small: Path, says: Says) -> None:
    words = (
        "--model dense --epochs 3 --batch-size 8 --optimizer RMSProp --learning-rate 0.02 --patience 1 "
        "--validation 0.2 --test 0.1 --seed 7 --device cpu --precision bfloat16 --out elsewhere"
    )

    code, out, _ = says("train", small, *words.split(), "--quiet")

    run = Run.load("elsewhere/small-001")
    settings = run.record.settings
    assert (code, out) == (0, "")
    assert (settings.model, settings.epochs, settings.batch_size, settings.patience) == ("dense", 3, 8, 1)
    assert (settings.seed, settings.device, settings.precision) == (7, "cpu", "bfloat16")
    assert settings.optimizer["class_name"] == "RMSprop"
    assert settings.optimizer["config"]["learning_rate"] == 0.02
    assert run.record.sizes == {"train": 63, "validation": 18, "test": 9}
    assert run.record.origin["seed"] == 7


def test_the_image_size_reaches_the_run(photos: Path, says: Says) -> None:
    code, *_ = says("train", photos, "--image-size", 8, *QUICK, "-q")

    assert code == 0
    assert Run.load("runs/my-photos-001").record.shape == [8, 8, 3]


def test_a_model_from_a_file_is_trained(small: Path, says: Says) -> None:
    config = json.dumps(to_config(holdfast.convnet((6, 6, 1), 3)))
    Path("mein Netz.json").write_text(config, encoding="utf-8")

    code, out, _ = says("train", small, "--model", "mein Netz.json", *QUICK)

    assert code == 0
    assert "model     convnet: 3 conv, " in out


def test_bad_files_are_left_out_on_demand_and_told(photos: Path, says: Says) -> None:
    whole = (photos / "cat" / "0.png").read_bytes()
    (photos / "cat" / "half.png").write_bytes(whole[: len(whole) // 2])
    (photos / "cat" / "nothing.jpg").touch()
    (photos / "dög" / "notes.txt").write_text("no picture")

    code, out, err = says("train", photos, *QUICK)
    assert (code, out) == (2, "")
    assert "3 of 43 files cannot be read: cat/half.png (truncated" in err
    assert "go on without them: --skip-bad" in err
    assert not Path("runs").exists()

    code, out, _ = says("train", photos, "--skip-bad", *QUICK)
    assert code == 0
    assert "40 pictures" in out
    assert "3 files skipped, see report" in out
    page = Path("runs/my-photos-001/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("cat/half.png", "cat/nothing.jpg", "dög/notes.txt"))


def test_copies_and_a_missing_test_part_are_told(photos: Path, says: Says) -> None:
    (photos / "cat" / "copy.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    (photos / "dög" / "copy.png").write_bytes((photos / "cat" / "0.png").read_bytes())

    _, out, _ = says("train", photos, "--test", 0, *QUICK)

    assert "no test part · 2 duplicates, none across parts · 1 picture under two labels, see report" in out
    assert "--unseal" not in out
    _, out, _ = says("evaluate", "runs/my-photos-001")
    assert "test      none was split off\n" in out


def test_predict_names_the_likeliest_classes(photos: Path, says: Says) -> None:
    says("train", photos, "--epochs", 15, "--patience", 15, "-q")
    Image.new("RGB", (50, 30), (20, 20, 20)).save("dark one.png")
    Image.new("L", (9, 9), 230).save("light.png")

    code, out, err = says("predict", "runs/my-photos-001", "dark one.png", "light.png")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"dark one\.png  cat \d+\.\d %  dög \d+\.\d %", lines[0])
    assert re.fullmatch(r"light\.png  dög \d+\.\d %  cat \d+\.\d %", lines[1])
    assert says("predict", "runs/my-photos-001", "light.png", "--top", 1)[1] == lines[1].split("  cat")[0] + "\n"


def test_predict_takes_a_model_file_too(photos: Path, says: Says) -> None:
    says("train", photos, *QUICK, "-q")
    says("export", "runs/my-photos-001", "--to", "tfjs", "-q")
    picture = photos / "cat" / "0.png"
    wanted = says("predict", "runs/my-photos-001", picture)

    for file in ("runs/my-photos-001/model.keras", "runs/my-photos-001/export/tfjs"):
        assert says("predict", file, picture) == wanted


def test_predict_refuses_a_model_that_names_no_classes(photos: Path, says: Says) -> None:
    convnet((8, 8, 3), 2).save("net.keras")

    code, _, err = says("predict", "net.keras", photos / "cat" / "0.png")

    assert code == 2
    assert err.startswith("holdfast: net.keras: does not name a class for each output; ask it in Python: ")


def test_predict_goes_on_after_what_is_no_picture(photos: Path, says: Says) -> None:
    says("train", photos, *QUICK, "-q")
    Path("notes.txt").write_text("no picture")

    code, out, err = says("predict", "runs/my-photos-001", "notes.txt", photos / "cat" / "0.png", "nowhere.jpg")

    assert code == 2
    assert out.startswith(f"{photos / 'cat' / '0.png'}  ")
    assert err == "holdfast: notes.txt: not a picture of a known format; nowhere.jpg: missing\n"


def test_evaluate_says_how_often_the_test_part_was_opened(small: Path, says: Says) -> None:
    for _ in range(2):
        says("train", small, *QUICK, "-q")

    code, out, _ = says("evaluate", "runs/small-001")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["score", "verdict", "test", "report"]
    assert "test      n=14, sealed, never opened\n" in out
    assert "report    runs/small-001/report.html\n" in out

    _, out, _ = says("evaluate", "runs/small-001", "--unseal")
    assert re.search(r"^test      test accuracy .* n=14, opened once · log-loss", out, re.MULTILINE)
    assert "test      n=14, opened once by other runs\n" in says("evaluate", "runs/small-002")[1]

    says("evaluate", "runs/small-002", "--unseal", "--yes")
    assert re.search(
        r"^test .*opened once .* · opened 2 times by now$", says("evaluate", "runs/small-001")[1], re.MULTILINE
    )


def test_a_second_opening_tells_its_score_only_when_that_is_clearly_better(small: Path, says: Says) -> None:
    for epochs in (1, 1, 40):  # the second is the same as the first
        says("train", small, "--epochs", epochs, "--device", "cpu", "-q")
    _, first, _ = says("evaluate", "runs/small-001", "--unseal")
    told = re.search(r"^test      test accuracy (.* %) (\[.*?\]) n=14, opened once", first, re.MULTILINE)
    assert told

    sealed = [says("evaluate", "runs/small-002", *words)[1] for words in ((), ("--unseal",), ())]
    _, better, _ = says("evaluate", "runs/small-003", "--unseal")

    line = (
        f"test      n=14, opened 2 times; no better than the {told[1]} {told[2]} revealed at opening 1 by more than "
        "the standard error, so its value stays sealed (Ladder, Blum & Hardt 2015)"
    )
    assert [out.splitlines()[2] for out in sealed] == ["test      n=14, opened once by other runs", line, line]
    assert Run.load("runs/small-002").test is None
    assert not Path("runs/small-002/test.npz").exists()
    assert re.search(r"^test      test accuracy .* n=14, opened 3 times · log-loss", better, re.MULTILINE)


@pytest.mark.parametrize(("typed", "code", "opened"), [("n\n", 130, 0), ("\n", 130, 0), ("", 130, 0), ("y\n", 0, 1)])
def test_at_a_terminal_evaluate_asks_before_it_opens(
    small: Path, says: Says, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, opened: int
) -> None:
    says("train", small, *QUICK, "-q")
    answer(monkeypatch, typed)

    result, out, _ = says("evaluate", "runs/small-001", "--unseal")

    assert "The test part was opened never so far; each opening is counted.  Open it? [y/N]" in out
    assert result == code
    assert openings("runs/small-001") == opened


def test_at_a_terminal_yes_is_not_asked(small: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    says("train", small, *QUICK, "-q")
    answer(monkeypatch, "")

    code, out, _ = says("evaluate", "runs/small-001", "--unseal", "-y")

    assert code == 0
    assert "Open it?" not in out


def test_runs_are_listed(small: Path, says: Says) -> None:
    says("train", small, *QUICK, "-q")
    says("train", small, *QUICK, "-q", "--learning-rate", 1e30)

    code, out, _ = says("runs")

    head, first, second = out.splitlines()
    assert code == 0
    assert re.split(r"  +", head) == [
        "run",
        "data",
        "status",
        "started (UTC)",
        "accuracy of the kept weights on validation",
    ]
    assert re.fullmatch(
        r"small-001  small  finished  \d{4}-\d\d-\d\d \d\d:\d\d  \d+\.\d % \[.*\] n=\d+, 3 looks", first
    )
    assert re.fullmatch(r"small-002  small  failed    \d{4}-\d\d-\d\d \d\d:\d\d", second)


def test_a_run_that_was_killed_is_listed_as_such(small: Path, says: Says) -> None:
    says("train", small, *QUICK, "-q")
    with closing(sqlite3.connect("runs/ledger.db", isolation_level=None)) as ledger:
        ledger.execute("update runs set status = 'running'")
        assert "  running  " in says("runs")[1]
        ledger.execute("update runs set heartbeat = '2026-11-21T10:00:00.000000+00:00'")

    assert "  killed  " in says("runs")[1]


def test_resume_goes_on(small: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.runs.job.judge", full)
        code, out, err = says("train", small, *QUICK, "--out", "my runs")
    assert code == 1
    assert err == "holdfast: failure: OSError: [Errno 28] No space left on device (--debug shows where)\n"
    command = out.splitlines()[-1].removeprefix("go on     holdfast ")
    assert command == "train --resume 'my runs/small-001'"

    code, out, err = says(*shlex.split(command))

    assert (code, err) == (0, "")
    assert "resumed   my runs/small-001 after epoch 2 of 2" in out
    assert "saved     my runs/small-001" in out


def test_resume_finds_data_that_has_moved(small: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.runs.job.judge", interrupt)
        assert says("train", small, *QUICK, "--seed", 3, "-q") == (130, "", "")
    small.rename("moved.npz")

    assert (
        "small.npz: is not there, and runs/small-001 was trained on it"
        in says("train", "--resume", "runs/small-001")[2]
    )
    assert says("train", "moved.npz", "--resume", "runs/small-001", "-q") == (0, "", "")
    assert says("evaluate", "runs/small-001")[0] == 0


def test_changed_data_is_refused(small: Path, says: Says) -> None:
    says("train", small, *QUICK, "-q")
    write_npz(small, seed=1)

    code, out, err = says("evaluate", "runs/small-001", "--unseal")

    assert (code, out) == (2, "")
    assert err == (
        "holdfast: small: the data has changed since small-001 was trained, so its parts are not the same; "
        "restore the files, or train anew.\n"
    )
    assert openings("runs/small-001") == 0
