"""A user's images between two runs: what they hold decides, and what cannot be known is said."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ssl_collapse.images.imagefolder import EXTENSIONS, JUNK, list_dataset
from ssl_collapse.provenance import inventory as module
from ssl_collapse.provenance.inventory import (
    INVENTORY,
    Comparison,
    Naming,
    compare,
    list_files,
    save,
    write_inventory,
)
from ssl_collapse.runtime import folders as dates
from ssl_collapse.runtime.command_line import logger

sys.path.append(str(Path(__file__).parents[3] / "workflow/scripts"))
import dataset as dataset_script

NAMING = Naming(tuple(JUNK), tuple(EXTENSIONS))
IMAGES = ("cat/0.png", "cat/1.png", "cat/more/2.png", "dog/0.png", "dog/1.png")


def describe(place: Path) -> None:
    """Run the dataset stage on `images`, as the workflow does."""
    (place / "results").mkdir(exist_ok=True)
    arguments = [
        *("--name", "mine", "--output", str(place / "results/dataset.json")),
        *("--folders", json.dumps({"mine": folders(place)})),
        *("--spec", '{"kind": "imagefolder", "val_fraction": 0.5, "on_bad_image": "skip"}'),
    ]
    logger.disabled = True
    try:
        dataset_script.main(dataset_script.parser().parse_args(arguments))
    finally:
        logger.disabled = False


def folders(place: Path, name: str = "images") -> dict[str, str]:
    return {"root": str(place / name)}


def look(place: Path, name: str = "images", everything: bool = False) -> Comparison:
    """Compare; nothing below `place` may have been written."""
    before = snapshot(place)
    found = compare(folders(place, name), place / "results" / INVENTORY, everything)
    assert snapshot(place) == before
    return found


def snapshot(place: Path) -> dict[str, object]:
    """Content and dates of every file and folder but images, which reading gives other atimes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [place / "results", *(place / "results").rglob("*")]
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """images/{cat,dog} with five images of 1 x 1 pixels, and what is of no interest; described."""
    monkeypatch.setattr(dates, "_SETTLED", 0)  # the images are as if written long ago
    for grey, name in enumerate(IMAGES):
        save_image(tmp_path / "images" / name, grey)
    (tmp_path / "images/cat/notes.txt").write_text("a bad file, which is skipped")
    (tmp_path / "images/labels.csv").write_text("beside the class folders")
    describe(tmp_path)
    return tmp_path


def save_image(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (1, 1), grey).save(path)


def test_the_inventory_holds_every_image_and_what_lies_between_them(place: Path) -> None:
    inventory = json.loads((place / "results" / INVENTORY).read_text())
    names = [f"root/{name}" for name in (*IMAGES, "cat/notes.txt")]
    assert sorted(inventory["files"]) == sorted(names)
    status = (place / "images/dog/1.png").stat()
    *state, sha256 = inventory["files"]["root/dog/1.png"]
    assert state == [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    assert sha256 == module._read_entry(str(place / "images/dog/1.png"))[4]
    assert str(place) not in (place / "results" / INVENTORY).read_text()


def test_nothing_touched_is_the_same_and_nothing_is_read(place: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_read_entry", pytest.fail)
    recorded = json.loads((place / "results" / INVENTORY).read_text())["content"]
    assert look(place) == Comparison("same", content=recorded)


# Changes that are none ------------------------------------------------------------------------


def touch(place: Path) -> str:
    os.utime(place / "images/cat/0.png", (1, 1))
    return "images"


def copy(place: Path) -> str:
    shutil.copytree(place / "images", place / "copy")
    return "copy"


def move(place: Path) -> str:
    (place / "images").rename(place / "moved")
    return "moved"


def rewrite(place: Path) -> str:
    content = (place / "images/cat/0.png").read_bytes()
    (place / "images/cat/0.png").unlink()
    (place / "images/cat/0.png").write_bytes(content)
    return "images"


def date_in_the_future(place: Path) -> str:
    os.utime(place / "images/cat/0.png", (2**32, 2**32))
    return "images"


def edit_what_is_no_image(place: Path) -> str:
    (place / "images/cat/notes.txt").write_text("other words")
    (place / "images/readme.txt").write_text("beside the class folders")
    (place / "images/cat/.DS_Store").write_text("hidden")
    (place / "images/dog/Thumbs.db").write_text("left behind by a system")
    return "images"


def date_the_inventory_in_the_future(place: Path) -> str:
    for name in (INVENTORY, "dataset.json"):
        os.utime(place / "results" / name, (2**32, 2**32))
    return "images"


@pytest.mark.parametrize(
    "change",
    [
        touch,
        copy,
        move,
        rewrite,
        date_in_the_future,
        edit_what_is_no_image,
        date_the_inventory_in_the_future,
    ],
)
def test_the_same_content_is_the_same(place: Path, change: Callable[[Path], str]) -> None:
    recorded = look(place).content
    name = change(place)
    found = look(place, name)
    assert (found.state, found.content, found.reason) == ("same", recorded, "")
    save(place / "results" / INVENTORY, found)
    again = look(place, name)
    assert (again.state, again.content) == ("same", recorded)


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The files that are read from now on."""
    paths: list[str] = []
    read_entry = module._read_entry
    monkeypatch.setattr(module, "_read_entry", lambda path: paths.append(path) or read_entry(path))
    return paths


def test_a_touched_file_is_read_once_and_kept_by_save_alone(place: Path, read: list[str]) -> None:
    touch(place)
    for _ in range(2):  # two dry runs
        found = look(place)
        assert found.fresh is not None
    assert read == [str(place / "images/cat/0.png")] * 2
    save(place / "results" / INVENTORY, found)
    assert look(place) == Comparison("same", content=found.content)
    assert len(read) == 2


def test_a_date_in_the_future_is_never_believed(place: Path, read: list[str]) -> None:
    date_in_the_future(place)
    describe(place)
    file = place / "images/cat/0.png"
    inventory = json.loads((place / "results" / INVENTORY).read_text())
    assert inventory["files"]["root/cat/0.png"][:4] == [0, 0, 0, 0]
    # Not even where a machine whose clock is ahead of ours has noted it.
    inventory["files"]["root/cat/0.png"][:4] = dates.state_of(file.stat())
    (place / "results" / INVENTORY).write_text(json.dumps(inventory))
    read.clear()
    assert look(place).state == "same"
    assert read == [str(file)]


def test_a_file_written_just_now_is_read_again(place: Path, monkeypatch) -> None:
    # A further edit within the same tick of the clock would leave the same dates.
    monkeypatch.setattr(dates, "_SETTLED", 10**12)
    describe(place)
    entries = json.loads((place / "results" / INVENTORY).read_text())["files"]
    assert {tuple(entry[:4]) for entry in entries.values()} == {dates.NEVER}
    assert look(place).state == "same"


# Changes that are some ------------------------------------------------------------------------


def edit(place: Path) -> None:
    save_image(place / "images/cat/0.png", 100)


def edit_with_size_and_date_kept(place: Path) -> None:
    file = place / "images/cat/0.png"
    before = file.stat()
    edit(place)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )


def swap_between_classes(place: Path) -> None:
    # The same names, sizes and dates on both sides.
    cat, dog = place / "images/cat/0.png", place / "images/dog/0.png"
    assert cat.stat().st_size == dog.stat().st_size
    os.utime(cat, (1, 1))
    os.utime(dog, (1, 1))
    describe(place)
    cat.rename(place / "aside")
    dog.rename(cat)
    (place / "aside").rename(dog)


def add(place: Path) -> None:
    save_image(place / "images/dog/9.png", 100)


def remove(place: Path) -> None:
    (place / "images/cat/1.png").unlink()


def relabel(place: Path) -> None:
    (place / "images/cat/1.png").rename(place / "images/dog/9.png")


def add_a_bad_file(place: Path) -> None:
    (place / "images/cat/more.txt").write_text("dataset.json has to list it")


def replace_by_a_broken_link(place: Path) -> None:
    (place / "images/cat/1.png").unlink()
    (place / "images/cat/1.png").symlink_to(place / "nowhere")


def add_a_name_that_is_not_utf8(place: Path) -> None:
    Path(os.fsdecode(os.fsencode(place / "images/cat") + b"/caf\xe9.png")).touch()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edit, "{images}/cat/0.png changed"),
        (edit_with_size_and_date_kept, "{images}/cat/0.png changed"),
        (swap_between_classes, "files changed: 2, e.g. {images}/cat/0.png changed"),
        (add, "{images}/dog/9.png added"),
        (remove, "{images}/cat/1.png gone"),
        (relabel, "files added: 1, gone: 1, e.g. {images}/dog/9.png added"),
        (add_a_bad_file, "{images}/cat/more.txt added"),
        (replace_by_a_broken_link, "{images}/cat/1.png changed"),
        (add_a_name_that_is_not_utf8, "{images}/cat/caf\\xe9.png added"),
    ],
)
def test_other_content_is_seen_and_named_until_it_is_described(
    place: Path, change: Callable[[Path], None], reason: str
) -> None:
    recorded = look(place).content
    change(place)
    for everything in (False, True):
        found = look(place, everything=everything)
        assert found.state == "differs"
        assert found.reason == reason.format(images=place / "images")
        assert found.content not in (recorded, None)
        save(place / "results" / INVENTORY, found)  # must not make them the described ones
    described_as = found.content
    describe(place)
    assert look(place) == Comparison("same", content=described_as)


def test_a_change_that_is_undone_is_none(place: Path) -> None:
    content = (place / "images/cat/0.png").read_bytes()
    edit(place)
    assert look(place).state == "differs"
    (place / "images/cat/0.png").write_bytes(content)
    assert look(place).state == "same"


def test_another_folder_with_equal_names_sizes_and_dates_is_read(place: Path) -> None:
    for name in IMAGES:
        os.utime(place / "images" / name, (1, 1))
    describe(place)
    copy(place)
    save_image(place / "copy/dog/1.png", 100)
    for name in IMAGES:
        os.utime(place / "copy" / name, (1, 1))
        assert (place / "copy" / name).stat().st_size == (place / "images" / name).stat().st_size
    found = look(place, "copy")
    assert (found.state, found.reason) == ("differs", f"{place}/copy/dog/1.png changed")


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
    add(place)  # after the job has listed the files
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


def test_reading_much_is_said(place: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(module, "WORTH_SAYING", 0)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    copy(place)
    assert look(place, "copy").state == "same"
    assert capsys.readouterr().err == "reading 5 new, touched or moved images, 0.0 GB\n"


def test_an_inventory_vouches_for_its_own_description_alone(place: Path) -> None:
    # dataset.json of other images, copied beside an inventory that fits the present ones
    description = place / "results/dataset.json"
    content = json.loads(description.read_text())
    description.write_text(json.dumps({**content, "fingerprint": "another"}))
    found = look(place)
    assert found.state == "unknown"
    assert found.reason.endswith("inventory.json belongs to another dataset.json")
