"""Some images of a folder of any shape."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_collapse.images.sample import ImageFiles, sample_images
from ssl_collapse.runtime.errors import UserError


def write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10), (number, 0, 0)).save(path)
    return folder


@pytest.mark.parametrize(
    ("names", "classes", "targets"),
    [
        (["a.png", "b.png"], (), None),
        (["cat/a.png", "cat/b.png"], (), None),  # a single class tells nothing
        (["cat/a.png", "dog/x/b.png", "dog/c.jpg"], ("cat", "dog"), [0, 1, 1]),
        (["train/cat/a.png", "val/cat/b.png", "val/dog/c.png"], ("cat", "dog"), [0, 0, 1]),
        (["cat/a.png", "dog/b.png", "c.png"], (), None),  # of what class is the last?
        (["train/a.png", "val/b.png"], ("train", "val"), [0, 1]),
        (["a/a.png", "b/b.png", "b/.hidden/c.png", "b/._c.png"], ("a", "b"), [0, 1]),
    ],
)  # fmt: skip
def test_classes_are_the_uppermost_folders(tmp_path: Path, names, classes, targets):
    sample = sample_images(write(tmp_path, *names), 100, seed=0)
    assert sample.classes == classes
    assert (sample.targets is None) == (targets is None)
    assert targets is None or sorted(sample.targets.tolist()) == sorted(targets)


def test_a_seeded_draw(tmp_path: Path):
    folder = write(tmp_path, *(f"{c}/{i:02d}.png" for c in "ab" for i in range(20)))
    one, same, other = (sample_images(folder, 15, seed) for seed in (0, 0, 1))
    assert one.paths == same.paths != other.paths
    assert (len(set(one.paths)), one.there) == (15, 40)
    assert [one.classes[t] for t in one.targets] == [path.parent.name for path in one.paths]


def test_images_are_decoded_and_a_broken_one_is_named(tmp_path: Path):
    files = ImageFiles((write(tmp_path, "a.png") / "a.png",))
    assert files.image(0).shape == (10, 20, 3) and files.image(0).dtype == np.uint8
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"repair them:\n .*a\.png: not an image"):
        files.image(0)
    with pytest.raises(UserError, match="1 images in it"):
        sample_images(tmp_path, 10, 0)
    with pytest.raises(UserError, match="is no folder"):
        sample_images(tmp_path / "a.png", 10, 0)
