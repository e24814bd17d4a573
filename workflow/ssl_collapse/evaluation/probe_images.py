"""The linear probe on images: random crops through a frozen encoder, in every epoch anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ssl_collapse.config.evaluation import FullProbeSpec
from ssl_collapse.evaluation.probe import Probe, describe, epoch_batches, write_classifier
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.encoder_file import weights_digest
from ssl_collapse.representations.extraction import represent, something_represented
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.views.augmentation import normalize
from ssl_collapse.views.crops import cut, draw_crops

FORWARD_IMAGES = 256  # images that go through the encoder at a time
_CROPS = 1  # stream of random numbers; 0 is the order's


class RandomCrops(Dataset[tuple[Tensor, Tensor]]):
    """Item `step` of an epoch: crops (B, 3, crop, crop) uint8 and targets (B,)."""

    def __init__(
        self,
        images: PackedImages,
        batches: list[NDArray[np.int64]],
        spec: FullProbeSpec,
        epoch: int,
    ) -> None:
        self.images, self.batches, self.spec, self.epoch = images, batches, spec, epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        rows, spec = self.batches[step], self.spec
        images = [self.images.image(int(i)) for i in rows]
        shapes = np.array([image.shape[:2] for image in images], dtype=np.int32)
        rng = np.random.default_rng([spec.seed, _CROPS, self.epoch, step])
        crops = draw_crops(shapes, spec.min_scale, spec.flip_probability, rng)
        pieces = np.stack([cut(image, crops, i, spec.crop) for i, image in enumerate(images)])
        pixels = torch.from_numpy(pieces.transpose(0, 3, 1, 2).copy())
        return pixels, torch.from_numpy(self.images.targets[rows])


class ImageFeatures:
    """Features of augmented training images and of the centre crops of val."""

    def __init__(
        self,
        encoder: nn.Module,
        dim: int,
        train: PackedImages,
        val: PackedImages,
        spec: FullProbeSpec,
        device: torch.device,
        workers: int = 0,
    ) -> None:
        """`dim` is the encoder's feature width. UserError if the splits are of two datasets."""
        if (train.classes, train.fingerprint) != (val.classes, val.fingerprint):
            raise UserError(
                f"{val.path}: is of another dataset than {train.path} (classes or fingerprint "
                "differ); pack both splits again"
            )
        for split in (train, val):
            if not len(split):
                raise UserError(f"{split.path}: holds no images")
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.dim, self.num_classes = dim, len(train.classes)
        self.n_train, self.n_val = len(train), len(val)
        self.train, self.val, self.spec = train, val, spec
        self.device, self.workers = device, workers
        self._mean, self._std = (torch.tensor(v, device=device) for v in (spec.mean, spec.std))

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See FeatureSource."""
        crops = RandomCrops(
            self.train, epoch_batches(self.spec, self.n_train, epoch), self.spec, epoch
        )
        loader = DataLoader(
            crops,
            batch_size=None,
            sampler=range(first_step, len(crops)),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=2 if self.workers else None,
        )
        for pixels, targets in loader:
            yield self.features(pixels), targets

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """Features (B, dim) float32 of pixels (B, 3, crop, crop) uint8."""
        found = []
        for piece in torch.split(pixels, FORWARD_IMAGES):
            x = piece.to(self.device, non_blocking=True).float() / 255
            found.append(self.encoder(normalize(x, self._mean, self._std)).float())
        return torch.cat(found)

    def validation(self) -> tuple[Tensor, Tensor]:
        """See FeatureSource; taken once, since nothing changes them. Or FailedEncoderError."""
        blocks = represent(
            self.encoder, self.val, self.spec, self.device, FORWARD_IMAGES, self.workers
        )
        features = np.concatenate(list(something_represented(blocks)))
        return torch.from_numpy(features), torch.from_numpy(self.val.targets)


def probe_images(
    source: ImageFeatures, state: SavedState | None = None, classifier: Path | None = None
) -> dict[str, Any]:
    """Train and score a probe; returns what probe.json holds. `classifier`: where it is written.

    Raises RuntimeError if a weight or a buffer of the backbone has moved meanwhile.
    """
    spec = source.spec
    before = weights_digest(source.encoder.state_dict())
    probe = Probe(source, spec, source.device, state)
    probe.resume()
    content = describe(source, spec, probe.run())
    after = weights_digest(source.encoder.state_dict())
    if after != before:
        raise RuntimeError(
            f"the backbone has moved during the probe (sha256 {before} before, {after} after): "
            "the result is not that of a linear probe"
        )
    if classifier:
        write_classifier(classifier, probe.classifier)
    content["protocol"] |= {
        "num_classes_from": "the dataset",
        "features": "pooled features of the frozen backbone in eval mode",
        "train_images": f"RandomResizedCrop({spec.crop}, scale {spec.min_scale} to 1), "
        f"horizontal flip with probability {spec.flip_probability}",
        "val_images": f"Resize({spec.resize}), CenterCrop({spec.crop})",
        "mean": spec.mean,
        "std": spec.std,
        "dataset_fingerprint": source.train.fingerprint,
    }
    content["backbone"] = {
        "sha256_before": before,
        "sha256_after": after,
        "covers": "names, types, shapes and values of all weights and buffers",
    }
    content["notes"] = []
    return content
