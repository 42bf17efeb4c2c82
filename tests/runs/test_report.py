"""The report and the card: what they say, that they are safe to open, and how the page behaves in a browser."""

import base64
import io
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from numpy.typing import NDArray
from PIL import Image

from holdfast.data import BadFileFound
from holdfast.data import Facts as Found
from holdfast.evaluate import Report, Score, calibration, score, verdict, wilson
from holdfast.runs.report import card, report
from holdfast.runs.told import (
    Baseline,
    Confidence,
    DataFacts,
    Facts,
    Making,
    ModelFacts,
    PartFacts,
    Picture,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NASTY = '<b>x</b> & "ü" | `y`'
VOID = {"meta", "link", "img"}


def answers(right: list[int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and probabilities: ten pictures a class, of which so many are right; wrong ones go to the next class."""
    k = len(right)
    said = [(i if j < right[i] else (i + 1) % k) for i in range(k) for j in range(10)]
    return np.repeat(np.arange(k), 10), np.eye(k)[said] * 0.9 + 0.1 / k


def scored(right: list[int], classes: list[str], part: Any, looks: int = 0) -> Report:  # Any: a literal of evaluate's
    return score(*answers(right), part=part, looks=looks, classes=classes)


def simpler(value: float, name: str, how: str = "") -> Baseline:
    return Baseline(name, Score("accuracy", value, wilson(90 * value, 90), 90, "validation"), how)


def picture(image: NDArray[Any], name: str = "shirt/1.jpg") -> Picture:
    return Picture(image, "shirt", "dress", 0.876, name)


def facts(classes: list[str] | None = None, **changes: Any) -> Facts:  # Any: fields of Facts
    """Of a run with 73 of 90 right on validation and 88 of 90 on train."""
    classes = classes or ["shirt", "dress", *"cdefghi"]
    k = len(classes)
    validation = scored([9] + [8] * (k - 1), classes, "validation", looks=17)
    train = scored([8] + [10] * (k - 1), classes, "train")
    given = Facts(
        name="photos-001",
        data=DataFacts(
            name="photos",
            classes=classes,
            image_shape=(224, 224, 3),
            parts=[
                PartFacts("train", 420, [41] * k, "00112233445566aa"),
                PartFacts("validation", 90, [10] * k, "00112233445566bb"),
                PartFacts("test", 91, None, "00112233445566cc"),
            ],
            fingerprint="00112233445566dd",
            split_fingerprint="00112233445566ee",
            found=Found(),
        ),
        model=ModelFacts(
            name="convnet",
            rows=[("conv2d", "Conv2D", (222, 222, 16), 448, 42_600_000), ("dense", "Dense", (k,), 1_610, 3_200)],
            memory=310_000_000,
            batch_size=64,
        ),
        making=Making(
            folder="runs/photos-001",
            command="holdfast train photos/ --seed 7",
            python="import holdfast\n\nrun = holdfast.train(holdfast.data.load('photos/'), seed=7)",
            seed=7,
            machine="x86_64, 2 cores",
            device="cpu",
            precision="float32",
            recipe="Adam, learning rate 0.001",
            patience=1,
            versions={"holdfast": "0.1.0", "torch": "2.13.0+cpu"},
            files=[("model.keras", 498_123)],
            started="20 November 2026, 11:07 UTC",
            seconds=161.2,
        ),
        validation=validation,
        train=train,
        baselines=[simpler(1 / k, "majority"), simpler(0.62, "logistic regression", "420 of 420 training samples")],
        confidence=Confidence(calibration(*answers([9] + [8] * (k - 1))), 1.25, 0.53, 80.0, 0.95, 0.944),
        verdict=verdict(train, validation),
        stopped="epoch 3: val_loss has not improved for 1 epochs; weights of epoch 2 restored",
        kept_epoch=2,
        logs=[
            {"loss": 2.0, "accuracy": 0.5, "val_loss": 2.2, "val_accuracy": 0.4},
            {"loss": 1.0, "accuracy": 0.75, "val_loss": 1.5, "val_accuracy": 0.6},
            {"loss": 0.5, "accuracy": 0.9, "val_loss": 1.6, "val_accuracy": 0.6},
        ],
        measured={"loss": 0.8, "accuracy": 0.85},
    )
    return replace(given, **changes)


class Page(HTMLParser):
    """A page taken apart: its tags, its attributes, and its text with single spaces."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(html)
        assert not self._open, f"never closed: {self._open}"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self._text.append(data)


def images(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_the_headline_is_the_score_with_its_interval_its_n_and_its_looks() -> None:
    page = Page(report(facts()))

    assert "validation accuracy 81.1 % [71.8, 87.9] n=90, looked at 17 times" in page.text
    assert "[71.8, 87.9] is the 95 % interval: the score rests on 90 pictures" in page.text
    assert "photos-001" in page.text
    assert "Always answering the largest class, shirt, would be right this often. 11.1 %" in page.text


def test_a_sealed_test_part_is_said_to_be_sealed() -> None:
    text = Page(report(facts())).text

    assert "test sealed, never opened n=91" in text


def test_an_opened_test_part_shows_its_score_and_its_openings() -> None:
    opened = scored([9] * 9, ["shirt", "dress", *"cdefghi"], "test", looks=2)

    text = Page(report(facts(test=opened, openings=2))).text

    assert "test accuracy 90.0 % [82.1, 94.6] n=90, opened 2 times" in text
    assert "sealed" not in text.replace("unsealed", "")


def test_verdict_and_reason_for_stopping_are_there() -> None:
    text = Page(report(facts())).text

    assert "Overfitting: train 97.8 %, validation 81.1 %, gap 16.7 points" in text
    assert "stopped epoch 3: val_loss has not improved" in text


def test_words_of_users_are_text_and_never_tags() -> None:
    shown = picture(np.zeros((8, 8, 1), np.uint8), name=NASTY)
    shown = replace(shown, truth=NASTY, predicted=NASTY)
    data = replace(
        facts([NASTY, "b"]).data,
        name=NASTY,
        found=Found(skipped=(BadFileFound(NASTY, NASTY),), conflicts=(NASTY,), notes=(NASTY,)),
    )
    making = replace(facts().making, command=NASTY, python=NASTY, machine=NASTY, versions={NASTY: NASTY})

    page = Page(
        report(
            facts([NASTY, "b"], name=NASTY, data=data, making=making, stopped=NASTY, mistakes=[shown], samples=[shown])
        )
    )

    plain = Page(report(facts(["a", "b"], mistakes=[shown], samples=[shown])))
    assert page.tags.count("b") == plain.tags.count("b")
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes} | {"dy"}
    assert page.text.count(NASTY) > 20
    assert ("title", NASTY) in page.attributes


def test_nothing_is_asked_of_the_network_and_nothing_runs() -> None:
    html = report(facts(mistakes=[picture(np.zeros((8, 8, 3), np.uint8))]))

    page = Page(html)
    asking = [value for name, value in page.attributes if name in {"src", "href", "srcset", "action"}]
    assert all(value.startswith(("data:", "#")) for value in asking)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "script" not in page.tags
    assert not re.search(r"@import|url\(", html)


def test_links_lead_to_sections_of_the_page() -> None:
    page = Page(report(facts()))

    links = {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")}
    assert links
    assert links <= {value for name, value in page.attributes if name == "id"}


def test_small_pictures_keep_their_pixels_and_are_shown_as_pixels() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)

    html = report(facts(mistakes=[picture(pixels)]))

    [shown] = images(html)
    assert np.array_equal(np.asarray(shown), pixels[:, :, 0])
    assert 'class="pixels"' in html


def test_large_pictures_are_made_smaller_in_their_own_proportions() -> None:
    html = report(facts(mistakes=[picture(np.zeros((300, 600, 3), np.uint8))]))

    [shown] = images(html)
    assert (shown.size, shown.mode) == ((128, 64), "RGB")
    assert 'class="pixels"' not in html


@pytest.mark.parametrize(
    ("image", "corner"),
    [
        (np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4), 255),
        (np.full((4, 4, 1), 0.5, np.float32), 0),
        (np.full((4, 4, 2), 7, np.uint8), 7),
        (np.full((4, 4, 4), 9, np.uint8), (9, 9, 9, 9)),
    ],
    ids=["floats", "all one value", "two channels", "alpha"],
)
def test_any_array_of_a_picture_is_drawn(image: NDArray[Any], corner: object) -> None:
    [shown] = images(report(facts(samples=[picture(image)])))

    assert shown.getpixel((3, 3)) == corner


def test_pictures_say_truth_prediction_probability_and_file() -> None:
    text = Page(report(facts(mistakes=[picture(np.zeros((8, 8, 1), np.uint8))]))).text

    assert "Of 17 on validation, those the model was surest of." in text
    assert "is shirt ✗ dress 87 % shirt/1.jpg" in text


def test_curves_are_of_train_and_validation_and_never_of_test() -> None:
    html = report(facts())

    charts = re.findall(r'<figure class="chart">.*?</figure>', html, re.DOTALL)
    assert [re.findall(r'<text class="end \w+"[^>]*>(\w+)<', chart) for chart in charts] == [
        ["train", "validation"]
    ] * 2
    assert "epoch 2: train 75.0 %, validation 60.0 %" in charts[1]
    assert all("test" not in chart for chart in charts)
    assert all(chart.count('class="measured"') == chart.count('class="kept"') == 1 for chart in charts)


def test_points_of_a_curve_stand_where_their_values_do() -> None:
    html = report(facts(logs=[{"loss": 3.0, "val_loss": 3.0}, {"loss": 0.0, "val_loss": 1.5}], measured={}))

    train, validation = (
        [tuple(map(float, point.split(","))) for point in line.split()]
        for line in re.findall(r'<polyline[^>]*points="([^"]*)"', html)
    )
    (left, top), (right, bottom) = train
    assert left < right
    assert top < bottom
    assert validation == [(left, top), (right, pytest.approx((top + bottom) / 2, abs=0.1))]


def test_epochs_without_a_finite_value_are_left_out_of_a_curve() -> None:
    logs = [{"loss": 1.0, "val_loss": 1.0}, {"loss": math.nan}, {"loss": math.inf, "val_loss": 0.5}, {"loss": 0.2}]

    html = report(facts(logs=logs, measured={}))

    train, validation = re.findall(r'<polyline[^>]*points="([^"]*)"', html)
    assert len(train.split()) == len(validation.split()) == 2
    assert "nan" not in html
    assert "epoch 3: validation 0.500" in html


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-9, 1e9, math.nan])
def test_one_epoch_of_any_loss_makes_a_chart(value: float) -> None:
    logs = [{"loss": value, "val_loss": value, "accuracy": 1.0, "val_accuracy": 1.0}]

    html = report(facts(logs=logs, measured={}, kept_epoch=1))

    assert html.count('<figure class="chart">') == 2
    assert not re.search(r'="[^"]*(nan|inf)\b', html)


def test_without_validation_values_the_page_says_so() -> None:
    text = Page(report(facts(logs=[{"loss": 1.0}], train=None, measured={}, verdict=None))).text

    assert "No validation values were recorded." in text


def test_the_matrix_counts_each_pair_of_classes() -> None:
    html = report(facts())

    assert "<title>shirt taken for dress: 1</title>" in html
    assert "<title>dress: 8 right</title>" in html
    assert html.count('<g class="hit">') == html.count('<g class="miss">') == 9


def test_a_class_without_samples_has_dashes_for_what_cannot_be_said() -> None:
    classes = ["a", "b", "c"]
    validation = score([0, 1], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], part="validation", classes=classes)

    text = Page(report(facts(classes, validation=validation, train=None, verdict=None))).text

    assert "c: recall – [0.0, 100.0], n=0 – [0.0, 100.0] – –" in text


def test_a_hundred_classes_are_sorted_by_recall_and_stay_a_small_page() -> None:
    classes = [f"class {i}" for i in range(100)]
    right = [10 - i % 7 for i in range(100)]

    html = report(facts(classes, validation=scored(right, classes, "validation")))

    table = re.findall(r"<td class=\"n\">([\d.]+)</td><td class=\"n muted wide\">", html)
    assert [float(recall) for recall in table] == sorted(10.0 * value for value in right)
    assert len(html) < 300_000


def test_skipped_files_are_listed_up_to_fifty_and_then_counted() -> None:
    found = Found(skipped=tuple(BadFileFound(f"hat/{i}.jpg", "0 bytes") for i in range(1_234)))

    text = Page(report(facts(data=replace(facts().data, found=found)))).text

    assert "skipped 1,234 files" in text
    assert "hat/49.jpg 0 bytes and 1,184 more" in text


def test_data_model_and_making_are_told() -> None:
    found = Found(duplicates=12, duplicates_removed=3, conflicts=("a.jpg and b.jpg",), groups=40)

    text = Page(report(facts(data=replace(facts().data, found=found)))).text

    assert "exact copies 12 found, none on two sides; 3 removed; 1 with conflicting labels" in text
    assert "groups 40, none on two sides" in text
    assert "conv2d Conv2D 222 × 222 × 16 448 42.6 M" in text
    assert "in all 2,058 42.6 M" in text
    assert "About 310 MB to train at batch 64." in text
    assert "holdfast train photos/ --seed 7" in text
    assert "took 2 min 41 s" in text
    assert "model.keras 498 kB" in text
    assert "torch 2.13.0+cpu" in text


def test_file_names_that_are_no_utf_8_can_be_written() -> None:
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    given = facts(mistakes=[picture(np.zeros((8, 8, 1), np.uint8), name)], name=name)

    assert rb"caf\udce9.jpg" in report(given).encode()
    assert rb"caf\udce9.jpg" in card(given).encode()


def test_the_same_facts_make_the_same_page() -> None:
    assert report(facts()) == report(facts())


def test_the_card_says_the_score_and_how_to_use_and_repeat_the_run() -> None:
    text = card(facts())

    assert "**validation accuracy 81.1 % [71.8, 87.9] n=90, looked at 17 times.**" in text
    assert "| train | 97.8 % | [92.3, 99.4] | 90 |" in text
    assert "Test part: sealed, never opened." in text
    assert "holdfast predict runs/photos-001 picture.png" in text
    assert "```sh\nholdfast train photos/ --seed 7\n```" in text


def test_words_of_users_are_text_in_the_card_too() -> None:
    making = replace(facts().making, folder="my runs/a 1", command="holdfast train '```'", machine=NASTY)
    given = facts([NASTY, "*b*_c_"], name=f"a\n# {NASTY}", making=making, stopped=NASTY)

    html = MarkdownIt("commonmark").enable("table").render(card(given))

    page = Page(html)
    assert page.tags.count("h1") == 1
    assert page.tags.count("strong") == 1
    assert not {"b", "em"} & set(page.tags)
    assert page.text.startswith(f"a # {NASTY}")
    assert f"{NASTY} 10 90.0" in page.text
    assert "*b*_c_ 10 80.0" in page.text
    assert page.tags.count("td") == 2 * 5 + 2 * 5 + 2 * 6
    assert "holdfast predict 'my runs/a 1' picture.png" in page.text
    assert "holdfast train '```'" in page.text


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; run: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it that could be too wide or ask for something."""
    long = "a class of a very long name " + "x" * 80
    shown = [picture(np.full((40, 80, 3), 99, np.uint8), "y" * 200), picture(np.zeros((8, 8, 1), np.uint8))]
    shown = [replace(shown[0], truth=long), shown[1]]
    given = facts([long, *"bcdefghijklmn"], name="run " + "z" * 100, mistakes=shown, samples=shown * 12)
    validation = scored([9] + [8] * 13, [long, *"bcdefghijklmn"], "validation", looks=17)
    path = tmp_path_factory.mktemp("a räport") / "report.html"
    path.write_text(report(replace(given, validation=validation)), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400, 320])
def test_in_a_browser_the_page_fits_and_is_quiet(
    browser: "Browser", page_file: Path, width: int, scheme: Any
) -> None:  # Any: a literal of playwright's
    asked: list[str] = []
    said: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    page.goto(page_file.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.get_by_text("validation accuracy 80.7 %").first.is_visible()
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("getComputedStyle(document.querySelector('img.pixels')).imageRendering") == "pixelated"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(background[4:-1].split(",")[0]) < 60) == (scheme == "dark")
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert said == []
    page.close()


@pytest.mark.slow
def test_in_print_nothing_is_cut_off(browser: "Browser", page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 900}, color_scheme="dark")
    page.goto(page_file.as_uri())

    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowY == 'visible')"
    )
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 31, 34)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("td.wide").first.is_visible()
    assert page.pdf().startswith(b"%PDF")
    page.close()


@pytest.mark.slow
def test_the_picture_for_the_readme_is_taken(browser: "Browser", page_file: Path, tmp_path: Path) -> None:
    program = Path(__file__).parents[2] / "web" / "picture.py"

    subprocess.run([sys.executable, program, page_file, tmp_path / "docs" / "report.png"], check=True, timeout=120)

    with Image.open(tmp_path / "docs" / "report.png") as image:
        assert image.width == 1280
