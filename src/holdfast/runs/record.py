"""The record of a run: what run.json holds, enough to judge it again, to resume it and to make it anew."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core import BadFile, whole_file
from ..transfer import Preprocessing

FILE = "run.json"
Kind = Literal["run", "crossval", "curve", "dims", "pays", "tune"]


class Settings(BaseModel):
    """How a run trains; what `train` was told, with everything that it decided itself filled in."""

    model_config = ConfigDict(extra="forbid")

    model: str  # a ready-made name, the path of a configuration, or "model" for one made in Python
    epochs: int
    batch_size: int
    optimizer: dict[str, Any]  # Keras's JSON form
    patience: int | None  # None: all epochs are trained
    seed: int
    device: str
    precision: Literal["auto", "float32", "bfloat16"]
    recipe: bool = False  # whether the optimizer, smoothing and shift are the default recipe's
    label_smoothing: float = 0.0  # in training
    coverage: float = 0.95  # share of samples of the known kind that the model answers
    whole: bool = False  # trained on validation, too: the winner of a search, which nothing is left to judge
    seeds: int = 1  # trainings; all but the first are forgotten but for their answers on validation
    shift: int = 0  # pixels by which pictures move at most, in training
    augment: str | list[dict[str, Any]] = ""  # "light", "strong" or layers that change samples in training; "": none
    base: str = ""  # a path or name that `load_base` takes; "" for none, and for one that came from memory
    until: str | None = None  # the layer of the base whose outputs are the features
    fine_tune: int = 0  # layers of the base that are trained, too
    preprocessing: Preprocessing | None = None  # of pictures, where the base does not say it
    dropout: float | None = None  # of the base's features, before the head; None: as it is without being told


class Record(BaseModel):
    """What run.json holds.

    Attributes:
        kind: of what: one training, a cross-validation, a learning curve.
        origin: what `data.load` takes to give the data again; empty for arrays from memory.
        pictures: whether the samples are pictures of bytes, so that picture files can be predicted.
        things: what its samples are called; "" in records of before.
        sizes: samples in "train", "validation" and "test".
        prints: fingerprints of "data", "split", "train", "validation" and "test".
        config: Keras's configuration of the model.
        logs: of each epoch.
        stop: why training ended, as a sentence.
        kept_epoch: the epoch, from 1, whose weights the model has.
        seconds: from the beginning of training to its end.
        temperature: by which the logits were divided after training; None where the model does not allow it.
        scores: the reports on "train", "validation" and, once opened, "test", the "verdict", what the "ladder" said of
            the last opening, the "baselines", the "seeds" where there were several, and for few groups what models
            reach on each that is "left_out".
        openings: of its test part, over all runs in the ledger, when it was last judged.
        twin: the name of the run beside it that is its dense twin; "" where there is none.
        search: what a search was told, in words of `holdfast.search`; empty for anything else.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "run"
    name: str
    status: Literal["running", "finished", "interrupted", "failed"]
    started: str
    seconds: float = 0.0
    ledger_id: int
    data: str
    origin: dict[str, Any]
    classes: list[str]
    shape: list[int]
    sizes: dict[str, int]
    pictures: bool
    things: str = ""
    prints: dict[str, str]
    settings: Settings
    config: dict[str, Any]
    machine: str
    versions: dict[str, str]
    logs: list[dict[str, float | None]] = []
    stop: str = ""
    kept_epoch: int | None = None
    temperature: float | None = None
    scores: dict[str, Any] = {}
    openings: int = 0
    twin: str = ""
    search: dict[str, Any] = {}

    def write(self, folder: Path) -> None:
        """Writes run.json, whole or not at all."""
        with whole_file(folder / FILE) as temporary:
            temporary.write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """Reads the record of the run in `folder`.

        Raises:
            BadFile: no run there, or run.json is damaged.
        """
        try:
            return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadFile(f"{folder}: is no run, it has no {FILE}; `holdfast runs` lists them.") from error
        except NotADirectoryError as error:
            raise BadFile(f"{folder}: is a file; give the folder of a run, such as runs/digits-001.") from error
        except OSError as error:
            raise BadFile(f"{folder / FILE}: {error.strerror}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BadFile(f"{folder / FILE}: is damaged: {place} {first['msg'].lower()}.") from error


def machine() -> str:
    """This machine in a few words."""
    import os

    import torch

    from ..training import native

    kernels = "" if native.available() else ", no native kernels"
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = torch.get_num_threads()
    cores = f"{os.cpu_count()} cores, {threads} thread{'s' * (threads != 1)}"
    return f"{platform.system()} {platform.machine()}, {cores}{kernels}{gpu}"


def versions() -> dict[str, str]:
    """Versions of all that the result may depend on."""
    found = {"python": platform.python_version()}
    for package in ("holdfast", "torch", "numpy", "pillow", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a source tree that was never installed
            continue
    return found
