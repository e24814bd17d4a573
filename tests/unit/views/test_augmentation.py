"""The augmentation of a whole batch against torchvision's and Pillow's, image by image."""

from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from counting import Counting
from PIL import Image, ImageFilter

from ssl_collapse.config.pretrain import Augmentation, ViewAugmentation
from ssl_collapse.views.augmentation import Augmenter, blur
from ssl_collapse.views.colours import ColourParameters, blur_kernel, draw_colours, prepare

PLAIN = Augmenter((0, 0, 0), (1, 1, 1), torch.device("cpu"))
BYTES = torch.randint(256, (80, 3, 16, 20), generator=torch.Generator().manual_seed(0)).byte()
OFF: dict[str, float] = dict.fromkeys(
    ("jitter_probability", "grayscale_probability", "blur_probability"), 0
)


def drawn(n: int, *views: dict[str, Any]) -> list[ColourParameters]:
    configs = [ViewAugmentation.model_validate(keys) for keys in views]
    return draw_colours(n, configs, np.random.default_rng(0))


def by_torchvision(images: torch.Tensor, colours: ColourParameters) -> torch.Tensor:
    """Jitter and grey of (B, 3, H, W) uint8, image by image."""
    adjust = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    values = (colours.brightness, colours.contrast, colours.saturation, colours.hue)
    made = []
    for i, image in enumerate(images / 255):
        for operation in colours.order[i].tolist():
            image = adjust[operation](image, values[operation][i].item())
        made.append(tv.rgb_to_grayscale(image, 3) if colours.grayscale[i] else image)
    return torch.stack(made)


@pytest.mark.parametrize(
    "keys",
    [{}, {"hue": 0.5, "contrast": 1, "jitter_probability": 1}, {"hue": 0}, {"contrast": 0}],
)
def test_every_image_becomes_what_torchvision_makes_of_it_in_its_own_order(keys: dict[str, Any]):
    colours = drawn(40, *[{**keys, "blur_probability": 0}] * 2)
    assert len(set(map(tuple, torch.cat([c.order for c in colours]).tolist()))) > 20  # of 24
    for images, view, made in zip(
        BYTES.chunk(2), colours, PLAIN((BYTES, prepare(colours))), strict=True
    ):
        torch.testing.assert_close(made, by_torchvision(images, view), atol=2e-5, rtol=0)


def test_hue_of_grey_is_left_alone():
    grey = torch.full((1, 3, 4, 4), 0.3)
    PLAIN.turn_hue(grey, torch.full((1, 1, 1, 1), 1.8))
    torch.testing.assert_close(grey, torch.full((1, 3, 4, 4), 0.3))


def blurred(images: torch.Tensor, *sigma: float) -> torch.Tensor:
    kernels = blur_kernel(torch.tensor(sigma), torch.tensor(max(sigma)))
    return blur(images, kernels[:, None, None])


def blurred_by_pillow(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """A (3, H, W) uint8 image on the scale 0 to 1."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    return tv.to_tensor(picture.filter(ImageFilter.GaussianBlur(sigma)))


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 1.4, 1.5, 2.0, 5.0])
def test_blur_spreads_a_point_by_sigma_in_each_direction(sigma: float):
    # A point of light keeps its sum and its place; its spread is the blur's sigma, also at 0.1,
    # where a sampled Gaussian leaves the point as it is.
    point = torch.zeros(2, 1, 41, 41)
    point[:, :, 20, 20] = 1
    made = blurred(point, sigma, 0.5)
    offsets = torch.arange(41) - 20
    for across in (1, 2):
        line = made[0, 0].sum(dim=2 - across)
        assert line.sum().item() == pytest.approx(1, abs=1e-6)
        assert (line * offsets).sum().item() == pytest.approx(0, abs=1e-5)
        assert (line * offsets**2).sum().sqrt().item() == pytest.approx(sigma, rel=1e-4)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
def test_blur_equals_pillows_up_to_its_rounding(sigma: float):
    # Pillow rounds to 8 bits after each of its three boxes per direction: at most 6 halves of 255.
    point = torch.zeros(3, 41, 41, dtype=torch.uint8)
    point[:, 20, 20] = 255
    noise = torch.randint(256, (3, 41, 41), generator=torch.Generator().manual_seed(0)).byte()
    for image in (point, noise):
        difference = (blurred(image[None] / 255, sigma)[0] - blurred_by_pillow(image, sigma)).abs()
        assert difference[:, 6:-6, 6:-6].max() <= 3 / 255


def test_beyond_the_border_the_blur_sees_the_edge_pixels_again():
    # White in column 0, black elsewhere. With white beyond it, the kernel's middle weight k and
    # half of the rest fall on white: (1 + k) / 2. Reflected or black borders would give k.
    image = torch.zeros(1, 3, 20, 20)
    image[..., 0] = 1
    kernel = blur_kernel(torch.tensor([1.5]), torch.tensor(1.5))[0]
    column = blurred(image, 1.5)[0, 0, :, 0]
    torch.testing.assert_close(column, ((1 + kernel[6]) / 2).expand(20))


def test_blur_is_the_same_in_a_batch_with_a_larger_sigma():
    images = BYTES[:2] / 255
    beside = blurred(images, 0.3, 2.0)
    torch.testing.assert_close(beside[:1], blurred(images[:1], 0.3), atol=1e-6, rtol=0)


def test_each_view_has_the_blur_of_its_own_images():
    colours = drawn(40, {**OFF, "blur_probability": 0.5}, {**OFF, "blur_probability": 0.1})
    for images, view, made in zip(
        BYTES.chunk(2), colours, PLAIN((BYTES, prepare(colours))), strict=True
    ):
        expected = blurred(images / 255, *view.sigma.tolist())
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
        assert torch.equal(made[view.sigma == 0], (images / 255)[view.sigma == 0])


def test_what_is_half_bright_or_more_is_inverted():
    # as Pillow's ImageOps.solarize: 0, 127, 128, 255 -> 0, 127, 127, 0; and nothing in view 1
    images = torch.tensor([0, 127, 128, 255], dtype=torch.uint8).expand(2, 3, 1, 4)
    views = PLAIN((images, prepare(drawn(1, OFF, {**OFF, "solarize_probability": 1}))))
    for made, expected in zip(views, ([0, 127, 128, 255], [0, 127, 127, 0]), strict=True):
        torch.testing.assert_close(made[0, 0, 0] * 255, torch.tensor(expected).float())


def test_without_any_probability_only_normalisation_is_left():
    augmenter = Augmenter((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), torch.device("cpu"))
    images = torch.full((4, 3, 4, 4), 255, dtype=torch.uint8)
    views = augmenter((images, prepare(drawn(2, OFF, OFF))))
    assert [view.unique().tolist() for view in views] == [[2.0], [2.0]]  # (1 - 0.5) / 0.25


def test_probabilities_are_met():
    (colours,) = drawn(20_000, {"solarize_probability": 0.3})
    assert (colours.brightness != 1).float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert colours.grayscale.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (colours.sigma > 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert colours.solarize.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert colours.brightness.min() >= 0.6 and colours.brightness.max() <= 1.4


def test_few_operations_make_both_views_and_none_waits_for_the_device():
    config = Augmentation.model_validate({"views": [{}, {"solarize_probability": 0.2}]})
    colouring = prepare(draw_colours(40, config.of_views, np.random.default_rng(0)))
    assert min(len(colouring.grayscale), len(colouring.blurred), len(colouring.solarized)) > 0
    with Counting() as counting:
        PLAIN((BYTES, colouring))
    copies = 9  # of crops and colouring, where they go to another device
    assert counting.asked.total() + copies <= 150
    assert not {"nonzero", "_local_scalar_dense", "item", "is_nonzero"} & set(counting.asked)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible")
def test_on_a_gpu_nothing_waits_and_the_views_are_those_of_the_cpu():
    colours = prepare(drawn(40, {}, {"solarize_probability": 0.2}))
    on_gpu = Augmenter((0, 0, 0), (1, 1, 1), torch.device("cuda"))
    batch = BYTES.pin_memory(), colours.pin_memory()
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = on_gpu(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for gpu, cpu in zip(made, PLAIN((BYTES, colours)), strict=True):
        torch.testing.assert_close(gpu.cpu(), cpu, atol=1e-4, rtol=0)
