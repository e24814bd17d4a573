"""Has the encoder in a checkpoint collapsed? Measures it on your images, and writes one page."""

import os

# One thread inside the linear algebra library, --threads around it. Before numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from ssl_collapse.config.evaluation import RepresentSpec
from ssl_collapse.config.families import backbone_of
from ssl_collapse.evaluation.audit import audit
from ssl_collapse.evaluation.given_spectrum import read_spectrum
from ssl_collapse.figures.audit import PUBLISHED, Spectra, page
from ssl_collapse.images.sample import ImageFiles, Sample, sample_images
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.foreign.encoder import ForeignEncoder, read_foreign
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.extraction import (
    FailedEncoderError,
    represent,
    something_represented,
)
from ssl_collapse.runtime.command_line import add_threads, positive
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256, json_text
from ssl_collapse.runtime.outputs import check_outputs, write_all

EPILOG = """\
CHECKPOINT is a file of torchvision, timm, lightly, solo-learn, DINO, MoCo, the reference code, or
another known project (docs/ENCODERS.md), or this project's own. IMAGES is a folder; where images
lie in class folders, k-NN by the folders' names is told, too. Nothing in the checkpoint is run.

examples:
  %(prog)s simsiam.pth.tar photos/
  %(prog)s encoder.ckpt imagenet/val --images-at-most 5000 --out audit-of-mine
  %(prog)s vit.pth photos/ --backbone '{arch: vit_small, depth: 12}'

At most --images-at-most images are taken, drawn with --seed: 1,500 take a ResNet-50 about five
minutes on two cores. With fewer images than dimensions every spectrum is short and its AUC large;
so all is told beside an isotropic Gaussian and random weights on the same images.

exit codes: 0 done, 1 failed, 2 wrong input (nothing is written)
"""
USUAL = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "crop": 224,
    "interpolation": "bilinear",
}

logger = logging.getLogger("ssl_collapse")


def main(args: argparse.Namespace) -> None:
    """Recognise, represent, measure, judge, and write the page and its numbers."""
    folder = args.out or Path(f"audit-{args.checkpoint.name}")
    outputs = folder / "audit.json", folder / "audit.html"
    check_outputs(*outputs)
    if args.images_at_most < 2:
        raise UserError("--images-at-most 1: a spread needs two images or more")
    sample = sample_images(args.images, args.images_at_most, args.seed)
    published = _published(args.published)
    foreign = read_foreign(args.checkpoint, _backbone(args.backbone))
    logger.info("%s", foreign.said)
    prepared, assumed = _prepared(foreign, args)
    classes = f"{len(sample.classes)} classes" if sample.classes else "no class folders"
    logger.info("%d of %d images, %s", len(sample.paths), sample.there, classes)
    said = (f"{key} {value}{' (assumed)' * (key in assumed)}" for key, value in prepared.items())
    logger.info("prepared: %s", ", ".join(said))
    images = ImageFiles(sample.paths)
    content = {
        "format_version": 1,
        **audit(
            _represented(foreign.module, images, prepared, args),
            _represented(_untrained(foreign, args.seed), images, prepared, args),
            sample.targets,
            args.seed,
            args.threads,
        ),
        "checkpoint": {
            "file": args.checkpoint.name,
            "sha256": file_sha256(args.checkpoint),
            "recognised": foreign.said,
            "feature_dim": foreign.feature_dim,
            "prepared": prepared,
            "assumed": assumed,
        },
        "images": _described(sample, args.images, args.seed),
    }
    write_all({outputs[0]: json_text(content), outputs[1]: page(content, published)})
    print(f"{content['verdict']}: {content['why']}\n\nrule: {content['rule']}\n")
    print(f"written: {outputs[1]}")


def _backbone(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return backbone_of(yaml.safe_load(text))
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        reason = str(error)
    example = "'{arch: timm:vit_small_patch16_224}'"
    raise UserError(f"--backbone {text}: {reason}; for example {example} (docs/CONFIG.md)")


def _prepared(
    foreign: ForeignEncoder, args: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    """How images are prepared, and what of it neither the file nor the command line says."""
    own_size = getattr(foreign.backbone, "image_size", None)  # of a ViT with learned positions
    given = {key: getattr(args, key) for key in ("resize", "crop", "mean", "std")}
    said = {**({"crop": own_size} if own_size else {}), **foreign.preprocessing.known()}
    said |= {key: value for key, value in given.items() if value is not None}
    for key, least in (("mean", 0.0), ("std", 1e-6)):
        if not all(least <= value <= 1 for value in given[key] or ()):
            raise UserError(f"--{key} {given[key]}: parts of 1, not of 255, and a std above 0")
    prepared = {**USUAL, **said}
    prepared.setdefault("resize", round(prepared["crop"] * 256 / 224))
    if prepared["crop"] > prepared["resize"]:
        raise UserError(f"--crop {prepared['crop']} is larger than --resize {prepared['resize']}")
    return prepared, [key for key in ("mean", "std", "resize", "crop") if key not in said]


def _untrained(foreign: ForeignEncoder, seed: int) -> nn.Module:
    """The same network before training.

    Its norms scale by one: with zeros in the last of every block, as trainings often begin, nothing
    of a block would be seen.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, _ = build_backbone(foreign.backbone)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
    return module.eval().requires_grad_(False)


def _represented(
    module: nn.Module, images: ImageFiles, prepared: dict[str, Any], args: argparse.Namespace
) -> NDArray[np.float32] | str:
    """Representations (N, D), or why there is nothing to measure; UserError for NaN in them."""
    spec = RepresentSpec.from_spec(json.dumps(prepared))
    device = choose_device(args.device)
    module = module.to(memory_format=torch.channels_last)  # a quarter faster on the CPU
    rows = np.concatenate(list(represent(module, images, spec, device, 128, threads=args.threads)))
    if not np.isfinite(rows).all():  # of a diverged training, or half a file: no verdict
        raise UserError(
            f"{args.checkpoint}: its representations hold NaN or infinity, so nothing can be said "
            "of collapse: the training diverged (take an earlier checkpoint), or it is damaged"
        )
    try:
        return np.concatenate(list(something_represented([rows])))
    except FailedEncoderError as error:
        return str(error)


def _described(sample: Sample, folder: Path, seed: int) -> dict[str, Any]:
    counts = Counter([] if sample.targets is None else sample.targets.tolist())
    return {
        "folder": folder.resolve().name,
        "found": sample.there,
        "used": len(sample.paths),
        "seed": seed,
        "classes": len(sample.classes),
        "chance": max(counts.values(), default=0) / len(sample.paths),
    }


def _published(folder: Path | None) -> Spectra:
    if folder is None:
        return {}
    name = "resnet18_{}percent_train_reprs_e0_svd.pt"
    return {share: read_spectrum(folder / name.format(share))[0] for share in PUBLISHED}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    p.add_argument("checkpoint", type=Path, help="file with the encoder")
    p.add_argument("images", type=Path, help="folder of images, best in class folders")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: audit-CHECKPOINT")
    p.add_argument(
        "--images-at-most",
        type=positive,
        default=1500,
        metavar="N",
        help="drawn where there are more",
    )
    p.add_argument("--seed", type=int, default=0, help="of the images and the random weights")
    p.add_argument("--backbone", metavar="YAML", help="what the encoder is, if need be")
    p.add_argument("--resize", type=positive, metavar="PX", help="shorter side in pixels")
    p.add_argument(
        "--crop", type=positive, metavar="PX", help="side in pixels that the network sees"
    )
    p.add_argument(
        "--mean", type=float, nargs=3, metavar=("R", "G", "B"), help="of channels, in 0 to 1"
    )
    p.add_argument(
        "--std", type=float, nargs=3, metavar=("R", "G", "B"), help="of channels, in 0 to 1"
    )
    p.add_argument(
        "--published", type=Path, metavar="DIR", help="folder of the authors' six spectra, to draw"
    )
    p.add_argument(
        "--device",
        choices=("cpu", "cuda", "auto"),
        default="auto",
        help="auto: a GPU if there is one",
    )
    add_threads(p)
    return p


if __name__ == "__main__":
    run(parser(), main)
