"""Take the representations of one split with one encoder.

example:
  represent.py --spec '{"resize": 256, "crop": 224}' --run iid/seed0 --images val.h5 \\
      --encoder encoder.safetensors --output representations-val.h5 --device cuda
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import RepresentSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.encoder_file import prepared
from ssl_collapse.models.projector_file import read_network
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.extraction import (
    FailedEncoderError,
    represent,
    something_represented,
)
from ssl_collapse.representations.file import write_failed_representations, write_representations
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.files import file_sha256
from ssl_collapse.runtime.scratch import on_scratch

logger = logging.getLogger("ssl_collapse")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON of a RepresentSpec")
    p.add_argument("--run", required=True, help="run and seed, written into the file")
    p.add_argument("--images", type=Path, required=True, help="packed images (HDF5)")
    p.add_argument("--encoder", type=Path, required=True, help="encoder.safetensors")
    p.add_argument(
        "--projector", type=Path, nargs="?", help="projector.safetensors to go on through"
    )
    p.add_argument("--output", type=Path, required=True, help="representations (HDF5) to write")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--batch-size", type=int, default=256, help="images per batch on a GPU")
    p.add_argument("--workers", type=int, default=0, help="processes that load images")
    p.add_argument("--scratch", help="folder for copies of the images, for example $TMPDIR")
    p.add_argument("--threads", type=int, default=1, help="batches computed at once on the CPU")
    return p


def main(args: argparse.Namespace) -> None:
    """Represent every image of the split; an encoder that cannot gives a file that says so."""
    images = PackedImages(on_scratch(args.images, args.scratch))
    encoder, metadata, dim = read_network(args.encoder, args.projector)
    spec = prepared(RepresentSpec.from_spec(args.spec), metadata)
    if images.shorter_side not in (None, spec.resize) or (
        images.shorter_side and spec.interpolation != "bilinear"
    ):
        logger.warning(
            "images are packed at %d px, bilinear, and this encoder's are %d px, %s; with "
            "`pack: original` they are prepared exactly so",
            *(images.shorter_side, spec.resize, spec.interpolation),
        )
    attributes = {
        "run": args.run,
        "epoch": int(metadata["epoch"]),
        "split": images.split,
        "arch": metadata["arch"],
        "dataset_fingerprint": images.fingerprint,
        "encoder_sha256": file_sha256(args.encoder),
        "num_classes": len(images.classes),
    }
    if args.projector:
        attributes["projector_sha256"] = file_sha256(args.projector)
    failure = metadata.get("failure")
    if failure is None:
        device = choose_device(args.device)
        settings = (args.batch_size, args.workers, args.threads)
        blocks = something_represented(represent(encoder, images, spec, device, *settings))
        chunks = _with_targets(blocks, images.targets)
        try:
            write_representations(args.output, len(images), dim, chunks, attributes)
        except FailedEncoderError as error:
            failure = str(error)
    if failure is not None:
        place = f"{args.run}, epoch {metadata['epoch']}"
        logger.warning("%s: %s; tables and figures mark it as diverged", place, failure)
        write_failed_representations(args.output, dim, images.targets, attributes, failure)


def _with_targets(
    blocks: Iterator[NDArray[np.float32]], targets: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
    first = 0
    for block in blocks:
        rows = np.arange(first, first + len(block))
        yield block, targets[rows], rows
        first += len(block)


if __name__ == "__main__":
    run(parser(), main)
