"""Representations of several augmented views of each of some images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ssl_collapse.config.evaluation import ViewMeasuresSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.views.augmentation import Augmenter
from ssl_collapse.views.colours import draw_colours, prepare
from ssl_collapse.views.crops import cut, draw_crops

_IMAGES, _CROPS, _COLOURS = 0, 1, 2  # streams of random numbers


class ViewsOfImages(Dataset[Any]):
    """Item i: crops (V, 3, crop, crop) uint8 of the i-th image drawn, and their colours.

    Each is a function of the seed and the image's number alone.
    """

    def __init__(self, images: PackedImages, spec: ViewMeasuresSpec) -> None:
        self.images, self.spec = images, spec
        n = min(spec.images, len(images))
        rng = np.random.default_rng([spec.seed, _IMAGES])
        self.rows = np.sort(rng.choice(len(images), n, replace=False))
        kinds = spec.augmentation.of_views
        self.views = [kinds[i % len(kinds)] for i in range(spec.views)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Any:
        row = int(self.rows[i])
        image, shape = self.images.image(row), self.images.shape[[row]]
        rng = np.random.default_rng([self.spec.seed, _CROPS, row])
        pieces = [
            cut(image, draw_crops(shape, v.min_scale, v.flip_probability, rng), 0, self.spec.crop)
            for v in self.views
        ]
        colours = np.random.default_rng([self.spec.seed, _COLOURS, row])
        crops = torch.from_numpy(np.stack(pieces).transpose(0, 3, 1, 2).copy())
        return crops, prepare(draw_colours(1, self.views, colours))


def represent_views(
    network: nn.Module,
    images: PackedImages,
    spec: ViewMeasuresSpec,
    device: torch.device,
    workers: int = 0,
) -> NDArray[np.float32]:
    """Representations (images, views, D) of the views of images drawn at random, in eval mode."""
    torch.set_num_threads(1)  # of one operation: the order of a sum depends on it
    network = network.to(device)
    augment = Augmenter(spec.mean, spec.std, device)
    loader: DataLoader[Any] = DataLoader(
        ViewsOfImages(images, spec), batch_size=None, num_workers=workers
    )
    with torch.inference_mode():
        blocks = [network(torch.cat(augment(item))).float().cpu().numpy() for item in loader]
    return np.stack(blocks)
