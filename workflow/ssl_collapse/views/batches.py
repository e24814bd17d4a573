"""Batches of augmented views, each a pure function of (seed, epoch, step)."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.views.augmentation import Augmenter
from ssl_collapse.views.colours import Colouring, draw_colours, prepare
from ssl_collapse.views.crops import cut, draw_crops

_CROPS, _COLOURS = 1, 2  # streams of random numbers; 0 is the data schedule's


class CroppedViews(Dataset[Any]):
    """Item `step` of an epoch: crops (V B, 3, crop, crop) uint8 of V views, and their colours.

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

    def __getitem__(self, step: int) -> tuple[Tensor, Colouring]:
        colours = draw_colours(
            self.spec.batch_size, self.spec.augmentation.of_views, self._rng(_COLOURS, step)
        )
        return self._crops(step), prepare([view.select(self.part) for view in colours])

    def _crops(self, step: int) -> Tensor:
        rows = self.batches[step]
        shapes = self.images.shape[rows]
        positions = range(len(rows))[self.part]
        images = {i: self.images.image(int(rows[i])) for i in positions}
        rng, size = self._rng(_CROPS, step), self.spec.crop
        views = self.spec.augmentation.of_views
        pieces = np.empty((len(views), len(positions), 3, size, size), np.uint8)
        for view, out in zip(views, pieces, strict=True):
            crops = draw_crops(shapes, view.min_scale, view.flip_probability, rng)
            for piece, (i, image) in zip(out, images.items(), strict=True):
                piece[:] = cut(image, crops, i, size).transpose(2, 0, 1)
        return torch.from_numpy(pieces).flatten(end_dim=1)

    def _rng(self, stream: int, step: int) -> np.random.Generator:
        return np.random.default_rng([self.spec.seed, stream, self.epoch, step])


def load_views(
    dataset: CroppedViews, first_step: int, workers: int, augmenter: Augmenter
) -> Iterator[tuple[Tensor, ...]]:
    """Views (B, 3, crop, crop) of the steps from `first_step` on; workers only add speed.

    A GPU augments where it trains; on the CPU, the workers do it.
    """
    on_cpu = augmenter.device.type == "cpu"
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(first_step, len(dataset)),
        num_workers=workers,
        collate_fn=cast(Callable[[Any], Any], augmenter) if on_cpu else None,
        pin_memory=not on_cpu,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else each start would draw from the run's own
    )
    return iter(loader) if on_cpu else map(augmenter, loader)
