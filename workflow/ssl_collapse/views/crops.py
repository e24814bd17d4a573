"""Random resized crops: where they lie, and the cut itself."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

_TRIES = 10
LARGE = 96  # px of the shorter side; images beyond it are cut by torch, four times as fast
_LOG_RATIO = (math.log(3 / 4), math.log(4 / 3))


@dataclass(frozen=True)
class Crops:
    """Crop boxes of a batch in pixels, each of shape (B,), and which are mirrored."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    flip: NDArray[np.bool_]


def draw_crops(
    shapes: NDArray[np.int32], min_scale: float, flip_probability: float, rng: np.random.Generator
) -> Crops:
    """Draw RandomResizedCrop boxes (Szegedy et al. 2015, as in torchvision), for a whole batch.

    Area U(min_scale, 1) of the image, aspect ratio log-uniform in [3/4, 4/3]; the first of ten
    tries that fits, else the largest central crop of an allowed ratio.

    Args:
        shapes: (B, 2) heights and widths of the images.
    """
    size = (len(shapes), _TRIES)
    rows, columns = shapes[:, :1].astype(np.float64), shapes[:, 1:].astype(np.float64)
    area = rows * columns * rng.uniform(min_scale, 1.0, size)
    ratio = np.exp(rng.uniform(*_LOG_RATIO, size))
    width = np.rint(np.sqrt(area * ratio)).astype(np.int64)
    height = np.rint(np.sqrt(area / ratio)).astype(np.int64)
    corner = rng.random((2, *size))
    flip = rng.random(len(shapes)) < flip_probability

    fits = (width >= 1) & (width <= columns) & (height >= 1) & (height <= rows)
    first = np.argmax(fits, axis=1)[:, None]
    height, width = (np.take_along_axis(a, first, 1)[:, 0] for a in (height, width))
    down, right = (np.take_along_axis(a, first, 1)[:, 0] for a in corner)
    central_height, central_width = _central(shapes)
    found = fits.any(axis=1)
    height = np.where(found, height, central_height)
    width = np.where(found, width, central_width)
    free_rows, free_columns = shapes[:, 0] - height, shapes[:, 1] - width
    top = np.where(found, (down * (free_rows + 1)).astype(np.int64), free_rows // 2)
    left = np.where(found, (right * (free_columns + 1)).astype(np.int64), free_columns // 2)
    return Crops(top, left, height, width, flip)


def _central(shapes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = shapes[:, 0].astype(np.int64), shapes[:, 1].astype(np.int64)
    height = np.where(columns < rows * 3 / 4, np.rint(columns / (3 / 4)).astype(np.int64), rows)
    width = np.where(columns > rows * 4 / 3, np.rint(rows * 4 / 3).astype(np.int64), columns)
    return np.minimum(height, rows), np.minimum(width, columns)


def cut(image: NDArray[np.uint8], crops: Crops, i: int, size: int) -> NDArray[np.uint8]:
    """Crop i of `crops` out of an (H, W, 3) image, bilinear antialiased to (size, size, 3).

    By Pillow, or for images of more than 96 px by torch, which differs from it by 1 of 255 at most.
    """
    top, left = int(crops.top[i]), int(crops.left[i])
    piece = image[top : top + int(crops.height[i]), left : left + int(crops.width[i])]
    if min(image.shape[:2]) > LARGE:
        pixels = torch.from_numpy(piece.copy()).permute(2, 0, 1)[None]  # torch wants it writable
        scaled = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
        resized: NDArray[np.uint8] = scaled[0].permute(1, 2, 0).numpy()
    else:
        resized = np.asarray(Image.fromarray(piece).resize((size, size), Image.Resampling.BILINEAR))
    return resized[:, ::-1] if crops.flip[i] else resized
