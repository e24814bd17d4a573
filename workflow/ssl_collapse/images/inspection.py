"""Looks at one image file: its digest, and whether it can be decoded."""

import io
from dataclasses import dataclass
from pathlib import Path

from ssl_collapse.images.decoding import DecodeError, check_integrity, decode, decoded_shape
from ssl_collapse.images.fingerprint import file_digest


@dataclass(frozen=True)
class Inspection:
    """A file's SHA-256 (empty if it cannot be read), and why it is no usable image, or None."""

    digest: str
    reason: str | None


def inspect_file(path: Path) -> Inspection:
    """Read and decode `path` once.

    Decoding every file is the price of knowing before training starts that all of them can be.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return Inspection("", f"cannot be read: {error.strerror}")
    digest = file_digest(data)
    try:
        # Packing relies on the shape that the header announces.
        if decode(data).shape[:2] != decoded_shape(io.BytesIO(data)):
            return Inspection(digest, "the header announces another size than the pixels have")
        check_integrity(data)
    except DecodeError as error:
        return Inspection(digest, str(error))
    return Inspection(digest, None)
