"""The ready-made model for volumes."""

import numpy as np
import pytest

from holdfast.core import BadShape
from holdfast.models import convnet, dense
from holdfast.models.ready_volumes import volume_net


@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((16, 16, 16, 1), [16, 32, 64]),
        ((64, 64, 64, 2), [16, 32, 64, 64]),
        ((3, 40, 40, 1), [16, 32, 64, 64, 64]),
        ((5, 5, 5, 1), [16, 32]),
    ],
    ids=["small", "large", "a few slices", "tiny"],
)
def test_it_pools_until_four_voxels_a_side_are_left(shape: tuple[int, ...], filters: list[int]) -> None:
    model = volume_net(shape, 3)

    rows = [row for row in model.summary().rows if row.layer == "Conv3D"]
    assert [row.output_shape[0][-1] for row in rows] == filters
    last = rows[-1].output_shape[0]
    assert len(last) == 4
    assert max(last[:3]) <= 4
    assert model.outputs[0].shape == (3,)


def test_the_convnet_of_volumes_is_this_one_and_dense_its_twin() -> None:
    net, twin = convnet((16, 16, 16, 1), 4), dense((16, 16, 16, 1), 4)

    assert net.count_params() == volume_net((16, 16, 16, 1), 4).count_params()
    assert twin.count_params() == pytest.approx(net.count_params(), rel=0.1)
    assert net.predict(np.zeros((2, 16, 16, 16, 1), np.float32)).shape == (2, 4)


def test_large_volumes_are_first_seen_at_every_second_voxel() -> None:
    small, large = volume_net((47, 47, 47, 1), 2), volume_net((48, 48, 48, 1), 2)

    assert large.summary().flops < small.summary().flops / 2


def test_volumes_that_leave_nothing_to_convolve_are_refused() -> None:
    with pytest.raises(BadShape, match=r"convnet: takes volumes \(D, H, W, C\) with a side of more than 4, got \(4, 4"):
        convnet((4, 4, 4, 1), 2)
    assert dense((4, 4, 4, 1), 2).outputs[0].shape == (2,)
