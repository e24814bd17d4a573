"""Check every image of a dataset and describe it in dataset.json: classes, counts, fingerprint.

example:
  dataset.py --name mine --spec '{"kind": "imagefolder"}' --output dataset.json \\
      --folders '{"mine": {"train": "photos/train", "val": "photos/val"}}'
"""

import argparse
import json
from pathlib import Path
from typing import Any

from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import EXTENSIONS, JUNK, read_folders
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.subset import list_source, read_subset
from ssl_collapse.provenance.inventory import INVENTORY, Naming, list_files, write_inventory
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_json


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--name", required=True, help="the dataset's name in the config")
    p.add_argument("--spec", required=True, help="the source without its paths, as JSON")
    p.add_argument(
        "--folders", required=True, help="JSON: dataset -> {train, val} or {root}, its folders"
    )
    p.add_argument("--subsets", default="{}", help="JSON: dataset -> numbers of images (.npy)")
    p.add_argument("--workers", type=int, default=1, help="processes that decode images")
    p.add_argument("--output", required=True, type=Path, help="dataset.json")
    return p


def main(args: argparse.Namespace) -> None:
    """Read every image once, describe the dataset, and note what was read."""
    source = read_source(args.spec)
    folders = read_folders(args.folders, args.name)
    places = {name: str(path) for name, path in folders.items()}
    naming = Naming(passed_over=tuple(sorted(JUNK)), suffixes=tuple(sorted(EXTENSIONS)))
    present = list_files(places, naming)  # before the listing: what comes later is news
    listing = list_source(source, folders, read_subset(args.subsets, args.name))
    inspections = inspect_images(listing, args.workers)
    description = describe_dataset(args.name, source, listing, inspections)
    write_json(args.output, description.model_dump())
    read = {
        f"{folder}/{path}": (found.digest or str(found.reason), found.state)
        for (folder, path), found in inspections.items()
    }
    # Last: an older inventory beside a new dataset.json makes this stage run again.
    write_inventory(args.output.with_name(INVENTORY), places, present, read, naming)


def read_source(spec: str) -> dict[str, Any]:
    """The source's recipe without paths; it goes into dataset.json as it is."""
    try:
        source = json.loads(spec)
    except json.JSONDecodeError as error:
        raise UserError(f"--spec: not JSON: {error}") from None
    if not isinstance(source, dict) or "kind" not in source:
        raise UserError('--spec: expected an object with at least "kind"')
    return source


if __name__ == "__main__":
    run(parser(), main)
