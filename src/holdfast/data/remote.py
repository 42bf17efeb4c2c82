"""Files by URL: fetched once, going on where a download broke off, checked, and whole or not there at all."""

import hashlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ..core import BadFile

PIECE = 2**18  # bytes at once
TRIES, LOST = 4, 2  # in a row without a single byte; where there is no such server, or nobody answers its door
WAIT_S, PATIENCE_S = 0.5, 30.0  # before the second try, then twice as long each; for an answer of the server
SAFE = "%/:=&?~#+!$,;'@()*[]"  # what an address may hold; all else is quoted
PASSING = (408, 429, 500, 502, 503, 504)  # what a server may not say when it is asked again


def is_url(place: object) -> bool:
    """Whether this is an address that `fetch` takes."""
    return isinstance(place, str) and place.startswith(("http://", "https://"))


def cache_folder() -> Path:
    """Where fetched files are kept: $HOLDFAST_CACHE, else the user's cache."""
    chosen = os.environ.get("HOLDFAST_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast"


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Downloads a file, unless it is there already.

    What broke off is kept beside it as `.NAME.part`; where the checksum is known, the next call goes on from there.
    Several processes may ask for one file: one downloads, the others wait.

    Args:
        url: http or https.
        path: where the file goes; its folder is made.
        sha256: of the contents, in hex digits.
        size: of the contents in bytes.
        progress: told (bytes here, bytes in all) after each piece; in all is 0 where nobody knows.

    Returns:
        The path.  A file that was there is taken as it is, but for its size: it was checked when it came.

    Raises:
        BadFile: no such file there, no network, a download that keeps breaking off, another size or checksum, no room.
    """
    if _here(path, size):
        return path
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _alone(file)
            if _here(path, size):  # another process has fetched it meanwhile
                return path
            _fill(url, file, path, resumes=sha256 is not None, size=size, progress=progress)
            try:
                _check(url, part, sha256, size)
            except BadFile:
                file.truncate(0)  # going on from what is wrong cannot end well
                raise
            os.fsync(file.fileno())
            part.replace(path)
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"cannot write {path}: {error.strerror or error}") from error
    return path


def file_sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """The SHA-256 of a file, in hex digits; `progress` is told the bytes of each piece."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            state.update(piece)
            if progress:
                progress(len(piece))
    return state.hexdigest()


def _here(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def _fill(
    url: str,
    file: BinaryIO,
    path: Path,
    *,
    resumes: bool,
    size: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Appends what is missing to `file`, asking again after each break."""
    failures, anew = 0, False
    while True:
        begun = file.seek(0, os.SEEK_END)
        if begun and not resumes:
            begun = file.truncate(0)  # 0
        if size is not None and begun >= size:
            return
        try:
            _receive(url, file, begun, size, progress)
            return
        except (OSError, HTTPException) as error:
            if isinstance(error, BadFile):
                raise
            here = os.fstat(file.fileno()).st_size
            code = error.code if isinstance(error, urllib.error.HTTPError) else None
            if code == 416 and begun and not anew:  # there is more here than there
                file.truncate(0)
                anew = True
                continue
            if isinstance(error, urllib.error.HTTPError) and code not in PASSING:
                raise BadFile(f"{url}: {_refusal(error)}.") from error
            failures = 0 if resumes and here > begun else failures + 1
            if failures >= (LOST if _lost(error) else TRIES):
                raise BadFile(f"{url}: {_break(error, here, resumes, path)}.") from error
            time.sleep(WAIT_S * 2**failures)


def _receive(
    url: str, file: BinaryIO, begun: int, size: int | None, progress: Callable[[int, int], None] | None
) -> None:
    """One connection: from byte number `begun` on, as far as it goes.  Raises OSError when it breaks off."""
    request = urllib.request.Request(quote(url, safe=SAFE), headers={"User-Agent": "holdfast"})
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    with _opened(request) as answer:
        if begun and answer.status != 206:  # the server knows no ranges
            begun = file.truncate(0)
        length = answer.headers.get("Content-Length")
        total = begun + int(length) if length else size or 0
        if size is not None and total != size:
            file.truncate(0)
            raise BadFile(_other_size(url, total, size))
        while piece := answer.read(PIECE):
            _write(file, piece)
            begun += len(piece)
            if size is not None and begun > size:
                return  # `_check` says so
            if progress:
                progress(begun, total)
    if begun < total:
        raise ConnectionError("the connection was closed")


def _opened(request: urllib.request.Request) -> HTTPResponse:
    answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
    assert isinstance(answer, HTTPResponse)
    return answer


def _write(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
        file.flush()
    except OSError as error:  # no try will help
        raise BadFile(f"cannot write {getattr(file, 'name', 'the file')}: {error.strerror or error}") from error


def _check(url: str, part: Path, sha256: str | None, size: int | None) -> None:
    """Raises BadFile for contents that are not those expected."""
    found = part.stat().st_size
    if size is not None and found != size:
        raise BadFile(_other_size(url, found, size))
    if sha256 is not None and (here := file_sha256(part)) != sha256.lower():
        raise BadFile(
            f"{url}: its SHA-256 is {here[:16]}..., expected is {sha256.lower()[:16]}...: what came is damaged or "
            "another file; nothing was kept, try again."
        )


def _other_size(url: str, found: int, size: int) -> str:
    return f"{url}: has {found:,} bytes, expected are {size:,}: the file there is another one; nothing was kept."


def _refusal(error: urllib.error.HTTPError) -> str:
    if error.code in (404, 410):
        return f"there is no such file ({error.code}); check the address"
    if error.code in (401, 403):
        return f"the server refuses it ({error.code}); it may ask for a login, so fetch the file by hand"
    return f"the server answers {error.code} {error.reason}".rstrip()


def _break(error: Exception, here: int, resumes: bool, path: Path) -> str:
    """What went wrong in the end, and what to do."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server keeps answering {error.code} {error.reason}; try again later"
    if here and resumes:
        return f"broke off after {here:,} bytes ({_reason(error)}); the same command goes on from there"
    return f"cannot be reached ({_reason(error)}); check the network, or put the file at {path}"


def _lost(error: Exception) -> bool:
    """Whether waiting will hardly help: no network, no such name, a refused connection."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(inner, (socket.gaierror, ConnectionRefusedError))


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(getattr(inner, "strerror", None) or inner).strip().rstrip(".") or type(inner).__name__


def _alone(file: BinaryIO) -> None:
    """Waits until no other process holds this file; closing it lets go.  On Windows it does not wait."""
    if sys.platform == "win32":
        return
    import fcntl

    with suppress(OSError):  # a network file system without such locks
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
