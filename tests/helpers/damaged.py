"""Files that are not what their names say: damaged, foreign, or made to run code when read."""

import io
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from encoded import png


class Payload:
    """Unpickling it creates the file `marker`."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)  # type: ignore[return-value]


def pickles(marker: Path) -> Iterator[tuple[str, bytes]]:
    """Every way to put a payload into a file: a bare pickle, torch's two formats, numpy's."""
    payload = {"model": Payload(marker), "representations": Payload(marker)}
    yield "pickle", pickle.dumps(payload)
    for name, zipped in (("torch", True), ("legacy torch", False)):
        buffer = io.BytesIO()
        torch.save(payload, buffer, _use_new_zipfile_serialization=zipped)
        yield name, buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    yield "numpy", buffer.getvalue()


def damages(content: bytes) -> Iterator[tuple[str, bytes | None]]:
    """What can become of a file: cut anywhere, emptied, random, of another kind; None: a folder."""
    for length in (0, 1, 7, 8, len(content) // 4, len(content) // 2, len(content) - 2):
        yield f"cut to {length}", content[:length]
    yield "random", np.random.default_rng(0).bytes(len(content))
    yield "zeros", bytes(len(content))
    yield "text", b"a text,\nnot a result\n" * 50
    yield "PNG", png(1, 1, 8, 0, b"IDAT" + zlib.compress(b"\0\0"))
    yield "JSON", b'{"some": "other JSON"}\n'
    yield "nested", b"[" * 100_000
    yield "another .npy", _saved(np.zeros(3))
    yield "another checkpoint", _checkpoint({"some": torch.zeros(3)})
    yield "no dictionary", _checkpoint([1, 2, 3])
    yield "folder", None


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _checkpoint(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
