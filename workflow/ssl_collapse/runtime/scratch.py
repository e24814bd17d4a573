"""Packed images on a node's own disk, where shared storage is slow to read from again and again.

A copy is named by what is in it, so that every job of the node that reads the same images, of
whatever run, shares one; another content never takes its place.
"""

import hashlib
import logging
import os
import re
import shutil
from pathlib import Path

import h5py
from filelock import FileLock

from ssl_collapse.runtime.files import atomic_path

logger = logging.getLogger("ssl_collapse")
_BLOCK = 2**16  # bytes
_BLOCKS = 256  # of a file that are looked at: 16 MiB, spread over it
SPARE = 2**30  # bytes to leave free


def on_scratch(images: Path, scratch: str | None) -> Path:
    """Where to read packed images: a copy under `scratch`, made if need be, or `images` itself.

    scratch: a folder, with environment variables as `$TMPDIR/images`; none: read in place.

    What hinders the copy (no such variable, a full disk, a folder that cannot be written) is
    logged, and the images are read in place: the result is the same.
    """
    if not scratch:
        return images
    try:
        folder, name = _folder(scratch), _name(images)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):  # one job copies, the others wait for it
            copy = folder / name
            if not (copy.exists() and _digest(copy) == _digest(images)):
                _copy(images, copy)
        return copy
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # the latter from h5py
        logger.warning("runtime.scratch: %s; %s is read in place", error, images)
        return images


def _folder(scratch: str) -> Path:
    text = os.path.expandvars(scratch)
    missing = re.search(r"\$\{?(\w+)", text)
    if missing:
        raise OSError(f"{scratch}: the variable {missing[1]} is not set on this machine")
    return Path(text).expanduser() / f"ssl-collapse-{os.getuid()}"


def _name(images: Path) -> str:
    """A name that only files with this content have."""
    with h5py.File(images, "r") as file:  # OSError where it is none: whoever reads it says so
        about = "\n".join(f"{key}={file.attrs[key]}" for key in sorted(file.attrs))  # fingerprint
    identity = hashlib.sha256(f"{about}\n{_digest(images)}".encode()).hexdigest()[:32]
    return f"{images.stem}-{identity}{images.suffix}"


def _digest(path: Path) -> str:
    """sha256 of a file's size and of blocks spread evenly over it: all of it up to 16 MiB."""
    size = path.stat().st_size
    total = hashlib.sha256(str(size).encode())
    blocks = -(-size // _BLOCK)
    chosen = sorted({i * max(blocks - 1, 0) // (_BLOCKS - 1) for i in range(_BLOCKS)})
    with path.open("rb") as file:
        for block in chosen if blocks > _BLOCKS else range(blocks):
            file.seek(block * _BLOCK)
            total.update(file.read(_BLOCK))
    return total.hexdigest()


def _copy(images: Path, copy: Path) -> None:
    for left in copy.parent.glob(f".{copy.name}.*.tmp"):  # of a job that was killed while copying
        left.unlink()
    size = images.stat().st_size
    free = shutil.disk_usage(copy.parent).free
    if size + SPARE > free:
        raise OSError(f"{copy.parent}: {free / 2**30:.1f} GiB free are too few for a copy")
    with atomic_path(copy) as temporary:
        shutil.copyfile(images, temporary)
        if _digest(temporary) != _digest(images):
            raise OSError(f"{copy}: the copy differs from {images}")
    logger.info("copied %s to %s, %.1f GiB", images, copy, size / 2**30)
