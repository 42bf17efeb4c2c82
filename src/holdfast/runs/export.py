"""The export of a run: each format written, verified on raw held-out files, and handed over when it passes."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..core import GateMissed, HoldfastError, need, whole_folder
from ..data import Dataset, Part
from ..evaluate import Ledger
from ..export import Parity, verify
from ..export.formats import FORMATS, QUANTIZED, Format, formats_of
from ..models import Pictures
from . import lines
from .formats import size
from .run import Run, check_same, data_of, ledger_of
from .waiting import waiting
from .write import write_text

FOLDER, PARITY = "export", "parity.json"
HELD_OUT = 1_000  # samples at most
CALIBRATION = 512  # training samples that show which values occur
OURS = re.compile(r"model\.(keras|json|onnx)|group1-shard\d+of\d+\.bin|parity\.json")
REMAINS = re.compile(rf"\.(?:{'|'.join(FORMATS)})(?:-(?:{'|'.join(QUANTIZED)}))?\.(\d+)\.(?:tmp|old)")


@dataclass(frozen=True)
class Exported:
    """A format that was handed over.

    Attributes:
        folder: with its files and parity.json.
        files: the first is the one to open.
        parity: what the verification found.
    """

    folder: Path
    files: tuple[Path, ...]
    parity: Parity


def export_run(
    folder: str | Path,
    to: Literal["keras", "tfjs", "onnx", "all"] = "all",
    *,
    quantize: Literal["int8", "float16"] | None = None,
    out: str | Path | None = None,
    data: Dataset | None = None,
    verbose: Literal[0, 1] = 1,
) -> tuple[Exported, ...]:
    """Exports the model of a finished run, and verifies each format before it is handed over.

    Up to 1,000 samples of the validation part go through the model and through what was exported: raw files where the
    data has some, prepared as the exported files themselves say.  The sealed test part is not touched.  The accuracy of
    a quantised form is a look at validation, and is written into the ledger.

    Args:
        folder: of the run.
        to: a format, or all of them.
        quantize: smaller files: "float16" or "int8"; "all" exports in float32 what has no such form.
        out: where a folder for each format is made, e.g. `onnx/` or `onnx-int8/`; `export/` in the run's when None.
        data: what the run was trained on; read again from where it came when None.
        verbose: 0 silent.

    Returns:
        What was handed over: the model's file and parity.json, in a folder each.

    Raises:
        GateMissed: a format answers otherwise than the model; its folder has parity.json only.
        BadValue: a layer or setting that a format has no word for, or a run that has not finished.
        MissingExtra: the packages for ONNX are not installed.
        BadFile, BadData: no run there, a folder that cannot be written, or data that has changed.
    """
    folder = Path(folder)
    say = lines.say if verbose else lines.quiet
    wanted = list(formats_of(to, quantize))
    if to == "onnx":
        need("onnx", extra="onnx")  # before the data is read
    run = Run.load(folder)
    run.model.module.to("cpu")  # as those who judge: a GPU's TF32 alone would miss the gate
    run.model.reads = run.model.reads or (Pictures.of(run.model) if run.record.pictures else None)  # runs of before
    data = data_of(run.record, folder, quiet=not verbose) if data is None else data
    check_same(run.record, data)
    place = folder / FOLDER if out is None else Path(out)
    done, failed = list[Exported](), list[HoldfastError]()
    with ExitStack() as held:
        ledger = held.enter_context(ledger_of(folder, run.record)) if quantize else None
        for row, how in wanted:
            if quantize and not how:
                say(row.name, f"has no {quantize} form; exported in float32")
            try:
                done.append(_exported(run, data, row, how, place, ledger, say))
            except HoldfastError as error:
                if to != "all":
                    raise
                failed.append(error)
    if failed:
        kind = next((type(error) for error in failed if not isinstance(error, GateMissed)), GateMissed)
        raise kind("; ".join(map(str, failed))) from failed[0]
    return tuple(done)


def _exported(
    run: Run, data: Dataset, row: Format, quantize: str | None, place: Path, ledger: Ledger | None, say: lines.Say
) -> Exported:
    """One format, handed over; or taken away again, and GateMissed."""
    target = place / (row.name if quantize is None else f"{row.name}-{quantize}")
    _remove_remains(place)
    part = _some(data.validation, HELD_OUT)
    samples, labels = _files(run, data, part) or part.images[:].numpy(), part.labels.numpy()
    calibration = _some(data.train, CALIBRATION).images if quantize == "int8" else None
    with (
        whole_folder(target, OURS) as temporary,
        waiting(row.name, "is written and verified", quiet=say is lines.quiet) as told,
    ):
        names = [path.name for path in row.write(run.model, temporary, quantize, calibration)]
        parity = verify(
            run.model,
            row,
            temporary,
            samples,
            labels,
            part="validation, which it has learned" if run.record.settings.whole else "validation",
            quantize=quantize,
            predict=run.predict,
            progress=told,
        )
        write_text(temporary / PARITY, json.dumps(parity.to_dict(), indent=1))
        if not parity.passed:
            for name in names:
                (temporary / name).unlink()
    if ledger is not None and quantize:
        seen = {"exported_accuracy": parity.exported_accuracy}  # of fewer samples than the run's own "accuracy"
        ledger.look(run.record.ledger_id, "validation", data.validation.fingerprint, seen, purpose="report")
    for word, sentence in _told(run, row, target, parity):
        say(word, sentence)
    if not parity.passed:
        raise GateMissed(
            f"{row.name}: {'; '.join(parity.missed)}; it is not handed over, {target / PARITY} has the figures."
        )
    return Exported(target, tuple(target / name for name in names), parity)


def _told(run: Run, row: Format, target: Path, parity: Parity) -> Iterator[tuple[str, str]]:
    """What is printed of a format."""
    model = (run.folder / "model.keras").stat().st_size
    handed = str(target / row.file) if parity.passed else "not handed over"
    yield row.name, f"{handed}, {size(parity.exported_bytes)} ({run.folder / 'model.keras'} has {size(model)})"
    yield "parity", str(parity)
    if parity.exported_latency_ms is not None:
        yield (
            "latency",
            f"{parity.exported_latency_ms:.3g} ms for one sample by {parity.judge} (model {parity.latency_ms:.3g} ms)",
        )


def _some(part: Part, most: int) -> Part:
    """At most so many samples, evenly spread over the part."""
    return part.take(np.linspace(0, len(part) - 1, min(len(part), most)).astype(np.int64))


def _files(run: Run, data: Dataset, part: Part) -> list[Path]:
    """The raw files of these samples; none where the data is not of picture files, or they are not found by name."""
    origin = data.origin.get("path")
    if not origin or not run.record.pictures:
        return []
    root = Path(str(origin))
    root = root if root.is_dir() else root.parent
    paths = [root / name for name in part.names]
    return paths if all(path.is_file() for path in paths) else []


def _remove_remains(place: Path) -> None:
    """Deletes what exports that were killed left; one that goes on beside us has its process still."""
    for path in place.glob(".*.*.*"):
        match = REMAINS.fullmatch(path.name)
        if match and not Path("/proc", match[1]).exists() and Path("/proc/self").exists():
            with suppress(OSError):
                shutil.rmtree(path)
