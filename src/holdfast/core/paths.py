"""Paths: files and folders that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import BadFile


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Gives a temporary path beside `path`; what was written there takes its place when the block ends well.

    Raises:
        BadFile: the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut may leave the name without the contents
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, BadFile):  # of whoever wrote the file, who knows its temporary name alone
            raise BadFile(str(error).replace(temporary.name, path.name)) from error
        raise BadFile(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path | str, ours: re.Pattern[str]) -> Iterator[Path]:
    """Gives a new folder beside `path`, which takes its place when the block ends well.

    Args:
        ours: names of files that an earlier folder at `path` may hold; it is replaced.

    Raises:
        BadFile: the folder cannot be written, or there is one that holds something else.
    """
    path = Path(path).absolute()
    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}.{word}") for word in ("tmp", "old"))
    try:
        strange = _strange(path, ours)
        if strange is not None:
            raise BadFile(f"cannot write {path}: it holds {strange!r} already; name a new folder.")
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if old.exists() and not path.exists():  # whatever came in between, Ctrl-C too
            with suppress(OSError):
                old.replace(path)
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def _strange(path: Path, ours: re.Pattern[str]) -> str | None:
    """What stands at `path` and is not ours to replace."""
    if not path.exists():
        return None
    if not path.is_dir():
        return path.name
    return next((one.name for one in path.iterdir() if not ours.fullmatch(one.name) or not one.is_file()), None)
