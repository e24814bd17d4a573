"""One folder with every odd and every bad file: read rightly, or listed in one report."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from encoded import encode, png
from PIL import Image
from toy import look, pack, stored_paths

from ssl_collapse.images.decoding import DecodeError, decode
from ssl_collapse.images.inspection import inspect_file
from ssl_collapse.runtime.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
KINDS = {
    "PNG": {},
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "BMP": {},
    "TIFF": {},
    "LZW TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
    "WEBP": {},
    "GIF": {},
}


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that announces a size."""
    return png(side, side, 8, 2, b"IDAT" + zlib.compress(b"\0"))


def odd_images() -> dict[str, tuple[bytes, np.ndarray]]:
    """Unusual, but right: name -> file and the pixels that it shows."""
    rgb, white = Image.fromarray(PIXELS), np.full((24, 20, 3), 255, np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6  # stored row 0 is the right side: turn clockwise
    cmyk = Image.new("CMYK", (20, 24), (0, 0, 0, 0))  # no ink
    red = [Image.new("RGB", (20, 24), colour) for colour in ("red", "blue")]
    return {
        "cmyk.jpg": (encode(cmyk, "JPEG", quality=100), white),
        "animated.gif": (
            encode(red[0], "GIF", save_all=True, append_images=red[1:]),
            np.broadcast_to(np.array([255, 0, 0], np.uint8), (24, 20, 3)),
        ),
        "turned.png": (encode(rgb, "PNG", exif=turned), np.rot90(PIXELS, -1)),
        "png in fact.jpg": (encode(rgb, "PNG"), PIXELS),
        "two\nlines\u00a0and a ü.png": (encode(rgb, "PNG"), PIXELS),
    }


def bad_files(folder: Path) -> dict[str, str]:
    """Write every kind of bad file; path in the report -> a part of the reason."""
    whole = {
        kind: encode(Image.fromarray(PIXELS), kind.split()[-1], **KINDS[kind]) for kind in KINDS
    }
    reasons = {}
    for kind, content in whole.items():
        (folder / f"cut {kind}.jpg").write_bytes(content[: len(content) // 2])
        reasons[f"cut {kind}.jpg"] = ""
    flipped = bytearray(whole["PNG"])
    flipped[len(flipped) // 2] ^= 1
    files = {
        "zero.png": (b"", "the file is empty"),
        "text.png": (b"no image", "known format"),
        "flipped.png": (bytes(flipped), "damaged: "),
        "bomb.png": (bomb(60_000), "bomb"),
        "big bomb.png": (bomb(15_000), "bomb"),
        "notes.txt": (b"text", "not an image file"),
        "lines\n.png": (b"no image", "known format"),
    }
    for name, (content, reason) in files.items():
        (folder / name).write_bytes(content)
        reasons[name] = reason
    (folder / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(whole["PNG"])
    return reasons | {
        "loop": "a symbolic link to a folder that contains it",
        "broken.png": "a broken symbolic link",
        "pipe.png": "not a regular file",
        "caf\\xe9.png": "the name is not UTF-8",
    }


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """train and val, each with one class of the odd images."""
    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
        for name, (content, _) in odd_images().items():
            (tmp_path / split / "a" / name).write_bytes(content)
    return tmp_path


def test_odd_images_are_read_rightly_and_packed(odd: Path):
    for side in (20, None):
        packed = pack(odd, side)
        for i, path in enumerate(stored_paths(packed)):
            assert np.array_equal(packed.image(i), odd_images()[path.removeprefix("a/")][1]), path
        assert len(packed) == len(odd_images())


def test_all_bad_files_stand_in_one_report(odd: Path):
    reasons = bad_files(odd / "train/a")
    with pytest.raises(UserError) as error:
        look(odd)
    head, *lines = str(error.value).splitlines()
    assert head.startswith(f"{len(reasons)} bad files among the images; repair or remove them")
    assert "on_bad_image: skip" in head
    shown = dict(line.strip().removeprefix(f"{odd}/train/a/").split(": ", 1) for line in lines)
    assert len(lines) == len(reasons) <= 20
    for name, reason in reasons.items():
        assert reason in shown[name.replace("\n", "\\n")], name


def test_skipped_files_are_counted_and_the_rest_is_as_without_them(odd: Path):
    _, clean = look(odd, "skip")
    reasons = bad_files(odd / "train/a")
    _, skipping = look(odd, "skip")
    assert sorted(file.path for file in skipping.skipped) == sorted(f"a/{n}" for n in reasons)
    assert skipping.splits == clean.splits
    assert skipping.fingerprint == clean.fingerprint


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on damaged TIFF tags
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_at_any_byte_never_gives_other_pixels(kind: str):
    data = encode(Image.fromarray(PIXELS), kind.split()[-1], **KINDS[kind])
    whole = decode(data)
    for length in range(0, len(data), 7):
        try:
            assert np.array_equal(decode(data[:length]), whole)
        except DecodeError:
            continue


def white(rows: int, interlaced: bool = False, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of 20 x 24 pixels, checksums and all, of which only some rows are there."""
    bits = depth * {0: 1, 2: 3, 3: 1}[colour]
    if interlaced:  # bytes per row and rows of the seven passes, counted on squared paper
        widths, heights = (3, 2, 5, 5, 10, 10, 20), (3, 3, 3, 6, 6, 12, 12)
        lines = [w for w, h in zip(widths, heights, strict=True) for _ in range(h)]
    else:
        lines = [20] * 24
    raw = b"".join(b"\0" + b"\xff" * ((w * bits + 7) // 8) for w in lines[:rows])
    pixels, palette = zlib.compress(raw), [b"PLTE" + b"\xff" * 768] if colour == 3 else []
    parts = *palette, b"IDAT" + pixels[:5], b"IDAT" + pixels[5:]
    return png(20, 24, depth, colour, *parts, interlaced=interlaced)


@pytest.mark.parametrize("colour", [0, 2])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("interlaced", "rows"), [(False, 24), (True, 45)])
def test_a_png_whose_rows_end_early_is_bad(
    tmp_path: Path, interlaced: bool, rows: int, depth: int, colour: int
):
    file = tmp_path / "a.png"
    file.write_bytes(white(rows, interlaced, depth, colour))
    assert inspect_file(file).reason is None
    assert (decode(file.read_bytes()) == 255).all()
    file.write_bytes(white(rows - 1, interlaced, depth, colour))
    assert not decode(file.read_bytes())[23].all()  # Pillow: black, and no word of it
    assert "its rows end early" in inspect_file(file).reason


def test_bits_of_a_row_are_rounded_up_to_bytes(tmp_path: Path):
    # 20 pixels of 1 bit: 3 bytes.
    (tmp_path / "a.png").write_bytes(white(24, depth=1, colour=0))
    assert inspect_file(tmp_path / "a.png").reason is None
    (tmp_path / "a.png").write_bytes(white(23, depth=1, colour=0))
    assert inspect_file(tmp_path / "a.png").reason == "its rows end early: 92 of 96 bytes"


def test_rows_that_are_missing_need_not_be_black(tmp_path: Path):
    # In a palette they have its first colour, here white as the others.
    (tmp_path / "a.png").write_bytes(white(24, colour=3))
    assert inspect_file(tmp_path / "a.png").reason is None
    (tmp_path / "a.png").write_bytes(white(23, colour=3))
    assert (decode(white(23, colour=3)) == 255).all()
    assert inspect_file(tmp_path / "a.png").reason == "its rows end early: 483 of 504 bytes"
