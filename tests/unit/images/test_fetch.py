"""The published archives of ImageNet and Places365 as miniatures, made into class folders."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest
import source_files
from commands import run_script

from ssl_collapse.runtime.errors import UserError

SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"


def files(root: Path) -> dict[str, bytes]:
    found = [p for split in ("train", "val") for p in (root / split).rglob("*") if p.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import fetch

    return fetch


@pytest.mark.parametrize("dataset", ["imagenet", "places365"])
def test_class_folders_of_the_archives(
    fetch: ModuleType, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = getattr(source_files, dataset)(tmp_path, monkeypatch)
    for place in ("train.partial/n01440764", "val.partial/n01440764"):  # it was interrupted
        (tmp_path / place).mkdir(parents=True)
    for _ in range(2):  # what is there stays
        fetch.main(fetch.parser().parse_args([dataset, str(tmp_path)]))
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
    fetch: ModuleType, damaged: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source_files.places365(tmp_path, monkeypatch)
    arguments = fetch.parser().parse_args(["places365", str(tmp_path)])
    fetch.main(arguments)
    shutil.rmtree(tmp_path / "val")
    if damaged == "val_256":  # it was interrupted
        next((tmp_path / "val_256").iterdir()).unlink()
    else:
        (tmp_path / damaged).write_text("half of it")
        (tmp_path / "filelist_places365-standard.tar").write_text("half of it")
        monkeypatch.setattr("urllib.request.urlopen", _offline)
    with pytest.raises(UserError, match=message):
        fetch.main(arguments)


def _offline(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_without_the_archives_imagenet_says_the_steps(tmp_path: Path):
    run = run_script("fetch", "imagenet", tmp_path)
    assert run.returncode == 2
    assert "ILSVRC2012_img_train.tar is not there, or damaged" in run.stderr
    assert "accept the terms" in run.stderr
    assert list(tmp_path.iterdir()) == []
