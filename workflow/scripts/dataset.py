"""Check every image of a dataset and describe it in dataset.json: classes, counts, fingerprint."""

import argparse
import json
from pathlib import Path
from typing import Any

from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset, read_folders
from ssl_collapse.provenance.job import run
from ssl_collapse.provenance.survey import INVENTORY, write_inventory
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_json


def main(args: argparse.Namespace) -> None:
    source = read_source(args.spec)
    folders = read_folders(args.folders, args.name)
    listing = list_dataset(folders, source.get("val_fraction"), source.get("split_seed", 0))
    description = describe_dataset(args.name, source, listing, args.workers)
    write_json(args.output, description.model_dump())
    if source["kind"] == "imagefolder":
        locations = {name: str(path) for name, path in folders.items()}
        write_inventory(locations, args.output.with_name(INVENTORY))


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the dataset's name in the config")
    parser.add_argument("--spec", required=True, help="the source without its paths, as JSON")
    parser.add_argument(
        "--folders", required=True, help="JSON: dataset -> {train, val} or {root}, its folders"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that decode images")
    parser.add_argument("--output", required=True, type=Path, help="dataset.json")
    run(parser, main)
