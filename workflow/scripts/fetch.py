"""Make class folders of the published archives of ImageNet or Places365: ROOT/{train,val}/{class}/.

In the config that is `source: {kind: imagenet, root: ROOT}`.

example:
  fetch.py imagenet /data/imagenet
"""

import argparse
import csv
import io
import logging
import os
from pathlib import Path

from torchvision.datasets import Places365
from torchvision.datasets import imagenet as archives

from ssl_collapse.images.class_folders import folder_name
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import remove, write_text

logger = logging.getLogger("ssl_collapse")
STEPS = """\
{root}: {name} is not there, or damaged. ImageNet may not be downloaded by a program:
  1. sign in at https://image-net.org/download-images and accept the terms
  2. under ILSVRC 2012 get the archives of Tasks 1 & 2, and put them into {root}:
     ILSVRC2012_img_train.tar (138 GB), ILSVRC2012_img_val.tar (6.3 GB),
     ILSVRC2012_devkit_t12.tar.gz (2.5 MB)
  3. run this command again: it checks them (md5) and unpacks them, another 145 GB"""
PLACES_STEPS = """\
{root}: Places365 is not complete: {error}
  1. get from {url} what is missing or damaged, and put it into {root}:
     {archives}
  2. remove {images} if it was not unpacked to its end
  3. run this command again: it checks the archives (md5) and unpacks them"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("dataset", choices=["imagenet", "places365"], help="what the archives hold")
    p.add_argument("root", type=Path, help="folder of the archives; Places365 is downloaded there")
    return p


def main(args: argparse.Namespace) -> None:
    """Unpack what is not unpacked yet; what is there already stays as it is."""
    args.root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        if (args.root / split).is_dir():
            logger.info("%s is there already", args.root / split)
            continue
        partial = args.root / f"{split}.partial"
        remove(partial)  # of an unpacking that was interrupted
        make = imagenet if args.dataset == "imagenet" else places365
        make(args.root, split, partial.name)
        partial.rename(args.root / split)
        logger.info("%s made", args.root / split)


def imagenet(root: Path, split: str, folder: str) -> None:
    """ImageNet's images of one split in class folders; UserError with the steps to get them.

    What the classes of the folders are called goes into class_names.csv beside them.
    """
    name = archives.ARCHIVE_META[split][0]
    try:
        if split == "train":
            archives.parse_train_archive(root, folder=folder)
        else:
            name = f"{name} or {archives.ARCHIVE_META['devkit'][0]}"
            archives.parse_devkit_archive(root)
            _write_names(root / "class_names.csv", archives.load_meta_file(root)[0])
            archives.parse_val_archive(root, folder=folder)
    except RuntimeError as error:
        if "not present" not in str(error):
            raise
        raise UserError(STEPS.format(root=root, name=name)) from None


def _write_names(path: Path, names: dict[str, tuple[str, ...]]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("folder", "names"))
    writer.writerows((folder, ", ".join(names[folder])) for folder in sorted(names))
    write_text(path, table.getvalue())


def places365(root: Path, split: str, folder: str) -> None:
    """The images of one split of Places365: links to the downloaded ones by class."""
    try:
        _link_places(root, "train-standard" if split == "train" else "val", root / folder)
    except (RuntimeError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        train, val = (Places365._IMAGES_META[name, True][0] for name in ("train-standard", "val"))
        lists = Places365._DEVKIT_META["standard"][0]
        text = PLACES_STEPS.format(
            root=root,
            error=error,
            url=Places365._BASE_URL,
            archives=f"{lists}, {train} (24 GB), {val} (0.5 GB)",
            images=root / ("data_256_standard" if split == "train" else "val_256"),
        )
        raise UserError(text) from None


def _link_places(root: Path, split: str, folder: Path) -> None:
    # For torchvision archives that are there are "downloaded", too.
    data = Places365(root, split=split, small=True, download=True)
    names = [folder_name(name.removeprefix("/")[2:]) for name in data.classes]
    for target in set(data.targets):
        (folder / names[target]).mkdir(parents=True)
    for path, target in data.imgs:
        os.link(path, folder / names[target] / Path(path).name)


if __name__ == "__main__":
    run(parser(), main)
