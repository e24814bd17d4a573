"""The batched augmentations against torchvision's, image by image."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv

from ssl_collapse.config.pretrain import Augmentation
from ssl_collapse.views.augmentation import (
    ColourParameters,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    augment,
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


def test_blur_equals_torchvisions_with_a_kernel_of_three_sigma():
    # sigma 1.5 -> radius ceil(4.5) = 5 -> 11 taps
    blurred = gaussian_blur(IMAGES[:1], torch.tensor([1.5]), torch.tensor(1.5))
    torch.testing.assert_close(blurred, tv.gaussian_blur(IMAGES[:1], 11, 1.5), atol=1e-5, rtol=0)


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
