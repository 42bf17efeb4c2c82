"""The ready-made model for tables."""

from pathlib import Path

import numpy as np
import pytest

import holdfast
from holdfast.data import load
from holdfast.data.table import Column, Table
from holdfast.models import dense, ready_for
from holdfast.models.ready_tables import table_front


def test_its_front_standardises_numbers_by_the_training_part_and_leaves_words_alone() -> None:
    import torch

    reads = Table((Column("x"), Column("y", ("a", "b"))))

    front = table_front(reads, torch.tensor([[1.0, 1, 0], [5.0, 0, 1]]))

    assert (front.mean, front.variance) == ((3.0, 0.0, 0.0), (4.0, 1.0, 1.0))


@pytest.mark.parametrize("name", ["convnet", "dense"])
def test_a_table_gets_the_dense_net_with_dropout_whatever_it_asks_for(name: str) -> None:
    model = ready_for(name, load("demo:table"))

    assert [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"] == [
        "Normalization",
        "Dense",
        "Dropout",
        "Dense",
        "Dense",
    ]
    assert dense((12,), 3).count_params() == model.count_params()


def test_a_run_on_a_table_says_a_class_for_each_row_of_another(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = random.choice(["red", "blue"], 120)
    sizes = random.normal(size=120)
    classes = np.where((sizes > 0) == (kinds == "red"), "yes", "no")  # neither column tells alone
    missing = random.random(120) < 0.1
    rows = [
        f"{kind},{'' if gone else f'{size:.4f}'},{word}"
        for kind, size, word, gone in zip(kinds, sizes, classes, missing, strict=True)
    ]
    (tmp_path / "a.csv").write_text("kind,size,label\n" + "\n".join(rows))
    (tmp_path / "new.csv").write_text("size,kind\n2,red\n2,blue\n-2,red\n,green\n")

    run = holdfast.train(tmp_path / "a.csv", epochs=30, device="cpu", out=tmp_path / "runs", verbose=0)
    said = run.predict([tmp_path / "new.csv"])

    assert [run.record.classes[place] for place in said[:3].argmax(1)] == ["yes", "no", "no"]
    assert said.shape == (4, 2)
    again = holdfast.load(run.folder / "model.keras").predict([tmp_path / "new.csv"])
    np.testing.assert_allclose(again, said, rtol=1e-5)
