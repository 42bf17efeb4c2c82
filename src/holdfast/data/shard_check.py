"""Whether a set of shards is all there and as it was written, before training begins."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core import BadFile, whole_file
from .options import Progress
from .remote import cache_folder, file_sha256
from .shard_manifest import ShardManifest

MIB = 2**20
AGAIN = "give the URL again, or copy or write the shards anew"
REMEDY = f"remove it and {AGAIN}"


def verify(folder: Path, manifest: ShardManifest, progress: Progress | None = None) -> None:
    """Checks that all is there and as it was written; a checksum only for what changed since the last time.

    Args:
        folder: of the set.
        manifest: its own.
        progress: told (MiB read, MiB in all).

    Raises:
        BadFile: what is missing, of another size, or of another checksum, with the remedy.
    """
    stamps = Stamps(folder)
    changed, missing = [], []
    for one in (manifest.index, *manifest.shards):
        path = folder / one.file
        if not path.is_file():
            missing.append(one.file)
        elif (size := path.stat().st_size) != one.bytes:
            what = "a part of it is missing" if size < one.bytes else "it is another file"
            raise BadFile(f"{path}: has {size:,} bytes, its manifest says {one.bytes:,}: {what}; {REMEDY}.")
        elif not stamps.knows(path, one.sha256):
            changed.append(one)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        count = f"{len(missing)} of {1 + len(manifest.shards)} files {'is' if len(missing) == 1 else 'are'} missing"
        raise BadFile(f"{folder}: {count}: {', '.join(missing[:3])}{more}; {AGAIN}.")
    total, done = sum(one.bytes for one in changed), 0
    for one in changed:

        def read(count: int) -> None:
            nonlocal done
            done += count
            if progress:
                progress(-(-done // MIB), -(-total // MIB))

        if (here := file_sha256(folder / one.file, read)) != one.sha256:
            raise BadFile(
                f"{folder / one.file}: is damaged: its SHA-256 is {here[:16]}..., its manifest says "
                f"{one.sha256[:16]}...; {REMEDY}."
            )
        stamps.add(folder / one.file, one.sha256)
    stamps.write()


def remember(folder: Path, manifest: ShardManifest) -> None:
    """Takes the files as they are for checked, because we have just written them."""
    stamps = Stamps(folder)
    for one in (manifest.index, *manifest.shards):
        stamps.add(folder / one.file, one.sha256)
    stamps.write()


class Stamps:
    """The checksums that files of a folder had, for as long as they keep their size and time of change."""

    def __init__(self, folder: Path) -> None:
        name = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
        self.path, self.new = cache_folder() / "checked" / f"{name}.json", False
        try:
            self.known: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))  # Any: JSON values
        except (OSError, ValueError):
            self.known = {}

    def knows(self, path: Path, sha256: str) -> bool:
        return self.known.get(path.name) == self._stamp(path, sha256)

    def add(self, path: Path, sha256: str) -> None:
        self.known[path.name] = self._stamp(path, sha256)
        self.new = True

    def write(self) -> None:
        """Keeps them; where nothing can be written, all is checked again the next time."""
        if not self.new:
            return
        with suppress(BadFile), whole_file(self.path) as temporary:
            temporary.write_text(json.dumps(self.known), encoding="utf-8")

    def _stamp(self, path: Path, sha256: str) -> list[Any]:  # Any: JSON values
        status = path.stat()
        return [status.st_size, status.st_mtime_ns, sha256]
