"""Training a run: what its folder and the ledger hold; the same seed makes it again; wrong input leaves nothing."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import holdfast
from holdfast import Input, Model, Sequential
from holdfast.core import BadFile, BadShape, BadValue, UnknownName
from holdfast.data import Dataset, Part, RandomShift, Sealed, from_arrays
from holdfast.evaluate import optimism
from holdfast.layers import Add, Dense, Flatten, Rescaling, Softmax, Torch
from holdfast.models import to_config
from holdfast.runs import Run
from holdfast.runs.folder import new_folder
from holdfast.training import SGD, EpochEnd, Event, OneCycle, Stop

from .small import CLASSES, Break, arrays, in_memory, npz, rows, same, train, with_dropout

SOFTMAX = rf"end it in Dense\({CLASSES}, activation='softmax'\)"


def functional(classes: int = CLASSES, shape: tuple[int, ...] = (6, 6, 1), activation: str = "softmax") -> Model:
    pixels = Input(shape)
    flat = Flatten()(Rescaling(1 / 255)(pixels))
    hidden = Add()([Dense(8, activation="relu")(flat), Dense(8, activation="tanh")(flat)])
    return Model(pixels, Dense(classes, activation=activation)(hidden))


def two_inputs() -> Model:
    one, other = Input((6, 6, 1)), Input((6, 6, 1))
    return Model([one, other], Dense(CLASSES, activation="softmax")(Flatten()(Add()([one, other]))))


def of_one_s_own() -> Sequential:
    head = Torch(lambda shape: nn.Linear(shape[0], CLASSES), name="mine")
    return Sequential([Input((6, 6, 1)), Flatten(), head, Softmax()])


def write_json(path: Path, model: Model | Sequential) -> Path:
    path.write_text(json.dumps(to_config(model)), encoding="utf-8")
    return path


def weights_of(run: Run) -> list[Any]:  # Any: arrays
    return run.model.get_weights()


def test_the_folder_holds_record_history_model_report_and_card(tmp_path: Path) -> None:
    run = train(tmp_path / "runs")

    assert run.folder == tmp_path / "runs" / "small-001"
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "card.md",
        "checkpoints",
        "history.csv",
        "model.keras",
        "report.html",
        "report.json",
        "run.json",
        "validation.npz",
    ]
    assert list((run.folder / "checkpoints").iterdir()) == []  # a finished run needs none
    assert sorted(path.name for path in (tmp_path / "runs").iterdir())[:2] == ["ledger.db", "small-001"]


def test_the_record_says_how_the_run_was_made(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", seed=3)

    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))

    assert (record["name"], record["status"], record["data"]) == ("small-001", "finished", "small")
    assert record["settings"]["seed"] == 3
    assert record["settings"]["optimizer"]["class_name"] == "Adam"
    assert record["settings"]["optimizer"]["config"]["learning_rate"] == 0.01
    assert record["sizes"] == {"train": 84, "validation": 18, "test": 18}
    assert record["classes"] == ["0", "1", "2"]
    assert record["shape"] == [6, 6, 1]
    assert record["stop"].startswith(f"epoch {len(record['logs'])}: val_loss has not improved for 4 epochs")
    assert record["kept_epoch"] == len(record["logs"]) - 4
    assert record["prints"]["test"] == run.record.prints["test"] != record["prints"]["validation"]
    assert {"python", "torch", "numpy"} <= record["versions"].keys()


def test_history_csv_has_a_row_an_epoch(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=3)

    with (run.folder / "history.csv").open(newline="") as file:
        table = list(csv.DictReader(file))

    assert list(table[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
    assert [row["epoch"] for row in table] == ["1", "2", "3"]
    assert [float(row["val_loss"]) for row in table] == [log["val_loss"] for log in run.record.logs]


def test_the_model_file_is_the_model(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=2)
    images = np.full((2, 6, 6, 1), 100, np.uint8)

    loaded = holdfast.load(run.folder / "model.keras")

    assert np.array_equal(loaded.predict(images), run.predict(images))
    assert loaded.classes == ("0", "1", "2")


def test_report_and_card_tell_the_score(tmp_path: Path) -> None:
    run = train(tmp_path / "runs")

    page = (run.folder / "report.html").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    card = (run.folder / "card.md").read_text(encoding="utf-8")

    low, high = run.validation.accuracy.interval
    for text in (page, card):
        assert f"{100 * run.validation.accuracy.value:.1f} %" in text
        assert f"[{100 * low:.1f}, {100 * high:.1f}]" in text
        assert "sealed, never opened" in text
    assert f"**{run.validation.accuracy}.**" in card
    assert run.record.stop in card.replace("\\_", "_")


def loss_as_trained(run: Run, data: Dataset) -> float:
    """The log-loss on validation without the temperature that the model was divided by."""
    assert run.record.temperature is not None
    powers = run.predict(data.validation.images.numpy()) ** run.record.temperature
    shares = powers / powers.sum(1, keepdims=True)
    return float(-np.log(shares[np.arange(len(shares)), data.validation.labels.numpy()]).mean())


def test_the_weights_of_the_best_epoch_are_kept_and_measured_in_evaluation_mode(tmp_path: Path) -> None:
    data = in_memory()
    run = train(tmp_path / "runs", data)
    losses = [log["val_loss"] or 0.0 for log in run.record.logs]

    shares = run.predict(data.validation.images.numpy())

    labels = data.validation.labels.numpy()
    assert run.record.kept_epoch == 1 + int(np.argmin(losses))
    assert run.validation.accuracy.naive == pytest.approx((shares.argmax(1) == labels).mean())
    assert loss_as_trained(run, data) == pytest.approx(min(losses), rel=1e-4)
    assert run.validation.log_loss.value == pytest.approx(-np.log(shares[np.arange(len(labels)), labels]).mean())


def test_every_look_at_validation_is_a_row_of_the_ledger(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=4)

    looks = rows(tmp_path / "runs", "select purpose, epoch, metric, value from looks order by id")

    values = [(log["val_loss"], log["val_accuracy"]) for log in run.record.logs]
    early = [
        ("early stopping", n + 1, name, v)
        for n, pair in enumerate(values)
        for name, v in zip(("loss", "accuracy"), pair, strict=True)
    ]
    assert looks[:8] == early
    assert looks[8:] == [
        ("report", None, "accuracy", run.validation.accuracy.naive),
        ("report", None, "loss", run.validation.log_loss.value),
    ]
    assert rows(tmp_path / "runs", "select name, dataset, status from runs") == [("small-001", "small", "finished")]


def test_the_score_counts_the_looks_of_all_runs_before_it(tmp_path: Path) -> None:
    first = train(tmp_path / "runs", epochs=4)
    second = train(tmp_path / "runs", epochs=3, model="dense")

    assert first.validation.accuracy.looks == 4
    assert second.validation.accuracy.looks == 4 + 1 + 3  # the report on the first was a look, too
    assert "looked at 8 times" in str(second)


class Untouchable(Part):
    """A test part that tells how many and which, and lets nobody see more."""

    def __getattribute__(self, name: str) -> Any:  # Any: what the attribute is
        if name in ("images", "labels", "names"):
            raise AssertionError(f"somebody read the {name} of the test part")
        return super().__getattribute__(name)

    def __len__(self) -> int:
        return 18

    @property
    def fingerprint(self) -> str:
        return "0123456789abcdef"


def test_nothing_reads_the_test_part(tmp_path: Path) -> None:
    data = in_memory()
    part = data.train
    data = replace(data, test=Sealed(Untouchable(part.images, part.labels, part.names)))

    run = train(tmp_path / "runs", data, epochs=2)
    holdfast.evaluate_run(run.folder, data)

    assert rows(tmp_path / "runs", "select distinct part from looks") == [("validation",)]
    with pytest.raises(AssertionError, match=r"somebody read the (labels|images)"):
        holdfast.evaluate_run(run.folder, data, open_test=True)


def test_the_same_seed_gives_the_same_run_bit_by_bit(tmp_path: Path) -> None:
    assert same(train(tmp_path / "a"), train(tmp_path / "b"))


@pytest.mark.parametrize("model", ["convnet", "dense"])
def test_another_seed_gives_other_weights(tmp_path: Path, model: str) -> None:
    data = in_memory()

    first, second = (train(tmp_path / "runs", data, model=model, seed=seed, epochs=1) for seed in (0, 1))

    assert not np.array_equal(weights_of(first)[0], weights_of(second)[0])


def test_the_seed_orders_samples_and_drops_units_of_a_model_that_comes_with_weights(tmp_path: Path) -> None:
    data = in_memory()

    runs = [train(tmp_path / "runs", data, model=with_dropout(5), seed=seed, epochs=1) for seed in (0, 0, 1)]

    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_training_leaves_torchs_own_generator_alone(tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()

    train(tmp_path / "runs", epochs=1, model=with_dropout())

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("make", [with_dropout, functional])
def test_models_of_ones_own_are_trained(tmp_path: Path, make: Callable[[], Model | Sequential]) -> None:
    model = make()

    run = train(tmp_path / "runs", model=model)

    assert run.model is model
    assert run.record.settings.model == "model"
    assert run.validation.accuracy.naive > 0.6
    assert model.classes == ("0", "1", "2")


def test_a_sequential_model_without_an_input_takes_the_shape_of_the_data(tmp_path: Path) -> None:
    model = Sequential([Rescaling(1 / 255), Flatten(), Dense(CLASSES, activation="softmax")])

    run = train(tmp_path / "runs", model=model, epochs=1)

    assert run.model.inputs[0].shape == (6, 6, 1)


def test_a_model_that_was_trained_goes_on_from_its_weights(tmp_path: Path) -> None:
    model = with_dropout()
    first = train(tmp_path / "runs", model=model, epochs=4, patience=9)

    second = train(tmp_path / "runs", model=model, epochs=1)

    assert (second.record.logs[0]["val_loss"] or 9) < (first.record.logs[0]["val_loss"] or 0)


@pytest.mark.parametrize("make", [with_dropout, functional])
def test_a_json_configuration_is_built_with_the_seed(tmp_path: Path, make: Callable[[], Model | Sequential]) -> None:
    path = write_json(tmp_path / "mein Modell.json", make())

    runs = [
        train(tmp_path / "runs", model=model, epochs=1, seed=seed)
        for model, seed in ((path, 0), (str(path), 0), (path, 1))
    ]

    assert runs[0].record.settings.model == str(path)
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"model": "convnt"}, UnknownName, r"unknown model 'convnt'; did you mean 'convnet' or 'convnet1d'\?"),
        ({"model": "nowhere.json"}, BadFile, r"nowhere\.json: No such file or directory\."),
        ({"model": functional(classes=4)}, BadShape, rf"model model: gives \(4,\), the data has 3 classes; {SOFTMAX}"),
        ({"model": functional(shape=(8, 8, 1))}, BadShape, r"model model: takes \(8, 8, 1\), the data has \(6, 6, 1\)"),
        (
            {"model": functional(activation="sigmoid")},
            BadValue,
            "model model: its outputs are no probabilities; end it",
        ),
        ({"model": functional(activation="linear")}, BadValue, "model model: its outputs are no probabilities; end it"),
        (
            {"model": of_one_s_own()},
            BadValue,
            "model model: layer 'mine': the .keras format has no word for Torch; .* train this one with its own fit",
        ),
        ({"model": two_inputs()}, BadShape, "model model: has 2 inputs and 1 outputs; a run takes one of each"),
        ({"optimizer": "adm"}, UnknownName, "unknown optimizer 'adm'; did you mean 'adam'"),
        ({"learning_rate": -1.0}, BadValue, r"Adam\(learning_rate=-1\.0\): must be a finite number of at least 0"),
        ({"device": "abacus"}, BadValue, "device 'abacus' is not available here; take 'cpu' or 'auto'"),
        ({"patience": -1}, BadValue, r"EarlyStopping\(patience=-1\): must be 0 or more"),
        ({"epochs": 0}, BadValue, r"epochs=0"),
        ({"batch_size": -1}, BadValue, "batch_size=-1"),
        ({"batch_size": 0}, BadValue, "batch_size=0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_input_is_said_in_a_sentence_and_leaves_nothing(
    tmp_path: Path, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        train(tmp_path / "runs", in_memory(), **wrong)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", r"is no JSON: Expecting"),
        ("[1]", "is no model configuration; it must be a JSON object with class_name and config"),
        ("{}", 'has no "config" with "layers"'),
        (
            '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dnse"}]}}',
            "unknown layer 'Dnse'; did you",
        ),
        ('{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense"}]}}', "units is missing"),
        (
            '{"class_name": "Functional", "config": {"layers": [{"class_name": "Dense"}]}}',
            "is no configuration of a model",
        ),
    ],
)
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "net.json"
    path.write_text(content)

    with pytest.raises(BadFile, match=rf"^.*net\.json: .*{text}"):
        train(tmp_path / "runs", in_memory(), model=path)

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_place_that_cannot_be_written_is_said_before_the_data_is_read(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(
        BadFile, match=r"^cannot make runs in .*: .*file is no folder that can be written to; .* --out\.$"
    ):
        holdfast.train("there is no such data", out=tmp_path / "file" / below)

    assert (tmp_path / "file").read_text() == "mine"


def test_data_may_be_given_by_its_path(tmp_path: Path) -> None:
    path = npz(tmp_path / "große Daten 写真.npz")

    run = holdfast.train(path, epochs=1, seed=4, out=tmp_path / "meine Läufe", verbose=0)

    assert run.folder == tmp_path / "meine Läufe" / "große-Daten-写真-001"
    assert run.record.origin["seed"] == 4
    assert run.record.data == "große Daten 写真"


def test_runs_of_the_same_data_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "small-007").mkdir()
    (tmp_path / "small-x").mkdir()
    (tmp_path / "small-²").mkdir()  # a digit to Unicode, no number to int()

    assert new_folder(tmp_path, "small").name == "small-008"
    assert new_folder(tmp_path, "small").name == "small-009"
    assert new_folder(tmp_path, "[x]/..").name == "x-001"
    assert new_folder(tmp_path, "..").name == "run-001"


def test_without_an_optimizer_the_default_recipe_trains_all_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = arrays()
    data = from_arrays(np.tile(images, (1, 3, 3)), labels)  # 18x18

    run = holdfast.train(data, "dense", epochs=12, device="cpu", out=tmp_path / "runs")

    settings = run.record.settings
    assert (settings.recipe, settings.patience, settings.batch_size) == (True, None, 32)
    assert (settings.label_smoothing, settings.shift) == (0.05, 1)
    assert settings.optimizer["class_name"] == "AdamW"
    assert settings.optimizer["config"]["learning_rate"]["class_name"] == "OneCycle"
    assert run.record.stop == "all 12 epochs are done"
    assert run.record.kept_epoch == 12
    last = run.record.logs[-1]["val_loss"] or 0.0
    assert loss_as_trained(run, data) == pytest.approx(last, rel=1e-4)  # measured without smoothing
    assert run.validation.log_loss.value < last
    assert "recipe    AdamW, one cycle up to " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "patience"),
    [
        ({"optimizer": "adam"}, 5),
        ({"optimizer": SGD(OneCycle(0.1))}, None),
        ({"optimizer": SGD(OneCycle(0.1)), "patience": 2}, 2),
        ({"patience": 2}, 2),
        ({}, None),
    ],
    ids=str,
)
def test_a_schedule_is_not_stopped_in_its_middle_unless_asked_for(
    tmp_path: Path, changes: dict[str, Any], patience: int | None
) -> None:
    run = holdfast.train(in_memory(), "dense", epochs=1, out=tmp_path / "runs", verbose=0, **changes)

    assert run.record.settings.patience == patience


def test_a_recipe_that_diverges_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^training diverged: .*; try a lower learning rate\.$"):
        train(tmp_path / "runs", optimizer=None, learning_rate=1e30, patience=None, epochs=2)


def test_an_optimizer_that_is_given_trains_without_smoothing_and_shifts(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)

    settings = run.record.settings
    assert (settings.recipe, settings.label_smoothing, settings.shift) == (False, 0.0, 0)


def test_a_model_that_was_compiled_without_an_optimizer_is_trained_by_the_recipe(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", model=with_dropout().compile(), epochs=1, optimizer=None, learning_rate=0.125)

    rate = run.record.settings.optimizer["config"]["learning_rate"]
    assert run.record.settings.recipe
    assert rate["config"]["max_learning_rate"] == 0.125


def test_bfloat16_trains(tmp_path: Path) -> None:
    data = in_memory()

    half, full = (train(tmp_path / "runs", data, precision=name) for name in ("bfloat16", "float32"))

    assert half.record.settings.precision == "bfloat16"
    assert half.validation.accuracy.value > 0.6
    assert half.record.logs[0] != full.record.logs[0]
    assert all(weight.dtype == np.float32 for weight in weights_of(half))


def test_a_training_that_diverges_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadValue, match=r"^training diverged: the validation loss was never a number; try a lower"):
        train(tmp_path / "runs", learning_rate=1e30, verbose=1)

    assert "go on" not in capsys.readouterr().out  # it would diverge again
    assert rows(tmp_path / "runs", "select status from runs") == [("failed",)]


def test_data_of_features_is_trained_on(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(90, 4)), np.arange(90) % 3
    points[np.arange(90), labels] += 3
    data = holdfast.data.from_arrays(points, labels)

    run = train(tmp_path / "runs", data, model=Sequential([Input((4,)), Dense(3, activation="softmax")]))

    assert run.validation.accuracy.value > 0.7


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_what_a_run_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str], verbose: int) -> None:
    run = train(tmp_path / "runs", epochs=2, patience=9, verbose=verbose)

    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    expected = ["data", "classes", "model", "training", "training", "score", "verdict", "saved"]
    assert words == (expected if verbose else [])
    assert run.record.stop == "all 2 epochs are done"


def epochs_of(seen: list[int]) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, EpochEnd):
            seen.append(event.epoch)

    return listen


def test_further_callbacks_listen(tmp_path: Path) -> None:
    seen: list[int] = []

    train(tmp_path / "runs", epochs=3, callbacks=[epochs_of(seen)])

    assert seen == [0, 1, 2]


def test_a_failure_in_the_middle_leaves_a_record_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError, match="the dog ate it"):
        train(tmp_path / "my runs", callbacks=[Break(RuntimeError("the dog ate it"), epoch=3)], verbose=1)

    folder = tmp_path / "my runs" / "small-001"
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"
    assert rows(folder.parent, "select status from runs") == [("failed",)]
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "run.json"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == [
        "stopped   failed: the dog ate it",
        f"go on     holdfast train --resume '{folder}'",
    ]


def test_data_without_a_test_part_is_no_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = in_memory(test=0.0)

    run = train(tmp_path / "runs", data, epochs=1, verbose=1)

    assert "no test part" in capsys.readouterr().out
    with pytest.raises(BadValue, match="the test part is empty, there is nothing to unseal"):
        holdfast.evaluate_run(run.folder, data, open_test=True)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"precision": "half"}, r"train\(precision='half'\): must be 'auto', 'float32' or 'bfloat16'."),
        ({"augment": 3}, r"train\(augment=3\): must be 'auto', 'none', 'light', 'strong', a list of layers"),
        ({"batch_size": 0}, r"train\(batch_size=0\): must be a positive whole number."),
        ({"learning_rate": float("nan")}, "must be positive"),
        ({"augment": RandomShift(4)}, "moves half of a picture"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_in_one_line(setting: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=message):
        holdfast.train("digits", out=tmp_path, verbose=0, **setting)

    assert not list(tmp_path.glob("digits-*"))


def test_a_stop_within_the_first_epoch_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="training stopped before the end of an epoch: enough"):
        holdfast.train("digits", "dense", epochs=1, out=tmp_path, verbose=0, callbacks=[lambda _: Stop("enough")])


def test_card_and_report_name_the_recipe_and_do_not_blame_validation(tmp_path: Path) -> None:
    run = holdfast.train("digits", epochs=1, out=tmp_path, verbose=0)

    for page in ("card.md", "report.html"):
        text = (run.folder / page).read_text(encoding="utf-8")
        assert "AdamW, one cycle up to" in text
        assert "stopped nothing and chose no weights" in text


def test_stopping_by_validation_takes_the_optimism_off_its_score_and_all_epochs_take_none(tmp_path: Path) -> None:
    stopped = train(tmp_path / "stopped")
    whole = train(tmp_path / "whole", optimizer=None, patience=None, epochs=6)

    seen = [row["val_accuracy"] or 0.0 for row in stopped.record.logs]
    score = stopped.validation.accuracy
    assert 0 < score.optimism <= optimism(seen, score.n)
    assert score.interval[0] < score.value < score.naive <= max(seen)
    assert "points of optimism removed" in str(score)
    assert whole.validation.accuracy.optimism == 0
    in_ledger = rows(tmp_path / "stopped", "select value from looks where purpose = 'report' and metric = 'accuracy'")
    assert in_ledger == [(pytest.approx(score.naive),)]  # the ledger keeps what was seen
