"""Random resized crops."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop

from ssl_collapse.views.crops import Crops, cut, draw_crops


def draw(height: int, width: int, n: int = 20_000) -> Crops:
    shapes = np.tile(np.array([[height, width]], dtype=np.int32), (n, 1))
    return draw_crops(shapes, min_scale=0.2, flip_probability=0.5, rng=np.random.default_rng(0))


def test_crops_lie_inside_the_image():
    crops = draw(40, 30)
    assert (crops.top >= 0).all() and (crops.top + crops.height <= 40).all()
    assert (crops.left >= 0).all() and (crops.left + crops.width <= 30).all()


def test_crops_are_distributed_as_torchvisions():
    crops = draw(100, 80)
    torch.manual_seed(0)
    image = torch.empty(3, 100, 80)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(5000)]
    )
    ours = np.stack([crops.top, crops.left, crops.height, crops.width], axis=1)
    # means of 5000 draws of values with std below 25: 1.5 px is four standard errors
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=1.5)
    np.testing.assert_allclose(ours.std(0), theirs.std(0), atol=1.5)
    assert abs(crops.flip.mean() - 0.5) < 0.02


def test_an_image_too_long_for_any_ratio_gets_the_central_crop():
    # 1000 x 10: no box of 20 % of the area fits a ratio of 3:4 -> 10 wide, 10 / (3/4) = 13 high
    crops = draw(1000, 10, n=4)
    assert set(crops.height) == {13} and set(crops.width) == {10}
    assert set(crops.top) == {(1000 - 13) // 2} and set(crops.left) == {0}


def test_cut_takes_the_box_and_mirrors_it():
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    one = np.ones(1, dtype=np.int64)
    box = {"top": one, "left": one, "height": 2 * one, "width": 2 * one}
    plain = cut(image, Crops(**box, flip=np.array([False])), 0, 2)
    np.testing.assert_array_equal(plain, image[1:3, 1:3])
    mirrored = cut(image, Crops(**box, flip=np.array([True])), 0, 2)
    np.testing.assert_array_equal(mirrored, image[1:3, 2:0:-1])


@pytest.mark.parametrize("shape", [(97, 97), (375, 500), (1200, 100), (1500, 2000)])
@pytest.mark.parametrize("size", [8, 96, 224])
def test_large_images_are_cut_as_pillow_does_to_one_level(shape: tuple[int, int], size: int):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2] //= 32  # dark and smooth as well
    crops = draw(*shape, n=3)
    for i in range(3):
        rows, columns = (
            slice(start[i], start[i] + length[i])
            for start, length in ((crops.top, crops.height), (crops.left, crops.width))
        )
        piece = Image.fromarray(image[rows, columns])
        expected = np.asarray(piece.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
        if crops.flip[i]:
            expected = expected[:, ::-1]
        assert np.abs(cut(image, crops, i, size) - expected).max() <= 1


def test_small_images_are_cut_by_pillow():
    image = np.random.default_rng(0).integers(0, 256, (96, 400, 3), dtype=np.uint8)
    box = {name: np.array([side]) for name, side in (("height", 70), ("width", 90))}
    crops = Crops(top=np.array([20]), left=np.array([300]), **box, flip=np.array([False]))
    piece = Image.fromarray(image[20:90, 300:390])
    expected = np.asarray(piece.resize((64, 64), Image.Resampling.BILINEAR))
    assert (cut(image, crops, 0, 64) == expected).all()
