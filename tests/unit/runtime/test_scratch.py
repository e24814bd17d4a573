"""Copies of packed images on a node's own disk."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.runtime import scratch
from ssl_collapse.runtime.scratch import on_scratch


@pytest.fixture
def packed(images: PackedImages, tmp_path: Path) -> Path:
    """A file of packed images that a test may change."""
    return Path(shutil.copy(images.path, tmp_path / "train.h5"))


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "node"


def copies(node: Path) -> list[Path]:
    return sorted(node.rglob("*.h5"))


def test_without_scratch_images_are_read_in_place(packed: Path):
    assert on_scratch(packed, None) == packed
    assert on_scratch(packed, "") == packed


def test_a_copy_holds_the_same_images(packed: Path, node: Path):
    copy = on_scratch(packed, str(node))
    assert copy != packed and copy.read_bytes() == packed.read_bytes()
    one, other = PackedImages(packed), PackedImages(copy)
    for i in range(len(one)):
        np.testing.assert_array_equal(one.image(i), other.image(i))


def test_equal_images_share_one_copy_and_others_get_their_own(packed: Path, node: Path):
    elsewhere = packed.parent / "experiment/train.h5"
    elsewhere.parent.mkdir()
    shutil.copy(packed, elsewhere)
    first = on_scratch(packed, str(node))
    stamp = first.stat().st_mtime_ns
    assert on_scratch(elsewhere, str(node)) == first
    assert first.stat().st_mtime_ns == stamp  # not copied again
    with h5py.File(packed, "r+") as file:
        file["pixels"][0] = 255 - file["pixels"][0]
    assert on_scratch(packed, str(node)) != first
    assert len(copies(node)) == 2


def test_a_truncated_and_a_changed_copy_are_made_again(packed: Path, node: Path):
    copy = on_scratch(packed, str(node))
    for damaged in (copy.read_bytes()[:-1], bytes(copy.stat().st_size)):
        copy.write_bytes(damaged)
        assert on_scratch(packed, str(node)).read_bytes() == packed.read_bytes()


def test_variables_are_those_of_the_machine(
    packed: Path, node: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NODE_DISK", str(node))
    assert on_scratch(packed, "${NODE_DISK}/images").is_relative_to(node / "images")


def warned(caplog: pytest.LogCaptureFixture, packed: Path, folder: str) -> str:
    """The warning of a scratch that cannot be used; the images are read in place."""
    with caplog.at_level(logging.WARNING, logger="ssl_collapse"):
        assert on_scratch(packed, folder) == packed
    return caplog.text


def test_an_unset_variable_is_named(packed: Path, caplog: pytest.LogCaptureFixture):
    text = warned(caplog, packed, "$NO_SUCH_DISK/images")
    assert "the variable NO_SUCH_DISK is not set on this machine" in text


def test_a_full_disk_leaves_the_images_where_they_are(
    packed: Path, node: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scratch, "SPARE", 2**60)
    assert "GiB free are too few for a copy" in warned(caplog, packed, str(node))
    assert copies(node) == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(
    packed: Path, node: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def fill(source: Path, target: Path) -> None:
        target.write_bytes(b"some")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    assert "No space left on device" in warned(caplog, packed, str(node))
    assert [path.suffix for path in node.rglob("*") if path.is_file()] == [".lock"]


def test_a_file_that_is_not_packed_images_is_left_to_who_reads_it(
    packed: Path, node: Path, caplog: pytest.LogCaptureFixture
):
    packed.write_bytes(b"no HDF5")
    assert "is read in place" in warned(caplog, packed, str(node))


def test_what_a_killed_job_has_left_is_removed(packed: Path, node: Path):
    copy = on_scratch(packed, str(node))
    left = copy.with_name(f".{copy.name}.1.tmp")
    copy.rename(left)
    assert on_scratch(packed, str(node)) == copy
    assert not left.exists()


JOB = """
import logging, sys
from pathlib import Path
from ssl_collapse.runtime.scratch import on_scratch
logging.basicConfig(level=logging.INFO)
print(on_scratch(Path(sys.argv[1]), sys.argv[2]).read_bytes() == Path(sys.argv[1]).read_bytes())
"""


def test_jobs_that_start_together_make_one_copy(packed: Path, node: Path):
    command = [sys.executable, "-c", JOB, str(packed), str(node)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    jobs = [subprocess.Popen(command, **pipes) for _ in range(4)]
    answers = [job.communicate(timeout=60) for job in jobs]
    assert [out for out, _ in answers] == ["True\n"] * 4
    assert sum(log.count("copied") for _, log in answers) == 1
