"""Candidates: what the values of a trial, or of a best.toml, train.  What may be chosen is tune/space.py."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from ..core import BadFile, BadValue, UnknownName, suggestion
from ..data import Dataset, RandomShift
from ..models import BaseModel, Net, Variant, ready_made
from ..models.arrays import check_number
from ..models.changed import place_of
from ..runs.plan import How, ModelChoice, is_file, optimizer_for, plan, read_model
from ..training import Optimizer, get_optimizer
from ..transfer import FromBase
from .dimension import Dimension, several
from .space import Space, Value, check_name, read_values

if TYPE_CHECKING:
    from optuna.trial import Trial

NET = tuple(item.name for item in fields(Net))
BASE = ("until", "fine_tune", "preprocessing")
READING = ("image_size", "resize", "sample_rate")
PLAIN_HOW = ("learning_rate", "weight_decay", "label_smoothing", "batch_size", "epochs", "patience", "seed")
RECIPE = "recipe"  # in place of an optimizer: the default recipe

Choice = TypeVar("Choice")
Build: TypeAlias = Callable[["Trial"], "Candidate | ModelChoice"]


@dataclass(frozen=True)
class Candidate:
    """What `runs.train` and `cross_validate` are told.

    Attributes:
        model: what to train.
        how: how to train it.
        reading: options of `data.load` that are other than those that the data was read with.
    """

    model: ModelChoice
    how: How
    reading: dict[str, Any] = field(default_factory=dict)  # Any: options of `load`


def candidate_of(
    choice: Space | Build, trial: "Trial", data: Dataset, model: ModelChoice, how: How
) -> tuple[dict[str, Value], Candidate]:
    """The values of a trial and what they train.

    Args:
        choice: a space; or a function that takes the trial, asks it for values and gives a model, or a Candidate.
        trial: of Optuna.
        data: what is trained on.
        model: what to train where the values do not say it.
        how: what holds where the values do not say otherwise.

    Raises:
        BadValue, UnknownName: values that cannot be trained; the message names them.
    """
    if isinstance(choice, Space):
        values = choice.suggest(trial)
        return values, candidate(values, data, model, how)
    built = choice(trial)
    if not isinstance(built, (Candidate, str, Path, BaseModel, FromBase, Variant)):
        raise BadValue(f"the function of the space gave {built!r}; it must give a model or a Candidate.")
    found = built if isinstance(built, Candidate) else Candidate(built, how)
    return dict(trial.params), replace(found, how=How(**{**how, **found.how}))


def candidate(values: Mapping[str, Value], data: Dataset | None, model: ModelChoice, how: How) -> Candidate:
    """What values train, over a model and a way of training.

    Args:
        values: by name, see `space.WORDS`; a path such as "conv2d_1.filters" tells a layer of the model.  None says
            what leaving it out says.
        data: what is trained on, if it is known; it says which words have a meaning.
        model: what to train where the values do not say it.
        how: what holds where the values do not say otherwise.

    Raises:
        UnknownName: a name that is neither a word nor a path.
        BadValue: words that exclude each other, or that say nothing to this model.

    Example:
        >>> candidate({"filters": 8, "learning_rate": 0.02}, None, "convnet", {"epochs": 5}).how
        {'epochs': 5, 'learning_rate': 0.02}
    """
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        check_name(name)
    return Candidate(
        _model(given, model, data), _how(given, model, how), {name: given[name] for name in READING if name in given}
    )


def whole_values(values: Mapping[str, Value], model: ModelChoice, how: How) -> dict[str, Value]:
    """The values, and what else they were trained with, as far as it has words: so that they say all by themselves.

    Args:
        values: of a trial.
        model, how: what held where the values did not say otherwise.

    Example:
        >>> whole_values({"units": 32}, "dense", {"epochs": 5, "seed": 0})
        {'model': 'dense', 'epochs': 5, 'seed': 0, 'units': 32}
    """
    given = {name for name, value in values.items() if value is not None}  # None: as it was told
    if "optimizer" in given:
        how = How(**{**how, "optimizer": None})
    told = {**_model_words(model), **_how_words(how)}
    if given & {"shift", "augment"}:
        told |= {"shift": None, "augment": None}
    if given & {"model", "base"}:
        told |= {"model": None, "base": None}
    plain = {name: value for name, value in told.items() if isinstance(value, (bool, int, float, str))}
    rest = {name: value for name, value in plain.items() if name not in given}
    return {**rest, **{name: value for name, value in values.items() if name not in rest}}


def check_space(space: Space, data: Dataset | None, model: ModelChoice, how: How) -> None:
    """Raises for a space with values that cannot be trained, before any trial is.

    Every dimension is tried at its ends, or at each choice, beside the first values of the others.

    Raises:
        BadValue, UnknownName: the message names the value and the remedy.
    """
    if not space.dimensions:
        raise BadValue("the space leaves nothing to choose; give a list or a range, such as filters = [16, 32].")
    if "seed" in space.fixed:
        raise BadValue("seed: a search has one for all its trials; take it out of the space and say --seed (seed=).")
    for values in _corners(space):
        found = candidate(values, data, model, how)
        if data is not None:
            check_reading(found, data)
        if isinstance(found.model, FromBase):
            found.model.check()
        elif data is not None and not found.reading and not isinstance(found.model, BaseModel):
            plan(data, found.model, found.how)


def check_reading(found: Candidate, data: Dataset) -> None:
    """Raises BadValue where data is to be read in another way, but does not come from files."""
    if found.reading and not data.origin:
        named = ", ".join(found.reading)
        raise BadValue(f"{named}: cannot be chosen for data from memory, or with --nested, for it is not read again.")


def configured(
    source: Path | str | Mapping[str, Value],
    model: ModelChoice = "convnet",
    how: How | None = None,
    *,
    place: Path | None = None,
) -> Candidate:
    """What a best.toml, or the values of a trial, train: for `train`, `cross_validate` and the like.

    Args:
        source: a file that a search has written, or values by name.
        model: what to train where the values do not say it.
        how: what holds where the values do not say otherwise.
        place: the file that the values are from, for messages.

    Raises:
        BadFile, BadValue, UnknownName: no such file, or values that cannot be trained.

    Example:
        >>> found = configured({"units": 32, "epochs": 5})
        >>> found.model.net.told, found.how
        ({'units': 32}, {'epochs': 5})
    """
    values = source if isinstance(source, Mapping) else read_values(source)
    place = place if isinstance(source, Mapping) else Path(source)
    try:
        return candidate(values, None, model, how or How())
    except (BadValue, UnknownName) as error:
        if place is None:
            raise
        raise BadFile(f"{place}: {error}") from error


def _model(given: Mapping[str, Any], model: ModelChoice, data: Dataset | None) -> ModelChoice:  # Any: values
    chosen = _chosen(given, model)
    changes = {name: value for name, value in given.items() if "." in name and not name.startswith("optimizer.")}
    told = {name: given[name] for name in NET if name in given}
    if told or changes or given.keys() & set(BASE):
        chosen = as_base(chosen)
    if isinstance(chosen, FromBase):
        return _on_base(chosen, given, told, changes)
    word = next((word for word in BASE if word in given), None)
    if word is not None:
        raise BadValue(f"{word}: says something of a base; choose a `base`, too.")
    inner = chosen.model if isinstance(chosen, Variant) else chosen
    if told and (isinstance(inner, BaseModel) or is_file(inner)):
        word = next(iter(told))
        raise BadValue(f"{word}: says something of a ready-made model; of your own name the layer, conv2d.filters say.")
    if not told and not changes:
        return chosen
    before = chosen if isinstance(chosen, Variant) else Variant(inner)
    found = Variant(inner, replace(before.net, **told), {**before.changes, **changes})
    if changes and (isinstance(inner, BaseModel) or is_file(inner)):
        read = inner if isinstance(inner, BaseModel) else read_model(Path(inner), 0)
        if data is not None:
            read.build_for(data.train.images)
            for path in changes:
                place_of(read, path)
    return found


def as_base(model: Choice) -> Choice | FromBase:
    """The base that a model was made of, for only it knows the weights to begin with; any other model as it is."""
    return model.made_from if isinstance(model, BaseModel) and isinstance(model.made_from, FromBase) else model


def _chosen(given: Mapping[str, Any], model: ModelChoice) -> ModelChoice:  # Any: values
    """The model or base that is named, or else was given."""
    if "base" in given:
        if "model" in given:
            raise BadValue(f"model = {given['model']!r} and base = {given['base']!r} exclude each other; take one.")
        known = isinstance(model, FromBase) and model.base == given["base"]
        return model if known else FromBase(given["base"])
    if "model" not in given:
        return model
    if not is_file(given["model"]):
        ready_made.canonical(given["model"])
    return replace(model, model=given["model"]) if isinstance(model, Variant) else given["model"]


def _on_base(
    base: FromBase,
    given: Mapping[str, Any],
    told: Mapping[str, Any],
    changes: Mapping[str, Any],  # Any: values
) -> FromBase:
    """The base as it is used here; what was loaded of it is not loaded again."""
    said = {name: given[name] for name in BASE if name in given}
    word = next((name for name in (*told, *changes) if name != "dropout"), None)
    if word is not None:
        raise BadValue(f"{word}: says nothing of a base; choose until, fine_tune, dropout or how it is trained.")
    found = replace(base, **said, **told)
    if "loaded" in vars(base) and (found.until, found.preprocessing) == (base.until, base.preprocessing):
        vars(found)["loaded"] = base.loaded
    return found


def _how(given: Mapping[str, Any], model: ModelChoice, how: How) -> How:  # Any: values
    found: dict[str, Any] = dict(how)
    if "optimizer" in given:
        found["optimizer"] = None if given["optimizer"] == RECIPE else given["optimizer"]
    found |= {name: given[name] for name in PLAIN_HOW if name in given}
    settings = {name.partition(".")[2]: value for name, value in given.items() if name.startswith("optimizer.")}
    settings |= {"momentum": given["momentum"]} if "momentum" in given else {}
    if settings:
        found["optimizer"] = _optimizer(found.get("optimizer"), settings)
    if "shift" in given and "augment" in given:
        raise BadValue("shift and augment exclude each other; take one, or give one of them a `when`.")
    if "shift" in given:
        if given["shift"] < 0:
            raise BadValue(f"shift={given['shift']}: must be at least 0 pixels.")
        found["augment"] = RandomShift(given["shift"]) if given["shift"] else None
    if "augment" in given:
        if given["augment"] not in ("auto", "none", "light", "strong"):
            raise BadValue(f"augment={given['augment']!r}: must be 'auto', 'none', 'light' or 'strong'.")
        found["augment"] = given["augment"]
    for name in ("epochs", "batch_size"):
        if name in given:
            check_number(f"{name}={given[name]}", given[name])
    if not 0 <= given.get("label_smoothing", 0.0) < 1:
        raise BadValue(f"label_smoothing={given['label_smoothing']}: must be at least 0 and less than 1.")
    optimizer_for(*(found.get(name) for name in ("optimizer", "learning_rate", "weight_decay")))  # says what is wrong
    return cast(How, found)


def _optimizer(optimizer: Any, settings: Mapping[str, Any]) -> Any:  # Any: what `train` takes, and values
    """The optimizer with other settings."""
    word = next(iter(settings))
    if optimizer is None:
        raise BadValue(
            f"{word}: the default recipe has none to choose; choose an `optimizer`, too, and give {word} "
            f'`when = {{optimizer = "sgd"}}`.'
        )
    found = get_optimizer(optimizer)
    known = [item.name for item in fields(found)]
    for name in settings:
        if name not in known:
            raise BadValue(f"{name}: {type(found).__name__} has no {name!r}{suggestion(name, known)}")
    return replace(found, **settings)


def _corners(space: Space) -> Iterable[dict[str, Value]]:
    """Values of trials at the ends of each dimension, the others at their first value."""
    told: list[dict[str, Value]] = [{}]
    told += [{name: end, **_met(space, name)} for name, one in space.dimensions.items() for end in one.ends]
    for values in told:
        yield space.chosen(partial(_told_or_first, values))


def _told_or_first(told: Mapping[str, Value], name: str, dimension: Dimension) -> Value:
    return told.get(name, dimension.ends[0])


def _met(space: Space, name: str) -> dict[str, Value]:
    """Values under which a dimension applies, those that they hang on in turn included."""
    found: dict[str, Value] = {}
    for other, wanted in space.dimensions[name].when.items():
        if other in space.dimensions:
            found |= {other: several(wanted)[0], **_met(space, other)}
    return found


def _model_words(model: ModelChoice) -> dict[str, Any]:  # Any: values, and what has no word
    """What is trained, in the words of a space; nothing of a model that is in no file."""
    if isinstance(model, FromBase):
        return {"base": model.place or None, **{name: getattr(model, name) for name in (*BASE, "dropout")}}
    if isinstance(model, Variant):
        return {**_model_words(model.model), **model.net.told, **model.changes}
    if isinstance(model, BaseModel):
        return {}
    return {"model": str(Path(model).resolve() if is_file(model) else model)}


def _how_words(how: How) -> dict[str, Any]:  # Any: as above
    """How it is trained, in the words of a space."""
    found: dict[str, Any] = {name: how.get(name) for name in PLAIN_HOW}
    optimizer, augment = how.get("optimizer"), how.get("augment", "auto")
    if isinstance(optimizer, Optimizer):
        own = {item.name: getattr(optimizer, item.name) for item in fields(optimizer)}
        rate = own.pop("learning_rate") if found["learning_rate"] is None else found["learning_rate"]
        found |= {f"optimizer.{name}": value for name, value in own.items()} | {"learning_rate": rate}
        optimizer = type(optimizer).__name__.lower()
    if isinstance(augment, RandomShift):
        return {**found, "optimizer": optimizer, "shift": augment.pixels}
    word = "none" if augment is None else augment
    return {**found, "optimizer": optimizer, "augment": None if word == "auto" else word}
