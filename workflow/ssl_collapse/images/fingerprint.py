"""What makes two datasets the same: their images' bytes, classes and splits, not where they lie."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence


def file_digest(data: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def split_digest(split: str, digests: Iterable[tuple[str, str]]) -> str:
    """Digest of one split from (relative path including the class, file digest), in any order."""
    # JSON keeps a line one line, whatever a file's name holds.
    lines = sorted(json.dumps([split, path, digest]) for path, digest in digests)
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode() + b"\n")
    return total.hexdigest()


def dataset_fingerprint(classes: Sequence[str], split_digests: Mapping[str, str]) -> str:
    """Fingerprint of a dataset from its class names and the digest of each split.

    The same for a copied, moved, touched or relisted dataset; another one as soon as a file is
    changed, added, removed or put in another class or split.
    """
    content = {"classes": list(classes), "splits": dict(split_digests)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
