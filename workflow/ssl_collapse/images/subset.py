"""The images of a dataset: all that its folders hold, or a part named by numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ssl_collapse.images.imagefolder import Listing, SplitListing, list_dataset
from ssl_collapse.images.indices import read_indices
from ssl_collapse.runtime.digests import require_planned
from ssl_collapse.runtime.errors import UserError


def read_subset(text: str, dataset: str) -> Path | None:
    """The file of one dataset out of the JSON of all datasets' subsets; None: all images."""
    path = json.loads(text).get(dataset)
    return None if path is None else Path(path)


def list_source(
    source: Mapping[str, Any], folders: Mapping[str, Path], subset: Path | None = None
) -> Listing:
    """The images below `folders` that a dataset's recipe `source` takes.

    `subset` is a .npy file of numbers of training images, in the order of the listing of all. Only
    they are kept, in the order of the listing. The recipe knows the file by its sha256.

    Raises UserError as `list_dataset` and `read_indices` do, and where the file is missing or
    another one than the recipe's, names an image twice, or leaves a class without any.
    """
    listing = list_dataset(folders, source.get("val_fraction"), source.get("split_seed", 0))
    if "subset" not in source:
        return listing
    if subset is None:
        raise UserError("--subsets: names no file for this dataset, of which a subset is taken")
    train = _taken(subset, source["subset"], listing)
    return Listing(listing.classes, {**listing.splits, "train": train}, listing.problems)


def _taken(path: Path, sha256: str, listing: Listing) -> SplitListing:
    train = listing.splits["train"]
    indices = np.sort(read_indices(path, len(train.paths)))
    require_planned(path, sha256)
    twice = indices[1:][indices[1:] == indices[:-1]]
    if twice.size:
        raise UserError(f"{path}: names image {twice[0]} twice; name each once")
    taken = train.take(indices)
    if missing := set(range(len(listing.classes))) - set(taken.targets):
        name = listing.classes[min(missing)]
        raise UserError(
            f"{path}: takes no image of class {name!r} ({len(missing)} such classes); take one or "
            "more of each, or leave those classes out of the folders"
        )
    return taken
