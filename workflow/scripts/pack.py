"""Decode and resize the images of one split once, into one HDF5 file.

example:
  pack.py --split train --spec '{"shorter_side": 256}' --dataset dataset.json --output train.h5 \\
      --folders '{"mine": {"train": "photos/train", "val": "photos/val"}}'
"""

import argparse
from pathlib import Path

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.images.description import read_description
from ssl_collapse.images.imagefolder import read_folders
from ssl_collapse.images.packing import pack_split
from ssl_collapse.images.subset import list_source, read_subset
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.command_line import parsed
from ssl_collapse.runtime.saved_state import identity


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--split", required=True, choices=["train", "val"])
    p.add_argument("--spec", required=True, help="the pack part of the config, as JSON")
    p.add_argument("--dataset", required=True, type=Path, help="dataset.json")
    p.add_argument(
        "--folders", required=True, help="JSON: dataset -> {train, val} or {root}, its folders"
    )
    p.add_argument("--subsets", default="{}", help="JSON: dataset -> numbers of images (.npy)")
    p.add_argument("--workers", type=int, default=1, help="processes that decode images")
    p.add_argument("--output", required=True, type=Path, help="the HDF5 file to write")
    p.add_argument("--state", type=Path, help="folder of what is packed so far, to go on there")
    return p


def main(args: argparse.Namespace) -> None:
    """List the images as dataset.json describes them, and pack one split."""
    spec = parsed(PackSpec.from_spec, args.spec)
    description = read_description(args.dataset)
    folders = read_folders(args.folders, description.dataset)
    subset = read_subset(args.subsets, description.dataset)
    listing = list_source(description.source, folders, subset)
    images = listing.splits[args.split]
    state = args.state
    if state is not None:  # nothing that decides the result may differ where a job goes on
        state /= identity("pack", args.spec, args.split, description.fingerprint)
    pack_split(args.split, images, description, spec, args.output, args.workers, state)


if __name__ == "__main__":
    run(parser(), main)
