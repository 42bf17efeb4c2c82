"""Paths: files that appear whole or not at all."""

import os
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
