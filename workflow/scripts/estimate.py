"""What an experiment will take on this machine: jobs, hours, disk, memory.

Trains and extracts for some seconds with the network of every recipe, on noise, and counts from
there, so the images need not be here. Hours are those of one GPU or, without one, of one core.
Without a config: ImageNet with ResNet-18 and ResNet-50, SimSiam, 100 epochs.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of one core, as the stages; before numpy is imported

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

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

ENOUGH = 30.0  # seconds of counted steps, over all networks
FEW = 8  # images of a step on the CPU, where time grows as their number
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
    """The command line."""
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
    logging.getLogger("ssl_collapse").setLevel(logging.ERROR)  # of the trainings on noise
    images = {}
    for name, pair in counts(plan, _given(args.images)).items():
        if pair is None:
            raise UserError(f"dataset {name}: how many images? --images {name}=TRAIN:VAL")
        images[name] = pair
    device = choose_device(args.device)
    specs = {name: _recipe(plan, name) for name in plan.experiment.runs}
    different = {_cost(spec): spec for spec in specs.values()}
    seconds = ENOUGH / len(different)
    known = {cost: measure(spec, device, seconds) for cost, spec in different.items()}
    networks = {name: known[_cost(spec)] for name, spec in specs.items()}
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


def _recipe(plan: Plan, run: str) -> PretrainSpec:
    return PretrainSpec.from_spec(json.dumps(plan.pretrain(run, 0) | {"start_epoch": 0}))


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


def measure(spec: PretrainSpec, device: torch.device, enough: float) -> Network:
    """Seconds of a training step and images per second forward, of the network of a recipe."""
    with tempfile.TemporaryDirectory() as place:
        folder, full = Path(place), spec.batch_size
        images = noise(folder, spec.crop, full if device.type == "cuda" else FEW)
        teacher = _teacher(folder, spec) if spec.method.name == "distillation" else None

        def seconds(batch: int, steps: int) -> tuple[float, int]:
            """Of a step; and the model's parameters."""
            keys = {"epochs": 1, "steps_per_epoch": steps, "schedule": "last", "share": 100.0}
            keys |= {"warmup_epochs": 0, "chunk_size": None, "n_rounds": 1, "n_warmup_steps": 0}
            recipe = spec.model_copy(update=keys | {"batch_size": batch})
            state = SavedState(folder / f"{batch}-{steps}-{time.monotonic_ns()}")
            state.checkpoints.mkdir(parents=True)
            order, runtime = np.arange(len(images)), Runtime(device, log_every=1000)
            trainer = Trainer(recipe, images, order, runtime, state, teacher=teacher)
            trainer.run()
            taken = max(float(trainer.progress.speed[0]["seconds"]), 1e-3)
            return taken / steps, sum(p.numel() for p in trainer.model.parameters())

        many = len(images)
        first, parameters = seconds(many, 1)  # shows how many make a measurement
        steps = max(1, min(50, round(enough / first)))
        step, _ = seconds(many, steps)
        if full > many:  # a part that grows with the batch, and one, the optimiser's, that does not
            growth = max(step - seconds(2, steps)[0], 0.0) / (many - 2)
            step += growth * (full - many)
    backbone, dim = build_backbone(spec.backbone)
    rate = forward_rate(backbone.to(device).eval(), spec.crop, device, enough / 2)
    return Network(step, rate, parameters, dim)


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
def forward_rate(
    backbone: torch.nn.Module, side: int, device: torch.device, enough: float
) -> float:
    """Images per second that a backbone represents."""
    batch = torch.randn(32 if device.type == "cuda" else FEW, 3, side, side, device=device)
    images, started = -len(batch), 0.0  # the first batch warms up
    while images < len(batch) or time.perf_counter() - started < enough:
        if images == 0:
            started = time.perf_counter()
        backbone(batch)[0].sum().item()
        images += len(batch)
    return images / (time.perf_counter() - started)


def product_rate(dtype: type) -> float:
    """Operations per second of a matrix product on one core."""
    side = 1024
    matrix: NDArray[Any] = np.random.default_rng(0).random((side, side)).astype(dtype)
    count = 0
    matrix @ matrix  # warms up
    started = time.perf_counter()
    while time.perf_counter() - started < 1:
        matrix @ matrix
        count += 1
    return 2 * side**3 * count / (time.perf_counter() - started)


def decoding_rate() -> float:
    """Photographs of 500 x 375 pixels that one process decodes and resizes per second."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        small.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
        data, count, started = path.read_bytes(), 0, time.perf_counter()
        while time.perf_counter() - started < 1:
            resize_shorter_side(decode(data), 256)
            count += 1
        return count / (time.perf_counter() - started)


if __name__ == "__main__":
    run(parser(), main)
