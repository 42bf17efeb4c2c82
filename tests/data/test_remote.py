"""Downloads from a server of our own that breaks off, refuses, and lies."""

import hashlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from holdfast.core import BadFile
from holdfast.data import remote
from holdfast.data.remote import cache_folder, fetch, is_url

CONTENT = bytes(range(256)) * 400
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What it serves, after how many bytes each answer breaks off, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int | None] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[str] = field(default_factory=list)  # the Range of each request


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(remote, "WAIT_S", 0.0)
    told = Server(files={"/a.bin": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            told.asked.append(self.headers.get("Range", ""))
            if told.codes:
                self.send_error(told.codes.pop(0))
                return
            content = told.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if told.ranges else None
            start = int(found[1]) if found else 0
            if found and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop = told.breaks.pop(0) if told.breaks else None
            self.wfile.write(content[start:][:stop])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{http.server_port}/a.bin"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    path = fetch(
        server.url, tmp_path / "in" / "a.bin", sha256=SHA, size=len(CONTENT), progress=lambda *x: told.append(x)
    )
    fetch(server.url, path, sha256=SHA, size=len(CONTENT))

    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(server.asked) == 1
    assert [one.name for one in path.parent.iterdir()] == ["a.bin"]


def test_addresses_may_hold_spaces_and_any_letters(server: Server, tmp_path: Path) -> None:
    server.files["/%C3%A4%20b.bin?key=1%2F2"] = CONTENT

    path = fetch(server.url.replace("a.bin", "\N{LATIN SMALL LETTER A WITH DIAERESIS} b.bin?key=1%2F2"), tmp_path / "a")

    assert path.read_bytes() == CONTENT


def test_a_download_that_breaks_off_goes_on_from_there(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000, 500]

    path = fetch(server.url, tmp_path / "a.bin", sha256=SHA)

    assert path.read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000-", "bytes=1500-"]


def test_a_download_that_keeps_breaking_off_goes_on_with_the_next_call(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000, *[0] * remote.TRIES]
    with pytest.raises(BadFile, match=r"broke off after 1,000 bytes .*; the same command goes on from there\.$"):
        fetch(server.url, tmp_path / "a.bin", sha256=SHA)
    assert not (tmp_path / "a.bin").exists()

    path = fetch(server.url, tmp_path / "a.bin", sha256=SHA)

    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000-"


def test_without_a_checksum_a_download_begins_anew(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000]

    assert fetch(server.url, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.asked == ["", ""]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.breaks, server.ranges = [1000], False

    assert fetch(server.url, tmp_path / "a.bin", sha256=SHA).read_bytes() == CONTENT


def test_more_than_the_server_has_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".a.bin.part").write_bytes(CONTENT * 2)

    assert fetch(server.url, tmp_path / "a.bin", sha256=SHA).read_bytes() == CONTENT


def test_a_wrong_checksum_is_named_and_nothing_kept(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = b"x" + CONTENT[1:]
    with pytest.raises(BadFile, match=f"its SHA-256 is .*, expected is {SHA[:16]}.*; nothing was kept"):
        fetch(server.url, tmp_path / "a.bin", sha256=SHA)

    server.files["/a.bin"] = CONTENT
    assert fetch(server.url, tmp_path / "a.bin", sha256=SHA).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1], ids=["longer", "shorter"])
def test_another_size_is_named(server: Server, tmp_path: Path, size: int) -> None:
    with pytest.raises(BadFile, match=rf"has 102,400 bytes, expected are {size:,}.*another one; nothing was kept\.$"):
        fetch(server.url, tmp_path / "a.bin", size=size)

    assert not (tmp_path / "a.bin").exists()


def test_a_missing_file_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"/b\.bin: there is no such file \(404\); check the address\.$"):
        fetch(server.url.replace("a.bin", "b.bin"), tmp_path / "b.bin")

    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.codes = [503, 502]

    assert fetch(server.url, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_named(server: Server, tmp_path: Path) -> None:
    server.codes = [503] * remote.TRIES

    with pytest.raises(BadFile, match=r"keeps answering 503 .*; try again later\.$"):
        fetch(server.url, tmp_path / "a.bin")


def test_no_network_is_one_line_with_what_to_do_and_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It was seven seconds of silence."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(BadFile, match=r"cannot be reached \(Connection refused\); check the network, or put .*/a\.bin"):
        fetch(f"http://127.0.0.1:{port}/a.bin", tmp_path / "a.bin")

    assert waits == [1.0]


def test_a_place_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadFile, match="cannot write"):
        fetch(server.url, tmp_path / "file" / "a.bin")


def test_a_file_of_another_size_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")

    assert fetch(server.url, tmp_path / "a.bin", sha256=SHA, size=len(CONTENT)).read_bytes() == CONTENT


def test_several_at_once_download_once(server: Server, tmp_path: Path) -> None:
    threads = [Thread(target=fetch, args=(server.url, tmp_path / "a.bin"), kwargs={"sha256": SHA}) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path

    monkeypatch.delenv("HOLDFAST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "holdfast"


def test_addresses_are_told_from_paths() -> None:
    assert [is_url(one) for one in ("https://host/a", "http://host", "photos", Path("http:/x"))] == [
        True,
        True,
        False,
        False,
    ]
