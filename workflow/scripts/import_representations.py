"""Take over a user's own representations of one split, as a run's only epoch.

example:
  import_representations.py --spec @spec.json --run mine --split train --file train.npz \\
      --output representations-train.h5
"""

import argparse
import json
from pathlib import Path

from ssl_collapse.provenance.job import run
from ssl_collapse.representations.file import (
    copy_representations,
    open_representations,
    with_targets,
)
from ssl_collapse.runtime.digests import require_planned


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON: the digest of every file")
    p.add_argument("--run", required=True, help="name of the run, written into the file")
    p.add_argument("--split", required=True, choices=["train", "val"])
    p.add_argument("--file", required=True, help="representations in any form")
    p.add_argument("--targets", default="", help="their targets, where they have none")
    p.add_argument("--output", required=True, type=Path, help="representations (HDF5)")
    return p


def main(args: argparse.Namespace) -> None:
    """Check and copy them, with their targets, into the workflow's own form."""
    files = {"representations": args.file, "targets": args.targets}
    representations = open_representations(Path(args.file))
    if args.targets:
        representations = with_targets(representations, Path(args.targets))
    if args.split == "val":
        representations.labels()
    copy_representations(representations, args.output, {"run": args.run, "split": args.split})
    for key, planned in json.loads(args.spec).items():
        require_planned(Path(files[key]), planned)


if __name__ == "__main__":
    run(parser(), main)
