"""`holdfast shard`."""

from pathlib import Path

from holdfast.data import load

from .conftest import Says


def test_shards_are_written_as_they_are_asked_for(photos: Path, says: Says) -> None:
    code, out, err = says("shard", photos, "shards", "--image-size", 12, "--resize", "crop", "--shard-size", "20KB")

    assert (code, err) == (0, "")
    assert out.startswith("shards    ")
    assert out.endswith("train     holdfast train shards\n")
    assert load("shards").reads == load(photos, image_size=12, resize="crop").reads


def test_a_gap_is_for_training(photos: Path, says: Says) -> None:
    code, _, err = says("shard", photos, "shards", "--gap", 3)

    assert code == 2
    assert err == "holdfast: --gap 3 is of a split, and shards are split when they are trained on.\n"
    assert not Path("shards").exists()


def test_what_to_type_next_can_be_typed(photos: Path, says: Says) -> None:
    _, out, _ = says("shard", photos, "my shards", "--image-size", 12)

    assert out.endswith("train     holdfast train 'my shards'\n")
