"""The reader of packed images: cheap to share, and never fooled by a damaged file."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from toy import pack, stored_paths

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.runtime.errors import UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Six grey images of 8 x 8 pixels, image i of the value 10 i, classes a and b in turn."""
    for i in range(6):
        for split in ("train", "val"):
            file = tmp_path / split / "aaabbb"[i] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 10 * i).save(file)
    return pack(tmp_path, side=8).path


def test_what_it_offers(path: Path) -> None:
    packed = PackedImages(path)
    assert len(packed) == 6
    assert packed.image(3).shape == (8, 8, 3)
    assert packed.image(3).dtype == np.uint8
    assert (packed.image(3) == 30).all()
    assert packed.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert packed.classes == ("a", "b")
    assert (packed.dataset, packed.split) == ("mine", "train")
    assert (packed.encoding, packed.shorter_side) == ("rgb8", 8)
    assert len(packed.fingerprint) == 64
    assert stored_paths(packed)[:2] == ["a/0.png", "a/1.png"]


def test_numbers_outside_are_refused(path: Path) -> None:
    packed = PackedImages(path)
    for i in (-1, 6):
        with pytest.raises(IndexError, match="of 6"):
            packed.image(i)


def test_pixels_cannot_be_changed_by_accident(path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        PackedImages(path).image(0)[:] = 1


def test_a_pickled_copy_maps_the_file_and_carries_no_pixels(path: Path) -> None:
    packed = PackedImages(path)
    data = pickle.dumps(packed)
    assert packed.image(5).tobytes() not in data
    assert (pickle.loads(data).image(5) == 50).all()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.h5: does not exist; run the pack stage"):
        PackedImages(tmp_path / "none.h5")


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_foreign_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.h5: damaged or no HDF5 file"):
        PackedImages(tmp_path / "x.h5")


def test_truncation_at_any_place_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"train\.h5: .*run the pack stage again"):
            PackedImages(path)


def test_another_hdf5_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["representations"] = np.zeros((2, 2))
    with pytest.raises(UserError, match="not a file of packed images"):
        PackedImages(tmp_path / "x.h5")


def test_unknown_format_version(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(UserError, match="format version 2, but this program reads 1"):
        PackedImages(path)


def replaced(name: str, values: object, **how: object):
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=values, **how)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.pop("classes"), "classes is missing"),
        (lambda file: file.pop("offset"), "offset is missing"),
        (lambda file: file.attrs.update(encoding="jpeg2000"), "unknown encoding 'jpeg2000'"),
        (replaced("pixels", np.zeros(6 * 192, np.uint8), chunks=(64,)), "not stored contiguously"),
        (replaced("pixels", np.zeros(6 * 192, np.float32)), "pixels is float32"),
        (replaced("targets", np.zeros(5, np.int64)), "differ in length"),
        (replaced("targets", np.array([0, 0, 0, 1, 1, 2])), "classes that there are not"),
        (replaced("targets", np.array([0, 0, 0, 1, 1, -1])), "classes that there are not"),
        (replaced("offset", np.arange(7) * 10**9), "does not divide pixels"),
        (replaced("offset", np.array([0, 384, 192, 576, 768, 960, 1152])), "does not divide"),
        (replaced("shape", np.full((6, 2), 9, np.int32)), "contradict each other"),
        (replaced("shape", np.full((6, 3), 8, np.int32)), "differ in length"),
    ],
)
def test_parts_that_do_not_fit_together(path: Path, change, message: str) -> None:
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(UserError, match=message):
        PackedImages(path)
