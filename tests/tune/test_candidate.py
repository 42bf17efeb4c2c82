"""What the values of a trial train."""

import json
import pickle
from pathlib import Path
from typing import Any, Unpack

import pytest

from holdfast.core import BadFile, BadValue, UnknownName
from holdfast.data import Dataset, RandomShift, load
from holdfast.layers import BatchNormalization, Conv2D, Dense, Dropout, Rescaling
from holdfast.models import BaseModel, Net, Variant, convnet, to_config
from holdfast.runs.plan import How, ModelChoice, check_settings, fitted, optimizer_for, plan
from holdfast.training import SGD
from holdfast.transfer import FromBase
from holdfast.tune import Candidate, Categorical, Float, Space, as_space, candidate, configured, write_values
from holdfast.tune.candidate import candidate_of, check_space, whole_values
from runs.small import in_memory

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def _planned(
    values: dict[str, Any], data: Dataset, model: ModelChoice = "convnet", **how: Unpack[How]
) -> tuple[Any, BaseModel]:
    found = candidate(values, data, model, how)
    return plan(data, found.model, found.how)


def test_values_of_the_net_reach_the_model(digits: Dataset) -> None:
    values = {"filters": 6, "layers": 2, "kernel_size": 5, "units": 9, "dropout": 0.2, "activation": "elu", "l2": 0.01}

    _, network = _planned({**values, "kernel_initializer": "he_normal", "batch_normalization": True}, digits)

    convolutions = [layer for layer in network.layers if isinstance(layer, Conv2D)]
    assert [(one.filters, one.kernel_size) for one in convolutions] == [(6, (5, 5))] * 2
    assert [layer.units for layer in network.layers if isinstance(layer, Dense)] == [9, 10]
    assert [layer.rate for layer in network.layers if isinstance(layer, Dropout)] == [0.2]
    assert sum(isinstance(layer, BatchNormalization) for layer in network.layers) == 3
    assert isinstance(network.layers[0], Rescaling)


def test_values_of_training_reach_the_settings(digits: Dataset) -> None:
    values = {
        "learning_rate": 0.02,
        "weight_decay": 0.1,
        "label_smoothing": 0.2,
        "batch_size": 16,
        "epochs": 3,
        "seed": 4,
    }

    settings, _ = _planned({**values, "patience": 2, "shift": 1}, digits, epochs=9, device="cpu")

    assert settings.recipe
    assert settings.optimizer["config"]["learning_rate"]["config"]["max_learning_rate"] == 0.02
    assert settings.optimizer["config"]["weight_decay"] == 0.1
    assert (settings.label_smoothing, settings.batch_size, settings.epochs) == (0.2, 16, 3)
    assert (settings.seed, settings.patience, settings.shift, settings.device) == (4, 2, 1, "cpu")


def test_an_optimizer_that_is_chosen_leaves_the_recipe(digits: Dataset) -> None:
    values = {
        "optimizer": "sgd",
        "momentum": 0.9,
        "optimizer.nesterov": True,
        "learning_rate": 0.1,
        "weight_decay": 0.01,
    }

    settings, _ = _planned(values, digits)

    assert (settings.recipe, settings.label_smoothing, settings.optimizer["class_name"]) == (False, 0.0, "SGD")
    told = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    assert told.items() <= settings.optimizer["config"].items()


def test_recipe_is_a_word_for_the_recipe(digits: Dataset) -> None:
    settings, _ = _planned({"optimizer": "recipe"}, digits, optimizer="sgd")

    assert settings.recipe


def test_what_is_not_chosen_stays_as_it_was_told(digits: Dataset) -> None:
    found = candidate({"batch_size": 16}, digits, "dense", {"epochs": 7, "learning_rate": 0.3})

    assert found == Candidate("dense", {"epochs": 7, "learning_rate": 0.3, "batch_size": 16})


def test_none_says_what_leaving_it_out_says(digits: Dataset) -> None:
    assert candidate({"units": None, "epochs": None}, digits, "convnet", {}) == candidate({}, digits, "convnet", {})


def test_augmentation_is_said_by_word_or_by_pixels(digits: Dataset) -> None:
    assert candidate({"augment": "light"}, digits, "convnet", {}).how == {"augment": "light"}
    assert candidate({"shift": 2}, digits, "convnet", {}).how == {"augment": RandomShift(2)}
    assert candidate({"shift": 0}, digits, "convnet", {}).how == {"augment": None}


def test_the_model_may_be_chosen_and_told_by_paths(digits: Dataset) -> None:
    _, dense = _planned({"model": "dense", "units": 7}, digits)
    _, wide = _planned({"conv2d.filters": 5, "layers[2].filters": 6}, digits)

    assert [layer.units for layer in dense.layers if isinstance(layer, Dense)] == [7, 10]
    assert [layer.filters for layer in wide.layers if isinstance(layer, Conv2D)] == [5, 6, 48]


def test_a_model_of_your_own_is_told_by_paths_and_is_left_as_it_is(digits: Dataset, tmp_path: Path) -> None:
    own = convnet((8, 8, 1), 10)
    (tmp_path / "own.json").write_text(json.dumps(to_config(own)))

    for model in (own, tmp_path / "own.json", str(tmp_path / "own.json")):
        _, network = _planned({"conv2d_1.filters": 5, "dropout.rate": 0.1}, digits, model)

        assert [layer.filters for layer in network.layers if isinstance(layer, Conv2D)] == [24, 5, 48]
    assert own.compiled is None
    assert [layer.filters for layer in own.layers if isinstance(layer, Conv2D)] == [24, 24, 48]


def test_a_candidate_learns_like_any_model_and_fold_by_fold(digits: Dataset) -> None:
    found = candidate({"filters": 6, "epochs": 2, "learning_rate": 0.02}, digits, "convnet", {"seed": 3})

    model = fitted(digits, pickle.loads(pickle.dumps(found)).model, found.how)

    assert (model.predict(digits.validation.images).argmax(1) == digits.validation.labels.numpy()).mean() > 0.5


def test_a_variant_is_made_with_the_front_end_of_the_data_it_trains_on() -> None:
    series = load("demo:series")
    half = series.with_parts(series.train.take(range(len(series.train) // 2)), series.validation)

    fronts = [plan(data, Variant("convnet", Net(filters=4)), {})[1].layers[1] for data in (series, half)]

    assert repr(fronts[0]) != repr(fronts[1])


def test_reading_options_are_told_apart(digits: Dataset) -> None:
    found = candidate({"image_size": 32, "units": 8}, digits, "convnet", {})

    assert found.reading == {"image_size": 32}


def test_a_base_is_used_in_parts_and_loaded_once(digits: Dataset) -> None:
    base = FromBase(convnet((8, 8, 1), 10))
    assert base.loaded is base.loaded

    found = candidate({"fine_tune": 1, "dropout": 0.4}, digits, base, {})

    assert isinstance(found.model, FromBase)
    assert found.model.loaded is base.loaded
    settings, network = plan(digits, found.model, found.how)
    assert (settings.fine_tune, settings.dropout) == (1, 0.4)
    assert [layer.rate for layer in network.layers if isinstance(layer, Dropout)] == [0.4]


def _checked(values: dict[str, Any], data: Dataset, out: Path) -> None:
    found = candidate(values, data, "convnet", {})
    check_settings(found.model, found.how, out)
    plan(data, found.model, found.how)


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {  # Any: wrong on purpose
    "momentum of the recipe": ({"momentum": 0.9}, BadValue, "^momentum: the default recipe has none to choose; choose"),
    "name": ({"filtres": 1}, UnknownName, "^filtres: is nothing that can be chosen; did you mean 'filters'"),
    "until without a base": ({"until": "conv2d"}, BadValue, "^until: says something of a base; choose a `base`, too"),
    "model": ({"model": "convnut"}, UnknownName, "unknown model 'convnut'; did you mean 'convnet'"),
    "optimizer": ({"optimizer": "sdg"}, UnknownName, "unknown optimizer 'sdg'; did you mean 'sgd'"),
    "setting": (
        {"optimizer": "adam", "momentum": 0.9},
        BadValue,
        "^momentum: Adam has no 'momentum'",
    ),
    "both": ({"shift": 1, "augment": "light"}, BadValue, "^shift and augment exclude each other; take one"),
    "augment": ({"augment": "lite"}, BadValue, "^augment='lite': must be 'auto', 'none', 'light' or 'strong'"),
    "shift": ({"shift": -1}, BadValue, "^shift=-1: must be at least 0 pixels"),
    "base and model": ({"base": "x", "model": "dense"}, BadValue, "exclude each other; take one"),
    "base": (
        {"base": "x", "filters": 8},
        BadValue,
        "^filters: says nothing of a base; choose until, fine_tune, dropout",
    ),
    "no convolutions": (
        {"model": "dense", "filters": 8},
        BadValue,
        "^filters=8: the model 'dense' of digits has no con",
    ),
    "path": (
        {"conv2d_9.filters": 8},
        UnknownName,
        "^conv2d_9.filters: the model has no layer 'conv2d_9'; did you mean",
    ),
    "smoothing": ({"label_smoothing": 2.0}, BadValue, "label_smoothing=2.0.*: must be at least 0 and less than 1"),
    "epochs": ({"epochs": 0}, BadValue, "epochs=0.*: must be a positive whole number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_values_that_cannot_be_trained_are_refused_with_their_name(case: str, digits: Dataset, tmp_path: Path) -> None:
    values, kind, message = WRONG[case]

    with pytest.raises(kind, match=message):
        _checked(values, digits, tmp_path)


def test_words_of_a_ready_made_model_say_nothing_to_your_own(digits: Dataset) -> None:
    with pytest.raises(BadValue, match=r"^filters: says something of a ready-made model; of your own name the layer"):
        candidate({"filters": 8}, digits, convnet((8, 8, 1), 10), {})


def test_a_space_is_checked_at_all_its_ends_before_anything_trains(digits: Dataset) -> None:
    good = as_space(
        {
            "optimizer": ["recipe", "sgd"],
            "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
            "units": [0, 8],
        }
    )
    check_space(good, digits, "convnet", {})

    with pytest.raises(UnknownName, match="activation: unknown activation 'rely'"):
        check_space(as_space({"units": [8, 16], "activation": ["relu", "rely"]}), digits, "convnet", {})
    with pytest.raises(UnknownName, match=r"^conv2d_9.filters: the model has no layer 'conv2d_9'; did you mean"):
        check_space(as_space({"units": [8], "conv2d_9.filters": [8, 16]}), digits, "convnet", {})
    with pytest.raises(BadValue, match=r"^filters=8: the model 'dense' of digits has no convolutions"):
        check_space(as_space({"model": ["convnet", "dense"], "filters": [8, 16]}), digits, "convnet", {})
    with pytest.raises(BadValue, match=r"^label_smoothing=1.0: must be at least 0 and less than 1"):
        check_space(as_space({"label_smoothing": {"low": 0, "high": 1}}), digits, "convnet", {})
    with pytest.raises(BadValue, match=r"^momentum: the default recipe has none"):
        check_space(Space({"momentum": Float(0.0, 0.9)}), digits, "convnet", {})


def test_a_function_is_a_space_too(digits: Dataset) -> None:
    def build(trial: Any) -> Any:  # Any: of Optuna; a model or a Candidate
        units = trial.suggest_int("units", 8, 8)
        return Candidate(Variant("convnet", Net(units=units)), {"learning_rate": trial.suggest_float("rate", 0.1, 0.1)})

    trial = optuna.trial.FixedTrial({"units": 8, "rate": 0.1})
    values, found = candidate_of(build, trial, digits, "convnet", {"epochs": 3})

    assert values == {"units": 8, "rate": 0.1}
    assert found == Candidate(Variant("convnet", Net(units=8)), {"epochs": 3, "learning_rate": 0.1})


def test_a_function_may_give_just_a_model(digits: Dataset) -> None:
    model = convnet((8, 8, 1), 10)

    _, found = candidate_of(lambda _: model, optuna.trial.FixedTrial({}), digits, "convnet", {"epochs": 3})

    assert found == Candidate(model, {"epochs": 3})


def test_a_function_that_gives_nothing_is_told(digits: Dataset) -> None:
    with pytest.raises(BadValue, match=r"^the function of the space gave None; it must give a model or a Candidate"):
        candidate_of(lambda _: None, optuna.trial.FixedTrial({}), digits, "convnet", {})  # type: ignore[arg-type,return-value]  # on purpose


def test_a_file_of_values_is_told_with_its_name(tmp_path: Path) -> None:
    write_values(tmp_path / "best.toml", {"units": 8, "epochs": 3})
    write_values(tmp_path / "bad.toml", {"momentum": 0.9})

    assert configured(tmp_path / "best.toml") == Candidate(Variant("convnet", Net(units=8)), {"epochs": 3})
    with pytest.raises(BadFile, match=r"bad.toml: momentum: the default recipe has none to choose"):
        configured(tmp_path / "bad.toml")


WHOLE: dict[str, tuple[ModelChoice, How, dict[str, Any]]] = {  # Any: values
    "ready-made": ("dense", {"epochs": 5, "seed": 0}, {"units": 32}),
    "variant": (Variant("convnet", Net(filters=4), {"conv2d.activation": "elu"}), {}, {"units": 32}),
    "base": (FromBase("mobilenet_v2", fine_tune=1), {"augment": "light"}, {"fine_tune": 2, "dropout": 0.5}),
    "optimizer": ("convnet", {"optimizer": SGD(0.1, momentum=0.9), "augment": RandomShift(2)}, {"batch_size": 16}),
    "another optimizer": ("convnet", {"optimizer": SGD(0.1, momentum=0.9)}, {"optimizer": "adam", "shift": 1}),
    "no augmentation": ("convnet", {"augment": None, "learning_rate": 0.1}, {"model": "dense"}),
}


@pytest.mark.parametrize("case", WHOLE)
def test_whole_values_train_by_themselves_what_they_trained_beside_the_rest(case: str, tmp_path: Path) -> None:
    model, how, values = WHOLE[case]
    beside = candidate(values, None, model, how)

    write_values(tmp_path / "best.toml", whole_values(values, model, how))

    alone = configured(tmp_path / "best.toml")
    assert alone.model == beside.model
    assert _plain(alone.how) == _plain(beside.how)


def _plain(how: How) -> dict[str, Any]:  # Any: options of `train`
    """The optimizer with its rate, and no augmentation under one name."""
    rate = how.get("learning_rate")
    plain = {
        **how,
        "optimizer": optimizer_for(how.get("optimizer"), rate),
        "augment": how.get("augment", "auto") or "none",
    }
    return {name: value for name, value in plain.items() if name != "learning_rate"}


def test_a_value_of_none_leaves_what_was_told() -> None:
    found = whole_values({"label_smoothing": None, "optimizer": None}, "dense", {"label_smoothing": 0.1, "epochs": 2})

    assert found["label_smoothing"] == 0.1


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Space({}, {"units": 8}), "the space leaves nothing to choose"),
        (Space({"units": Categorical((8,))}, {"seed": 3}), "seed: a search has one for all its trials"),
        (Space({"image_size": Categorical((8, 16))}), "image_size: cannot be chosen for data from memory, or with --n"),
    ],
    ids=["nothing", "seed", "memory"],
)
def test_spaces_that_a_search_could_not_follow_are_told_before_it(space: Space, message: str) -> None:
    with pytest.raises(BadValue, match=f"^{message}"):
        check_space(space, in_memory(), "dense", {})
