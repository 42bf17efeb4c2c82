"""The report and the card: what they say, that they are safe to open, and how the page behaves in a browser."""

import base64
import io
import json
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
from holdfast.evaluate import Report, Score, SeedAgreement, calibration, score, verdict, wilson
from holdfast.runs.crossval import FoldScore
from holdfast.runs.formats import decimals, duration, moment, scaled
from holdfast.runs.pages.diagrams import Reliability, Scale
from holdfast.runs.pages.report import as_json, card, crossval_page, report
from holdfast.runs.pages.scatter import Scatter
from holdfast.runs.pages.told import (
    Baseline,
    Confidence,
    CrossvalFacts,
    DataFacts,
    Embedded,
    Facts,
    Making,
    ModelFacts,
    PartFacts,
    Picture,
    Plane,
)
from holdfast.runs.seeds import SeedSpread

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


def picture(image: NDArray[Any] | None, name: str = "shirt/1.jpg") -> Picture:
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


def test_a_test_part_that_is_not_there_is_not_said_to_be_sealed() -> None:
    """`n=0, sealed, never opened` stood there."""
    given = facts()
    parts = [*given.data.parts[:2], PartFacts("test", 0, None, "")]

    text = Page(report(replace(given, data=replace(given.data, parts=parts)))).text

    assert "test none was split off n=0" in text
    assert "sealed, never opened" not in text


def test_mistakes_on_sounds_are_drawn_as_lines_and_of_rows_named() -> None:
    """Of sounds and series the section had a title and nothing else."""
    wave, row = picture(np.linspace(-1, 1, 40)[:, None], "low/1.wav"), picture(None, "line 7")

    made = report(facts(mistakes=[wave, row], samples=[wave, row]))

    assert made.count('aria-label="shirt, predicted dress"') == 2
    assert made.count('<polyline class="line1"') == 2
    assert "line 7" in Page(made).text


def test_how_many_of_each_class_the_sealed_part_holds_is_no_secret() -> None:
    given = facts()
    counts = tuple(range(1, 1 + len(given.data.classes)))

    text = Page(report(replace(given, data=replace(given.data, found=Found(test_counts=counts))))).text

    last = text.partition("Classes in each part")[2].partition("Reproduce")[0]
    assert f"{counts[-1]} {100 * counts[-1] / 91:.1f} %" in last
    assert "sealed" not in last


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
        (np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4, 1), 255),
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


def test_a_run_that_is_always_wrong_is_drawn() -> None:  # its chart used to have no height: division by zero
    logs = [{"accuracy": 0.0, "val_accuracy": 0.0}] * 2

    html = report(facts(logs=logs, measured={"accuracy": 0.0}))

    assert "nan" not in html


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


def seeds() -> SeedSpread:
    return SeedSpread((7, 8, 9), (0.8, 0.82, 0.84), SeedAgreement(0.9, (0.85, 0.94), 3, 90))


def full_facts() -> Facts:
    """With everything that a page can show."""
    given = facts(classes=["shirt", "dress", *"cdefghi"])
    shown = replace(picture(np.zeros((8, 8, 1), np.uint8)), probability=0.9)
    accuracy = replace(given.validation.accuracy, value=0.801, optimism=0.01)
    groups: list[dict[str, int | None]] = [{"ann": 300, "bo": 120}, {"cy": 90}, {"di": None}]
    parts = [
        replace(part, groups=names, times=(part.n, part.n + 0.5))
        for part, names in zip(given.data.parts, groups, strict=True)
    ]
    found = Found(duplicates=12, near_duplicates=5, groups=4, notes=("17 test files were removed",))
    return replace(
        given,
        validation=replace(given.validation, accuracy=accuracy),
        test=scored([9] * 9, ["shirt", "dress", *"cdefghi"], "test", looks=2),
        openings=3,
        kept_sealed="opened 3 times; no better than 90.0 % [82.1, 94.6] revealed at opening 2",
        seeds=seeds(),
        data=replace(given.data, parts=parts, found=found),
        mistakes=[shown],
        samples=[shown],
        embedded=embedded(),
    )


def embedded() -> Embedded:
    """Of 9 classes, 27 of 420 samples; two are answered wrongly."""
    labels = np.arange(27) % 9
    points = np.random.default_rng(0).normal(size=(27, 2))
    alike = Score("accuracy", 0.9, (0.8, 0.96), 27, "validation")
    return Embedded(
        layer="flatten",
        features=768,
        values=64,
        labels=labels,
        said=np.where(np.arange(27) < 2, 8, labels),
        names=[f"sample[{place}]" for place in range(27)],
        total=420,
        planes=(Plane("t-SNE of the features", points), Plane("PCA of the features", points, 0.31)),
        alike=(alike, replace(alike, value=0.8)),
    )


def test_samples_are_points_with_their_class_and_wrong_answers_ringed() -> None:
    html = report(facts(["shirt", "dress", *"cdefghi"], embedded=embedded()))

    section = html.split('<section id="embedding"')[1].split("</section>")[0]
    assert section.count('<g class="mark') == 2 * 27
    assert section.count('class="off"') == 1 + 2 * 2  # in the legend, and in each plane
    assert "<title>shirt, predicted i: sample[0]</title>" in section
    assert 'href="#embedding"' in html
    assert 'id="embedding"' not in report(facts())


def test_of_too_many_classes_those_with_most_mistakes_are_coloured() -> None:
    classes = tuple(f"class {number}" for number in range(30))

    shown = Scatter(replace(embedded(), labels=np.arange(27), said=np.r_[29, 28, 29, np.arange(3, 27)]), classes)

    assert [name for _, name, _ in shown.classes][:3] == ["class 0", "class 1", "class 2"]
    assert len(shown.classes) == 8
    assert shown.others == 22


def test_calibration_is_told_and_drawn() -> None:
    html = report(facts())

    text = Page(html).text
    assert "calibration error 10.0 %, Brier 0.349, after temperature 1.25; 5.6 % answered “unknown”" in text.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "where the best guess is below 53.0 %" in text
    assert "95.0 % of new pictures of the same kind are to be answered" in text
    assert "confidence 91.1 %: 81.1 % right [71.8, 87.9], n=90" in text
    assert html.count('<rect class="amount"') == 1


def test_points_of_the_reliability_diagram_stand_where_their_values_do() -> None:
    box = Reliability(calibration([0, 0, 0, 0], [[0.75, 0.25]] * 2 + [[0.5, 0.5]] * 2), unknown_below=0.5)

    (half, _, *_), (three_quarters, y, low, high, radius, said) = box.points()
    assert half == box.threshold == box.left + box.side / 2
    assert (three_quarters, y) == (box.left + 0.75 * box.side, box.top)
    assert low > high == y
    assert radius == 5
    assert said == "confidence 75.0 %: 100.0 % right [34.2, 100.0], n=2"
    assert [n for *_, n in box.bars()] == [2, 2]


def test_a_model_that_always_answers_is_said_to() -> None:
    confidence = Confidence(calibration(*answers([9] * 9)))

    text = Page(report(facts(confidence=confidence))).text

    assert "never said: the model answers whatever it is shown" in text
    assert "temperature" not in text.split("What the numbers mean")[0]
    assert "answers with one of its 9 classes whatever it is shown" in card(facts(confidence=confidence))


def test_baselines_stand_beside_the_score() -> None:
    text = Page(report(facts())).text

    assert "logistic regression validation accuracy 62.0 % [51.7, 71.3] n=90 62.0 % [51.7, 71.3]" in text
    assert "this one learned from 420 of 420 training samples" in text
    assert "| logistic regression | 62.0 % | [51.7, 71.3] | 90 | 420 of 420 training samples |" in card(facts())


def test_the_dense_twin_is_asked_for_where_there_are_convolutions_and_shown_once_trained() -> None:
    command = "holdfast compare --twin runs/photos-001"
    dense = replace(facts().model, rows=[("dense", "Dense", (9,), 10, 20)])
    trained = facts(baselines=[simpler(0.7, "majority"), simpler(0.72, "dense twin")])

    assert f"not trained; {command}" in Page(report(facts())).text
    assert f"The dense twin was not trained: {command}." in card(facts())
    assert command not in report(facts(model=dense))
    assert command not in report(trained)
    assert "dense twin" in Page(report(trained)).text


def test_seeds_are_shown_where_several_were_trained() -> None:
    html = report(facts(seeds=seeds()))

    text = Page(html).text.replace("\N{NO-BREAK SPACE}", " ")
    said = "82.0 % on average over 3 seeds, standard deviation 2.0 points; any two agree on 90.0 % [85.0, 94.0] of 90"
    assert said in text
    assert "seed 9: 84.0 %" in text
    assert 'href="#seeds"' in html
    assert 'id="seeds"' not in report(facts())
    assert "Seeds: 82.0 % on average over 3 seeds" in card(facts(seeds=seeds()))


def test_the_value_as_seen_is_struck_through_beside_the_one_without_optimism() -> None:
    given = full_facts()

    html, text = report(given), card(given)

    assert html.count("81.1 %</s>") == 2
    said = (
        "Training saw 81.1 % on validation and chose by such looks what to keep; the best of many is too good by luck"
    )
    assert said in Page(html).text
    assert said in text
    assert "seeds 82.0 % as seen on average over 3 seeds" in Page(html).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "These accuracies are as seen, before the optimism is taken off." in Page(html).text
    hardly = replace(given.validation, accuracy=replace(given.validation.accuracy, optimism=1e-5))
    assert "</s>" not in report(replace(given, validation=hardly))


def test_an_opening_whose_score_is_kept_sealed_says_why() -> None:
    sentence = "opened 3 times; no better than the 90.0 % revealed at opening 2"

    text = Page(report(facts(openings=3, kept_sealed=sentence))).text

    assert f"test part {sentence}" in text
    assert "test opened 3 times, score kept sealed n=91" in text
    assert sentence in card(facts(openings=3, kept_sealed=sentence))
    assert "opened 3 times by other runs" in Page(report(facts(openings=3))).text


def test_groups_are_named_where_they_are_few() -> None:
    many = replace(full_facts().data.parts[0], groups={f"patient {i}": 1 for i in range(40)})

    text = Page(report(full_facts())).text
    counted = Page(report(replace(full_facts(), data=replace(full_facts().data, parts=[many])))).text

    assert "Groups train ann 300 , bo 120 validation cy 90 test di" in text
    assert "train 40 groups" in counted
    assert "patient 3" not in counted
    assert "Groups of test: di." in card(full_facts())


@pytest.mark.parametrize(
    ("value", "said"),
    [(7.0, "7"), (2024.0, "2024"), (0.25, "0.25"), (1706659200.0, "2024-01-31"), (1706695200.0, "2024-01-31 10:00")],
)
def test_times_are_dates_where_they_can_be(value: float, said: str) -> None:
    assert moment(value) == said


def test_split_copies_times_and_ratios_are_told() -> None:
    text = Page(report(full_facts())).text

    assert "data train 420, validation 90, test 91; 12 exact copies, 5 near ones; 4 groups; in order of time" in text
    assert "near copies 5 found, none on two sides" in text
    assert "420 pictures, times 420 to 420.5" in text
    assert "shirt 41 9.8 % 10 11.1 %" in text
    assert "17 test files were removed" in text


def test_near_copies_that_were_not_looked_for_are_not_said_to_be_none() -> None:
    found = Found(notes=("near copies were not looked for: pictures of different classes are too alike",))

    text = Page(report(facts(data=replace(facts().data, found=found)))).text

    assert "near copies not looked for" in text
    assert "0 exact copies, near ones not looked for" in text


def numbers_of(value: Any) -> Iterator[float | str]:  # Any: what JSON holds
    """Every number in it, and every number in its words."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from re.findall(NUMBER, key)
            yield from numbers_of(item)
    elif isinstance(value, list):
        yield float(len(value))
        for item in value:
            yield from numbers_of(item)
    elif isinstance(value, str):
        yield from re.findall(NUMBER, value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"


def spellings(value: float | str) -> set[str]:
    """How a page may write it."""
    if isinstance(value, str):
        return {value}
    share = f"{100 * value:.1f}"
    written = {
        f"{value:,}",
        f"{value:,.10g}",
        f"{value:g}",
        decimals(value),
        f"{value:.2f}",
        share,
        f"{100 * value:.3g}",
    }
    written |= {f"{100 - 100 * value:.1f}", str(math.floor(100 * value)), f"{abs(100 * value):.1f}"}
    return written | set(re.findall(NUMBER, scaled(abs(value)))) | set(re.findall(NUMBER, duration(abs(value))))


def test_every_number_of_page_and_card_is_in_the_json() -> None:
    given = full_facts()

    known = {text for value in numbers_of(json.loads(as_json(given))) for text in spellings(value)}

    explained = {
        "95",
        "0",
        "1",
        "2",
        "3",
        "25",
        "50",
        "75",
        "100",
    }  # % of intervals, ends of axes, Brier's bounds, epochs
    visible = re.sub(r"<(style|svg)\b.*?</\1>", "", report(given), flags=re.DOTALL)
    for shown in (Page(visible).text, card(given)):
        assert set(re.findall(NUMBER, shown)) - known <= explained


def test_the_json_is_null_where_there_is_no_number() -> None:
    classes = ["a", "b", "c"]
    validation = score([0, 1], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], part="validation", classes=classes)
    logs = [{"loss": math.nan, "val_loss": math.inf}]

    said = json.loads(as_json(facts(classes, validation=validation, train=None, verdict=None, logs=logs, measured={})))

    assert said["validation"]["per_class"][2]["recall"] is None
    assert said["train"] is said["verdict"] is said["seeds"] is said["test"]["told"] is None
    assert said["epochs"] == [{"loss": None, "val_loss": None}]


def test_the_schema_of_the_json_is_the_documented_one() -> None:
    said = json.loads(as_json(full_facts()))

    documented = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    table = documented.split("## report.json")[1].split("\n## ")[0]
    assert [
        key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall("`(\\w+)`", row)
    ] == [*said]
    assert said["schema"] == 1
    assert said["score"] == said["validation"]["accuracy"]
    assert {"value", "interval", "n", "looks", "optimism", "naive"} <= set(said["score"])
    assert all({"value", "interval", "n", "looks"} <= set(one["accuracy"]) for one in said["baselines"])


def test_a_hundred_classes_and_names_that_are_no_utf_8_make_json() -> None:
    classes = [f"class {i} {NASTY}" for i in range(100)]

    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    said = json.loads(as_json(facts(classes, name=name, validation=scored([10] * 100, classes, "validation"))))

    assert said["data"]["classes"] == classes
    assert len(said["validation"]["confusion"]) == 100


def crossval_facts(**changes: Any) -> CrossvalFacts:  # Any: fields of CrossvalFacts
    """Three folds, twice."""
    given = facts()
    measured = scored([9] + [8] * 8, list(given.data.classes), "out-of-fold", looks=2)
    folds = [
        FoldScore(f"fold {i % 3 + 1}", i // 3, 60, Score("accuracy", 0.7 + i / 50, (0.5, 0.9), 30, "out-of-fold"), 1.5)
        for i in range(6)
    ]
    whole = CrossvalFacts(
        name="photos-crossval-001",
        data=given.data,
        model=given.model,
        making=given.making,
        report=measured,
        folds=folds,
        confidence=Confidence(calibration(*answers([9] + [8] * 8))),
        mistakes=[picture(np.zeros((8, 8, 1), np.uint8))],
    )
    return replace(whole, **changes)


def test_the_page_of_a_cross_validation_tells_folds_score_and_policy() -> None:
    html = crossval_page(crossval_facts())

    text = Page(html).text
    assert "out-of-fold accuracy 81.1 % [71.8, 87.9] n=90, looked at 2 times" in text
    assert "fold 2 (2) 60 30" in text
    assert "fold 3: out-of-fold accuracy 80.0 % [50.0, 90.0] n=30" in text
    assert html.count("fold 1: ") == 2 * 2  # a dot a fold and repeat, with its title
    assert "Nadeau and Bengio's" in text
    assert "none kept: the folds' models are forgotten" in text
    assert "model.keras, trained on all of these; not judged" in Page(crossval_page(crossval_facts(refit=True))).text
    assert "Of 17 out of fold, those the model was surest of." in text
    assert "holdfast train photos/ --seed 7" in text
    assert "unknown" not in text


def test_the_page_of_a_cross_validation_asks_nothing_and_its_links_lead_somewhere() -> None:
    folds = [replace(fold, name=NASTY) for fold in crossval_facts().folds]

    page = Page(crossval_page(crossval_facts(folds=folds)))

    links = {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")}
    assert links <= {value for name, value in page.attributes if name == "id"}
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
    assert "script" not in page.tags
    assert page.text.count(NASTY) >= 6


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([0.5, 0.7], 0.5, 0.7), ([0.99, 0.99], 0.95, 1.0), ([0.0], 0.0, 0.05), ([1.0], 0.95, 1.0), ([0.8], 0.775, 0.825)],
    ids=str,
)
def test_an_axis_of_accuracies_is_five_points_wide_and_within_bounds(
    values: list[float], low: float, high: float
) -> None:
    scale = Scale(values, [])

    assert 0 <= scale.low <= low + 1e-9
    assert high - 1e-9 <= scale.high <= 1
    assert scale.high - scale.low >= 0.05 - 1e-9
    assert all(0 <= place <= 100 for place, _ in scale.ticks)
    assert scale.at(scale.low) == 0


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
    parts = [replace(part, groups={long: 7, "b": 8}) for part in given.data.parts]
    given = replace(given, validation=validation, data=replace(given.data, parts=parts), seeds=seeds())
    path = tmp_path_factory.mktemp("a räport") / "report.html"
    path.write_text(report(given), encoding="utf-8")
    folds = [replace(fold, name=long) for fold in crossval_facts().folds] * 5
    crossval = crossval_facts(name=given.name, data=given.data, report=validation, mistakes=shown, folds=folds)
    (path.parent / "crossval.html").write_text(crossval_page(crossval), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("name", ["report.html", "crossval.html"])
def test_in_a_browser_the_page_fits_and_is_quiet(
    browser: "Browser", page_file: Path, name: str, width: int, scheme: Any
) -> None:  # Any: a literal of playwright's
    page_file = page_file.with_name(name)
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
