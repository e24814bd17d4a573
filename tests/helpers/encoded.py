"""Images as the bytes of a file."""

import io
import struct
import zlib

from PIL import Image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """As Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(body: bytes) -> bytes:
    """A part of a PNG, its name in the first four bytes: with its length and checksum."""
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def png(
    width: int, height: int, depth: int, colour: int, *parts: bytes, interlaced: bool = False
) -> bytes:
    """A PNG whose header says this, whatever its other parts."""
    numbers = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, (b"IHDR" + numbers, *parts, b"IEND")))
