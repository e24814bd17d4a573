"""A user's images of which something cannot be known: records and files not as they were."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inventories import NAMING, describe, folders, look, save_image

from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.provenance.inventory import (
    INVENTORY,
    Comparison,
    compare,
    list_files,
    write_inventory,
)
from ssl_collapse.runtime import folders as dates


def test_a_description_from_a_backup_is_not_that_of_todays_images(place: Path) -> None:
    # cp -p backup/dataset.json*: what lies beside it tells that today's images are as recorded
    described = place / "results/dataset.json"
    backup = described.read_bytes()
    save_image(place / "images/dog/1.png", 100)
    describe(place)
    described.write_bytes(backup)
    found = look(place)
    assert found.state == "unknown"
    assert found.reason.endswith("inventory.json belongs to another dataset.json")


def test_an_unusual_name_stays_one_line(place: Path) -> None:
    save_image(place / "images/cat/two\nlines ü.png", 7)
    assert look(place).reason == f"{place}/images/cat/two\\nlines ü.png added"


def test_images_that_come_or_change_while_the_job_runs_are_news(place: Path) -> None:
    listed = list_files(folders(place), NAMING)
    save_image(place / "images/dog/9.png", 100)  # after the job has listed the files
    write_inventory(place / "results" / INVENTORY, folders(place), listed, {}, NAMING)
    assert look(place).reason == f"{place}/images/dog/9.png added"
    # What the job read was another content than what lies there now, whatever the dates say.
    read = {"root/cat/0.png": ("the job's digest", dates.NEVER)}
    listed = list_files(folders(place), NAMING)
    write_inventory(place / "results" / INVENTORY, folders(place), listed, read, NAMING)
    assert look(place).reason == f"{place}/images/cat/0.png changed"


def test_an_image_that_can_be_read_at_last_is_described(place: Path, monkeypatch) -> None:
    refused = place / "images/cat/0.png"
    open_file = Path.open

    def refuse(path: Path, *args, **kwargs):
        if path == refused:
            raise PermissionError(13, "Permission denied")
        return open_file(path, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        describe(place)  # skips it
        assert look(place).state == "same"
    assert look(place).reason == f"{refused} changed"


# What cannot be known -------------------------------------------------------------------------


def damages(content: bytes) -> Iterator[bytes]:
    """Emptied, cut, of another kind; a pickle that would create the file `ran`."""
    yield from (b"", content[: len(content) // 2], content[:-3], b"\x89PNG\r\n\x1a\n\0\xff" * 20)
    yield from (b"[1, 2]", b"null", b'{"other": 1}', b"[" * 100_000)
    yield b"cposix\nsystem\n(S'touch ran'\ntR."


@pytest.mark.parametrize("name", [INVENTORY, "dataset.json"])
def test_damaged_or_missing_records_are_never_as_recorded(
    place: Path, name: str, monkeypatch
) -> None:
    monkeypatch.chdir(place)
    file = place / "results" / name
    for content in damages(file.read_bytes()):
        file.write_bytes(content)
        assert look(place) == Comparison("unknown", f"{file} is damaged")
    file.unlink()
    assert look(place) == Comparison("unknown", f"{file} is missing")
    assert not (place / "ran").exists()


def test_an_inventory_of_another_version_is_unknown(place: Path) -> None:
    file = place / "results" / INVENTORY
    file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 99}))
    assert look(place) == Comparison("unknown", f"{file} is of another version")


def test_images_that_are_not_here_are_away_and_not_changed(place: Path, monkeypatch) -> None:
    (place / "images").rename(place / "gone")
    images = place / "images"
    missing = Comparison("unknown", f"the folder {images} is not on this machine", away=True)
    assert look(place) == missing
    images.mkdir()
    empty = f"the folder {images} is empty (a disk not mounted?)"
    assert look(place) == Comparison("unknown", empty, away=True)

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = compare(folders(place), place / "results" / INVENTORY)
    closed = f"the folder {images} cannot be listed: Permission denied"
    assert found == Comparison("unknown", closed, away=True)


# The listing ----------------------------------------------------------------------------------


def test_no_image_that_the_dataset_takes_escapes_the_inventory(place: Path) -> None:
    root = place / "images"
    save_image(place / "elsewhere/3.png", 3)
    (root / "dog/linked").symlink_to(place / "elsewhere")
    (root / "dog/file.png").symlink_to(place / "elsewhere/3.png")
    save_image(place / "birds/6.png", 6)
    (root / "bird").symlink_to(place / "birds")
    save_image(root / "cat/UPPER.PNG", 4)
    save_image(root / "stray.png", 5)
    (root / "cat/up").symlink_to(root)
    (root / "cat/loop").symlink_to(root / "cat/loop")
    os.mkfifo(root / "cat/pipe.png")  # opening it would wait for ever
    listing = list_dataset({"root": root}, 0.5)
    taken = {f"root/{path}" for images in listing.splits.values() for path in images.paths}
    reported = {f"root/{problem.path}" for problem in listing.problems}
    assert len(taken) == 9
    assert len(reported) == 5
    listed = list_files(folders(place), NAMING)
    assert taken | reported <= set(listed)
    assert {name for name in taken if isinstance(listed[name], str)} == set()
