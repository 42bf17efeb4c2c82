"""`holdfast pretrain`: what it prints, what it writes, what it refuses."""

import json
from pathlib import Path

import numpy as np

from .conftest import Says


def pool(path: Path, n: int = 60) -> Path:
    np.savez(path, unlabelled=np.random.default_rng(0).integers(0, 256, (n, 12, 12), np.uint8))
    return path


def test_a_base_is_written_and_named(here: Path, says: Says) -> None:
    code, out, err = says("pretrain", pool(here / "pool.npz"), "--epochs", 1, "--device", "cpu")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "data      pool: 60 pictures, 12x12 grey: 60 without labels"
    assert lines[-1] == "saved     base · next: holdfast train DATA --base base"
    assert Path("base/model.keras").is_file()


def test_every_option_reaches_the_training(here: Path, says: Says) -> None:
    words = "--method masked --epochs 2 --batch-size 9 --seed 5 --device cpu --out other --quiet"

    code, out, err = says("pretrain", pool(here / "pool.npz"), *words.split())

    facts = json.loads(Path("other/pretrain.json").read_text())
    assert (code, out, err) == (0, "", "")
    assert [facts[name] for name in ("method", "epochs", "batch_size", "seed")] == ["masked", 2, 9, 5]


def test_too_few_samples_are_one_line(here: Path, says: Says) -> None:
    code, _, err = says("pretrain", pool(here / "pool.npz", n=3), "--epochs", 1, "--out", "none")

    assert code == 2
    assert err == "holdfast: pretrain: 3 samples are too few to learn from; give at least 10.\n"
    assert not Path("none").exists()
