"""Bases by name: files of our own making in torchvision's form, from a server of our own; the real ones never come."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.core import BadFile, UnknownName
from holdfast.data import remote
from holdfast.models import Pictures
from holdfast.models.loading import load
from holdfast.transfer import load_base, registry
from holdfast.transfer.hf import converted
from holdfast.transfer.registry import BASES, bases, fetch_base
from transfer.hf_models import pictures, shake
from transfer.torchvision_nets import net

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL, LARGE = "mobilenet_v2", ("resnet34", "resnet50", "convnext_tiny")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, notes what is asked for, and prints nothing."""

    asked: list[str] = []  # noqa: RUF012  (emptied by the fixture)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for the site of all bases; the cache is empty."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "WAIT_S", 0.0)
    Quiet.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        for name, base in BASES.items():
            site = f"http://127.0.0.1:{server.server_address[1]}/"
            monkeypatch.setitem(registry.BASES, name, replace(base, site=site))
        yield folder
        server.shutdown()
        thread.join()


def put(folder: Path, name: str, content: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serves what torch saves of `content`, or bytes as they are, as the file of a base."""
    path = folder / BASES[name].file
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    raw = path.read_bytes()
    known = replace(BASES[name], size=len(raw), sha256=hashlib.sha256(raw).hexdigest())
    monkeypatch.setitem(registry.BASES, name, known)
    return path


def shaken(name: str) -> nn.Module:
    """The network of a base with random weights and statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = net(name)
        shake(made)
        with torch.no_grad():
            for key, weight in made.named_parameters():
                if key.endswith("layer_scale"):
                    weight.uniform_(0.1, 1)
            made.eval()
            head = [module for module in made.modules() if isinstance(module, nn.Linear)][-1]
            head.weight /= made(torch.randn(1, 3, 64, 64)).abs().max() / 5  # no probability is 0 then
    return made


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in BASES]
)
def test_tensors_with_torchvisions_names_say_what_its_network_says(name: str) -> None:
    base, original = BASES[name], shaken(name)
    assert sum(weight.numel() for weight in original.parameters()) == base.parameters  # as torchvision documents
    shown = pictures((64, 64), 2)
    tensors = {base.renamed(key): tensor for key, tensor in original.state_dict().items()}

    model = converted(base.config, {**base.words, "crop_size": 64}, tensors)

    scaled = torch.from_numpy(((shown / 255 - MEAN) / STD).transpose(0, 3, 1, 2))
    with torch.no_grad():
        wanted = original.double()(scaled).log_softmax(1).numpy()
    found = np.log(model.predict(shown).astype(np.float64))
    # float32 here, float64 there; the 1e-5, of the largest
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_a_base_is_fetched_once(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = shaken(SMALL)
    put(served, SMALL, original.state_dict(), monkeypatch)
    told: list[tuple[int, int]] = []

    model = fetch_base(SMALL, progress=lambda done, total: told.append((done, total)))
    again = fetch_base(SMALL)

    size = BASES[SMALL].size
    assert told[-1] == (size, size)
    assert Quiet.asked == [f"/{BASES[SMALL].file}"]
    assert (model.name, model.reads) == (SMALL, Pictures((224, 224), 3, "crop"))
    shown = pictures((224, 224), 1)
    np.testing.assert_array_equal(model.predict(shown), again.predict(shown))


def test_a_base_of_a_name_gives_features(served: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(served, SMALL, shaken(SMALL).state_dict(), monkeypatch)

    base = load_base(SMALL)

    base.save(tmp_path / "base.keras")
    assert load(tmp_path / "base.keras").outputs[0].shape[-1] == 1280


def test_another_file_is_refused_and_not_kept(served: Path, tmp_path: Path) -> None:
    (served / BASES[SMALL].file).write_bytes(b"x" * 1000)

    with pytest.raises(BadFile, match=r"has 1,000 bytes, expected are 14,258,573: .* nothing was kept"):
        fetch_base(SMALL)

    assert [path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()] in ([], [0])


def test_a_changed_byte_is_noticed(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(served, SMALL, {"a": torch.zeros(100)}, monkeypatch)
    raw = bytearray(path.read_bytes())
    raw[500] ^= 1
    path.write_bytes(raw)

    with pytest.raises(BadFile, match=r"its SHA-256 is .*: what came is damaged or another file; nothing was kept"):
        fetch_base(SMALL)

    assert not BASES[SMALL].path.exists()


def test_without_a_network_it_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "WAIT_S", 0.0)
    monkeypatch.setitem(registry.BASES, SMALL, replace(BASES[SMALL], site="http://127.0.0.1:9/"))  # nobody listens

    with pytest.raises(BadFile, match=rf"check the network, or put the file at {re.escape(str(tmp_path))}"):
        fetch_base(SMALL)


class Touch:
    """What would write a file if somebody unpickled it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as pickle has it
        return Path.touch, (self.path,)


def test_nothing_of_a_pickle_is_run(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(served, SMALL, {"conv1.weight": Touch(tmp_path / "touched")}, monkeypatch)

    with pytest.raises(BadFile, match="holds more than tensors, or is damaged; delete it"):
        fetch_base(SMALL)

    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"nothing", "or is damaged; delete it|or a damaged one"),
        ([torch.zeros(3)], "holds no tensors by their names"),
        ({"features.0.0.weight": torch.zeros(3)}, "4 axes of floating-point numbers are needed"),
        ({}, "has no tensor"),
    ],
    ids=["bytes", "a list", "another tensor", "no tensor"],
)
def test_a_file_of_something_else_is_one_line(
    content: object, wanted: str, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(served, SMALL, content, monkeypatch)

    with pytest.raises(BadFile, match=wanted) as told:
        fetch_base(SMALL)

    assert str(told.value).startswith(str(BASES[SMALL].path))
    assert str(told.value).isprintable()


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match="no base is called 'vgg'; known: convnext_tiny, efficientnet_b0, mobilenet"):
        fetch_base("vgg")
    with pytest.raises(UnknownName, match="did you mean 'resnet18'"):
        fetch_base("resnet-18")
    with pytest.raises(BadFile, match="no name of a base; did you mean 'resnet18'"):
        load_base("resnet-18")


@pytest.mark.parametrize("base", bases(), ids=lambda base: base.name)
def test_a_row_fits_together(base: registry.Base) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", base.sha256)
    assert base.file.endswith(f"-{base.sha256[:8]}.pth")  # the digits that torchvision puts into the name
    assert base.url.startswith("https://")
    assert 4 * base.parameters <= base.size < 4.1 * base.parameters + 2**20
    assert base.licence
    assert BASES[base.name] is base


def test_the_docs_list_every_base() -> None:
    text = (Path(__file__).parents[2] / "docs" / "bases.md").read_text(encoding="utf-8")

    for base in bases():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{base.name}`"))
        assert f"{base.parameters:,}" in row
        assert f"{base.size:,}" in row
        assert base.sha256[:8] in row
