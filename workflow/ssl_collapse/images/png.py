"""What Pillow does not tell of a damaged PNG: it decodes one to other pixels without a word."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from ssl_collapse.images.decoding import RGB, DecodeError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# Adam7: first column and row of each pass, and the steps between its columns and rows.
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_AT_ONCE = 2**20  # bytes


def check_integrity(data: bytes, pixels: RGB) -> None:
    """Raise DecodeError for a PNG with wrong checksums, or with fewer rows than it announces.

    Of the first Pillow makes other pixels, of the second black ones. `pixels` is what it made of
    `data`; other formats have no checksums.
    """
    if not data.startswith(_SIGNATURE):
        return
    try:
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
        chunks = list(_chunks(data))
        header = next(body for name, body in chunks if name == b"IHDR")
        if _has_last_row(header, pixels):
            return
        expected = _raw_bytes(header)
        found = _inflated(b"".join(body for name, body in chunks if name == b"IDAT"), expected)
    except Exception as error:
        raise DecodeError(f"damaged: {error or type(error).__name__}") from None
    if found < expected:
        raise DecodeError(f"its rows end early: {found} of {expected} bytes")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of every chunk: length, name, content, checksum."""
    position = len(_SIGNATURE)
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, data[position + 8 : position + 8 + length]
        position += 12 + length


def _has_last_row(header: bytes, pixels: RGB) -> bool:
    """Whether the last stored row is seen to be there; False: count the bytes, which takes longer.

    A missing row is black, except in a palette, and may come to lie at any edge when the image is
    turned upright.
    """
    colour, interlaced = header[9], header[12]
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return colour != 3 and not interlaced and all(edge.any() for edge in edges)


def _raw_bytes(header: bytes) -> int:
    """Bytes of all rows before compression, each with one more for its filter (RFC 2083, 2.3)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    total = 0
    for x, y, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // across), -((y - height) // down)  # rounded up
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)
    return total


def _inflated(data: bytes, enough: int) -> int:
    """Size of `data` decompressed, counted until it is enough; memory does not grow with it."""
    stream = zlib.decompressobj()
    size = 0
    while data and size < enough:
        size += len(stream.decompress(data, _AT_ONCE))
        data = stream.unconsumed_tail
    return size
