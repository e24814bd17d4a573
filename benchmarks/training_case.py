"""One case of benchmarks/training.py in a process of its own; prints its two rates as JSON.

All cases train the same network, or load for it, with one thread per operation. Counted are images
(of two views each, but in extraction) in `--steps` steps after `--warm` others: per second, and per
second of this process's CPU time, without the loader's workers.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

Tick = Callable[[], None]  # what a case calls before each of its steps
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EnoughError(Exception):
    """All steps are timed."""


class Clock:
    """Times the steps after the first `warm`, and ends a case with EnoughError."""

    def __init__(self, warm: int, steps: int) -> None:
        self.warm, self.last = warm, warm + steps
        self.done = 0
        self.start = self.spent = (0.0, 0.0)

    def tick(self) -> None:
        """A step begins."""
        if self.done in (self.warm, self.last) and torch.cuda.is_available():
            torch.cuda.synchronize()
        if self.done == self.warm:
            self.start = time.perf_counter(), time.process_time()
        if self.done == self.last:
            wall, cpu = self.start
            self.spent = time.perf_counter() - wall, time.process_time() - cpu
            raise EnoughError
        self.done += 1


def spec(args: argparse.Namespace) -> Any:
    """SimSiam with its defaults, on the network and crops that are asked for."""
    from ssl_collapse.config.pretrain import PretrainSpec

    return PretrainSpec.model_validate(
        {
            "backbone": {"arch": args.arch, "small_image_stem": args.px <= 64},
            "batch_size": args.batch,
            "epochs": 1,
            "steps_per_epoch": args.warm + args.steps + 1,
            "share": 100,
            "precision": args.precision,
            "seed": 0,
            "crop": args.px,
            "mean": list(MEAN),
            "std": list(STD),
        }
    )


def dataset(args: argparse.Namespace) -> Any:
    """Our crops of the packed images."""
    import numpy as np

    from ssl_collapse.images.packed import PackedImages
    from ssl_collapse.views.batches import CroppedViews
    from ssl_collapse.views.schedule import epoch_batches

    images, recipe = PackedImages(args.folder / "train.h5"), spec(args)
    return CroppedViews(images, epoch_batches(recipe, np.arange(len(images)), 0, 0), recipe, 0)


def batches(args: argparse.Namespace) -> Iterator[tuple[Tensor, ...]]:
    """Our views."""
    from ssl_collapse.views.augmentation import Augmenter
    from ssl_collapse.views.batches import load_views

    augmenter = Augmenter(MEAN, STD, torch.device(args.device))
    return load_views(dataset(args), 0, args.workers, augmenter)


def trainer(args: argparse.Namespace) -> Any:
    """Our training."""
    import numpy as np

    from ssl_collapse.images.packed import PackedImages
    from ssl_collapse.runtime.saved_state import SavedState
    from ssl_collapse.training.loop import Runtime, Trainer

    images = PackedImages(args.folder / "train.h5")
    state = SavedState(args.folder / args.state)
    state.checkpoints.mkdir(parents=True, exist_ok=True)
    runtime = Runtime(torch.device(args.device), args.workers)
    return Trainer(spec(args), images, np.arange(len(images)), runtime, state)


def ours(args: argparse.Namespace, tick: Tick) -> None:
    """The training loop as it is."""
    training = trainer(args)
    step = training.step
    training.step = lambda views: (tick(), step(views))
    training.run()


def ceiling(args: argparse.Namespace, tick: Tick) -> None:
    """The same step on a batch in memory."""
    training, views = trainer(args), next(batches(args))
    while True:
        tick()
        training.step(views)


def textbook(args: argparse.Namespace, tick: Tick) -> None:
    """The same step, fed by ImageFolder, PIL transforms and DataLoader."""
    training, device = trainer(args), torch.device(args.device)
    last = torch.channels_last
    for views, _ in textbook_loader(args):
        tick()
        moved = (view.to(device, non_blocking=True) for view in views)
        training.step(tuple(view.contiguous(memory_format=last) for view in moved))


def lightly(args: argparse.Namespace, tick: Tick) -> None:
    """SimSiam as lightly's documentation writes it, on the same backbone."""
    import torchvision
    from lightly.data import LightlyDataset
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
    from lightly.transforms import SimSiamTransform

    backbone = getattr(torchvision.models, args.arch)(zero_init_residual=True)
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    if args.px <= 64:
        backbone.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        backbone.maxpool = nn.Identity()
    projection = SimSiamProjectionHead(width, width, 2048)
    prediction = SimSiamPredictionHead(2048, 512, 2048)
    model = nn.ModuleList([backbone, projection, prediction]).to(args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    criterion = NegativeCosineSimilarity()
    transform = SimSiamTransform(input_size=args.px)
    images = LightlyDataset(str(args.folder / "images/train"), transform=transform)
    for batch in endless(images, args):
        tick()
        views = [view.to(args.device, non_blocking=True) for view in batch[0]]
        z1, z2 = (projection(backbone(view).flatten(start_dim=1)) for view in views)
        p1, p2 = prediction(z1), prediction(z2)
        loss = 0.5 * (criterion(z1.detach(), p2) + criterion(z2.detach(), p1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def endless(images: Any, args: argparse.Namespace) -> Iterable[Any]:
    """Batches of a DataLoader, epoch after epoch."""
    loader: DataLoader[Any] = DataLoader(
        images,
        batch_size=args.batch,
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
        pin_memory=args.device == "cuda",
        persistent_workers=args.workers > 0,
    )
    return chain.from_iterable(loader for _ in count())


def textbook_loader(args: argparse.Namespace) -> Iterable[Any]:
    """Two views of every image, as most implementations of SimSiam make them."""
    from torchvision.datasets import ImageFolder

    return endless(ImageFolder(str(args.folder / "images/train"), two_views(args.px)), args)


def two_views(px: int) -> Callable[[Any], list[Tensor]]:
    """The transform of SimSiam's reference, on PIL images."""
    from PIL import ImageFilter
    from torchvision import transforms as T

    def blur(image: Any) -> Any:
        return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))

    one = T.Compose(
        [
            T.RandomResizedCrop(px, scale=(0.2, 1.0)),
            T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            T.RandomGrayscale(p=0.2),
            T.RandomApply([blur], p=0.5),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize(MEAN, STD),
        ]
    )
    return lambda image: [one(image), one(image)]


def our_views(args: argparse.Namespace, tick: Tick) -> None:
    """Loading and the whole augmentation."""
    for _ in batches(args):
        tick()


def our_crops(args: argparse.Namespace, tick: Tick) -> None:
    """What stays on the CPU where a GPU augments: decoding, crops, the numbers of the colours."""
    crops = dataset(args)
    for step in range(len(crops)):
        tick()
        crops[step]


def augmentation(args: argparse.Namespace, tick: Tick) -> None:
    """Our augmentation alone, of a batch in memory."""
    from ssl_collapse.views.augmentation import Augmenter

    augmenter, batch = Augmenter(MEAN, STD, torch.device(args.device)), dataset(args)[0]
    while True:
        tick()
        augmenter(batch)


def textbook_views(args: argparse.Namespace, tick: Tick) -> None:
    """Loading from files, and PIL transforms."""
    for _ in textbook_loader(args):
        tick()


class Memory(Dataset[Any]):
    """Two views of decoded images."""

    def __init__(self, args: argparse.Namespace) -> None:
        from torchvision.datasets import ImageFolder

        folder = ImageFolder(str(args.folder / "images/train"))
        self.images, self.transform = [image for image, _ in folder], two_views(args.px)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> list[Tensor]:
        return self.transform(self.images[i])


def textbook_memory(args: argparse.Namespace, tick: Tick) -> None:
    """PIL transforms of decoded images."""
    for _ in endless(Memory(args), args):
        tick()


def extraction(args: argparse.Namespace, tick: Tick) -> None:
    """Representations of the packed images, in batches of `--batch`: 64 on the CPU."""
    from ssl_collapse.config.evaluation import RepresentSpec
    from ssl_collapse.images.packed import PackedImages
    from ssl_collapse.representations.extraction import represent

    images = PackedImages(args.folder / "train.h5")
    prepared = {"resize": int(images.shape.min()), "crop": args.px, "mean": MEAN, "std": STD}
    recipe = RepresentSpec.model_validate_json(json.dumps(prepared))
    device = torch.device(args.device)
    for _ in represent(encoder(args), images, recipe, device, args.batch, args.workers):
        tick()


def forward(args: argparse.Namespace, tick: Tick) -> None:
    """The encoder alone, on a batch in memory."""
    torch.set_num_threads(1)
    batch = torch.rand(args.batch, 3, args.px, args.px, device=args.device)
    network = encoder(args).to(args.device)
    with torch.inference_mode():
        while True:
            tick()
            network(batch)


def encoder(args: argparse.Namespace) -> Any:
    """The backbone, as an encoder file gives it."""
    from ssl_collapse.models.build import build_backbone

    return build_backbone(spec(args).backbone)[0].eval()


CASES = {
    case.__name__.replace("_", "-"): case
    for case in (
        *(ours, ceiling, textbook, lightly, our_views, our_crops, augmentation),
        *(textbook_views, textbook_memory, extraction, forward),
    )
}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", choices=CASES)
    p.add_argument("--folder", type=Path, required=True, help="images/train/ and train.h5")
    p.add_argument("--arch", default="resnet18")
    p.add_argument("--px", type=int, default=32, help="crops; to 64, with the small stem")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--warm", type=int, default=2)
    p.add_argument("--workers", type=int, default=0)
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", default="float32")
    p.add_argument("--state", default="state", help="folder of the training, in --folder")
    return p


def main() -> None:
    """Run a case until its steps are timed."""
    args = parser().parse_args()
    torch.set_num_threads(1)
    clock = Clock(args.warm, args.steps)
    with suppress(EnoughError):
        CASES[args.case](args, clock.tick)
    print(json.dumps([args.steps * args.batch / seconds for seconds in clock.spent]))


if __name__ == "__main__":
    main()
