"""Representations of a whole split: pooled backbone features in eval mode, float32."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ssl_collapse.config.evaluation import RepresentSpec
from ssl_collapse.images.decoding import resize_shorter_side
from ssl_collapse.representations.rounding import rounding_norm
from ssl_collapse.views.augmentation import normalize

CPU_BATCH = 64


class Images(Protocol):
    """What representations are taken of."""

    def __len__(self) -> int:
        """How many there are."""

    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i, (height, width, 3)."""


class FailedEncoderError(Exception):
    """The encoder tells no image from another; the message says how."""


class CentralCrops(Dataset[Tensor]):
    """Item i: the prepared image i, (3, crop, crop) uint8."""

    def __init__(self, images: Images, spec: RepresentSpec) -> None:
        self.images, self.spec = images, spec

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        image = central_crop(self.images.image(i), self.spec)
        return torch.from_numpy(image.transpose(2, 0, 1).copy())


def central_crop(image: NDArray[np.uint8], spec: RepresentSpec) -> NDArray[np.uint8]:
    """Resize the shorter side and cut the centre: (H, W, 3) -> (crop, crop, 3) uint8."""
    if min(image.shape[:2]) != spec.resize:
        image = resize_shorter_side(image, spec.resize, spec.interpolation)
    height, width = image.shape[:2]
    # torchvision's CenterCrop rounds the corner half to even
    top, left = round((height - spec.crop) / 2), round((width - spec.crop) / 2)
    return image[top : top + spec.crop, left : left + spec.crop]


def represent(
    encoder: nn.Module,
    images: Images,
    spec: RepresentSpec,
    device: torch.device,
    batch_size: int,
    workers: int = 0,
    threads: int = 1,
) -> Iterator[NDArray[np.float32]]:
    """Yield the representations of all images in order, in blocks of shape (b, feature_dim).

    On the CPU the batch is always CPU_BATCH images, the last one padded, because the size of a
    batch changes the last bits of its results there; `threads` such batches run side by side.
    On a GPU the batch is `batch_size`.
    """
    torch.set_num_threads(1)  # of one operation: the order of a sum depends on it
    encoder = encoder.to(device)
    mean, std = (torch.tensor(v, device=device) for v in (spec.mean, spec.std))
    size = CPU_BATCH if device.type == "cpu" else batch_size

    @torch.inference_mode()
    def forward(batch: Tensor) -> NDArray[np.float32]:
        n = len(batch)
        padded = torch.cat([batch, batch.new_zeros(size - n, *batch.shape[1:])])
        x = normalize(padded.to(device, non_blocking=True).float() / 255, mean, std)
        features: NDArray[np.float32] = encoder(x)[:n].float().cpu().numpy()
        return features

    loader = DataLoader(
        CentralCrops(images, spec),
        batch_size=size,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[NDArray[np.float32]]] = deque()
        for batch in loader:
            pending.append(pool.submit(forward, batch))
            if len(pending) > threads:  # bounded: batches wait neither decoded nor computed
                yield pending.popleft().result()
        for future in pending:
            yield future.result()


def something_represented(
    blocks: Iterable[NDArray[np.float32]],
) -> Iterator[NDArray[np.float32]]:
    """Pass on blocks (b, D) of the representations of a split; FailedEncoderError if they are void.

    That is at the first NaN or infinity, or after the last block if all rows are equal: if no
    dimension has a spread that rounding to float32 could not make. Every spectrum that collapse
    would take for rounding alone is among these.
    """
    n, first = 0, np.zeros(0)
    total = squares = np.zeros(0)
    for block in blocks:
        rows = block.astype(np.float64)
        if not np.isfinite(rows).all():
            raise FailedEncoderError("the representations hold NaN or infinity")
        if n == 0:
            first = rows[0].copy()  # moved by one row, equal rows are zeros without rounding
            total, squares = np.zeros_like(first), np.zeros_like(first)
        n += len(rows)
        rows -= first
        total += rows.sum(axis=0)
        squares += np.einsum("ij,ij->j", rows, rows)
        yield block
    if n < 2:
        return
    scatter = np.clip(squares - total**2 / n, 0.0, None)
    floor = rounding_norm(scatter, first + total / n, n, "float32")
    if np.sqrt(scatter.max()) <= floor:
        raise FailedEncoderError("all representations are equal: total collapse")
