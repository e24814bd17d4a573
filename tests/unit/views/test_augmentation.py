"""The batched augmentations against torchvision's, image by image."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from PIL import Image, ImageFilter

from ssl_collapse.config.pretrain import Augmentation
from ssl_collapse.views.augmentation import (
    ColourParameters,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    augment,
    blur_kernel,
    draw_colours,
    gaussian_blur,
)

IMAGES = torch.rand(6, 3, 16, 20, generator=torch.Generator().manual_seed(0))
FACTORS = torch.tensor([0.6, 0.8, 1.0, 1.2, 1.4, 0.0])


@pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    [
        (adjust_brightness, tv.adjust_brightness, FACTORS),
        (adjust_contrast, tv.adjust_contrast, FACTORS),
        (adjust_saturation, tv.adjust_saturation, FACTORS),
        (adjust_hue, tv.adjust_hue, torch.tensor([-0.5, -0.1, 0.0, 0.05, 0.1, 0.5])),
    ],
)
def test_colour_operations_equal_torchvisions(ours, theirs, values):
    expected = torch.stack([theirs(x, v.item()) for x, v in zip(IMAGES, values, strict=True)])
    torch.testing.assert_close(ours(IMAGES, values), expected, atol=1e-5, rtol=0)


def test_hue_of_grey_is_left_alone():
    grey = torch.full((1, 3, 4, 4), 0.3)
    torch.testing.assert_close(adjust_hue(grey, torch.tensor([0.3])), grey)


def blurred_by_pillow(image, sigma):
    """A (3, H, W) uint8 image on the scale 0 to 1."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    return tv.to_tensor(picture.filter(ImageFilter.GaussianBlur(sigma)))


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 1.4, 1.5, 2.0, 5.0])
def test_blur_spreads_a_point_by_sigma_in_each_direction(sigma):
    # A point of light keeps its sum and its place; its spread is the blur's sigma, also at 0.1,
    # where a sampled Gaussian leaves the point as it is.
    point = torch.zeros(2, 1, 41, 41)
    point[:, :, 20, 20] = 1
    blurred = gaussian_blur(point, torch.tensor([sigma, 0.5]), torch.tensor(max(sigma, 0.5)))
    offsets = torch.arange(41) - 20
    for across in (1, 2):
        line = blurred[0, 0].sum(dim=2 - across)
        assert line.sum().item() == pytest.approx(1, abs=1e-6)
        assert (line * offsets).sum().item() == pytest.approx(0, abs=1e-5)
        assert (line * offsets**2).sum().sqrt().item() == pytest.approx(sigma, rel=1e-4)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
def test_blur_equals_pillows_up_to_its_rounding(sigma):
    # Pillow rounds to 8 bits after each of its three boxes per direction: at most 6 halves of 255.
    point = torch.zeros(3, 41, 41, dtype=torch.uint8)
    point[:, 20, 20] = 255
    noise = torch.randint(256, (3, 41, 41), generator=torch.Generator().manual_seed(0)).byte()
    for image in (point, noise):
        ours = gaussian_blur(image[None] / 255, torch.tensor([sigma]), torch.tensor(sigma))[0]
        difference = (ours - blurred_by_pillow(image, sigma)).abs()
        assert difference[:, 6:-6, 6:-6].max() <= 3 / 255


def test_beyond_the_border_the_blur_sees_the_edge_pixels_again():
    # White in column 0, black elsewhere. With white beyond it, the kernel's middle weight k and
    # half of the rest fall on white: (1 + k) / 2. Reflected or black borders would give k.
    image = torch.zeros(1, 3, 20, 20)
    image[..., 0] = 1
    sigma = torch.tensor([1.5])
    kernel = blur_kernel(sigma, reach=2)[0]
    column = gaussian_blur(image, sigma, sigma[0])[0, 0, :, 0]
    torch.testing.assert_close(column, ((1 + kernel[6]) / 2).expand(20))


def test_blur_is_the_same_in_a_batch_with_a_larger_sigma():
    alone = gaussian_blur(IMAGES[:1], torch.tensor([0.3]), torch.tensor(0.3))
    beside = gaussian_blur(IMAGES[:2], torch.tensor([0.3, 2.0]), torch.tensor(2.0))
    torch.testing.assert_close(beside[:1], alone, atol=1e-6, rtol=0)


def test_jitter_applies_each_images_operations_in_its_own_order():
    # brightness x0.5 (order slot 0) and contrast x0 (slot 1), in both orders, by hand:
    # a pixel pair 0.2, 0.6 in grey -> x0.5: 0.1, 0.3 -> mean 0.2; contrast first -> 0.4 -> 0.2
    image = torch.tensor([51, 153], dtype=torch.uint8).expand(2, 3, 1, 2)
    one, zero = torch.ones(2), torch.zeros(2)
    colours = ColourParameters(
        order=torch.tensor([[0, 1, 2, 3], [1, 0, 2, 3]]),
        brightness=one * 0.5,
        contrast=zero,
        saturation=one,
        hue=zero,
        grayscale=zero.bool(),
        sigma=zero,
        largest_sigma=torch.tensor(0.0),
    )
    out = augment(image, colours, mean=torch.zeros(3), std=torch.ones(3))
    torch.testing.assert_close(out, torch.full_like(out, 0.2), atol=1e-3, rtol=0)


def test_without_any_probability_only_normalisation_is_left():
    off = Augmentation(jitter_probability=0, grayscale_probability=0, blur_probability=0)
    colours = draw_colours(2, off, np.random.default_rng(0))
    images = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    out = augment(images, colours, mean=torch.full((3,), 0.5), std=torch.full((3,), 0.25))
    assert out.unique().tolist() == [2.0]  # (1 - 0.5) / 0.25


def test_probabilities_are_met():
    colours = draw_colours(20_000, Augmentation(), np.random.default_rng(0))
    assert (colours.brightness != 1).float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert colours.grayscale.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (colours.sigma > 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert colours.brightness.min() >= 0.6 and colours.brightness.max() <= 1.4
