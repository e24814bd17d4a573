"""A result appears whole or not at all."""

import os
from pathlib import Path

import pytest

from ssl_collapse.runtime.files import atomic_path, write_json


def test_a_failed_write_leaves_the_earlier_result_and_nothing_else(tmp_path: Path):
    target = tmp_path / "result.txt"
    target.write_text("earlier")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_lies_in_the_same_folder(tmp_path: Path):
    # a rename is atomic only within one file system
    with atomic_path(tmp_path / "new" / "result.txt") as temporary:
        assert temporary.parent == tmp_path / "new"
        temporary.write_text("whole")
    assert (tmp_path / "new" / "result.txt").read_text() == "whole"


def test_json_refuses_nan(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"auc": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path):
    target = tmp_path / "result.txt"
    child = os.fork()
    if child == 0:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            os._exit(9)  # as if killed: nothing is cleaned up
    os.waitpid(child, 0)
    (leftover,) = tmp_path.iterdir()
    living = tmp_path / leftover.name.replace(str(child), str(os.getppid()))
    living.touch()  # of a process that still writes
    write_json(target, {})
    assert sorted(tmp_path.iterdir()) == [living, target]


def test_what_is_no_regular_file_is_written_to_and_stays(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_json(pipe, {"auc": 0.5})
    assert os.read(reader, 100) == b'{\n  "auc": 0.5\n}\n'
    os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    write_json(Path("/dev/null"), {})
    assert Path("/dev/null").is_char_device()
