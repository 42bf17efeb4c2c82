"""Arguments and options that several commands share, and what they become."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from ..models.augmenting import Chosen
    from ..runs.plan import How, ModelChoice


Command = TypeVar("Command", bound=Callable[..., None])


class Resize(StrEnum):
    """Words for --resize."""

    auto = "auto"
    stretch = "stretch"
    fit = "fit"
    crop = "crop"


class Augment(StrEnum):
    """Words for --augment."""

    none = "none"
    light = "light"
    strong = "strong"


class Precision(StrEnum):
    """Words for --precision."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class Preprocessing(StrEnum):
    """Words for --preprocessing."""

    tf = "tf"
    torch = "torch"
    caffe = "caffe"
    unit = "unit"
    none = "none"


DATA_HELP = (
    "A folder with a folder of files for each class, pictures, sounds, series or volumes, or train/, validation/ and "
    "test/ above these; the same in a .zip; a CSV, of path,label or of numbers; an .npz, IDX files, shards or their "
    "address; or a name, such as digits, mnist or demo:sounds: `holdfast data` lists them."
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)]
Out = Annotated[Path, typer.Option(help="Folder of the runs and of their ledger.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, such as runs/photos-001.")]
RunOrModel = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Folder of a run, such as runs/photos-001, or a model file: model.keras or model.json."
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="convnet or dense; of sounds also convnet1d, of series and sounds features; or a FILE.json with the "
        "configuration of a Keras model.",
    ),
]
BaseName = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="MODEL|NAME",
        help="A model that has learned elsewhere, to learn from in place of --model: a .keras or .h5 file, the "
        "model.json of TF.js, a folder of a run, of `holdfast pretrain` or of a transformers model, or a name: "
        "`holdfast bases` lists them.  It stays as it is, and only what tells the classes apart is trained.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="LAYER", help="The layer of --base whose outputs are the features; left out: its last."),
]
FineTune = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Train the last N layers of --base, too, the deeper the more slowly and the later; batch normalization "
        "stays as it is.",
    ),
]
PreprocessingName = Annotated[
    Preprocessing | None,
    typer.Option(
        "--preprocessing",
        help="What pixels --base takes, only where it does not say it itself: tf (-1 to 1), unit (0 to 1), torch or "
        "caffe (ImageNet's mean), none (0 to 255).",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the data, which the recipe's cycle spans; 30, of much data 10."),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples a step; by the size of the data.")]
OptimizerName = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        help="sgd, rmsprop, adam, adamw, adagrad, adadelta, nadam or lion, as in Keras.  Left out: the default "
        "recipe, AdamW under one cycle of the learning rate, label smoothing and small shifts of pictures.",
    ),
]
LearningRate = Annotated[
    float | None, typer.Option(help="Instead of the optimizer's own; of the recipe, at the top of its cycle.")
]
Patience = Annotated[
    int | None,
    typer.Option(min=0, help="Epochs without improvement before it stops; 5 with an optimizer, else none."),
]
Shift = Annotated[
    int | None,
    typer.Option(min=0, help="Pixels by which pictures move at most in training; by the recipe, else 0."),
]
AugmentName = Annotated[
    Augment | None,
    typer.Option(
        "--augment",
        help="How samples are changed in training, by their kind: none, light, or strong, which mixes labels, too.  "
        "Left out: by the recipe, small shifts of pictures.",
    ),
]
ImageSize = Annotated[int | None, typer.Option(min=6, help="Side of the pictures in pixels.")]
ResizeName = Annotated[
    Resize,
    typer.Option(
        "--resize",
        help="How pictures of another shape get that of the model: stretch; fit, the whole picture with borders; "
        "crop, its middle; auto chooses by the shapes there are.",
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")]
GroupBy = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX|COLUMN",
        help="What stays on one side, such as all pictures of a patient: found by a regular expression in the paths of "
        "the files (its first group, or all of it), or a column of the CSV, or an array of the .npz.",
    ),
]
TimeBy = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX|COLUMN",
        help="Numbers or ISO dates, found as by --group-by: the earliest train, the latest are the test part.",
    ),
]
LabelBy = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column that says the class, where its name does not.")
]
SampleRate = Annotated[int | None, typer.Option(min=1, help="Of sounds in Hz; the commonest among the files.")]
Window = Annotated[
    float | None, typer.Option(help="How long each sample is: seconds of sounds, steps of series; chosen by the data.")
]
Hop = Annotated[float | None, typer.Option(help="How far after each window the next one begins; a window.")]
Gap = Annotated[
    float | None,
    typer.Option(help="Of a split by time: what lies nearer to its borders is left out, in the unit of the times."),
]
Seed = Annotated[int, typer.Option(help="Of the split, the weights, the order and dropout.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
PrecisionName = Annotated[
    Precision, typer.Option("--precision", help="auto takes bfloat16 where a short trial finds it faster.")
]
Folds = Annotated[
    str, typer.Option(metavar="N|groups", help="How many folds; or `groups`, which leaves out one group at a time.")
]
SealedShare = Annotated[
    float | None,
    typer.Option(help="Share of the samples that stays sealed; 0 for none; 0.15, of up to 6 groups none."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        help="Values that a search found, such as best.toml: of the model, of training, of reading; options that are "
        "given here go before.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def given(name: str, options: Callable[..., Any]) -> Callable[[Command], Command]:  # Any: what it makes of them
    """Gives a command the options that `options` takes, and what that makes of them as its parameter `name`."""
    shared = signature(options).parameters

    def decorate(command: Command) -> Command:
        own = signature(command)
        placed: list[Parameter] = []
        for parameter in own.parameters.values():
            placed += shared.values() if parameter.name == name else [parameter]

        @wraps(command)
        def whole(**values: Any) -> None:  # Any: of the command line
            made = options(**{key: values.pop(key) for key in shared})
            command(**values, **{name: made})

        whole.__signature__ = own.replace(parameters=placed)  # type: ignore[attr-defined]  # what typer reads
        whole.__annotations__ = {parameter.name: parameter.annotation for parameter in placed}
        return whole  # type: ignore[return-value]  # its parameters are the command's, and more

    return decorate


def model_of(
    model: ModelName = "convnet",
    base: BaseName = None,
    until: Until = None,
    fine_tune: FineTune = 0,
    preprocessing: PreprocessingName = None,
) -> "ModelChoice":
    """What to train: a model, or a classifier on a base."""
    from ..core import BadValue

    if base is None:
        given = {"--until": until, "--fine-tune": fine_tune, "--preprocessing": preprocessing}
        extra = next((option for option, value in given.items() if value), None)
        if extra is not None:
            raise BadValue(f"{extra} says something of a base; give one with --base.")
        return model
    if model != "convnet":
        raise BadValue(f"--model {model} and --base {base} exclude each other; give one of them.")
    from ..transfer import FromBase

    return FromBase(base, until, fine_tune, None if preprocessing is None else preprocessing.value)


def how_of(
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: OptimizerName = None,
    learning_rate: LearningRate = None,
    patience: Patience = None,
    shift: Shift = None,
    augment: AugmentName = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: PrecisionName = Precision.auto,
) -> "How":
    """How to train, in the words of Python."""
    from ..runs.plan import How

    return How(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        patience=patience,
        augment=_augment(shift, augment),
        seed=seed,
        device=device,
        precision=precision.value,
    )


def said_in(context: typer.Context) -> list[str]:
    """The options that stand on the command line."""
    return [name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")]


def by_config(
    context: typer.Context,
    config: Path | None,
    model: "ModelChoice",
    how: "How",
    reading: dict[str, Any],  # Any: as below
) -> tuple["ModelChoice", "How", dict[str, Any]]:
    """What to train, how, and how to read data, by a file of values where the command line does not say it."""
    if config is None:
        return model, how, reading
    from ..tune import configured, read_values

    said = set(said_in(context))
    for one, other in (("augment", "shift"), ("model", "base")):
        said |= {one, other} if said & {one, other} else set()
    values = {name: value for name, value in read_values(config).items() if name not in said}
    found = configured(values, model, how, place=config)
    return found.model, found.how, {**reading, **found.reading}


def _augment(shift: int | None, augment: Augment | None) -> "Chosen":
    """What `train` takes for the two options, of which one at most may be given."""
    from ..core import BadValue
    from ..data import RandomShift

    if augment is not None:
        if shift is not None:
            raise BadValue(f"--shift {shift} and --augment {augment.value} exclude each other; give one of them.")
        return augment.value
    return "auto" if shift is None else RandomShift(shift) if shift else None


def reading_of(
    image_size: ImageSize = None,
    resize: ResizeName = Resize.auto,
    skip_bad: SkipBad = False,
    group_by: GroupBy = None,
    time_by: TimeBy = None,
    label_by: LabelBy = None,
    sample_rate: SampleRate = None,
    window: Window = None,
    hop: Hop = None,
    gap: Gap = None,
) -> dict[str, Any]:  # Any: options of `load`
    """How to read data, in the words of `load`."""
    return {
        "image_size": image_size,
        "resize": resize.value,
        "skip_bad": skip_bad,
        "group_by": group_by,
        "time_by": time_by,
        "label_by": label_by,
        "sample_rate": sample_rate,
        "window": window,
        "hop": hop,
        "gap": gap,
    }
