"""Colour jitter, greyscale, blur, solarisation and normalisation, on the device that trains.

The colour operations are torchvision's, the blur is Pillow's, without rounding to 8 bits; applied
to the images of all views at once, with parameters per image. Nothing here waits for the device.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ssl_collapse.views.colours import Colouring

_LUMA = (0.2989, 0.587, 0.114)  # torchvision's
_HUE_OF_CHANNELS = (5.0, 3.0, 1.0)
_SOLARIZE_FROM = 128 / 255  # Pillow's threshold


class Augmenter:
    """What makes views of crops, on one device; mean and std (3,) are on the scale 0 to 1."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.device = device
        self.mean, self.std, self.luma, self.channels = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (mean, std, _LUMA, _HUE_OF_CHANNELS)
        )

    def __call__(self, batch: tuple[Tensor, Colouring]) -> tuple[Tensor, ...]:
        """Jitter, grey, blur, solarize and normalise.

        Args:
            batch: crops (V B, 3, H, W) uint8, those of all V views one after the other, and what is
                to be done to them.

        Returns:
            V views (B, 3, H, W) float32, channels last.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same sums in the trainer as in a loader's worker
        try:
            return self._views(*batch)
        finally:
            torch.set_num_threads(threads)

    def _views(self, crops: Tensor, colouring: Colouring) -> tuple[Tensor, ...]:
        work = colouring.to(self.device)
        x = crops.to(self.device, non_blocking=True)[work.order].float().div_(255)
        self._jitter(x, work)
        if len(work.grayscale):
            grey = self.grey(x[work.grayscale])
            x.index_copy_(0, work.grayscale, grey.expand(-1, 3, -1, -1))
        if len(work.blurred):
            x.index_copy_(0, work.blurred, blur(x[work.blurred], work.kernels))
        if len(work.solarized):
            x.index_copy_(0, work.solarized, solarize(x[work.solarized]))
        x = x.sub_(self.mean).div_(self.std)[work.back]
        return x.contiguous(memory_format=torch.channels_last).chunk(work.views)

    def grey(self, x: Tensor) -> Tensor:
        """Greyscale versions (B, 1, H, W) of images (B, 3, H, W)."""
        return (x * self.luma).sum(dim=1, keepdim=True)

    def _jitter(self, x: Tensor, work: Colouring) -> None:
        *first, hue, jittered = work.ends
        blends = work.blends.unbind()
        for blend, start in zip(blends, first, strict=True):
            self._blend(x[start:jittered], blend[:, start:jittered])
        if hue:
            self.turn_hue(x[:hue], work.turns)
        for blend, end in zip(blends, first, strict=True):
            self._blend(x[:end], blend[:, :end])

    def _blend(self, x: Tensor, weights: Tensor) -> None:
        """In place: w x + (1 - w) other; the other is black, the grey image or its mean."""
        if not len(x):
            return
        image, grey, mean = weights
        other = self.grey(x)
        middle = other.mean(dim=(1, 2, 3), keepdim=True)
        other.mul_(grey).add_(middle.mul_(mean))
        x.mul_(image).add_(other).clamp_(0, 1)

    def turn_hue(self, x: Tensor, turns: Tensor) -> None:
        """In place: turn the hue of (B, 3, H, W) by (B, 1, 1, 1) sixths of a turn, in HSV space.

        HSV keeps value and saturation, so the new channel n in (5, 3, 1) for (r, g, b) is
        v - v s max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6.
        """
        value = x.amax(dim=1, keepdim=True)
        chroma = value - x.amin(dim=1, keepdim=True)
        r, g, b = x.chunk(3, dim=1)
        safe = chroma.masked_fill(chroma == 0, 1)
        sector = torch.where(
            value == r,
            (g - b).div_(safe),
            torch.where(value == g, (b - r).div_(safe).add_(2), (r - g).div_(safe).add_(4)),
        )
        k = (self.channels + sector.add_(turns)).remainder_(6)
        share = torch.minimum(k, 4 - k).clamp_(0, 1)
        torch.sub(value, share.mul_(chroma), out=x)


def blur(x: Tensor, kernels: Tensor) -> Tensor:
    """Blur (B, 3, H, W) with a kernel (B, 1, 1, width) each, in both directions.

    Edge pixels are repeated outwards.
    """
    batch, channels, height, width = x.shape
    radius = kernels.shape[-1] // 2
    kernels = kernels.repeat_interleave(channels, dim=0)
    flat = x.reshape(1, batch * channels, height, width)
    flat = F.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = F.conv2d(flat, kernels, groups=batch * channels)
    flat = F.conv2d(flat, kernels.mT, groups=batch * channels)
    return flat.reshape(batch, channels, height, width)


def solarize(x: Tensor) -> Tensor:
    """Invert what is bright (Pillow's ImageOps.solarize), on the scale 0 to 1."""
    return torch.where(x >= _SOLARIZE_FROM, 1 - x, x)


def normalize(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(x - mean) / std per channel: x (B, 3, H, W) on the scale 0 to 1."""
    return (x - mean[:, None, None]) / std[:, None, None]
