"""Verification: an exported form that prepares files or answers otherwise than the model is caught, and says how."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from holdfast.core import BadShape
from holdfast.data.image import Fit
from holdfast.export import Form, Parity, verify
from holdfast.export.formats import FORMATS, Format
from holdfast.layers import Conv2D, Dense, Flatten, Input, Rescaling
from holdfast.models import Extras, Pictures, Sequential, Unknown

N = 24
Json = dict[str, Any]  # what JSON holds


@pytest.fixture(autouse=True)
def no_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TF.js is looked for from the current folder, where there is none: holdfast reads back what it wrote."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def model() -> Sequential:
    """A classifier that is sure, so that other pixels give other probabilities."""
    layers = [Rescaling(1 / 64, -2), Conv2D(6, 3, activation="relu"), Flatten(), Dense(3, activation="softmax")]
    made = Sequential([Input((8, 8, 3), name="photo"), *layers], seed=4)
    made.classes, made.reads = ("a", "b", "c"), Pictures.of(made)
    made.unknown = Unknown(0.6, 40.0, np.eye(3) - 1 / 3, 0.95)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures of several sizes, larger than the model takes."""
    folder, random = tmp_path_factory.mktemp("raw"), np.random.default_rng(0)
    for number in range(N):
        size = (*random.integers(14, 40, 2), 3)
        Image.fromarray(random.integers(0, 256, size, np.uint8)).save(folder / f"{number:02}.png")
    return sorted(folder.iterdir())


def labels(n: int = N) -> NDArray[np.int64]:
    return np.arange(n) % 3


def exported(model: Sequential, name: str, folder: Path) -> Format:
    folder.mkdir()
    FORMATS[name].write(model, folder, None, None)
    return FORMATS[name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_right_export_passes_on_raw_files(name: str, model: Sequential, files: list[Path], tmp_path: Path) -> None:
    row = exported(model, name, tmp_path / "out")

    parity = verify(model, row, tmp_path / "out", files, labels())

    assert (parity.passed, parity.n, parity.samples, parity.agreement) == (True, N, "files", 1.0)
    assert parity.max_dp is not None
    assert parity.max_dp < 1e-5
    assert parity.unknown_agreement == 1
    assert parity.accuracy == parity.exported_accuracy
    assert parity.exported_bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())


def test_arrays_stand_for_files_where_there_are_none(model: Sequential, tmp_path: Path) -> None:
    row = exported(model, "onnx", tmp_path / "out")
    pictures = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3), np.uint8)

    parity = verify(model, row.name, tmp_path / "out", pictures, labels(9))

    assert (parity.passed, parity.samples, parity.n) == (True, "arrays", 9)


def in_onnx(folder: Path, change: Callable[[Json], None]) -> None:
    proto = onnx.load(folder / "model.onnx")
    plain = json.loads(proto.metadata_props[0].value)
    change(plain)
    proto.metadata_props[0].value = json.dumps(plain)
    onnx.save(proto, folder / "model.onnx")


def in_keras(folder: Path, change: Callable[[Json], None]) -> None:
    with zipfile.ZipFile(folder / "model.keras") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    plain = json.loads(held["holdfast.json"])
    change(plain)
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name, content in (held | {"holdfast.json": json.dumps(plain).encode()}).items():
            archive.writestr(name, content)


def in_tfjs(folder: Path, change: Callable[[Json], None]) -> None:
    plain = json.loads((folder / "model.json").read_text())
    change(plain["userDefinedMetadata"]["holdfast"])
    (folder / "model.json").write_text(json.dumps(plain))


IN = {"onnx": in_onnx, "keras": in_keras, "tfjs": in_tfjs}


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_resize_in_what_was_exported_is_caught_by_its_answers(
    name: str, model: Sequential, files: list[Path], tmp_path: Path
) -> None:
    row = exported(model, name, tmp_path / "out")
    IN[name](tmp_path / "out", lambda plain: plain["reads"].update(interpolation="nearest", antialias=False))

    parity = verify(model, row, tmp_path / "out", files, labels())

    assert not parity.passed
    assert parity.max_dp is not None
    assert parity.max_dp > 0.01
    assert any("probabilities differ by up to 0." in one for one in parity.missed)
    assert "it reads pictures in another way than the model" in parity.missed


@pytest.mark.parametrize("fit", ["fit", "crop"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_was_exported_fits_pictures_as_the_model_does(
    name: str, fit: Fit, model: Sequential, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(model.reads, Pictures)
    monkeypatch.setattr(model, "reads", replace(model.reads, fit=fit))
    row = exported(model, name, tmp_path / "out")

    right = verify(model, row, tmp_path / "out", files, labels())
    IN[name](tmp_path / "out", lambda plain: plain["reads"].update(fit="stretch"))
    wrong = verify(model, row, tmp_path / "out", files, labels())

    assert right.passed
    assert wrong.max_dp is not None
    assert wrong.max_dp > 1e-4
    assert "it reads pictures in another way than the model" in wrong.missed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda plain: plain.update(classes=["b", "a", "c"]), "it names other classes than the model"),
        (lambda plain: plain.update(reads=None), "it reads pictures in another way than the model"),
        (lambda plain: plain.update(unknown=None), 'its answer "unknown" is another than the model\'s'),
        (lambda plain: plain["unknown"].update(below=0.1), 'its answer "unknown" is another than the model\'s'),
    ],
    ids=["classes", "reads", "unknown", "threshold"],
)
def test_what_did_not_travel_is_named(
    change: Callable[[Json], None], says: str, model: Sequential, files: list[Path], tmp_path: Path
) -> None:
    row = exported(model, "onnx", tmp_path / "out")
    in_onnx(tmp_path / "out", change)

    assert verify(model, row, tmp_path / "out", files, labels()).missed == (says,)


def test_other_weights_are_caught(model: Sequential, files: list[Path], tmp_path: Path) -> None:
    other = Sequential([Input((8, 8, 3), name="photo"), *model.layers], seed=5)
    other.classes, other.reads, other.unknown = model.classes, model.reads, model.unknown
    row = exported(other, "keras", tmp_path / "out")
    other.module.get_parameter("dense.bias").data[0] += 0.001

    parity = verify(other, row, tmp_path / "out", files, labels())

    assert len(parity.missed) == 1
    assert parity.missed[0].startswith("probabilities differ by up to 0.000")


def test_a_file_that_cannot_be_opened_is_no_answer(model: Sequential, files: list[Path], tmp_path: Path) -> None:
    row = exported(model, "onnx", tmp_path / "out")
    (tmp_path / "out" / "model.onnx").write_bytes(b"no")

    parity = verify(model, row, tmp_path / "out", files, labels())

    assert parity.missed[0].startswith("it cannot be opened: ")
    assert (parity.max_dp, parity.agreement, parity.exported_accuracy, len(parity.missed)) == (None, 0, 0, 1)
    assert json.loads(json.dumps(parity.to_dict(), allow_nan=False))["passed"] is False
    assert "cannot be opened" in str(parity)


class Answering:
    """A form that gives these probabilities, whatever it is asked."""

    def __init__(self, model: Sequential, probabilities: NDArray[np.float32]) -> None:
        rows = cycle(probabilities)
        self.form = Form("nobody", Extras.of(model), lambda x: np.stack([next(rows) for _ in x]), lambda sample: 0.001)

    @contextmanager
    def open(self, folder: Path) -> Iterator[Form]:
        yield self.form


def compared(model: Sequential, changed: int, n: int, *, gained: bool = False, quantize: str | None = None) -> Parity:
    """Of an export that changes the answers of so many samples, all of which the model got right, or wrong."""
    pictures = np.random.default_rng(3).integers(0, 256, (n, 8, 8, 3), np.uint8)
    said = model.predict(pictures)
    found = said.copy()
    found[:changed] = np.roll(found[:changed], 1, axis=1)
    truth = (found if gained else said).argmax(1)
    row = replace(FORMATS["onnx"], open=Answering(model, found).open)
    return verify(model, row, Path("out"), pictures, truth, quantize=quantize)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What `compared` says was exported."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.onnx").write_bytes(b"12345")
    return tmp_path / "out"


@pytest.mark.usefixtures("out")
def test_the_figures_are_those_of_hand(model: Sequential) -> None:
    parity = compared(model, 2, 50)

    assert (parity.accuracy, parity.exported_accuracy, parity.agreement) == (1.0, 0.96, 0.96)
    assert parity.difference == pytest.approx(-0.04)
    assert parity.interval[0] < -0.04 < parity.interval[1]
    assert (parity.exported_latency_ms, parity.exported_bytes) == (1.0, 5)
    assert parity.missed[1:] == ("2 of 50 samples get another class",)


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize(("changed", "passed"), [(1, True), (2, False)])  # of 200: half a point, and one
def test_quantised_forms_may_lose_half_a_point(model: Sequential, changed: int, passed: bool) -> None:
    parity = compared(model, changed, 200, quantize="int8")

    assert parity.passed is passed
    if not passed:
        assert parity.missed == ("it loses 1.00 points of accuracy; at most 0.5 are accepted",)


@pytest.mark.usefixtures("out")
def test_quantised_forms_may_be_better(model: Sequential) -> None:
    parity = compared(model, 10, 200, gained=True, quantize="int8")

    assert parity.passed
    assert parity.difference == pytest.approx(0.05)


@pytest.mark.usefixtures("out")
def test_it_tells_how_far_it_is(model: Sequential) -> None:
    told = list[tuple[int, int]]()
    pictures = np.zeros((100, 8, 8, 3), np.uint8)
    row = replace(FORMATS["onnx"], open=Answering(model, model.predict(pictures)).open)

    verify(model, row, Path("out"), pictures, labels(100), progress=lambda *done: told.append(done))

    assert told == [(64, 100), (100, 100)]


@pytest.mark.usefixtures("out")
def test_answers_that_are_no_numbers_do_not_pass(model: Sequential) -> None:
    pictures = np.zeros((6, 8, 8, 3), np.uint8)
    row = replace(FORMATS["onnx"], open=Answering(model, np.full((6, 3), np.nan, np.float32)).open)

    for quantize in (None, "int8"):
        parity = verify(model, row, Path("out"), pictures, labels(6), quantize=quantize)
        assert parity.missed == ("it gives no probabilities like the model's",)


def test_samples_and_labels_go_together(model: Sequential, files: list[Path]) -> None:
    for wrong in (labels(3), labels(0)):
        with pytest.raises(BadShape, match=r"24 samples and \d labels; one label for each"):
            verify(model, FORMATS["onnx"], Path("out"), files, wrong)
    with pytest.raises(BadShape, match="0 samples"):
        verify(model, FORMATS["onnx"], Path("out"), [], labels(0))


def test_a_single_output_is_no_choice_of_classes(tmp_path: Path) -> None:
    """Its likeliest class was always the first, so that any quantised form lost nothing."""
    one = Sequential([Input((4,)), Dense(1, activation="sigmoid")])

    with pytest.raises(BadShape, match=r"the model answers \(6, 1\); probabilities of two classes or more"):
        verify(one, "onnx", tmp_path, np.ones((6, 4), np.float32), labels(6), quantize="int8")
