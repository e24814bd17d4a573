"""Write the order of the training images: a seeded permutation, or the user's own, checked.

example:
  ordering.py --dataset dataset.json --spec '{"seed": 0}' --output ordering-seed0.npy
"""

import argparse
import json
from pathlib import Path

from ssl_collapse.config.dataset import OrderingSpec
from ssl_collapse.images.description import read_description
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.command_line import parsed
from ssl_collapse.runtime.digests import require_planned
from ssl_collapse.views.ordering import make_ordering, read_ordering, write_ordering


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--dataset", required=True, type=Path, help="dataset.json")
    p.add_argument("--spec", required=True, help="the ordering part of the config, as JSON")
    p.add_argument("--orderings", default="{}", help="JSON: dataset -> the user's own (.npy)")
    p.add_argument("--output", required=True, type=Path, help="the .npy file to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Draw the permutation, or check and copy the user's own."""
    spec = parsed(OrderingSpec.from_spec, args.spec)
    description = read_description(args.dataset)
    images = description.splits["train"].images
    if spec.seed is not None:
        ordering = make_ordering(images, spec.seed)
    else:
        own = Path(json.loads(args.orderings)[description.dataset])
        ordering = read_ordering(own, images)
        require_planned(own, str(spec.user))
    write_ordering(args.output, ordering)


if __name__ == "__main__":
    run(parser(), main)
