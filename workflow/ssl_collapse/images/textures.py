"""Ten classes of procedural textures: the default data, drawn from a seed instead of downloaded.

Classes differ in structure. Rotation, scale, phase, contrast, shading, noise and a faint tint are
drawn anew for every image and say nothing about its class; the images are almost grey, because
with strong random colours an encoder learns the colour and ignores the structure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_folder

FloatArray = npt.NDArray[np.float64]
SPLITS = ("train", "val")

# Periods of the pattern across the image's side.
_CYCLES = (2.2, 4.2)


@dataclass(frozen=True)
class _Plane:
    """Pattern coordinates of every pixel, in periods, after random rotation, scale and shift."""

    u: FloatArray
    v: FloatArray
    pixels_per_period: float
    rng: np.random.Generator

    def edge(self, signed_distance: FloatArray) -> FloatArray:
        """-1 to 1 over about one pixel where `signed_distance` (in periods) changes sign."""
        return np.clip(2.0 * self.pixels_per_period * signed_distance, -1.0, 1.0)


def _to_cell_centre(x: FloatArray) -> FloatArray:
    """Signed distance to the middle of the unit cell, in [-0.5, 0.5)."""
    return x - np.floor(x) - 0.5


def _triangle(x: FloatArray) -> FloatArray:
    """Triangle wave of period 1 between -1 and 1."""
    return 4.0 * np.abs(_to_cell_centre(x)) - 1.0


def _stripes(plane: _Plane) -> FloatArray:
    return plane.edge(0.25 * _triangle(plane.v))


def _checker(plane: _Plane) -> FloatArray:
    across, along = 0.25 * _triangle(plane.u), 0.25 * _triangle(plane.v)
    nearest_edge = np.minimum(np.abs(across), np.abs(along))
    return plane.edge(np.sign(across * along) * nearest_edge)


def _dots(plane: _Plane) -> FloatArray:
    radius = plane.rng.uniform(0.24, 0.34)
    return plane.edge(radius - np.hypot(_to_cell_centre(plane.u), _to_cell_centre(plane.v)))


def _grid(plane: _Plane) -> FloatArray:
    half_width = plane.rng.uniform(0.09, 0.15)
    to_line = np.minimum(np.abs(_to_cell_centre(plane.u)), np.abs(_to_cell_centre(plane.v)))
    return plane.edge(half_width - to_line)


def _zigzag(plane: _Plane) -> FloatArray:
    swing = plane.rng.uniform(0.35, 0.5)
    return plane.edge(0.2 * _triangle(plane.v + swing * _triangle(0.6 * plane.u)))


def _rings(plane: _Plane) -> FloatArray:
    # The centre lies inside the image, so that some curvature is always seen.
    row, column = (int(plane.rng.uniform(0.25, 0.75) * n) for n in plane.u.shape)
    radius = np.hypot(plane.u - plane.u[row, column], plane.v - plane.v[row, column])
    return plane.edge(0.25 * _triangle(radius))


def _bricks(plane: _Plane) -> FloatArray:
    half_joint = plane.rng.uniform(0.07, 0.11)
    course = 1.5 * plane.v
    along = 0.75 * plane.u + 0.5 * (np.floor(course) % 2)
    to_bed = (0.5 - np.abs(_to_cell_centre(course))) / 1.5
    to_head = (0.5 - np.abs(_to_cell_centre(along))) / 0.75
    return plane.edge(np.minimum(to_bed, to_head) - half_joint)


def _blobs(plane: _Plane) -> FloatArray:
    # A random field of one wavelength and all directions, cut at its mean.
    angles = plane.rng.uniform(0, 2 * np.pi, 10)
    phases = plane.rng.uniform(0, 2 * np.pi, 10)
    cos, sin, phases = (a[:, None, None] for a in (np.cos(angles), np.sin(angles), phases))
    waves = 2 * np.pi * 0.8 * (cos * plane.u + sin * plane.v)
    field = np.cos(waves + phases).sum(axis=0) / np.sqrt(5.0)
    return plane.edge(0.2 * field)


def _waves(plane: _Plane) -> FloatArray:
    # Smooth crests, bent slowly; stripes and zigzag have hard edges and are straight or kinked.
    bend = plane.rng.uniform(0.5, 0.8) * np.sin(2 * np.pi * 0.35 * plane.u)
    return np.sin(2 * np.pi * (plane.v + bend))


def _diamonds(plane: _Plane) -> FloatArray:
    # Nested outlines in cells twice as long as wide: a filled lattice would be a turned checker.
    long, short = np.abs(_to_cell_centre(0.5 * plane.u)), np.abs(_to_cell_centre(plane.v))
    return plane.edge(0.15 * _triangle(1.5 * (long + short)))


_PATTERNS: dict[str, Callable[[_Plane], FloatArray]] = {
    "stripes": _stripes,
    "checker": _checker,
    "dots": _dots,
    "grid": _grid,
    "zigzag": _zigzag,
    "rings": _rings,
    "bricks": _bricks,
    "blobs": _blobs,
    "waves": _waves,
    "diamonds": _diamonds,
}
CLASSES = tuple(_PATTERNS)


def texture(name: str, size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw one image of class `name`: uint8 (size, size, 3).

    Raises KeyError for a class that is not in `CLASSES`.
    """
    pattern = _PATTERNS[name](_random_plane(size, rng))
    contrast = rng.uniform(0.2, 0.35) * rng.choice((-1.0, 1.0))
    y, x = _pixel_grid(size)
    slope, direction = rng.uniform(0.0, 0.3), rng.uniform(0, 2 * np.pi)
    shading = slope * (np.cos(direction) * x + np.sin(direction) * y)
    noise = rng.uniform(0.01, 0.05) * rng.standard_normal((size, size))
    grey = rng.uniform(0.42, 0.58) + contrast * pattern + shading + noise
    tint = 1.0 + rng.uniform(-0.06, 0.06, 3)
    rgb = np.clip(grey[:, :, None] * tint, 0.0, 1.0)
    image: npt.NDArray[np.uint8] = np.rint(255.0 * rgb).astype(np.uint8)
    return image


def write_textures(folder: Path, source: TexturesSource) -> None:
    """Write `folder/{train,val}/{class}/{i:06d}.png`, whole or not at all.

    Counts are balanced over the classes, the first classes getting the remainder. An image depends
    on the seed, its split, its class and its number alone, so a larger set contains the smaller.

    Raises UserError if `folder` holds something else.
    """
    _refuse_foreign(folder)
    # A file lost in a power cut is found by the dataset stage, which decodes every one.
    with atomic_folder(folder) as temporary:
        for split, images in zip(SPLITS, (source.train_images, source.val_images), strict=True):
            for name, count in _balanced(images).items():
                _write_class(temporary / split, split, name, count, source)


def _random_plane(size: int, rng: np.random.Generator) -> _Plane:
    y, x = _pixel_grid(size)
    angle, cycles = rng.uniform(0, 2 * np.pi), rng.uniform(*_CYCLES)
    # Seen slightly askew: one axis is up to 15 % longer.
    stretch = rng.uniform(1.0, 1.15)
    u = cycles * (np.cos(angle) * x - np.sin(angle) * y) + rng.uniform(0, 1000)
    v = cycles * (np.sin(angle) * x + np.cos(angle) * y) * stretch + rng.uniform(0, 1000)
    return _Plane(u, v, size / cycles, rng)


def _pixel_grid(size: int) -> tuple[FloatArray, FloatArray]:
    """(y, x) of the pixel centres, from -0.5 to 0.5, as broadcastable column and row."""
    centres = (np.arange(size) + 0.5) / size - 0.5
    return centres[:, None], centres[None, :]


def _balanced(images: int) -> dict[str, int]:
    share, rest = divmod(images, len(CLASSES))
    counts = {name: share + (k < rest) for k, name in enumerate(CLASSES)}
    return {name: count for name, count in counts.items() if count}


def _write_class(folder: Path, split: str, name: str, count: int, source: TexturesSource) -> None:
    class_folder = folder / name
    class_folder.mkdir(parents=True)
    for i in range(count):
        key = [source.seed, SPLITS.index(split), CLASSES.index(name), i]
        pixels = texture(name, source.image_size, np.random.default_rng(key))
        Image.fromarray(pixels).save(class_folder / f"{i:06d}.png", compress_level=1)


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    names = [f.name for f in folder.iterdir()]
    foreign = [name for name in names if name not in SPLITS and not name.startswith(".")]
    if foreign:
        raise UserError(
            f"{folder}: holds {sorted(foreign)[0]!r}, which is no part of the textures; "
            "choose another folder or remove it"
        )
