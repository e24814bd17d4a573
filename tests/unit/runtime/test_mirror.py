"""A training goes on on another node, which has nothing of the first one's disk."""

import logging
from pathlib import Path
from zipfile import ZipFile

import pytest

from ssl_collapse.runtime.interruption import Budget
from ssl_collapse.runtime.saved_state import SavedState


def node(root: Path, name: str) -> SavedState:
    """A state on a node's own disk, carried to one storage."""
    return SavedState(root / name / "training-1", Budget(mirror=str(root / "storage")))


def save(state: SavedState, epoch: int) -> None:
    checkpoint = f"epoch{epoch:04d}.pt"
    (state.checkpoints / checkpoint).write_text(str(epoch))
    state.record(checkpoint)
    with state.saving(epoch, 0) as file, ZipFile(file, "w") as archive:  # as torch.save writes
        archive.writestr("epoch", str(epoch))


def saved_epoch(state: SavedState) -> str:
    return ZipFile(state.file).read("epoch").decode()


def test_what_was_saved_last_is_there_on_another_node(tmp_path: Path):
    one, two, three = (node(tmp_path, name) for name in ("one", "two", "three"))
    with one.locked():
        assert not one.exists()
        save(one, 0)
        save(one, 1)
    with two.locked():
        assert two.exists() and saved_epoch(two) == "1"
        two.digests = one.digests
        assert two.is_whole("epoch0000.pt") and two.is_whole("epoch0001.pt")
        save(two, 2)
    with one.locked():  # again on the first one, whose own disk is behind
        assert saved_epoch(one) == "2"
    two.remove()
    assert (tmp_path / "storage/training-1/finished").exists(), "till the results are stored"
    with three.locked():
        assert saved_epoch(three) == "2", "they were lost: nothing is trained again"


def test_a_checkpoint_is_carried_once_and_again_where_it_is_made_anew(tmp_path: Path):
    one = node(tmp_path, "one")
    there = tmp_path / "storage/training-1/checkpoints/epoch0000.pt"
    with one.locked():
        save(one, 0)
        there.write_text("as it was put")
        save(one, 1)
        assert there.read_text() == "as it was put"
        save(one, 0)
        assert there.read_text() == "0"


def test_half_a_save_is_not_fetched(tmp_path: Path):
    """A node that was lost while it put its first state there."""
    checkpoints = tmp_path / "storage/training-1/checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "epoch0000.pt").touch()
    two = node(tmp_path, "two")
    with two.locked():
        assert not two.exists() and not list(two.checkpoints.iterdir())


def test_a_storage_that_cannot_be_reached_ends_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "storage").touch()  # no folder
    one = node(tmp_path, "one")
    with one.locked(), caplog.at_level(logging.WARNING):
        save(one, 0)
    assert saved_epoch(one) == "0"
    assert "saved here only" in caplog.text
