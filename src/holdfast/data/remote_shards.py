"""Sets of shards by URL: all of their files in the cache, checked, before training begins."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from ..core import BadFile
from .options import Progress
from .remote import cache_folder, fetch
from .shard_check import MIB, Stamps
from .shard_manifest import MANIFEST, ShardManifest


def local_copy(url: str, progress: Progress | None = None) -> Path:
    """The folder in the cache that holds the set; what is missing is fetched, going on where that broke off.

    Args:
        url: of its manifest.json, or of the folder of this.
        progress: told (MiB here, MiB in all).

    Raises:
        BadFile: no such file, no network, a file that is not as the manifest says, no room.
    """
    url = url if urlsplit(url).path.endswith(".json") else f"{url.rstrip('/')}/{MANIFEST}"
    folder = cache_folder() / "shards" / f"{set_name(url)}-{hashlib.blake2b(url.encode(), digest_size=4).hexdigest()}"
    manifest = _manifest(url, folder)
    files = (manifest.index, *manifest.shards)
    missing = [
        one for one in files if not (folder / one.file).is_file() or (folder / one.file).stat().st_size != one.bytes
    ]
    needed, free = sum(one.bytes for one in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise BadFile(
            f"{url}: {needed / 1e9:.1f} GB are to be fetched, {free / 1e9:.1f} GB are free in {folder}; "
            "set HOLDFAST_CACHE to a folder with more room."
        )
    stamps, total = Stamps(folder), sum(one.bytes for one in files)
    done = total - needed
    for one in missing:

        def fetched(here: int, _: int, before: int = done) -> None:
            if progress:
                progress(-(-(before + here) // MIB), -(-total // MIB))

        path = folder / one.file
        fetch(urljoin(url, quote(one.file)), path, sha256=one.sha256, size=one.bytes, progress=fetched)
        stamps.add(path, one.sha256)
        done += one.bytes
    stamps.write()
    return folder


def set_name(url: str) -> str:
    """What people call the set: the folder that its manifest lies in."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if parts and parts[-1].endswith(".json"):
        parts.pop()
    return re.sub(r"[^\w.-]+", "-", parts[-1] if parts else urlsplit(url).netloc)


def _manifest(url: str, folder: Path) -> ShardManifest:
    """The manifest as it is there now, without the files that it has replaced; without a network as it was."""
    path, new = folder / MANIFEST, folder / f".{MANIFEST}.{os.getpid()}.new"
    new.unlink(missing_ok=True)
    try:
        fetch(url, new)
    except BadFile as error:
        if not path.is_file():
            raise BadFile(str(error).replace(f"the file at {new}", f"its files into {folder}")) from error
        return ShardManifest.read(path)
    try:
        manifest = ShardManifest.read(new)
    except BadFile as error:
        new.unlink(missing_ok=True)
        raise BadFile(str(error).replace(str(new), url)) from error
    if path.is_file():
        now = {one.file: one.sha256 for one in (manifest.index, *manifest.shards)}
        before = ShardManifest.read(path)
        for one in (before.index, *before.shards):
            if now.get(one.file) != one.sha256:
                (folder / one.file).unlink(missing_ok=True)
    new.replace(path)
    return manifest
