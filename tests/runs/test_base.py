"""Runs on a base: each seed, fold and group begins with the same base and a head of its own; nothing frozen moves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import holdfast
from holdfast import Input, Sequential
from holdfast.core import BadShape, BadValue
from holdfast.data import from_arrays
from holdfast.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, ReLU, Rescaling, Source, Symbol
from holdfast.models import BaseModel
from holdfast.runs import CrossValidation, Run
from holdfast.runs.plan import How, fitted, plan, session_for
from holdfast.runs.record import Settings
from holdfast.training import AdamW, Discriminative, StepEnd
from holdfast.transfer import FromBase, classifier, freeze, load_base

from .small import Break, arrays, in_memory, same, train

CTRL_C = KeyboardInterrupt()


def encoder() -> BaseModel:
    layers: list[Source | Symbol] = [
        Input((6, 6, 1)),
        Rescaling(1 / 255),
        Conv2D(4, 3, name="conv"),
        BatchNormalization(name="bn"),
        ReLU(),
    ]
    model = Sequential([*layers, Conv2D(6, 3, name="last")], "encoder", seed=3)
    return load_base(model)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("base") / "base.keras"
    encoder().save(place)
    return place


def frozen_of(model: BaseModel) -> list[np.ndarray]:
    return [array for name in ("conv", "bn") for array in model.get_layer(name).get_weights()]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def on_base(out: Path, choice: Any, **changes: Any) -> Run:  # Any: what train takes
    given = {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 2, "model": choice}
    return train(out, **(given | changes))


def test_a_run_on_a_base_leaves_it_as_it_is(base: Path, tmp_path: Path) -> None:
    run = on_base(tmp_path / "runs", FromBase(base))

    assert equal(frozen_of(run.model), frozen_of(holdfast.load(base)))
    assert run.record.settings.base == str(base)
    assert run.record.settings.augment == ""
    assert run.record.settings.shift == 0


def test_the_record_the_report_and_the_card_name_it(base: Path, tmp_path: Path) -> None:
    run = on_base(tmp_path / "runs", FromBase(base, "last", 1))

    settings = run.record.settings
    assert (settings.base, settings.until, settings.fine_tune) == (str(base), "last", 1)
    words = "until last: 2 of 5 layers with weights are frozen, its last 1 fine-tuned; 243 of 311 weights are trained"
    assert words in (run.folder / "report.html").read_text(encoding="utf-8")
    assert words in (run.folder / "card.md").read_text(encoding="utf-8").replace("\\", "")
    assert f"--base {base} --until last --fine-tune 1" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_its_lines_of_python_make_it_again(base: Path, tmp_path: Path) -> None:
    run = on_base(tmp_path / "runs", FromBase(base, None, 1))
    python = holdfast.runs.again.python_of(run.record)
    names: dict[str, Any] = {}

    told = f"holdfast.train(data, model, out={str(tmp_path / 'again')!r}, verbose=0,"
    exec(python.replace("holdfast.train(data, model,", told), names)

    assert equal(names["run"].model.get_weights(), run.model.get_weights())


@pytest.mark.parametrize("fine_tune", [0, 1])
@pytest.mark.parametrize("where", [Break(CTRL_C, epoch=1, batch=1, at=StepEnd)], ids=["in the second epoch"])
def test_an_interrupted_run_on_a_base_ends_as_if_it_had_not_been(
    base: Path, tmp_path: Path, fine_tune: int, where: Break
) -> None:
    choice = FromBase(base, None, fine_tune)
    unbroken = on_base(tmp_path / "whole", choice)
    with pytest.raises(KeyboardInterrupt):
        on_base(tmp_path / "runs", choice, callbacks=[where])

    resumed = holdfast.resume(tmp_path / "runs" / "small-001", verbose=0)

    assert same(resumed, unbroken)


def test_a_run_can_be_resumed_where_its_base_is_gone(base: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.keras"
    moved.write_bytes(base.read_bytes())
    unbroken = on_base(tmp_path / "whole", FromBase(moved))
    with pytest.raises(KeyboardInterrupt):
        on_base(tmp_path / "runs", FromBase(moved), callbacks=[Break(CTRL_C, epoch=1)])
    moved.unlink()

    resumed = holdfast.resume(tmp_path / "runs" / "small-001", verbose=0)

    assert equal(resumed.model.get_weights(), unbroken.model.get_weights())


def test_a_base_from_memory_is_kept_beside_its_run(tmp_path: Path) -> None:
    network = encoder()
    unbroken = on_base(tmp_path / "whole", FromBase(network, None, 1), seeds=2)
    with pytest.raises(KeyboardInterrupt):
        on_base(tmp_path / "runs", FromBase(network, None, 1), seeds=2, callbacks=[Break(CTRL_C, epoch=1)])

    resumed = holdfast.resume(tmp_path / "runs" / "small-001", verbose=0)

    assert (resumed.folder / "base.keras").is_file()
    assert resumed.record.scores["seeds"] == unbroken.record.scores["seeds"]


def test_a_given_classifier_trains_like_the_choice_that_it_is(tmp_path: Path) -> None:
    network = encoder()
    by_choice = on_base(tmp_path / "choice", FromBase(network, None, 1))

    given = on_base(tmp_path / "given", classifier(network, 3, fine_tune=1))

    assert equal(given.model.get_weights(), by_choice.model.get_weights())


def test_other_seeds_begin_with_the_same_base(base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[BaseModel] = []
    began = session_for

    def seen(network: BaseModel, *rest: Any) -> Any:  # Any: as session_for
        found.append(network)
        assert equal(frozen_of(network), frozen_of(holdfast.load(base)))
        assert np.array_equal(
            network.get_layer("last").get_weights()[0], holdfast.load(base).get_layer("last").get_weights()[0]
        )
        return began(network, *rest)

    monkeypatch.setattr(holdfast.runs.seeds, "session_for", seen)
    on_base(tmp_path / "runs", FromBase(base, None, 1), seeds=3)

    assert len(found) == 2
    assert found[0].seed != found[1].seed


@pytest.mark.parametrize("kind", ["choice", "classifier", "frozen by hand"])
def test_fresh_copies_for_folds_keep_the_base(kind: str) -> None:
    network = encoder()
    model: Any = FromBase(network, None, 1)
    if kind == "classifier":
        model = classifier(network, 3, fine_tune=1)
    elif kind == "frozen by hand":
        whole = Sequential([*network.layers[1:], GlobalAveragePooling2D(), Dense(3, activation="softmax")])
        whole.build_for(in_memory().train.images)
        model = freeze(whole, "last")
        network = model

    trained = fitted(in_memory(), model, How(epochs=1, seed=4))

    assert equal(frozen_of(trained), frozen_of(network))


def test_cross_validation_and_learning_curves_take_a_base(base: Path, tmp_path: Path) -> None:
    data = in_memory()

    folds = holdfast.cross_validate(FromBase(base), data, cv=2, epochs=1, out=tmp_path, verbose=0)
    curve = holdfast.learning_curve(data, FromBase(base), sizes=[30, 60], repeats=1, epochs=1, out=tmp_path, verbose=0)

    assert folds.record.settings.base == str(base)
    assert "3 of 5 layers with weights are frozen" in (folds.folder / "report.html").read_text(encoding="utf-8")
    assert len(curve.points) == 2


def test_a_base_that_has_learned_the_labels_of_what_judges_is_told(tmp_path: Path) -> None:
    first = train(tmp_path / "a", in_memory(), epochs=1, patience=None)
    told = "has learned the labels of pictures"

    same_split = on_base(tmp_path / "a", FromBase(first.folder), data=in_memory(), epochs=1)
    tuned = on_base(tmp_path / "a", FromBase(first.folder, None, 1), data=in_memory(seed=1), epochs=1)
    again = on_base(tmp_path / "a", FromBase(tuned.folder), data=in_memory(seed=1), epochs=1)
    folds = holdfast.cross_validate(FromBase(first.folder), in_memory(), cv=2, epochs=1, out=tmp_path, verbose=0)
    holdfast.evaluate_run(tuned.folder, in_memory(seed=1))

    def count(run: Run | CrossValidation) -> int:
        return (run.folder / "report.html").read_text(encoding="utf-8").count(told)

    assert count(same_split) == 0
    assert count(tuned) > 0
    assert count(again) > 0  # through the base of its base
    assert count(folds) > 0


def test_a_head_that_learned_is_no_part_of_a_base(base: Path, tmp_path: Path) -> None:
    first = on_base(tmp_path / "a", FromBase(base), data=in_memory(), epochs=1)

    other = on_base(tmp_path / "a", FromBase(first.folder), data=in_memory(seed=1), epochs=1)

    assert "has learned the labels" not in (other.folder / "report.html").read_text(encoding="utf-8")


def test_left_out_groups_are_judged_by_models_on_the_same_base(base: Path, tmp_path: Path) -> None:
    images, labels = arrays()
    data = from_arrays(images, labels, groups=np.array(["a", "b", "c", "d"])[np.arange(len(labels)) // 3 % 4], test=0)

    run = on_base(tmp_path / "runs", FromBase(base, None, 1), data=data, epochs=1)

    assert len(run.record.scores["left_out"]["names"]) == 4


def test_fine_tuning_is_discriminative_whatever_the_optimizer(base: Path) -> None:
    data = in_memory()

    recipe, _ = plan(data, FromBase(base, None, 2), How())
    chosen, _ = plan(data, FromBase(base, None, 2), How(optimizer="sgd"))
    own = Discriminative(optimizer=AdamW(), rates=[0.1, 0.1, 0.1, 0.1, 1, 1], starts=[0] * 6)
    kept, _ = plan(data, FromBase(base, None, 2), How(optimizer=own))
    frozen, _ = plan(data, FromBase(base), How())

    assert recipe.optimizer["class_name"] == "Discriminative"
    assert chosen.optimizer["config"]["optimizer"]["class_name"] == "SGD"
    assert holdfast.training.get_optimizer(kept.optimizer) == own
    assert frozen.optimizer["class_name"] == "AdamW"


def test_runs_of_before_have_no_base() -> None:
    old = {
        "model": "convnet", "epochs": 1, "batch_size": 32, "optimizer": {}, "patience": None, "seed": 0,
        "device": "cpu", "precision": "float32",
    }  # fmt: skip

    settings = Settings(**old)  # type: ignore[arg-type]  # of JSON

    assert (settings.base, settings.until, settings.fine_tune) == ("", None, 0)


def test_data_that_the_base_does_not_take_is_told(base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadShape, match="the base takes pictures"):
        holdfast.train(
            from_arrays(np.random.default_rng(0).random((30, 5)), np.arange(30) % 3),
            FromBase(base),
            out=tmp_path,
            verbose=0,
        )
    with pytest.raises(BadValue, match="fine_tune=9: the base has 2 layers"):
        holdfast.train("nowhere", FromBase(base, None, 9), out=tmp_path, verbose=0)


def test_the_command_takes_pictures_of_the_base_s_size(base: Path, tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(30):
        place = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9, 9), np.uint8)).save(place)

    run = holdfast.train(tmp_path / "photos", FromBase(base), epochs=1, out=tmp_path / "runs", verbose=0)

    assert run.record.shape == [6, 6, 1]
    assert run.record.origin["image_size"] == 6
