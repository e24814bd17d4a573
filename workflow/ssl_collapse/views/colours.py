"""Colours of the views: what is drawn for each image, and the order of work that follows from it.

Parameters are drawn with NumPy on the CPU from a generator that the caller seeds per step, so
that they depend neither on workers nor on the device. All that follows from them alone (which
images an operation is for, kernels of the blur) is worked out here, too: a device that had to be
asked for it would have to be waited for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ssl_collapse.config.pretrain import ViewAugmentation

_CONTRAST, _SATURATION, _HUE = 1, 2, 3  # in `order`; 0 is brightness
_NO_HUE, _NOTHING = 4, 5  # instead of the slot of the hue


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
    kernel: Tensor  # (B, width): of the blur; 0 where sigma is
    solarize: Tensor  # (B,) bool

    def select(self, images: slice) -> "ColourParameters":
        """Those of some images of the batch."""
        return ColourParameters(**{f.name: getattr(self, f.name)[images] for f in fields(self)})


def draw_colours(
    n: int, views: Sequence[ViewAugmentation], rng: np.random.Generator
) -> list[ColourParameters]:
    """Draw the colour parameters of n images in each view."""
    drawn = [_draw_view(n, view, rng) for view in views]
    largest = torch.stack([colours["sigma"].max() for colours in drawn]).max()
    for colours, view in zip(drawn, views, strict=True):
        # Drawn last, so that all else is what it was before there was solarisation.
        colours["solarize"] = torch.from_numpy(rng.random(n) < view.solarize_probability)
        # For a batch at a time: a kernel made alone differs in its last bit from one among others.
        sigma = colours["sigma"]
        kernels = blur_kernel(sigma[sigma > 0], largest)
        colours["kernel"] = kernels.new_zeros(n, kernels.shape[1])
        colours["kernel"][sigma > 0] = kernels
    return [ColourParameters(**colours) for colours in drawn]


def _draw_view(n: int, config: ViewAugmentation, rng: np.random.Generator) -> dict[str, Tensor]:
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
    return {
        "order": torch.from_numpy(order),
        "brightness": torch.from_numpy(brightness).float(),
        "contrast": torch.from_numpy(contrast).float(),
        "saturation": torch.from_numpy(saturation).float(),
        "hue": torch.from_numpy(hue).float(),
        "grayscale": torch.from_numpy(grey),
        "sigma": torch.from_numpy(sigma).float(),
    }


@dataclass(frozen=True)
class Colouring:
    """The work on N images, those of all views one after the other.

    The images are sorted by the slot of their hue, so that each operation is for images in a row.
    Brightness, contrast and saturation are blends with black, the mean grey and the grey image;
    with the hue in slot h, an image has h of its three blends before it and the others after it.
    """

    order: Tensor  # (N,) int64: the sorted images
    back: Tensor  # (N,) int64: where each image is among the sorted
    ends: tuple[int, ...]  # of the sorted images with the hue in slot 0, 1, 2, 3, and without hue
    blends: Tensor  # (3, 3, N, 1, 1, 1): for each blend, the weights of image, grey and mean grey
    turns: Tensor  # (ends[3], 1, 1, 1): of the hue, in sixths of the circle
    grayscale: Tensor  # int64: those of the sorted images that lose their colours
    blurred: Tensor  # int64: those that are blurred,
    kernels: Tensor  # (len(blurred), 1, 1, width): with this kernel in both directions
    solarized: Tensor  # int64: those that are solarised
    views: int

    def to(self, device: torch.device) -> "Colouring":
        """The same on `device`, not waiting for it."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Colouring":
        """The same in memory from which a GPU can copy on its own."""
        return self._with(Tensor.pin_memory)

    def _with(self, change: Callable[[Tensor], Tensor]) -> "Colouring":
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {k: change(v) for k, v in values.items() if torch.is_tensor(v)}
        return replace(self, **changed)


def prepare(views: Sequence[ColourParameters]) -> Colouring:
    """The work on the images of all views, from their parameters."""
    drawn = {f.name: torch.cat([getattr(v, f.name) for v in views]) for f in fields(views[0])}
    factors = torch.stack([drawn["brightness"], drawn["contrast"], drawn["saturation"]], dim=1)
    operations = drawn["order"]  # (N, 4)
    slot = (operations == _HUE).nonzero()[:, 1]
    slot[drawn["hue"] == 0] = _NO_HUE
    slot[(drawn["hue"] == 0) & (factors == 1).all(dim=1)] = _NOTHING
    order = slot.argsort(stable=True)
    back = order.argsort()
    ends = torch.bincount(slot, minlength=_NOTHING).cumsum(0)[:_NOTHING].tolist()
    kind = operations[operations != _HUE].reshape(-1, 3)[order]  # of each blend
    factor = factors[order].gather(1, kind)
    other = 1 - factor
    nothing = torch.zeros_like(other)
    weights = (
        factor,
        torch.where(kind == _SATURATION, other, nothing),
        torch.where(kind == _CONTRAST, other, nothing),
    )
    blurred = (drawn["sigma"] > 0).nonzero()[:, 0]
    return Colouring(
        order=order,
        back=back,
        ends=tuple(ends),
        blends=torch.stack(weights).permute(2, 0, 1)[..., None, None, None].contiguous(),
        turns=6 * drawn["hue"][order[: ends[_HUE]], None, None, None],
        grayscale=back[drawn["grayscale"]],
        blurred=back[blurred],
        kernels=drawn["kernel"][blurred, None, None],
        solarized=back[drawn["solarize"]],
        views=len(views),
    )


def blur_kernel(sigma: Tensor, largest: Tensor) -> Tensor:
    """Pillow's approximation of a Gaussian: kernels (B, 6 reach + 1) of variance sigma^2 (B,).

    A box of fractional radius r <= reach (weight 1 to |d| <= floor(r), the fraction just beyond),
    three times in a row (Gwosdek et al. 2011, extended box filtering). Unlike a sampled Gaussian it
    has the right variance at every sigma. `largest` is a sigma that none of the batch exceeds; it
    decides the reach, not the result.
    """
    reach = int(_box_radius(largest)) + 1
    if not len(sigma):
        return torch.zeros(0, 6 * reach + 1)
    distance = torch.arange(-reach, reach + 1).abs()
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
