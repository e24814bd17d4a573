"""A user's images between two runs: only a change of content rewrites source.json."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ssl_collapse.provenance import survey as module
from ssl_collapse.provenance.survey import INVENTORY, survey, write_inventory


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Images a/0, a/1, b/0 (their content does not matter here), described and inventoried."""
    for name in ("a/0.png", "a/1.png", "b/0.png"):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    results = tmp_path / "results"
    assert not survey(folders(tmp_path), results)  # the first look: nothing to compare with
    (results / "dataset.json").write_text("{}")
    write_inventory(folders(tmp_path), results / INVENTORY)
    return tmp_path


def folders(place: Path, name: str = "images") -> dict[str, str]:
    return {"root": str(place / name)}


def changed(place: Path, name: str = "images", everything: bool = False) -> bool:
    """Whether the survey says so; the dates of source.json must say the same to Snakemake."""
    results = place / "results"
    answer = survey(folders(place, name), results, everything)
    newer = (results / "source.json").stat().st_mtime > (results / "dataset.json").stat().st_mtime
    assert answer == newer
    return answer


def test_nothing_touched_is_nothing_changed(place: Path):
    assert not changed(place)


def test_touched_copied_moved_and_rewritten_files_are_the_same(place: Path):
    os.utime(place / "images/a/0.png", (1, 1))
    assert not changed(place)
    shutil.copytree(place / "images", place / "copy")
    assert not changed(place, "copy")
    (place / "images").rename(place / "moved")
    assert not changed(place, "moved")
    text = (place / "moved/a/0.png").read_text()
    (place / "moved/a/0.png").unlink()
    (place / "moved/a/0.png").write_text(text)
    assert not changed(place, "moved")


def edit(place: Path) -> None:
    (place / "images/a/0.png").write_text("other!!")


def add(place: Path) -> None:
    (place / "images/b/1.png").write_text("new")


def remove(place: Path) -> None:
    (place / "images/a/1.png").unlink()


def relabel(place: Path) -> None:
    (place / "images/a/1.png").rename(place / "images/b/1.png")


@pytest.mark.parametrize("change", [edit, add, remove, relabel])
def test_changed_content_is_seen_until_it_is_described(place: Path, change):
    change(place)
    assert changed(place)
    assert changed(place)  # a second look does not forget it
    write_inventory(folders(place), place / "results" / INVENTORY)
    os.utime(place / "results/dataset.json")
    assert not changed(place)


def test_a_change_that_is_undone_is_none(place: Path):
    text = (place / "images/a/0.png").read_text()
    edit(place)
    assert changed(place)
    (place / "images/a/0.png").write_text(text)
    assert not changed(place)


def test_an_edit_that_keeps_size_and_date_is_seen_when_everything_is_read(place: Path):
    file = place / "images/a/0.png"
    date = file.stat().st_mtime_ns
    file.write_text("A/0.png")  # the same seven bytes long
    os.utime(file, ns=(date, date))
    assert not changed(place)
    assert changed(place, everything=True)


def test_large_folders_are_known_by_their_folders_dates(place: Path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_LISTED", 2)
    file = place / "images/a/0.png"
    file.write_text("in place")
    assert not changed(place)  # the price of not listing a million files
    add(place)
    assert changed(place)


def test_only_differing_files_are_read(place: Path, capsys):
    os.utime(place / "images/a/0.png", (1, 1))
    changed(place)
    assert capsys.readouterr().err == "reading 1 new or touched files\n"
    changed(place)
    assert capsys.readouterr().err == ""


def test_without_an_inventory_or_folder_nothing_is_claimed(place: Path):
    (place / "images").rename(place / "gone")
    assert not changed(place)
    (place / "results" / INVENTORY).unlink()
    assert not changed(place, "gone")
    assert json.loads((place / "results/source.json").read_text()) == {"content": "as first found"}


def test_a_pipe_among_the_images_is_not_opened(place: Path):
    os.mkfifo(place / "images/a/pipe.png")  # reading it would wait for ever
    assert not changed(place, everything=True)
