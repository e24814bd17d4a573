"""Looks at every image file once: its digest, and whether it can be decoded."""

import io
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ssl_collapse.images.decoding import DecodeError, decode, decoded_shape
from ssl_collapse.images.fingerprint import file_digest
from ssl_collapse.images.imagefolder import Listing
from ssl_collapse.images.png import check_integrity
from ssl_collapse.runtime.folders import NEVER, State, steady_state
from ssl_collapse.runtime.parallel import ordered_map

logger = logging.getLogger("ssl_collapse")


@dataclass(frozen=True)
class Inspection:
    """A file's SHA-256 (empty if it cannot be read), why it is no usable image, or None, and the
    state in which it was read."""

    digest: str
    reason: str | None
    state: State = NEVER


# By the source's folder (train, val or root) and the path in it.
Inspections = Mapping[tuple[str, str], Inspection]


def inspect_images(listing: Listing, workers: int = 1) -> Inspections:
    """Read and decode every listed image once, in worker processes."""
    inspections: dict[tuple[str, str], Inspection] = {}
    for split, images in listing.splits.items():
        paths = [images.location / path for path in images.paths]
        inspected = ordered_map(inspect_file, paths, workers)
        names = ((images.folder, path) for path in images.paths)
        inspections.update(zip(names, inspected, strict=True))
        logger.info("%s: %d images inspected", split, len(paths))
    return inspections


def inspect_file(path: Path) -> Inspection:
    """Read and decode `path` once.

    Decoding every file is the price of knowing before training starts that all of them can be.
    """
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            state = steady_state(before, os.fstat(file.fileno()))
    except OSError as error:
        return Inspection("", f"cannot be read: {error.strerror}")
    digest = file_digest(data)
    try:
        pixels = decode(data)
        # Packing relies on the shape that the header announces.
        if pixels.shape[:2] != decoded_shape(io.BytesIO(data)):
            reason = "the header announces another size than the pixels have"
            return Inspection(digest, reason, state)
        check_integrity(data, pixels)
    except DecodeError as error:
        return Inspection(digest, str(error), state)
    return Inspection(digest, None, state)
