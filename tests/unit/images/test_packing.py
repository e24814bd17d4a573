"""Packing: what was put in comes out, byte for byte the same each time, or nothing is written."""

import io
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from toy import look, stored_paths

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.images import packing
from ssl_collapse.images.decoding import resize_shorter_side
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.images.packing import pack_split
from ssl_collapse.runtime.errors import UserError

SPEC = PackSpec(shorter_side=8)
SHAPES = [(12, 20), (20, 12), (9, 9), (8, 8), (30, 10)]


def fill(folder: Path, images: int = 10) -> dict[str, np.ndarray]:
    """Random images of several shapes, alternating between classes a and b; val as train."""
    rng = np.random.default_rng(0)
    pixels = {}
    for split in ("train", "val"):
        for i in range(images):
            name = f"{split}/{'ab'[i % 2]}/{i:03d}.png"
            pixels[name] = rng.integers(0, 256, (*SHAPES[i % 5], 3), dtype=np.uint8)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[name]).save(folder / name)
    return pixels


def pack(
    folder: Path, output: Path, shorter_side: int | None = 8, workers: int = 1,
    quality: int | None = None, state: Path | None = None,
) -> None:  # fmt: skip
    listing, description = look(folder, "skip")
    spec = PackSpec(shorter_side=shorter_side, jpeg_quality=quality)
    pack_split("train", listing.splits["train"], description, spec, output, workers, state)


def test_round_trip_of_pixels(tmp_path: Path) -> None:
    pixels = fill(tmp_path / "images")
    pack(tmp_path / "images", tmp_path / "train.h5")
    packed = PackedImages(tmp_path / "train.h5")
    assert len(packed) == 10
    assert packed.targets.tolist() == [0] * 5 + [1] * 5
    for i, path in enumerate(stored_paths(packed)):
        expected = resize_shorter_side(pixels[f"train/{path}"], 8)
        assert np.array_equal(packed.image(i), expected)
        assert packed.shape[i].tolist() == list(expected.shape[:2])


def test_round_trip_of_original_files(tmp_path: Path) -> None:
    pixels = fill(tmp_path / "images")
    pack(tmp_path / "images", tmp_path / "train.h5", shorter_side=None)
    packed = PackedImages(tmp_path / "train.h5")
    assert (packed.encoding, packed.shorter_side) == ("file", None)
    with h5py.File(tmp_path / "train.h5") as file:
        stored, offset = file["pixels"][:].tobytes(), file["offset"][:]
    for i, path in enumerate(stored_paths(packed)):
        original = (tmp_path / "images/train" / path).read_bytes()
        assert stored[offset[i] : offset[i + 1]] == original
        assert np.array_equal(packed.image(i), pixels[f"train/{path}"])
        assert packed.shape[i].tolist() == list(pixels[f"train/{path}"].shape[:2])


def test_jpeg_of_a_stated_side_and_quality(tmp_path: Path) -> None:
    pixels = fill(tmp_path / "images")
    for quality in (90, 20):
        pack(tmp_path / "images", tmp_path / f"{quality}.h5", quality=quality)
    fine, coarse = (PackedImages(tmp_path / f"{quality}.h5") for quality in (90, 20))
    assert (fine.encoding, fine.shorter_side) == ("file", 8)
    assert (tmp_path / "20.h5").stat().st_size < (tmp_path / "90.h5").stat().st_size
    for i, path in enumerate(stored_paths(fine)):
        expected = resize_shorter_side(pixels[f"train/{path}"], 8)
        buffer = io.BytesIO()
        Image.fromarray(expected).save(buffer, "JPEG", quality=90)
        assert np.array_equal(fine.image(i), np.asarray(Image.open(buffer)))
        assert fine.shape[i].tolist() == list(expected.shape[:2]) == list(coarse.image(i).shape[:2])


@pytest.mark.parametrize("quality", [None, 90])
def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quality: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(tmp_path / "images")
    pack(tmp_path / "images", tmp_path / "whole.h5", quality=quality)
    monkeypatch.setattr(packing, "WRITE_AT_ONCE", 500)  # two or three images
    original, state = packing._load, tmp_path / "state"
    loaded: list[str] = []

    def killed(path: Path, spec: PackSpec) -> tuple[packing.Row, bytes]:
        loaded.append(path.name)
        if len(loaded) == 10 + 7:  # ten are looked at for the estimate
            raise KeyboardInterrupt
        return original(path, spec)

    monkeypatch.setattr(packing, "_load", killed)
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path / "images", tmp_path / "cut.h5", quality=quality, state=state)
    assert not (tmp_path / "cut.h5").exists()
    with (state / "pixels").open("ab") as file:  # as a power cut may leave it
        file.write(b"half an image")
    with (state / "rows").open("a") as file:
        file.write("0123 8")
    done = len((state / "rows").read_text().splitlines()) - 1
    assert 4 <= done <= 6
    loaded.clear()
    caplog.set_level("INFO", "ssl_collapse")
    pack(tmp_path / "images", tmp_path / "cut.h5", quality=quality, state=state)
    assert caplog.messages[-1] == "train: 10 of 10 images packed"
    assert len(loaded) == 2 * (10 - done), "the rest alone: for the estimate, and packed"
    assert (tmp_path / "cut.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not state.exists()


def test_attributes(tmp_path: Path) -> None:
    fill(tmp_path / "images")
    pack(tmp_path / "images", tmp_path / "train.h5")
    _, description = look(tmp_path / "images")
    with h5py.File(tmp_path / "train.h5") as file:
        assert dict(file.attrs) | {"classes": list(file.attrs["classes"])} == {
            "format_version": 1,
            "dataset": "mine",
            "split": "train",
            "encoding": "rgb8",
            "shorter_side": 8,
            "classes": ["a", "b"],
            "fingerprint": description.fingerprint,
        }
        assert file["pixels"].chunks is None


def test_bytes_depend_neither_on_time_nor_place_nor_workers(tmp_path: Path) -> None:
    sides, there = (8, None), tmp_path / "a longer name for the images"
    fill(tmp_path / "images", images=70)
    for side in sides:
        pack(tmp_path / "images", tmp_path / f"first{side}.h5", side)
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    (tmp_path / "images").rename(there)
    for side in sides:
        pack(there, tmp_path / f"again{side}.h5", side, workers=2)
        first, again = (tmp_path / f"{name}{side}.h5" for name in ("first", "again"))
        assert first.read_bytes() == again.read_bytes()


def test_writing_in_small_portions_gives_the_same_file(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path / "images")
    pack(tmp_path / "images", tmp_path / "first.h5")
    monkeypatch.setattr(packing, "WRITE_AT_ONCE", 500)  # two or three images
    pack(tmp_path / "images", tmp_path / "again.h5")
    assert (tmp_path / "first.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_skipped_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "images")
    (tmp_path / "images/train/a/000.png").write_bytes(b"no image")
    (tmp_path / "images/train/a/notes.txt").write_text("x")
    pack(tmp_path / "images", tmp_path / "train.h5")
    paths = stored_paths(PackedImages(tmp_path / "train.h5"))
    assert paths[:2] == ["a/002.png", "a/004.png"]
    assert len(paths) == 9


@pytest.mark.parametrize(
    "alter",
    [
        lambda a: Image.new("RGB", (20, 12)).save(a / "000.png"),  # other pixels
        lambda a: Image.new("RGB", (50, 8)).save(a / "000.png"),  # and of another shape
        lambda a: Image.new("RGB", (8, 8)).save(a / "new.png"),
        lambda a: (a / "000.png").rename(a / "0000.png"),
    ],
)
def test_images_that_changed_since_the_dataset_stage(tmp_path: Path, alter) -> None:
    fill(tmp_path / "images")
    _, description = look(tmp_path / "images")
    alter(tmp_path / "images/train/a")
    listing, _ = look(tmp_path / "images")
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"have changed since dataset\.json"):
        pack_split("train", listing.splits["train"], description, SPEC, tmp_path / "out/train.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_image_that_breaks_between_the_stages_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "images")
    listing, description = look(tmp_path / "images")
    (tmp_path / "images/train/b/003.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"b/003\.png.*empty"):
        pack_split("train", listing.splits["train"], description, SPEC, tmp_path / "out/train.h5")


def test_a_sliver_that_would_become_huge_is_named(tmp_path: Path) -> None:
    # 1 x 9,000 with shorter side 200 would be 200 x 1,800,000 pixels.
    fill(tmp_path / "images")
    Image.new("L", (9000, 1)).save(tmp_path / "images/train/a/sliver.png")
    with pytest.raises(UserError, match=r"sliver\.png with shorter side 200: .*1800000"):
        pack(tmp_path / "images", tmp_path / "train.h5", shorter_side=200)


def test_a_full_disk_is_noticed_before_writing(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path / "images")
    full = type("Usage", (), {"free": 100})()
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: full)
    with pytest.raises(UserError, match=r"train\.h5: needs .* free"):
        pack(tmp_path / "images", tmp_path / "out/train.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_more_classes_than_an_old_hdf5_attribute_holds(tmp_path: Path) -> None:
    # 5,000 names take more than the 64 KiB that an attribute had before HDF5 1.8.
    fill(tmp_path / "images")
    listing, description = look(tmp_path / "images")
    many = [f"class{i:05d}" for i in range(5000)]
    wide = description.model_copy(update={"classes": many})
    pack_split("train", listing.splits["train"], wide, SPEC, tmp_path / "train.h5")
    assert PackedImages(tmp_path / "train.h5").classes == tuple(many)
