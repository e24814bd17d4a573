"""Decoding: every kind of file is either read rightly or refused with a reason."""

import io
import warnings
import zlib

import numpy as np
import pytest
from encoded import encode, png
from PIL import Image
from torchvision.transforms.functional import resize

from ssl_collapse.images.decoding import (
    DecodeError,
    decode,
    decoded_shape,
    resize_shorter_side,
    resized_shape,
)


def random_rgb(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {}), ("WEBP", {"lossless": True})],
)
def test_lossless_files_give_the_pixels_back(kind: str, options: dict) -> None:
    pixels = random_rgb(5, 7)
    assert np.array_equal(decode(encode(Image.fromarray(pixels), kind, **options)), pixels)


def test_grey_becomes_three_equal_channels() -> None:
    grey = random_rgb(4, 4)[:, :, 0]
    decoded = decode(encode(Image.fromarray(grey), "PNG"))
    assert np.array_equal(decoded, np.stack([grey] * 3, axis=2))


def test_cmyk_jpeg() -> None:
    # Full cyan and yellow, no magenta, no black: green = 255, the others 0.
    image = Image.new("CMYK", (8, 8), (255, 0, 255, 0))
    decoded = decode(encode(image, "JPEG", quality=100))
    assert np.abs(decoded.astype(int) - (0, 255, 0)).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_cut(kind: str) -> None:
    # 65535/255 = 257: 257 k is exactly k, and 128 lies just below half a step.
    values = np.array([[0, 257, 128, 129], [65535, 257 * 77, 32768, 300]], dtype=np.uint16)
    expected = [[0, 1, 0, 1], [255, 77, 128, 1]]
    decoded = decode(encode(Image.fromarray(values), kind))
    assert np.array_equal(decoded[:, :, 0], expected)


def test_16_bit_pgm() -> None:
    data = b"P5 2 1 65535\n" + np.array([65535, 257 * 3], dtype=">u2").tobytes()
    assert decode(data)[0, :, 0].tolist() == [255, 3]


def test_16_bit_rgb_png() -> None:
    # Written by hand, as Pillow does not write it: one pixel, high bytes 200, 100, 50.
    row = zlib.compress(b"\0" + bytes([200, 7, 100, 7, 50, 7]))
    assert decode(png(1, 1, 16, 2, b"IDAT" + row)).tolist() == [[[200, 100, 50]]]


@pytest.mark.parametrize("values", [np.array([[-1, 5]]), np.array([[0, 70000]])])
def test_32_bit_pixels_have_no_defined_range(values: np.ndarray) -> None:
    with pytest.raises(DecodeError, match="32-bit"):
        decode(encode(Image.fromarray(values.astype(np.int32)), "TIFF"))


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(DecodeError, match="floating-point"):
        decode(encode(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"))


def test_alpha_is_dropped_and_palettes_looked_up_without_a_warning() -> None:
    rgba = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 40, 50, 60])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (decode(encode(rgba, "PNG")) == (10, 20, 30)).all()
        transparent = encode(palette, "PNG", transparency=bytes([255, 0]))
        assert (decode(transparent) == (40, 50, 60)).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode(data) == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = random_rgb(2, 3)
    # EXIF 2.32, tag 0x0112: where the stored image's first row and column belong.
    upright = {
        1: stored,  # top, left
        2: stored[:, ::-1],  # top, right
        3: stored[::-1, ::-1],  # bottom, right
        4: stored[::-1],  # bottom, left
        5: stored.transpose(1, 0, 2),  # left, top
        6: stored.transpose(1, 0, 2)[:, ::-1],  # right, top: turn clockwise
        7: stored.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
        8: stored.transpose(1, 0, 2)[::-1],  # left, bottom: turn anticlockwise
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(Image.fromarray(stored), kind, exif=exif, **options)
    assert np.array_equal(decode(data), upright)
    assert decoded_shape(io.BytesIO(data)) == upright.shape[:2]


def test_exif_orientation_of_a_jpeg() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    left_half_white = np.zeros((16, 32, 3), np.uint8)
    left_half_white[:, :16] = 255
    decoded = decode(encode(Image.fromarray(left_half_white), "JPEG", exif=exif))
    assert decoded.shape == (32, 16, 3)
    assert decoded[:16].min() > 200  # turned clockwise, the left is at the top
    assert decoded[16:].max() < 50


def test_damaged_exif_does_not_spoil_the_image() -> None:
    image = Image.fromarray(random_rgb(4, 6))
    data = encode(image, "JPEG", exif=b"Exif\x00\x00garbage of no structure")
    assert decode(data).shape == (4, 6, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"keep_rgb": True}],
    ids=str,
)
def test_jpeg_files_have_pillows_pixels(mode: str, options: dict) -> None:
    for height, width in ((33, 47), (1, 1), (120, 200)):
        image = Image.fromarray(random_rgb(height, width)).convert(mode)
        data = encode(image, "JPEG", **options)
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(decode(data), expected)
        for damaged in (data[: len(data) // 2], data[:-2], data[:20]):
            with pytest.raises(DecodeError):
                decode(damaged)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"hello", "known format"), (b"\xff\xd8\xff", "damaged")]
)
def test_files_that_are_no_images(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(data)


def test_formats_beyond_plain_images_are_not_opened() -> None:
    # Pillow would hand PostScript to an interpreter.
    postscript = encode(Image.fromarray(random_rgb(4, 4)), "EPS")
    with pytest.raises(DecodeError, match="known format"):
        decode(postscript)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("pixels", [1.5, 2.5])  # Pillow warns of the first, refuses the second
def test_decompression_bombs_are_refused(monkeypatch, pixels: float) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = encode(Image.new("L", (100, int(10 * pixels))), "PNG")
    with pytest.raises(DecodeError, match="bomb"):
        decode(data)


@pytest.mark.parametrize("shape", [(50, 70), (70, 50), (31, 97), (40, 40), (20, 33), (64, 200)])
def test_resizing_is_torchvisions(shape: tuple[int, int]) -> None:
    pixels = random_rgb(*shape)
    expected = np.asarray(resize(Image.fromarray(pixels), 40))
    resized = resize_shorter_side(pixels, 40)
    assert np.array_equal(resized, expected)
    assert resized_shape(shape, 40) == resized.shape[:2]


def test_the_longer_side_is_rounded_down() -> None:
    # 256 * 500 / 375 = 341.33, 256 * 500 / 333 = 384.38
    assert resized_shape((375, 500), 256) == (256, 341)
    assert resized_shape((500, 333), 256) == (384, 256)
