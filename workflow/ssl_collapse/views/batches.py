"""Batches of two augmented views, each a pure function of (seed, epoch, step)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.views.augmentation import ColourParameters, draw_colours
from ssl_collapse.views.crops import cut, draw_crops

_CROPS, _COLOURS = 1, 2  # streams of random numbers; 0 is the data schedule's


class CroppedViews(Dataset[list[Tensor]]):
    """Item `step` of an epoch: both views' crops, each (B, 3, crop, crop) uint8.

    With `part`, only those of the batch: drawn with the whole batch, so the same whoever asks.
    """

    def __init__(
        self,
        images: PackedImages,
        batches: NDArray[np.int64],
        spec: PretrainSpec,
        epoch: int,
        part: slice = slice(None),
    ) -> None:
        self.images, self.batches, self.spec, self.epoch = images, batches, spec, epoch
        self.part = part

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> list[Tensor]:
        rows = self.batches[step]
        shapes = self.images.shape[rows]
        own = range(len(rows))[self.part]
        images = {i: self.images.image(int(rows[i])) for i in own}
        augmentation, size = self.spec.augmentation, self.spec.crop
        rng = np.random.default_rng([self.spec.seed, _CROPS, self.epoch, step])
        views = []
        for _ in range(2):
            crops = draw_crops(shapes, augmentation.min_scale, augmentation.flip_probability, rng)
            view = np.stack([cut(image, crops, i, size) for i, image in images.items()])
            views.append(torch.from_numpy(view.transpose(0, 3, 1, 2).copy()))
        return views


def view_loader(dataset: CroppedViews, first_step: int, workers: int) -> "DataLoader[Any]":
    """Steps `first_step` to the end of the epoch, in order; workers only add speed."""
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=range(first_step, len(dataset)),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else each start would draw from the run's own
    )


def step_colours(
    spec: PretrainSpec, epoch: int, step: int, part: slice = slice(None)
) -> list[ColourParameters]:
    """Colour parameters of both views of one step; of a part of the batch, as they are in it."""
    rng = np.random.default_rng([spec.seed, _COLOURS, epoch, step])
    return [draw_colours(spec.batch_size, spec.augmentation, rng).of(part) for _ in range(2)]
