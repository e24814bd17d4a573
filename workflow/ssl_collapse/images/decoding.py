"""From the bytes of an image file to RGB pixels."""

import io
import warnings
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError
from simplejpeg import decode_jpeg

RGB = npt.NDArray[np.uint8]

# Raster formats only: Pillow's other readers start programs or have no pixels of their own.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow only warns of sizes that `_open` refuses.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class DecodeError(Exception):
    """An image that cannot be decoded; the message says why, without naming the file."""


def decode(data: bytes) -> RGB:
    """Decode an image file: uint8 (height, width, 3), RGB.

    Colours are those of Pillow's `convert("RGB")`, as in torchvision's ImageFolder: alpha is
    dropped, CMYK converted without a colour profile, of an animation the first frame is taken.
    Two things go further: the EXIF orientation is applied, and 16-bit grey is scaled to 8 bits
    (Pillow cuts it at 255).

    Raises DecodeError for damaged, truncated, oversized or unsupported files.
    """
    image, orientation = _open(io.BytesIO(data))
    if image.format == "JPEG" and image.mode in ("RGB", "L") and orientation not in _ORIENTATIONS:
        try:  # the same pixels in half the time
            pixels: RGB = decode_jpeg(data, fastdct=False, fastupsample=False)
            return pixels
        except ValueError:  # Pillow says what is wrong, or puts up with it
            pass
    try:
        upright = _to_rgb(image)
        if orientation in _ORIENTATIONS:
            upright = upright.transpose(_ORIENTATIONS[orientation])
        return np.asarray(upright)
    except (DecodeError, MemoryError):
        raise
    except Exception as error:  # a damaged file can make Pillow raise nearly anything
        raise DecodeError(_reason(error)) from None


def decoded_shape(file: BinaryIO) -> tuple[int, int]:
    """(height, width) of the decoded image, from the file's header where the format allows it.

    Raises DecodeError where `decode` would for the header's sake.
    """
    image, orientation = _open(file)
    width, height = image.size
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def resized_shape(shape: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """(height, width) after `resize_shorter_side`: the longer side is rounded down."""
    height, width = shape
    if height <= width:
        return shorter_side, int(shorter_side * width / height)
    return int(shorter_side * height / width), shorter_side


def resize_shorter_side(image: RGB, shorter_side: int, interpolation: str = "bilinear") -> RGB:
    """Scale uint8 (height, width, 3) so that its shorter side has `shorter_side` pixels.

    "bilinear" or "bicubic" with antialiasing, as torchvision's Resize does for PIL images.
    """
    height, width = resized_shape((image.shape[0], image.shape[1]), shorter_side)
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize(
        (width, height), Image.Resampling[interpolation.upper()]
    )
    return np.asarray(resized)


def _open(file: BinaryIO) -> tuple[Image.Image, int]:
    """The image, header read, and the EXIF orientation that is still to be applied."""
    if not file.read(1):
        raise DecodeError("the file is empty")
    file.seek(0)
    try:
        image: Image.Image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise DecodeError("not an image in a known format, or its header is damaged") from None
    except Exception as error:
        raise DecodeError(_reason(error)) from None
    refuse_oversized(image.size)
    # Pillow turns TIFF images itself, and swaps their size on opening.
    return image, 1 if image.format == "TIFF" else _exif_orientation(image)


def refuse_oversized(size: tuple[int, int]) -> None:
    """Raise DecodeError for (width, height) or (height, width) beyond Pillow's limit."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and size[0] * size[1] > limit:
        raise DecodeError(
            f"{size[0]} x {size[1]} pixels, more than the {limit} taken from one file "
            "(a decompression bomb?)"
        )


def _exif_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata does not spoil the pixels
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode.startswith("I;16"):
        return _from_16_bit(np.asarray(image).astype(np.int64))
    if image.mode == "I":  # 16-bit files of some formats are opened as 32-bit
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DecodeError("32-bit pixels, whose range is not defined; convert to 8 or 16 bits")
        return _from_16_bit(values)
    if image.mode == "F":
        raise DecodeError("floating-point pixels, whose range is not defined; convert to 8 bits")
    # Premultiplied, or with the same colours by the direct way, which warns.
    if image.mode == "RGBa" or (image.mode == "P" and "transparency" in image.info):
        image = image.convert("RGBA")
    return image.convert("RGB")


def _from_16_bit(values: npt.NDArray[np.int64]) -> Image.Image:
    """0..65535 to 0..255, rounded to the nearest."""
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels (a decompression bomb?)"
    return str(error) or type(error).__name__
