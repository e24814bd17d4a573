"""Write the images of archives or arrays as class folders: OUTPUT/{train,val}/{class}/{file}.

example:
  unpack.py --spec '{"kind": "cifar10"}' --name cifar --output images \\
      --sources '{"cifar": {"kind": "cifar10", "root": "data", "download": true}}'
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ssl_collapse.config.dataset import PublishedSource, StoredSource
from ssl_collapse.images.class_folders import Item, write_class_folders
from ssl_collapse.images.published import published_images
from ssl_collapse.images.stored import stored_files, stored_images
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.digests import digest_of
from ssl_collapse.runtime.errors import UserError


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="what decides the images, as JSON")
    p.add_argument("--name", required=True, help="the dataset's name in the config")
    p.add_argument("--sources", required=True, help="JSON: dataset -> its source with its paths")
    p.add_argument("--output", required=True, type=Path, help="the folder to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Read every image once and write it as a file."""
    try:
        text = json.dumps(json.loads(args.sources)[args.name])
        source = TypeAdapter(PublishedSource | StoredSource).validate_json(text)
    except (ValidationError, KeyError, ValueError) as error:
        raise UserError(f"--sources: {error}") from None
    write_class_folders(args.output, {split: _images(source, split) for split in ("train", "val")})
    for split, planned in json.loads(args.spec).get("files", {}).items():
        # Now that they are read, which may have taken hours.
        if list(map(digest_of, _files(source, split))) != planned:
            raise UserError(
                f"{args.name}: its files for {split} have changed since this job was planned; "
                "start again"
            )


def _images(source: PublishedSource | StoredSource, split: str) -> Iterator[Item]:
    if isinstance(source, PublishedSource):
        return published_images(source, split)
    return stored_images(source, _files(source, split))


def _files(source: PublishedSource | StoredSource, split: str) -> list[Path]:
    return stored_files(source.kind, source.files()[split])


if __name__ == "__main__":
    run(parser(), main)
