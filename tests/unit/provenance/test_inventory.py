"""A user's images between two runs: what they hold decides, and what cannot be known is said."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from inventories import IMAGES, describe, look, save_image

from ssl_collapse.provenance import inventory as module
from ssl_collapse.provenance.inventory import INVENTORY, Comparison, save
from ssl_collapse.runtime import folders as dates


def test_the_inventory_holds_every_image_and_what_lies_between_them(place: Path) -> None:
    inventory = json.loads((place / "results" / INVENTORY).read_text())
    names = [f"root/{name}" for name in (*IMAGES, "cat/notes.txt")]
    assert sorted(inventory["files"]) == sorted(names)
    status = (place / "images/dog/1.png").stat()
    *state, sha256 = inventory["files"]["root/dog/1.png"]
    assert state == [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    assert sha256 == module.read_entry(str(place / "images/dog/1.png"))[4]
    assert str(place) not in (place / "results" / INVENTORY).read_text()


def test_nothing_touched_is_the_same_and_nothing_is_read(place: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "read_entry", pytest.fail)
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


def date_the_inventory(place: Path) -> str:
    for name in (INVENTORY, "dataset.json"):
        os.utime(place / "results" / name, (2**32, 2**32))
    return "images"


@pytest.mark.parametrize(
    "change",
    [touch, copy, move, rewrite, date_in_the_future, edit_what_is_no_image, date_the_inventory],
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
    original = module.read_entry
    monkeypatch.setattr(module, "read_entry", lambda path: paths.append(path) or original(path))
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
    monkeypatch.setattr(dates, "SETTLED", 10**12)
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
    kept = ("st_size", "st_mtime_ns", "st_ino")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


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


def test_reading_much_is_said(place: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(module, "WORTH_SAYING", 0)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    copy(place)
    assert look(place, "copy").state == "same"
    assert capsys.readouterr().err == "reading 5 new, touched or moved images, 0.0 GB\n"
