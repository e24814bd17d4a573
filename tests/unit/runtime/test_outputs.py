"""Paths are judged before anything is computed, and results are written together."""

import os
from pathlib import Path

import pytest

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.outputs import beside, check_outputs, write_all


def test_a_path_that_can_be_written_makes_no_folder_yet(tmp_path: Path):
    check_outputs(tmp_path / "new" / "deep" / "x.json", None, Path("/dev/null"))
    assert list(tmp_path.iterdir()) == []


def test_a_path_in_a_file_or_in_the_kernels_folders_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file/x.json", tmp_path / "file/deep/x.json"):
        with pytest.raises(UserError, match="file is no folder; name another file"):
            check_outputs(tmp_path / "fine.csv", path)
    with pytest.raises(UserError, match="nothing can be written in /proc"):
        check_outputs(Path("/proc/x.json"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="nothing can be written in"):
        check_outputs(tmp_path / "x.json")


def test_where_the_second_fails_the_first_is_gone_again_unless_it_was_there(tmp_path: Path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("earlier")
    with pytest.raises(NotADirectoryError):
        write_all({old: "later", new: "new", old / "x.json": "{}"})
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


def test_files_that_differ_by_their_suffix_have_a_result_each():
    assert beside(Path("a/train.pt"), "knn") == Path("a/train.pt-knn.json")
    assert beside(Path("a/train.h5"), "knn") == Path("a/train.h5-knn.json")
