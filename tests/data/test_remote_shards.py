"""Sets of shards by URL, from a server of our own that breaks off."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from holdfast.core import BadFile
from holdfast.data import load, remote, write_shards
from holdfast.data.remote_shards import set_name


@dataclass
class Server:
    """A server of a folder, which may break off within a file, and can be stopped."""

    folder: Path
    http: ThreadingHTTPServer | None = None
    url: str = ""
    limit: int | None = None  # bytes of an answer
    asked: list[str] = field(default_factory=list)

    def stop(self) -> None:
        if self.http is not None:
            self.http.shutdown()
            self.http.server_close()
            self.http = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(remote, "WAIT_S", 0.0)
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    values = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "data.npz", x=values, y=np.arange(60) % 3)
    write_shards(tmp_path / "data.npz", tmp_path / "www" / "set", shard_size="40KB")
    told = Server(tmp_path / "www")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(told.folder))  # type: ignore[arg-type]  # as the server calls it

        def do_GET(self) -> None:
            told.asked.append(self.path.rpartition("/")[2])
            super().do_GET()

        def copyfile(self, source: object, outputfile: object) -> None:
            content = source.read()  # type: ignore[attr-defined]  # a file
            outputfile.write(content[: told.limit])  # type: ignore[attr-defined]  # a file

        def log_message(self, *_: object) -> None:
            pass

    told.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{told.http.server_port}/set/manifest.json"
    thread = Thread(target=told.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    told.stop()
    thread.join()


def test_a_set_is_fetched_once_and_is_the_same_data(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    data = load(server.url, progress=lambda *done: told.append(done))
    first, server.asked = server.asked, []
    again = load(server.url.removesuffix("manifest.json"))

    assert data.split_fingerprint == load(tmp_path / "data.npz").split_fingerprint == again.split_fingerprint
    assert (data.name, data.origin["path"]) == ("set", server.url)
    assert set(first) == {path.name for path in (tmp_path / "www" / "set").iterdir()}
    assert server.asked == ["manifest.json"]
    assert told[-1][0] == told[-1][1]


def test_what_was_fetched_serves_without_a_network(server: Server) -> None:
    known = load(server.url)
    server.stop()

    assert load(server.url).split_fingerprint == known.split_fingerprint


def test_a_set_that_keeps_breaking_off_goes_on_with_the_next_call(server: Server, tmp_path: Path) -> None:
    server.limit = 30_000  # a shard has more, and this server knows no ranges
    with pytest.raises(BadFile, match=r"/set/shard-000000\.tar: broke off after 30,000 bytes .* goes on from there"):
        load(server.url)

    server.limit = None
    assert load(server.url).split_fingerprint == load(tmp_path / "data.npz").split_fingerprint


def test_a_shard_that_is_missing_there_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "www" / "set" / "shard-000001.tar").unlink()

    with pytest.raises(BadFile, match=r"/set/shard-000001\.tar: there is no such file \(404\); check the address"):
        load(server.url)


def test_a_shard_that_is_another_there_is_named(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "www" / "set" / "shard-000001.tar"
    path.write_bytes(bytes(path.stat().st_size))

    with pytest.raises(BadFile, match=r"shard-000001\.tar: its SHA-256 is .*, expected is .*nothing was kept"):
        load(server.url)


def test_a_shard_that_was_lost_from_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    load(server.url)
    (shard,) = (tmp_path / "cache" / "shards").glob("*/shard-000001.tar")
    shard.unlink()
    server.asked = []

    load(server.url)

    assert server.asked == ["manifest.json", "shard-000001.tar"]


def test_a_set_that_was_written_anew_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    known = load(server.url)
    shutil.rmtree(tmp_path / "www" / "set")
    write_shards(tmp_path / "data.npz", tmp_path / "www" / "set", shard_size="40KB", seed=1)

    assert load(server.url).split_fingerprint == known.split_fingerprint


@pytest.mark.parametrize("content", ["<html>", "{}"], ids=["html", "json"])
def test_what_is_no_manifest_is_named_by_its_address(server: Server, tmp_path: Path, content: str) -> None:
    (tmp_path / "www" / "set" / "manifest.json").write_text(content)

    with pytest.raises(BadFile, match=r"^http://.*/set/manifest\.json: is no "):
        load(server.url)


def test_no_network_and_no_copy_is_one_line(server: Server) -> None:
    server.stop()

    with pytest.raises(BadFile, match=r"manifest\.json: cannot be reached \(Connection refused\); check the network"):
        load(server.url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/set/manifest.json", "set"),
        ("https://host/a/set/", "set"),
        ("https://host/manifest.json?x=1", "host"),
    ],
    ids=["manifest", "folder", "host"],
)
def test_a_set_is_called_by_its_folder(url: str, name: str) -> None:
    assert set_name(url) == name
