"""What an experiment will take on this machine: jobs, hours, disk, memory.

Trains and extracts for some seconds with the network of every recipe, on noise, and counts from
there, so the images need not be here. Hours are those of one GPU or, without one, of one core.
Without a config: ImageNet with ResNet-18 and ResNet-50, SimSiam, 100 epochs.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of one core, as the stages; before numpy is imported

import argparse
import io
import json
import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.class_folders import Item, as_png, write_class_folders
from ssl_collapse.images.decoding import decode, resize_shorter_side
from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.images.packing import pack_split
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import save_encoder
from ssl_collapse.plan.estimate import Network, Rates, counts, estimate, table, trainings_table
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.loop import Runtime, Trainer
from ssl_collapse.views.batches import CroppedViews, load_views
from ssl_collapse.views.schedule import epoch_batches

ENOUGH = 14.0  # seconds of counted steps, over all networks; one step at least is counted
FEW = 4  # images of a step on the CPU, where time grows as their number
STEPS = 50  # at most
CPU = torch.device("cpu")
IMAGENET = {
    "title": "ImageNet",
    "datasets": {
        "imagenet": {
            "source": {"kind": "imagefolder", "train": "/train", "val": "/val"},
            "pack": "original",
            "resize": 256,
            "crop": 224,
        }
    },
    "defaults": {"dataset": "imagenet", "epochs": 100, "checkpoint_every": 10},
    "runs": {arch: {"backbone": {"arch": arch}} for arch in ("resnet18", "resnet50")},
    "evaluation": {"probe": {"mode": "full"}},
}
EPILOG = """\
examples:
  %(prog)s                                            ImageNet, ResNet-18 and ResNet-50
  %(prog)s configs/imagenet.yaml                      counts of images are known for ImageNet
  %(prog)s mine.yaml --images mine=50000:5000         training and validation images of `mine`
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("config", type=Path, nargs="?", help="the config file")
    p.add_argument(
        "--images", nargs="*", default=[], metavar="NAME=TRAIN:VAL", help="images of a dataset"
    )
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    return p


def main(args: argparse.Namespace) -> None:
    """Measure, count, and print the tables."""
    plan = Plan(load_experiment(*_config(args.config)))
    if given := sorted({point.run for point in plan.points} - plan.experiment.runs.keys()):
        raise UserError(
            f"{', '.join(given)}: only trainings are measured here; for those beside, estimate a "
            "copy of the config without these runs"
        )
    logging.getLogger("ssl_collapse").setLevel(logging.ERROR)  # of the trainings on noise
    images = {}
    for name, pair in counts(plan, _given(args.images)).items():
        if pair is None:
            raise UserError(f"dataset {name}: how many images? --images {name}=TRAIN:VAL")
        images[name] = pair
    device = choose_device(args.device)
    networks = calibrated(plan, device)
    rates = Rates(decoding_rate(), product_rate(np.float32), product_rate(np.float64))
    print(trainings_table(plan, images, networks) + "\n")
    print(table(estimate(plan, images, networks, rates)))
    where = "one GPU" if device.type == "cuda" else "one core"
    print(f"\nhours of {where}; measured here on noise, within about a third of the truth")


def _config(path: Path | None) -> tuple[dict[str, Any], list[Path]]:
    if path is None:
        return IMAGENET, []
    try:
        return yaml.safe_load(path.read_text("utf-8")), [path]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def calibrated(plan: Plan, device: torch.device) -> dict[str, Network]:
    """What the network of each run takes; what costs the same is measured once."""
    specs = {}
    for name in plan.experiment.runs:
        recipe = plan.pretrain(name, 0) | {"start_epoch": 0}
        specs[name] = PretrainSpec.from_spec(json.dumps(recipe))
    different = {_cost(spec): spec for spec in specs.values()}
    enough = ENOUGH / len(different)
    backbones = {_backbone(spec): spec for spec in different.values()}
    forward = {key: forward_rate(spec, device, enough) for key, spec in backbones.items()}
    networks = {
        cost: measure(spec, device, enough, *forward[_backbone(spec)])
        for cost, spec in different.items()
    }
    return {name: networks[_cost(spec)] for name, spec in specs.items()}


def _backbone(spec: PretrainSpec) -> str:
    return spec.model_dump_json(include={"backbone", "crop"})


def _cost(spec: PretrainSpec) -> str:
    """What decides how long a step takes."""
    keys = {"backbone", "method", "batch_size", "optimizer", "crop", "augmentation", "precision"}
    return spec.model_dump_json(include=keys)


def _given(words: list[str]) -> dict[str, tuple[int, int]]:
    given = {}
    for word in words:
        name, _, pair = word.partition("=")
        train, _, val = pair.partition(":")
        if not (name and train.isdigit() and val.isdigit()):
            raise UserError(f"--images {word}: write NAME=TRAIN:VAL, for example mine=50000:5000")
        given[name] = (int(train), int(val))
    return given


def measure(
    spec: PretrainSpec, device: torch.device, enough: float, rate: float, dim: int
) -> Network:
    """What a training step of a recipe takes; rate, dim: as `forward_rate` of its backbone."""
    full = spec.batch_size
    many = full if device.type == "cuda" else min(FEW, full)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images = noise(folder, spec.crop, many)
        teacher = _teacher(folder, spec) if spec.method.name == "distillation" else None
        step = partial(_step, spec, images, device, enough, folder, teacher)
        if many < full:  # a part grows with the batch, and one, the optimiser's, does not
            *few, _ = step(2, warm=1)
            *more, parameters = step(many, warm=0)
            seconds, memory = (
                b + max(b - a, 0) / (many - 2) * (full - many)
                for a, b in zip(few, more, strict=True)
            )
        else:
            seconds, memory, parameters = step(full, warm=1)
    return Network(seconds, rate, parameters, dim, memory)


def _step(
    spec: PretrainSpec, images: PackedImages, device: torch.device, enough: float, folder: Path,
    teacher: Path | None, batch: int, warm: int,
) -> tuple[float, float, int]:  # fmt: skip
    """Seconds and bytes of a step with that batch, and the parameters of the model."""
    keys = {"epochs": 1, "steps_per_epoch": STEPS, "schedule": "last", "share": 100.0}
    keys |= {"warmup_epochs": 0, "chunk_size": None, "n_rounds": 1, "n_warmup_steps": 0}
    recipe = spec.model_copy(update=keys | {"batch_size": batch})
    order, state = np.arange(len(images)), SavedState(folder / str(batch))
    trainer = Trainer(recipe, images, order, Runtime(device), state, teacher=teacher)
    views = CroppedViews(images, epoch_batches(recipe, order, 0, spec.seed), recipe, 0)
    kept: dict[int, int] = {}  # bytes that wait for the backward pass, by where they lie

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ends = [_now(device)]
    for batch_of_views in load_views(views, 0, 0, trainer.augmenter):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            trainer.step(batch_of_views)
        ends.append(_now(device))
        if len(ends) > warm + 1 and ends[-1] - ends[0] > enough:
            break
    parameters = sum(p.numel() for p in trainer.model.parameters())
    memory = sum(kept.values()) if device.type == "cpu" else torch.cuda.max_memory_allocated()
    return median(np.diff(ends)[warm:]), memory, parameters


def _now(device: torch.device) -> float:
    """Seconds: of a core, which a busy machine does not stretch, or with a GPU of the clock."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def _teacher(folder: Path, spec: PretrainSpec) -> Path:
    """An encoder as large as the student's."""
    backbone, dim = build_backbone(spec.backbone)
    keys = {"arch": spec.backbone.arch, "backbone": json.dumps(spec.backbone.to_spec())}
    path = folder / "teacher.safetensors"
    save_encoder(path, backbone.state_dict(), keys | {"epoch": "0", "feature_dim": str(dim)})
    return path


def noise(folder: Path, side: int, count: int) -> PackedImages:
    """Packed noise of that side."""
    rng = np.random.default_rng(0)
    item = [Item("a", as_png(rng.integers(0, 256, (side, side, 3), np.uint8)), ".png")]
    write_class_folders(folder / "images", {"train": item * count, "val": item})
    listing = list_dataset({split: folder / "images" / split for split in ("train", "val")})
    description = describe_dataset(
        "noise", {"kind": "imagefolder"}, listing, inspect_images(listing)
    )
    spec = PackSpec(shorter_side=side)
    pack_split("train", listing.splits["train"], description, spec, folder / "train.h5")
    return PackedImages(folder / "train.h5")


@torch.inference_mode()
def forward_rate(spec: PretrainSpec, device: torch.device, enough: float) -> tuple[float, int]:
    """Images per second that a backbone represents, and the dimensions of a representation."""
    backbone, dim = build_backbone(spec.backbone)
    backbone = backbone.to(device).to(memory_format=torch.channels_last).eval()
    size = 32 if device.type == "cuda" else FEW
    batch = torch.randn(size, 3, spec.crop, spec.crop, device=device)
    return size * per_second(lambda: backbone(batch), device, enough), dim


def per_second(work: Callable[[], object], device: torch.device, enough: float = 1.0) -> float:
    """How often a second something is done, after a first time."""
    work()
    count, started = 0, _now(device)
    while not count or _now(device) - started < enough:
        work()
        count += 1
    return count / (_now(device) - started)


def product_rate(dtype: type) -> float:
    """Operations per second of a matrix product on one core."""
    side = 1024
    matrix: NDArray[Any] = np.random.default_rng(0).random((side, side)).astype(dtype)
    return 2 * side**3 * per_second(lambda: matrix @ matrix, CPU)


def decoding_rate() -> float:
    """Photographs of 500 x 375 pixels that one process decodes and resizes per second."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    photo = io.BytesIO()
    small.resize((500, 375), Image.Resampling.BICUBIC).save(photo, "JPEG", quality=90)
    return per_second(lambda: resize_shorter_side(decode(photo.getvalue()), 256), CPU)


if __name__ == "__main__":
    run(parser(), main)
