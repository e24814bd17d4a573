"""The default data: reproducible from its seed, balanced, and told apart by structure."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.images.textures import CLASSES, texture, write_textures
from ssl_collapse.runtime.errors import UserError


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*.png")}


def write(folder: Path, train: int, val: int, seed: int = 0) -> dict[str, bytes]:
    source = TexturesSource(
        kind="textures", train_images=train, val_images=val, image_size=16, seed=seed
    )
    write_textures(folder, source)
    return files_of(folder)


def test_an_image_is_a_pure_function_of_class_size_and_seed() -> None:
    for name in CLASSES:
        first = texture(name, 24, np.random.default_rng(5))
        assert first.shape == (24, 24, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, texture(name, 24, np.random.default_rng(5)))
        assert not np.array_equal(first, texture(name, 24, np.random.default_rng(6)))


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    first, again = write(tmp_path / "a", 20, 10), write(tmp_path / "b", 20, 10)
    assert first == again
    other = write(tmp_path / "c", 20, 10, seed=1)
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first)


def test_a_larger_set_contains_the_smaller(tmp_path: Path) -> None:
    small, large = write(tmp_path / "a", 13, 3), write(tmp_path / "b", 31, 25)
    assert small.items() < large.items()


def test_counts_are_balanced_and_the_first_classes_get_the_remainder(tmp_path: Path) -> None:
    # 23 = 10 * 2 + 3: stripes, checker and dots have three images, the others two.
    files = write(tmp_path / "a", 23, 10)
    counts = {c: len([f for f in files if f.startswith(f"train/{c}/")]) for c in CLASSES}
    assert counts == {c: 3 if c in ("stripes", "checker", "dots") else 2 for c in CLASSES}
    assert "train/stripes/000002.png" in files


def test_train_and_val_share_no_image(tmp_path: Path) -> None:
    files = write(tmp_path / "a", 30, 30)
    assert len(set(files.values())) == 60


def test_written_pixels_are_those_of_the_function(tmp_path: Path) -> None:
    write(tmp_path / "a", 20, 10, seed=3)
    # Key of an image: seed 3, split train (0), class dots (2 in the order of CLASSES), number 1.
    expected = texture("dots", 16, np.random.default_rng([3, 0, 2, 1]))
    with Image.open(tmp_path / "a/train/dots/000001.png") as image:
        assert np.array_equal(np.asarray(image), expected)


def test_every_class_needs_a_training_image(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 10"):
        write(tmp_path / "a", 9, 1)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        write(tmp_path, 10, 1)
    assert (tmp_path / "thesis.tex").exists()


def test_an_earlier_set_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / "a", 40, 10)
    assert len(write(tmp_path / "a", 10, 1)) == 11
    assert [f.name for f in tmp_path.iterdir()] == ["a"]


def structure(image: np.ndarray) -> np.ndarray:
    """Mean, maximum and spread of the Fourier magnitudes at each distance from the origin.

    Unchanged by shifts, nearly unchanged by rotation, and blind to colour and brightness.
    """
    grey = image.mean(axis=2)
    magnitude = np.abs(np.fft.fft2((grey - grey.mean()) / grey.std()))
    frequency = np.fft.fftfreq(len(grey)) * len(grey)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    rings = [magnitude[(radius >= r - 0.5) & (radius < r + 0.5)] for r in range(1, 16)]
    return np.log1p([f(ring) for ring in rings for f in (np.mean, np.max, np.std)])


def mean_colour(image: np.ndarray) -> np.ndarray:
    return image.mean(axis=(0, 1))


@pytest.mark.parametrize(
    ("feature", "lowest", "highest"), [(structure, 0.8, 1.0), (mean_colour, 0.0, 0.25)]
)
def test_structure_tells_the_classes_apart_and_colour_does_not(feature, lowest, highest) -> None:
    # 1-nearest neighbour of 20 images per class among 60 others; chance is 0.1.
    def features(seed: int, n: int) -> np.ndarray:
        rngs = [
            (c, np.random.default_rng([seed, k, i]))
            for k, c in enumerate(CLASSES)
            for i in range(n)
        ]
        return np.array([feature(texture(name, 32, rng)) for name, rng in rngs])

    train, val = features(1, 60), features(2, 20)
    scale = train.std(axis=0)
    distance = np.linalg.norm(val[:, None] / scale - train[None] / scale, axis=2)
    predicted = distance.argmin(axis=1) // 60
    accuracy = np.mean(predicted == np.arange(200) // 20)
    assert lowest <= accuracy <= highest
