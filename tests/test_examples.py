"""The programs in examples/ and the Python in README.md and docs/ run as they stand, in an empty folder."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"


@dataclass(frozen=True)
class Example:
    """A program, what it says near its end, and the files it leaves."""

    name: str
    says: str
    leaves: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


CASES = (
    Example("callbacks", r"one cycle, 8 epochs: validation accuracy 0\.9", ("best.keras", "log.csv")),
    Example("dense_twin", r"for MNIST: 33,194 and 33,400 parameters"),
    Example(
        "dimensions", r"(?s)20 components: .*n=270.*are 0 \(.*the same answers to 1e-5", ("digits.keras", "digits.onnx")
    ),
    Example("events", r"and one more: loss 0\.\d+"),
    Example("functional", r"of unseen digits: .*'val_same_accuracy': 0\.[89]"),
    Example("keras_style", r"the first three are \[1 7 4\] truly \[1 7 4\]", ("history.png", "digits.keras")),
    Example("photos", r"test accuracy \S+ % \[.+\] n=120, opened once", ("runs/photos-001/report.html",)),
    Example("search_spaces", r"(?s)again: 9\d.*into layers: .*from a function: ", ("runs/digits-tune-001/best.toml",)),
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_example_runs(case: Example, tmp_path: Path) -> None:
    said = _run(EXAMPLES / f"{case.name}.py", tmp_path)

    assert re.search(case.says, said)
    assert [name for name in case.leaves if not (tmp_path / name).is_file()] == []


def test_every_example_has_a_case() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == [case.name for case in CASES]


PAGES = (  # with programs on them
    "README.md",
    "docs/compare.md",
    "docs/crossval.md",
    "docs/data.md",
    "docs/design.md",
    "docs/export.md",
    "docs/honest.md",
    "docs/keras.md",
    "docs/labels.md",
    "docs/runs.md",
    "docs/scikit-learn.md",
    "docs/spaces.md",
    "docs/tune.md",
)
LINKED = (
    "benchmarks/README.md",
    "docs/api.md",
    "docs/bases.md",
    "docs/dimensions.md",
    "docs/pays.md",
    "docs/pretraining.md",
    "docs/scale.md",
    "docs/transfer.md",
    "docs/speed.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *PAGES,
)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_on_a_page_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / page).read_text(encoding="utf-8"), re.S | re.M)
    program = tmp_path / "page.py"
    program.write_text("".join(blocks), encoding="utf-8")

    _run(program, tmp_path)

    assert blocks


@pytest.mark.parametrize("page", LINKED)
def test_links_on_a_page_lead_somewhere(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    dead = [link for link in links if not _leads_somewhere(REPOSITORY / page, *link.split("#"))]

    assert dead == []


def _leads_somewhere(page: Path, target: str, heading: str = "") -> bool:
    """Whether the file is there, this page for none, and, if one is named, the heading in it, as GitHub spells it."""
    path = page.parent / target if target else page
    if not heading:
        return path.exists()
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return heading in [re.sub(r"[^\w\- ]", "", line).lower().replace(" ", "-") for line in headings]


def _run(program: Path, folder: Path) -> str:
    """What a program prints, run in a folder by a Python of its own in which warnings are errors."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(program)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
