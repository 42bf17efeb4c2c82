"""Named public sets: in the offline folder, in the cache, from a server of our own, and nowhere."""

import gzip
import hashlib
import io
import re
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from holdfast.core import BadFile, BadValue, UnknownName
from holdfast.data import load, public, remote
from holdfast.data.options import Reading
from holdfast.data.public import IDX, PUBLIC, PublicSet, RemoteFile, unpacked


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no offline folder, no waiting for servers, and no network at all."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    monkeypatch.setattr(remote, "WAIT_S", 0.0)
    for name, known in PUBLIC.items():
        monkeypatch.setitem(public.PUBLIC, name, replace(known, url="http://127.0.0.1:9/"))  # nobody listens there


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and prints nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the URL under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as served:
        thread = Thread(target=served.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_address[1]}/"
        served.shutdown()
        thread.join()


def write_mnist(folder: Path, suffix: str = ".gz", *, classes: int = 2) -> None:
    """40 training and 10 test pictures of 2x3 in the four files."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, start, count in (("train", 0, 40), ("t10k", 100, 10)):
        images = np.zeros((count, 2, 3), np.uint8)
        images[:, 0, 0] = np.arange(start, start + count)
        labels = np.arange(count, dtype=np.uint8) % classes
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
            path = folder / f"{prefix}-{kind}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix else content)


def served_set(name: str, folder: Path, url: str) -> PublicSet:
    """A set of the files in a folder, as the server has them."""
    files = tuple(
        RemoteFile(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    )
    return replace(PUBLIC[name], url=url, files=files)


@pytest.mark.parametrize("suffix", ["", ".gz"], ids=["plain", "gz"])
def test_a_set_in_the_offline_folder_is_read_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    write_mnist(tmp_path / "sets" / "mnist", suffix)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path / "sets"))

    data = load("mnist")

    assert (data.name, data.origin["path"]) == ("mnist", "mnist")
    assert (len(data.train), len(data.validation), len(data.test)) == (34, 6, 10)


def test_a_set_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[Path, str]) -> None:
    write_mnist(server[0])
    monkeypatch.setitem(public.PUBLIC, "mnist", served_set("mnist", *server))
    heard: list[tuple[int, int]] = []

    first = load("mnist", progress=lambda done, total: heard.append((done, total)))
    for path in server[0].iterdir():
        path.unlink()

    assert load("mnist").fingerprint == first.fingerprint
    assert all(0 < done <= total for done, total in heard)
    assert len(list((tmp_path / "cache" / "sets" / "mnist").iterdir())) == 4


def test_another_file_than_the_published_one_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[Path, str]
) -> None:
    write_mnist(server[0])
    known = served_set("mnist", *server)
    wrong = replace(known.files[0], sha256="0" * 64)
    monkeypatch.setitem(public.PUBLIC, "mnist", replace(known, files=(wrong, *known.files[1:])))

    with pytest.raises(BadFile, match=r"cannot be fetched \(.*SHA-256"):
        load("mnist")

    assert not known.found()


def test_without_network_one_line_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as error:
        load("fashion_mnist")

    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("fashion_mnist is not on this machine and cannot be fetched (http://127.0.0.1:9/train-")
    assert all(f"{name}.gz" in message for name in IDX)
    assert f"into {tmp_path / 'cache' / 'sets' / 'fashion_mnist'}, or into a folder that HOLDFAST_DATA names" in message


def test_the_offline_folder_is_named_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))

    with pytest.raises(BadFile, match=re.escape(f"into {tmp_path / 'cifar10'}.")):
        load("cifar10")


def test_a_folder_here_comes_before_a_set_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)

    assert load("mnist").origin["path"] == str(tmp_path / "mnist")


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(UnknownName, match="did you mean 'fashion_mnist'"):
        load("fashion_mist")


def test_arrays_have_no_names_to_find_groups_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "mnist")
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))

    with pytest.raises(BadValue, match="group_by"):
        load("mnist", group_by="(.)")


def test_classes_have_their_published_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "fashion_mnist", classes=10)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))

    data = load("fashion_mnist")

    assert data.classes[0] == "T-shirt/top"
    assert data.classes[9] == "Ankle boot"


def test_a_set_with_other_classes_than_its_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "kmnist")  # with two classes
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))

    with pytest.raises(BadFile, match="has 2 classes, kmnist has 10"):
        load("kmnist")


@pytest.mark.parametrize("known", PUBLIC.values(), ids=lambda known: known.name)
def test_every_set_says_what_it_is_and_how_to_check_it(known: PublicSet) -> None:
    assert known.about
    assert known.licence
    assert known.citation
    assert known.home.startswith("http")
    assert known.url.endswith("/")
    assert known.size == sum(file.size for file in known.files) > 0
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in known.files)


def recordings(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"RIFF"))
    return path


def test_recordings_go_into_a_folder_for_each_digit(tmp_path: Path) -> None:
    names = ["x-1.0.9/recordings/0_jackson_0.wav", "x-1.0.9/recordings/7_theo_12.wav", "x-1.0.9/README.md"]
    archive = recordings(tmp_path / "v.tar.gz", *names)

    folder = unpacked(archive, tmp_path / "out")

    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav")) == [
        "0/jackson_0.wav",
        "7/theo_12.wav",
    ]
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out", "v.tar.gz"]
        or not (tmp_path / "cache").exists()
    )


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    archive = recordings(tmp_path / "v.tar.gz", "x/recordings/0_../../evil_0.wav", "../recordings/0_/etc/a_0.wav")

    with pytest.raises(BadFile, match="holds no recordings"):
        unpacked(archive, tmp_path / "out")


def test_a_broken_archive_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = recordings(tmp_path / "v.tar.gz", *(f"x/recordings/{n % 10}_theo_{n}.wav" for n in range(500)))
    archive.write_bytes(archive.read_bytes()[:-400])

    with pytest.raises(BadFile, match="is damaged"):
        unpacked(archive, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["v.tar.gz"]


def test_mnist_of_the_shared_folder_loads_by_its_name(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (real_data / "mnist").is_dir():
        pytest.skip(f"no mnist/ in {real_data}")
    monkeypatch.setenv("HOLDFAST_DATA", str(real_data))

    source = public.read_public("mnist", Reading())

    assert np.bincount(source.parts).tolist() == [60_000, 0, 10_000]
    assert source.labels[:5].tolist() == [5, 0, 4, 1, 9]
