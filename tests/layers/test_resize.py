"""Pictures of another size, and whole numbers as vectors."""

import numpy as np
import pytest

from holdfast.core import BadData, BadValue
from holdfast.layers import CenterCrop, Embedding, Input, Resizing
from holdfast.layers.resize import fitting
from holdfast.models import Sequential

ROWS = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)


def test_the_middle_is_kept_and_the_odd_pixel_goes_at_the_end() -> None:
    found = Sequential([Input((6, 1, 1)), CenterCrop(3, 1)]).predict(ROWS)

    assert found.ravel().tolist() == [1, 2, 3]


def test_half_the_size_takes_the_mean_of_two() -> None:
    found = Sequential([Input((6, 1, 1)), Resizing(3, 1)]).predict(ROWS)

    assert found.ravel().tolist() == [0.5, 2.5, 4.5]


def test_the_nearest_pixel_is_that_of_the_centre() -> None:
    found = Sequential([Input((6, 1, 1)), Resizing(2, 1, interpolation="nearest")]).predict(ROWS)

    assert found.ravel().tolist() == [1, 4]


@pytest.mark.parametrize(
    ("size", "target", "inside", "around"),
    [((30, 40), (10, 10), (30, 30), (40, 40)), ((8, 2), (4, 8), (1, 2), (8, 16)), ((5, 5), (2, 2), (5, 5), (5, 5))],
)
def test_proportions_are_those_of_the_target(
    size: tuple[int, int], target: tuple[int, int], inside: tuple[int, int], around: tuple[int, int]
) -> None:
    assert fitting(size, target, inside=True) == inside
    assert fitting(size, target, inside=False) == around


def test_what_is_padded_keeps_its_values_in_the_middle() -> None:
    found = Sequential([Input((6, 1, 1)), Resizing(6, 6, pad_to_aspect_ratio=True, fill_value=9)]).predict(ROWS + 1)

    assert (found[0, :, 0, 0] == 9).all()
    np.testing.assert_allclose(found[0, :, 2, 0], found[0, :, 3, 0], rtol=1e-5)


def test_an_embedding_gives_the_row_of_each_number() -> None:
    table = np.arange(10.0).reshape(5, 2)
    model = Sequential([Input(3), Embedding(5, 2, embeddings_initializer=table)])

    np.testing.assert_array_equal(model.predict(np.array([[4, 0, 1]])), [[[8, 9], [0, 1], [2, 3]]])
    np.testing.assert_array_equal(model.get_layer("embedding").embeddings, table)


def test_an_embedding_names_the_numbers_that_it_has_no_row_for() -> None:
    model = Sequential([Input(3), Embedding(5, 2)])

    with pytest.raises(BadData, match=r"Embedding: takes whole numbers from 0 to 4, got -1 to 5\."):
        model.predict(np.array([[5, 0, -1]]))


def test_an_embedding_says_that_it_makes_no_masks() -> None:
    with pytest.raises(BadValue, match=r"^Embedding\(mask_zero=True\): is not supported, as no layer here reads masks"):
        Embedding(5, 2, mask_zero=True)
