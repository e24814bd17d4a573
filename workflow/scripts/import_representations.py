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
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256


def main(args: argparse.Namespace) -> None:
    """Check and copy them, with their targets, into the workflow's own form."""
    files = {"representations": args.file, "targets": args.targets}
    for key, digest in json.loads(args.spec).items():
        if file_sha256(Path(files[key])) != digest:
            raise UserError(f"{files[key]} has changed since this job was planned; start again")
    representations = open_representations(Path(args.file))
    if args.targets:
        representations = with_targets(representations, Path(args.targets))
    if args.split == "val":
        representations.labels()
    copy_representations(representations, args.output, {"run": args.run, "split": args.split})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON: the digest of every file")
    parser.add_argument("--run", required=True, help="name of the run, written into the file")
    parser.add_argument("--split", required=True, choices=["train", "val"])
    parser.add_argument("--file", required=True, help="representations in any form")
    parser.add_argument("--targets", default="", help="their targets, where they have none")
    parser.add_argument("--output", required=True, type=Path, help="representations (HDF5)")
    run(parser, main)
