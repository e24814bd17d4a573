"""The published archives of ImageNet and Places365 as miniatures, made into class folders."""

import shutil
from pathlib import Path
from unittest import mock

import pytest
import source_files
from commands import call, run_here

from ssl_collapse.runtime.errors import UserError


def files(root: Path) -> dict[str, bytes]:
    found = [p for split in ("train", "val") for p in (root / split).rglob("*") if p.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("dataset", ["imagenet", "places365"])
def test_class_folders_of_the_archives(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = getattr(source_files, dataset)(tmp_path, monkeypatch)
    for place in ("train.partial/n01440764", "val.partial/n01440764"):  # it was interrupted
        (tmp_path / place).mkdir(parents=True)
    for _ in range(2):  # what is there stays
        call("fetch", dataset, tmp_path)
        assert files(tmp_path) == expected
    if dataset == "imagenet":
        assert (tmp_path / "class_names.csv").read_text() == (
            'folder,names\nn01440764,"tench, Tinca tinca"\nn02102040,English springer\n'
        )


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ("places365_val.txt", "filelist_places365-standard.tar"),
        ("val_256", "remove .*val_256 if it was not unpacked to its end"),
    ],
)
def test_what_is_damaged_of_places365_is_told_with_the_steps(
    damaged: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source_files.places365(tmp_path, monkeypatch)
    call("fetch", "places365", tmp_path)
    shutil.rmtree(tmp_path / "val")
    if damaged == "val_256":  # it was interrupted
        next((tmp_path / "val_256").iterdir()).unlink()
    else:
        (tmp_path / damaged).write_text("half of it")
        (tmp_path / "filelist_places365-standard.tar").write_text("half of it")
        offline = mock.Mock(side_effect=OSError("no network"))
        monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(UserError, match=message):
        call("fetch", "places365", tmp_path)


def test_without_the_archives_imagenet_says_the_steps(tmp_path: Path):
    run = run_here("fetch", "imagenet", tmp_path)
    assert run.returncode == 2
    assert "ILSVRC2012_img_train.tar is not there, or damaged" in run.stderr
    assert "accept the terms" in run.stderr
    assert list(tmp_path.iterdir()) == []
