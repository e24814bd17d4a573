"""dataset.json: what a dataset holds, small and independent of where it lies."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.types import StrictModel
from ssl_collapse.images.fingerprint import dataset_fingerprint, split_digest
from ssl_collapse.images.imagefolder import Listing, Problem, SplitListing
from ssl_collapse.images.inspection import Inspections
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import one_line

logger = logging.getLogger("ssl_collapse")
_SHOWN = 20


class SplitDescription(StrictModel):
    """Images of one split, in all and per class, and their digest."""

    images: int
    per_class: dict[str, int]
    digest: str


class SkippedFile(StrictModel):
    """A file left out: the source's folder (train, val or root), the path in it, and why."""

    folder: str
    path: str
    reason: str


class DatasetDescription(StrictModel):
    """The content of dataset.json."""

    dataset: str
    classes: list[str]
    splits: dict[str, SplitDescription]
    source: dict[str, Any]
    skipped: list[SkippedFile]
    fingerprint: str


def describe_dataset(
    name: str, source: Mapping[str, Any], listing: Listing, inspections: Inspections
) -> DatasetDescription:
    """Describe a dataset from its listing and what was seen of every listed image.

    `source` is the dataset's recipe without paths; its key `on_bad_image` ("fail", which is also
    the default, or "skip") decides what happens to files that are no usable images.

    Raises UserError listing the bad files ("fail"), or if skipping leaves a class without training
    images or a split without any. Warns of images that are in both splits.
    """
    bad = [
        Problem(folder, path, inspection.reason)
        for (folder, path), inspection in inspections.items()
        if inspection.reason is not None
    ]
    problems = sorted([*listing.problems, *bad], key=lambda p: (p.folder, p.path))
    if problems and source.get("on_bad_image", "fail") == "fail":
        raise _bad_files(problems, listing)
    if problems:
        logger.warning("%d bad files skipped; dataset.json lists them", len(problems))
    unwanted = {(problem.folder, problem.path) for problem in problems}
    kept = {split: images.without(unwanted) for split, images in listing.splits.items()}
    _warn_of_shared_images(kept, inspections)
    splits = {
        split: _describe_split(split, images, listing.classes, inspections)
        for split, images in kept.items()
    }
    return DatasetDescription(
        dataset=name,
        classes=list(listing.classes),
        splits=splits,
        source=dict(source),
        skipped=[SkippedFile(folder=p.folder, path=p.path, reason=p.reason) for p in problems],
        fingerprint=dataset_fingerprint(
            listing.classes, {split: described.digest for split, described in splits.items()}
        ),
    )


def read_description(path: Path) -> DatasetDescription:
    """Read dataset.json; UserError if it is missing or something else."""
    try:
        return DatasetDescription.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); run the dataset stage again"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: not a dataset description of this version ({key or 'JSON'}: {first['msg']}); "
            "remove it and run the dataset stage again"
        ) from None


def _bad_files(problems: list[Problem], listing: Listing) -> UserError:
    locations = {images.folder: images.location for images in listing.splits.values()}
    lines = [one_line(f"{locations[p.folder]}/{p.path}: {p.reason}") for p in problems]
    for line in lines[_SHOWN:]:
        logger.info("bad file: %s", line)
    shown = "\n  ".join(lines[:_SHOWN])
    rest = f"\n  and {len(lines) - _SHOWN} more, listed in the log" if len(lines) > _SHOWN else ""
    return UserError(
        f"{len(lines)} bad file{'s' * (len(lines) > 1)} among the images; repair or remove them, "
        f"or, for your own folders, set on_bad_image: skip\n  {shown}{rest}"
    )


def _warn_of_shared_images(splits: Mapping[str, SplitListing], inspections: Inspections) -> None:
    """Say how many validation images are training images, too: copies and links."""
    train, val = (
        {inspections[images.folder, path].digest: path for path in images.paths}
        for images in (splits["train"], splits["val"])
    )
    if shared := sorted(val.keys() & train.keys()):
        logger.warning(
            "warning: %d of %d different validation images are training images too, for example "
            "%s and %s; the accuracy tells less by them",
            len(shared),
            len(val),
            one_line(f"{splits['val'].location}/{val[shared[0]]}"),
            one_line(f"{splits['train'].location}/{train[shared[0]]}"),
        )


def _describe_split(
    split: str,
    images: SplitListing,
    classes: tuple[str, ...],
    inspections: Inspections,
) -> SplitDescription:
    counts = Counter(images.targets)
    missing = [name for k, name in enumerate(classes) if not counts[k]]
    if not images.paths or (split == "train" and missing):
        of_class = f" of class {missing[0]!r}" if images.paths else ""
        raise UserError(
            f"{images.location}: no image{of_class} is left for {split} after skipping bad files; "
            "repair them or remove the class"
        )
    return SplitDescription(
        images=len(images.paths),
        per_class={name: counts[k] for k, name in enumerate(classes)},
        digest=split_digest(
            split, ((path, inspections[images.folder, path].digest) for path in images.paths)
        ),
    )
