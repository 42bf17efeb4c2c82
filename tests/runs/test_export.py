"""The export of a run: what is handed over was verified on raw held-out files; what fails is taken away again."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

import holdfast
from holdfast.core import BadFile, BadValue, GateMissed, MissingExtra, UnknownName
from holdfast.data import load
from holdfast.export import onnx as onnx_format
from holdfast.models import Pictures, extras
from holdfast.runs import Run, export_run
from holdfast.runs import export as exporting
from runs import small


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 90 photos of several sizes, which tells them apart by their finest pattern."""
    folder, random = tmp_path_factory.mktemp("photo run"), np.random.default_rng(0)
    for name in ("dots", "lines", "plain"):
        (folder / "my photos" / name).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(0, 90, (int(random.integers(18, 30)), int(random.integers(18, 30)), 3), np.uint8)
            if name == "dots":
                pixels[::2, ::2] += 150
            if name == "lines":
                pixels[::4] += 150
            Image.fromarray(pixels).save(folder / "my photos" / name / f"{number}.png")
    data = load(folder / "my photos", image_size=12)
    return small.train(folder / "runs", data, epochs=6).folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it beside its ledger; there is no TF.js for node here."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.parent, tmp_path / "runs")
    return tmp_path / "runs" / trained.name


def parity_of(folder: Path) -> dict[str, Any]:  # Any: what JSON holds
    found: dict[str, Any] = json.loads((folder / "parity.json").read_text())
    return found


def test_every_format_is_handed_over_with_its_figures(run: Path) -> None:
    done = export_run(run, verbose=0)

    assert [one.folder for one in done] == [run / "export" / name for name in ("keras", "tfjs", "onnx")]
    for one in done:
        assert {path.name for path in one.folder.iterdir()} == {*(path.name for path in one.files), "parity.json"}
        told = parity_of(one.folder)
        assert (told["passed"], told["samples"], told["part"], told["agreement"]) == (True, "files", "validation", 1.0)
        assert told["n"] == Run.load(run).record.sizes["validation"]
        assert told["max_dp"] < 1e-4


def test_what_was_exported_can_be_asked_with_files(run: Path, trained: Path) -> None:
    keras, tfjs, _ = export_run(run, verbose=0)
    path = next((trained.parents[1] / "my photos" / "dots").iterdir())
    wanted = Run.load(run).predict([path])

    for one in (keras, tfjs):
        again = holdfast.load(one.files[0])
        assert again.classes == ("dots", "lines", "plain")
        np.testing.assert_allclose(again.predict([path]), wanted, atol=1e-6)


def test_the_test_part_stays_sealed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, read = list[Path](), Pictures.read

    def noted(self: Pictures, paths: list[Path]) -> NDArray[np.uint8]:
        seen.extend(paths)
        return read(self, paths)

    monkeypatch.setattr(Pictures, "read", noted)

    export_run(run, "onnx", verbose=0)

    data = load(**Run.load(run).record.origin)
    assert {"/".join(path.parts[-2:]) for path in seen} == set(data.validation.names)
    assert small.rows(run.parent, "select count(*) from looks where part = 'test'") == [(0,)]


def test_at_most_a_thousand_files_are_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exporting.HELD_OUT == 1_000
    monkeypatch.setattr(exporting, "HELD_OUT", 5)

    (done,) = export_run(run, "onnx", verbose=0)

    assert done.parity.n == 5


def misled(model: Any) -> Any:  # Any: a model; JSON
    plain = extras(model)
    plain["reads"] |= {"interpolation": "nearest", "antialias": False}
    return plain


def test_a_wrong_resize_is_not_handed_over(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_run(run, "onnx", verbose=0)
    monkeypatch.setattr(onnx_format, "extras", misled)

    with pytest.raises(GateMissed, match=r"^onnx: .*probabilities differ by up to 0\.\d+; .*not handed over, .*parity"):
        export_run(run, "onnx", verbose=0)

    assert [path.name for path in (run / "export" / "onnx").iterdir()] == ["parity.json"]
    told = parity_of(run / "export" / "onnx")
    assert (told["passed"], told["max_dp"] > 0.001) == (False, True)
    assert list(told["files"]) == ["model.onnx"]


def test_one_format_that_fails_does_not_keep_the_others_back(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "extras", misled)

    with pytest.raises(GateMissed, match=r"^onnx: "):
        export_run(run, verbose=0)

    assert sorted(path.name for path in (run / "export").glob("*/model.*")) == ["model.json", "model.keras"]


def test_interrupted_the_export_before_stays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = export_run(run, "onnx", verbose=0)
    content = before.files[0].read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "verify", stop)
    with pytest.raises(KeyboardInterrupt):
        export_run(run, "onnx", verbose=0)

    assert [path.name for path in (run / "export").iterdir()] == ["onnx"]
    assert before.files[0].read_bytes() == content


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="who lives is read from /proc")
def test_what_a_killed_export_left_is_deleted_and_that_of_a_living_one_is_not(run: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, living = (run / "export" / f".onnx.{pid}.tmp" for pid in (ended.pid, os.getppid()))
    for folder in (dead, living):
        folder.mkdir(parents=True)

    export_run(run, "onnx", verbose=0)

    assert sorted(path.name for path in (run / "export").iterdir()) == [living.name, "onnx"]


def test_hidden_folders_of_others_stay(run: Path) -> None:
    """Whatever ended in a number and "old" was deleted from --out."""
    mine = run / "mine" / ".photos.4194999.old"
    mine.mkdir(parents=True)

    export_run(run, "keras", out=run / "mine", verbose=0)

    assert mine.is_dir()


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_quantised_forms_have_folders_of_their_own_and_are_looks(run: Path, quantize: Any) -> None:
    looks = small.rows(run.parent, "select count(*) from looks")[0][0]

    done = export_run(run, quantize=quantize, verbose=0)

    assert [one.folder.name for one in done] == ["keras", f"tfjs-{quantize}", f"onnx-{quantize}"]
    assert [one.parity.quantize for one in done] == [None, quantize, quantize]
    assert done[2].parity.exported_bytes < Path(run / "model.keras").stat().st_size
    assert small.rows(run.parent, "select metric from looks order by id")[looks:] == [("exported_accuracy",)] * 2


def test_a_format_that_cannot_be_quantised_says_so(run: Path) -> None:
    with pytest.raises(BadValue, match="keras has no int8 form; these have: tfjs, onnx"):
        export_run(run, "keras", quantize="int8", verbose=0)


def test_words_that_are_not_known(run: Path) -> None:
    wrong: Any = "onix"
    several: Any = ["onnx", "keras"]
    with pytest.raises(UnknownName, match="'onix'; did you mean 'onnx'"):
        export_run(run, wrong, verbose=0)
    with pytest.raises(UnknownName, match=r"no format is called \['onnx', 'keras'\]; known: all, keras, onnx, tfjs"):
        export_run(run, several, verbose=0)
    with pytest.raises(BadValue, match="quantize='onix': must be 'int8' or 'float16'"):
        export_run(run, "onnx", quantize=wrong, verbose=0)
    with pytest.raises(BadValue, match=r"data='onix': must be a Dataset, as holdfast\.data\.load\(path\) gives it"):
        export_run(run, "onnx", data=wrong, verbose=0)


def test_files_of_others_are_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "onnx").mkdir(parents=True)
    (tmp_path / "site" / "onnx" / "notes.txt").write_text("mine")

    with pytest.raises(BadFile, match=r"holds 'notes\.txt' already"):
        export_run(run, "onnx", out=tmp_path / "site", verbose=0)

    assert (tmp_path / "site" / "onnx" / "notes.txt").read_text() == "mine"


def test_runs_of_before_did_not_say_how_pictures_are_read(run: Path) -> None:
    with zipfile.ZipFile(run / "model.keras") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    plain = json.loads(held["holdfast.json"])
    held["holdfast.json"] = json.dumps({key: plain[key] for key in ("classes", "seed", "unknown")}).encode()
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)

    (done,) = export_run(run, "onnx", verbose=0)

    session = onnxruntime.InferenceSession(done.files[0].read_bytes(), providers=["CPUExecutionProvider"])
    reads = json.loads(session.get_modelmeta().custom_metadata_map["holdfast"])["reads"]
    assert (reads["size"], reads["interpolation"]) == ([12, 12], "bilinear")


def test_data_in_memory_is_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = small.in_memory()
    run = small.train(tmp_path / "runs", data)

    with pytest.raises(BadValue, match="its data came from memory"):
        export_run(run.folder, "onnx", verbose=0)
    (done,) = export_run(run.folder, "onnx", data=data, verbose=0)

    assert (done.parity.samples, done.parity.passed) == ("arrays", True)


def test_missing_packages_are_told_before_the_data_is_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(MissingExtra, match=re.escape("pip install 'holdfast[onnx]'")):
        export_run(run, "onnx", verbose=0)
    with pytest.raises(MissingExtra, match="onnx is not installed"):
        export_run(run, verbose=0)

    assert sorted(path.name for path in (run / "export").iterdir()) == ["keras", "tfjs"]


def test_what_was_trained_on_values_of_its_own_range_reads_no_files(tmp_path: Path) -> None:
    images, labels = small.arrays()

    run = small.train(tmp_path / "runs", holdfast.data.from_arrays(images / 255, labels), epochs=1)

    assert run.model.reads is None
    with pytest.raises(BadValue, match="not on files"):
        run.predict([tmp_path / "a.png"])


def test_models_kept_while_training_read_files_too(tmp_path: Path) -> None:
    keeping = holdfast.callbacks.ModelCheckpoint(tmp_path / "best.keras")

    small.train(tmp_path / "runs", epochs=1, callbacks=[keeping])

    assert holdfast.load(tmp_path / "best.keras").reads == Pictures((6, 6), 1)
