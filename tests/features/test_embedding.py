"""Points in the plane."""

import numpy as np

from holdfast.features.embedding import like_neighbours, neighbour_plane, principal_plane


def groups(n: int = 60, features: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Three that lie far apart."""
    labels = np.arange(n) % 3
    return np.random.default_rng(0).normal(size=(n, features)) + 20 * np.eye(3, features)[labels], labels


def test_groups_stay_together_in_both_planes() -> None:
    values, labels = groups()

    spread, held = principal_plane(values)
    near = neighbour_plane(values)

    assert spread.shape == near.shape == (60, 2)
    assert held > 0.9
    assert like_neighbours(values, labels).all()
    assert like_neighbours(spread, labels).all()
    assert like_neighbours(near, labels).mean() > 0.95


def test_points_follow_from_the_seed() -> None:
    values, _ = groups()

    np.testing.assert_array_equal(neighbour_plane(values, seed=3), neighbour_plane(values, seed=3))


def test_more_values_than_samples_have_a_plane_too() -> None:
    values = np.random.default_rng(0).normal(size=(31, 200))

    assert np.isfinite(neighbour_plane(values)).all()


def test_samples_that_are_all_alike_lie_on_one_point() -> None:
    points, held = principal_plane(np.ones((5, 3)))

    assert held == 0
    assert np.ptp(points) == 0
