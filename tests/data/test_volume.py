"""One volume from one file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from holdfast.core import BadFile
from holdfast.data.volume import Header, read_header, read_voxels, resampled

nibabel = pytest.importorskip("nibabel")
COUNTED = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)


def nifti(path: Path, values: Any, affine: Any, slope: float = 1.0) -> Path:  # Any: what NumPy takes
    """A file as another program would write it."""
    image = nibabel.Nifti1Image(np.asarray(values, np.int16), np.asarray(affine, float))
    image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)
    return path


def test_numpy_arrays_are_read_as_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", COUNTED.astype(np.int64))
    np.savez_compressed(tmp_path / "b.npz", volume=COUNTED, spacing=np.ones(3))

    for name in ("a.npy", "b.npz"):
        assert read_header(tmp_path / name) == Header((2, 3, 4), 1)
        assert_array_equal(read_voxels(tmp_path / name), COUNTED[..., None])


def test_channels_come_last(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((5, 6, 7, 2)))

    assert read_header(tmp_path / "a.npy") == Header((5, 6, 7), 2)
    assert read_voxels(tmp_path / "a.npy").shape == (5, 6, 7, 2)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_is_scaled_as_its_header_says(tmp_path: Path, ending: str) -> None:
    path = nifti(tmp_path / f"a{ending}", COUNTED, np.diag([2, 3, 4, 1]), slope=0.5)

    assert read_header(path) == Header((4, 3, 2), 1, (4.0, 3.0, 2.0))
    assert_allclose(read_voxels(path)[..., 0], COUNTED.T / 2)


def test_nifti_is_turned_so_that_depth_goes_up_height_to_the_front_and_width_to_the_right(tmp_path: Path) -> None:
    # The first axis of the file goes up, the second to the left, the third to the back.
    affine = [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    path = nifti(tmp_path / "a.nii", COUNTED, affine)

    voxels = read_voxels(path)

    assert read_header(path).size == (2, 4, 3)
    assert voxels.shape == (2, 4, 3, 1)
    assert_array_equal(voxels[..., 0], COUNTED.transpose(0, 2, 1)[:, ::-1, ::-1])


def test_axes_of_length_one_behind_a_volume_do_not_count(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", COUNTED[..., None, None], np.eye(4))

    assert read_header(path) == Header((4, 3, 2), 1)
    assert read_voxels(path).shape == (4, 3, 2, 1)


def test_what_lies_outside_of_a_scan_is_zero(tmp_path: Path) -> None:
    values = COUNTED.copy()
    values[0, 0, 0] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")

    assert_array_equal(read_voxels(tmp_path / "a.nii")[..., 0], COUNTED.T)  # whose first value is 0


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("anatomical.nii", (25, 41, 33, 1)),
        ("example4d.nii.gz", (24, 96, 128, 2)),
        ("example_nifti2.nii.gz", (12, 20, 32, 2)),
        ("resampled_anat_moved.nii", (3, 21, 17, 1)),
        ("standard.nii.gz", (7, 5, 4, 1)),
    ],
)
def test_real_scans_are_read_at_the_size_that_their_headers_say(name: str, size: tuple[int, ...]) -> None:
    path = Path(nibabel.__file__).parent / "tests" / "data" / name
    if not path.is_file():
        pytest.skip("this nibabel comes without its test data")

    header, voxels = read_header(path), read_voxels(path)

    assert (*header.size, header.channels) == size == voxels.shape


def broken(folder: Path) -> dict[str, str]:
    """Files that hold no volume, and why."""
    good = nifti(folder / "good.nii.gz", np.arange(4096).reshape(16, 16, 16), np.eye(4)).read_bytes()
    np.save(folder / "good.npy", np.zeros((9, 9, 9)))
    contents = {
        "cut.npy": ((folder / "good.npy").read_bytes()[:900], "damaged: "),
        "cut.nii.gz": (good[:900], "damaged: "),
        "text.nii": (b"hello", "damaged: "),
        "empty.npz": (b"", "empty, 0 bytes"),
        "text.npz": (b"hello", "damaged, or no .npz file"),
        "text.npy": (b"hello", "no array of numbers: text, pickled objects or another format"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    arrays = {
        "flat.npy": (np.zeros((3, 4)), r"an array of \(3, 4\), a volume is"),
        "wide.npy": (np.zeros((3, 3, 3, 20)), r"an array of \(3, 3, 3, 20\), at most 16 channels come last"),
        "nan.npy": (np.full((3, 3, 3), np.nan), "holds NaN or infinite values"),
        "words.npy": (np.full((3, 3, 3), "a"), "an array of <U1, a volume holds numbers"),
    }
    for name, (values, _) in arrays.items():
        np.save(folder / name, values)
    np.savez(folder / "two.npz", a=COUNTED, b=COUNTED)
    (folder / "folder.npy").mkdir()
    named = {name: why for name, (_, why) in (contents | arrays).items()}
    return named | {
        "two.npz": r"holds 2 arrays \(a, b\), none of them called volume",
        "folder.npy": "not a file",
        "gone.npy": "missing",
    }


def read_both(path: Path) -> None:
    """As a reader of many does."""
    read_header(path)
    read_voxels(path)


def test_what_is_no_volume_is_named_with_its_reason(tmp_path: Path) -> None:
    for name, why in broken(tmp_path).items():
        with pytest.raises(BadFile, match=f"^{why}"):
            read_both(tmp_path / name)


def test_smaller_volumes_are_means_and_larger_ones_trilinear() -> None:
    voxels = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)

    assert resampled(voxels, (1, 1, 1), "stretch", (1, 1, 1)).item() == 3.5
    assert_allclose(resampled(voxels, (2, 2, 4), "stretch", (1, 1, 1))[0, 0, :, 0], [0, 0.25, 0.75, 1])
    assert resampled(voxels, (2, 2, 2), "stretch", (1, 1, 1)) is voxels


def test_fit_keeps_the_proportions_and_all_of_a_volume() -> None:
    voxels = np.full((4, 2, 2, 1), 5, np.float32)
    voxels[0, 0, 0] = 3

    found = resampled(voxels, (4, 4, 4), "fit", (1, 1, 1))[..., 0]

    assert_array_equal(found[:, 1:3, 1:3], voxels[..., 0])
    assert found[:, 0].max() == found[:, :, 3].max() == 3  # the border is the smallest value


def test_crop_keeps_the_proportions_and_the_middle_of_a_volume() -> None:
    voxels = np.arange(4, dtype=np.float32).repeat(4).reshape(4, 2, 2, 1)

    assert_array_equal(resampled(voxels, (2, 2, 2), "crop", (1, 1, 1)), voxels[1:3])


def test_proportions_are_those_of_the_body_not_of_the_voxels() -> None:
    voxels = np.ones((2, 8, 8, 1), np.float32)  # two thick slices

    found = resampled(voxels, (8, 8, 8), "fit", (4.0, 1.0, 1.0))

    assert found.shape == (8, 8, 8, 1)
    assert found.min() == 1  # nothing but the body: it is a cube
