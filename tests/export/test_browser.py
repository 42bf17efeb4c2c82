"""In a real browser TF.js asks a model of ours, trains it on, and what it sends back opens here."""

import shutil
import threading
from collections.abc import Iterator
from email import message_from_bytes
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import holdfast
from export.conftest import WEB
from holdfast.export.tfjs import export_tfjs
from holdfast.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D, Normalization, Rescaling
from holdfast.models import Sequential

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

TFJS = WEB / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
PAGE = Path(__file__).with_name("browser.html")


class Server(SimpleHTTPRequestHandler):
    """Files of a folder; what is posted to /saved, in the parts that TF.js sends, becomes files of it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        folder = Path(self.directory) / "saved"
        folder.mkdir()
        for part in message_from_bytes(head + body).walk():
            name, content = part.get_filename(), part.get_payload(decode=True)
            if name is not None:
                assert isinstance(content, bytes)
                (folder / Path(name).name).write_bytes(content)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # Any: as http.server has it
        """Says nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with the page and TF.js, and the address at which a server of our own gives it."""
    if not TFJS.exists():
        pytest.skip("no TF.js; run: make web/node_modules/done")
    shutil.copy(TFJS, tmp_path)
    shutil.copy(PAGE, tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page() -> Iterator["Page"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; run: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser.new_page()
        browser.close()


def classifier() -> Sequential:
    """A small convnet for the bundled digits."""
    return Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 255),
            Normalization(mean=[0.3], variance=[0.14]),
            Conv2D(8, 3, activation="relu"),
            BatchNormalization(),
            MaxPooling2D(),
            Flatten(),
            Dense(10, activation="softmax"),
        ],
        seed=3,
    )


def tensor(array: Any) -> dict[str, Any]:  # Any: what NumPy can make an array of; what JSON holds
    values = np.asarray(array, np.float32)
    return {"values": values.ravel().tolist(), "shape": list(values.shape)}


def test_a_model_is_asked_and_trained_on_in_a_browser_and_comes_back(site: tuple[Path, str], page: "Page") -> None:
    folder, address = site
    data = holdfast.data.load("digits")
    images, labels = data.train.images.numpy(), data.train.labels.numpy()
    held, truth = data.validation.images[:100].numpy(), data.validation.labels[:100].numpy()
    model = classifier()
    model.classes = data.classes
    model.compile("adam", "sparse_categorical_crossentropy").fit(images, labels, epochs=3, verbose=0)
    export_tfjs(model, folder / "model")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    given = {"held": tensor(held), "x": tensor(images[:640]), "y": tensor(labels[:640])}

    page.goto(f"{address}/browser.html")
    found = page.evaluate("learnOn", given)

    before, after = (np.reshape(found[key], (100, 10)) for key in ("before", "after"))
    np.testing.assert_allclose(before, model.predict(held), rtol=1e-5, atol=1e-6)
    assert np.abs(after - before).max() > 0.001
    assert 0 < found["loss"] < 2
    back = holdfast.load(folder / "saved" / "model.json")
    np.testing.assert_allclose(back.predict(held), after, rtol=1e-5, atol=1e-6)
    assert (back.predict(held).argmax(1) == truth).mean() > 0.8
    assert found["metadata"]["holdfast"]["classes"] == list(data.classes)
    assert back.classes == data.classes
    assert all(url.startswith(address) for url in asked)
