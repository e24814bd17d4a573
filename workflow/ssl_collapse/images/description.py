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
from ssl_collapse.images.inspection import inspect_file
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.parallel import ordered_map

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
    name: str, source: Mapping[str, Any], listing: Listing, workers: int = 1
) -> DatasetDescription:
    """Read and decode every listed image, and describe the dataset.

    `source` is the dataset's recipe without paths; its key `on_bad_image` ("fail", which is also
    the default, or "skip") decides what happens to files that are no usable images.

    Raises UserError listing the bad files ("fail"), or if skipping leaves a class without training
    images or a split without any.
    """
    digests, problems = _inspect(listing, workers)
    if problems and source.get("on_bad_image", "fail") == "fail":
        raise _bad_files(problems, listing)
    if problems:
        logger.warning("%d bad files skipped; dataset.json lists them", len(problems))
    unwanted = frozenset((problem.folder, problem.path) for problem in problems)
    splits = {}
    for split, images in listing.splits.items():
        kept = images.without(unwanted)
        splits[split] = _describe_split(split, kept, listing.classes, digests)
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


def _inspect(
    listing: Listing, workers: int
) -> tuple[dict[tuple[str, str], str], tuple[Problem, ...]]:
    """Digest of every image by (folder, path), and all problems sorted by folder and path."""
    digests: dict[tuple[str, str], str] = {}
    problems = list(listing.problems)
    for split, images in listing.splits.items():
        paths = [images.location / path for path in images.paths]
        inspections = ordered_map(inspect_file, paths, workers)
        for path, inspection in zip(images.paths, inspections, strict=True):
            digests[images.folder, path] = inspection.digest
            if inspection.reason is not None:
                problems.append(Problem(images.folder, path, inspection.reason))
        logger.info("%s: %d images inspected", split, len(paths))
    return digests, tuple(sorted(problems, key=lambda p: (p.folder, p.path)))


def _bad_files(problems: tuple[Problem, ...], listing: Listing) -> UserError:
    locations = {images.folder: images.location for images in listing.splits.values()}
    lines = [_one_line(f"{locations[p.folder]}/{p.path}: {p.reason}") for p in problems]
    for line in lines[_SHOWN:]:
        logger.info("bad file: %s", line)
    shown = "\n  ".join(lines[:_SHOWN])
    rest = f"\n  and {len(lines) - _SHOWN} more, listed in the log" if len(lines) > _SHOWN else ""
    return UserError(
        f"{len(lines)} bad file{'s' * (len(lines) > 1)} among the images; repair or remove them, "
        f"or, for your own folders, set on_bad_image: skip\n  {shown}{rest}"
    )


def _one_line(text: str) -> str:
    """The same text, with what would break the line or move the cursor written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _describe_split(
    split: str,
    images: SplitListing,
    classes: tuple[str, ...],
    digests: Mapping[tuple[str, str], str],
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
        digest=split_digest(split, ((path, digests[images.folder, path]) for path in images.paths)),
    )
