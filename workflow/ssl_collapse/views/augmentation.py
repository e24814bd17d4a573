"""Colour jitter, greyscale, blur and normalisation of a batch, on the device that trains.

The colour operations are torchvision's, the blur is Pillow's, without rounding to 8 bits; applied
to a whole batch at once with parameters per image.
Parameters are drawn with NumPy on the CPU from a generator that the caller seeds per step, so
that they depend neither on workers nor on the device.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ssl_collapse.config.pretrain import Augmentation

_GREY = (0.2989, 0.587, 0.114)  # torchvision's luma weights


@dataclass(frozen=True)
class ColourParameters:
    """What happens to each of B images; factors of 1, shift 0 and sigma 0 leave it as it is."""

    order: Tensor  # (B, 4) int64: a permutation of brightness, contrast, saturation, hue
    brightness: Tensor  # (B,)
    contrast: Tensor  # (B,)
    saturation: Tensor  # (B,)
    hue: Tensor  # (B,) in turns, -0.5 to 0.5
    grayscale: Tensor  # (B,) bool
    sigma: Tensor  # (B,) px
    largest_sigma: Tensor  # () px, over the whole batch, also where this is a part of it

    def of(self, part: slice) -> "ColourParameters":
        """Those of a part of the batch."""
        rows = {f.name: getattr(self, f.name)[part] for f in fields(self)[:-1]}
        return ColourParameters(**rows, largest_sigma=self.largest_sigma)

    def to(self, device: torch.device) -> "ColourParameters":
        """The same parameters on `device`."""
        return ColourParameters(*(getattr(self, f.name).to(device) for f in fields(self)))


def draw_colours(n: int, config: Augmentation, rng: np.random.Generator) -> ColourParameters:
    """Draw the colour parameters of n images."""
    jitter = rng.random(n) < config.jitter_probability
    order = rng.permuted(np.tile(np.arange(4), (n, 1)), axis=1)

    def factor(strength: float) -> NDArray[np.float64]:
        value = rng.uniform(max(0.0, 1 - strength), 1 + strength, n)
        return np.where(jitter, value, 1.0)

    brightness = factor(config.brightness)
    contrast = factor(config.contrast)
    saturation = factor(config.saturation)
    hue = np.where(jitter, rng.uniform(-config.hue, config.hue, n), 0.0)
    grey = rng.random(n) < config.grayscale_probability
    blurred = rng.random(n) < config.blur_probability
    smallest, largest = config.blur_sigma
    sigma = np.where(blurred, rng.uniform(smallest, largest, n), 0.0)
    return ColourParameters(
        order=torch.from_numpy(order),
        brightness=torch.from_numpy(brightness).float(),
        contrast=torch.from_numpy(contrast).float(),
        saturation=torch.from_numpy(saturation).float(),
        hue=torch.from_numpy(hue).float(),
        grayscale=torch.from_numpy(grey),
        sigma=torch.from_numpy(sigma).float(),
        largest_sigma=torch.tensor(sigma.max()).float(),
    )


def augment(images: Tensor, colours: ColourParameters, mean: Tensor, std: Tensor) -> Tensor:
    """Jitter, grey, blur and normalise.

    Args:
        images: (B, 3, H, W) uint8.
        colours: parameters of the same B images, on the same device.
        mean, std: (3,) of the normalisation, on the scale 0 to 1.

    Returns:
        (B, 3, H, W) float32.
    """
    x = images.float() / 255
    x = _jitter(x, colours)
    rows = colours.grayscale.nonzero()[:, 0]
    x[rows] = _grey(x[rows]).expand(-1, 3, -1, -1)
    rows = (colours.sigma > 0).nonzero()[:, 0]
    if len(rows):
        x[rows] = gaussian_blur(x[rows], colours.sigma[rows], colours.largest_sigma)
    return normalize(x, mean, std)


def normalize(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(x - mean) / std per channel: x (B, 3, H, W) on the scale 0 to 1."""
    return (x - mean[:, None, None]) / std[:, None, None]


def _jitter(x: Tensor, colours: ColourParameters) -> Tensor:
    operations = (
        (adjust_brightness, colours.brightness, 1.0),
        (adjust_contrast, colours.contrast, 1.0),
        (adjust_saturation, colours.saturation, 1.0),
        (adjust_hue, colours.hue, 0.0),
    )
    for slot in range(4):
        for o, (adjust, value, neutral) in enumerate(operations):
            rows = ((colours.order[:, slot] == o) & (value != neutral)).nonzero()[:, 0]
            if len(rows):
                x[rows] = adjust(x[rows], value[rows])
    return x


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    f = factor[:, None, None, None]
    return (f * x + (1 - f) * other).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    r, g, b = _GREY
    return (r * x[:, 0] + g * x[:, 1] + b * x[:, 2])[:, None]  # (B, 1, H, W)


def adjust_brightness(x: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, 3, H, W) with black; factor (B,)."""
    return _blend(x, torch.zeros_like(x), factor)


def adjust_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, 3, H, W) with its mean grey; factor (B,)."""
    return _blend(x, _grey(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def adjust_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, 3, H, W) with its greyscale version; factor (B,)."""
    return _blend(x, _grey(x), factor)


def adjust_hue(x: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of (B, 3, H, W) by shift (B,) turns, in HSV space.

    HSV keeps value and saturation, so the new channel n in (5, 3, 1) for (r, g, b) is
    v - v s max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6.
    """
    value, _ = x.max(dim=1)  # (B, H, W)
    chroma = value - x.min(dim=1).values
    r, g, b = x.unbind(dim=1)
    safe = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    sector = torch.where(
        value == r, (g - b) / safe, torch.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue = sector + 6 * shift[:, None, None]
    channels = []
    for n in (5, 3, 1):
        k = (n + hue) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)


def gaussian_blur(x: Tensor, sigma: Tensor, largest: Tensor) -> Tensor:
    """Separable blur of (B, 3, H, W), one sigma (B,) px per image, edge pixels repeated outwards.

    `largest` is a sigma that none of the batch exceeds; it decides the work, not the result.
    """
    batch, channels, height, width = x.shape
    kernel = blur_kernel(sigma, int(_box_radius(largest).item()) + 1)
    radius = kernel.shape[1] // 2
    kernel = kernel.repeat_interleave(channels, dim=0)
    flat = x.reshape(1, batch * channels, height, width)
    flat = F.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=batch * channels)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=batch * channels)
    return flat.reshape(batch, channels, height, width)


def blur_kernel(sigma: Tensor, reach: int) -> Tensor:
    """Pillow's approximation of a Gaussian: kernels (B, 6 reach + 1) of variance sigma^2 (B,).

    A box of fractional radius r <= reach (weight 1 to |d| <= floor(r), the fraction just beyond),
    three times in a row (Gwosdek et al. 2011, extended box filtering). Unlike a sampled Gaussian it
    has the right variance at every sigma.
    """
    distance = torch.arange(-reach, reach + 1, device=sigma.device).abs()
    radius = _box_radius(sigma)[:, None]
    box = (radius + 1 - distance).clamp(0, 1) / (2 * radius + 1)  # (B, 2 reach + 1)
    kernel = box
    for _ in range(2):
        kernel = F.conv1d(kernel, box[:, None], padding=2 * reach, groups=len(box))
    return kernel


def _box_radius(sigma: Tensor) -> Tensor:
    """Radius of the box of variance sigma^2 / 3, as in Pillow's BoxBlur.c."""
    variance = sigma**2 / 3
    whole = torch.floor((torch.sqrt(12 * variance + 1) - 1) / 2)
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance)
    return whole + fraction / (6 * (variance - (whole + 1) ** 2))
