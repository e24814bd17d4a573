"""dataset.json: counts, and bad files either refused in one report or skipped and listed."""

import json
import logging
from pathlib import Path

import pytest
from PIL import Image
from toy import look

from ssl_collapse.images.description import DatasetDescription, describe_dataset, read_description
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_json


def save(path: Path, grey: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), grey).save(path)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """train: two images of a, one of b; val: one of a."""
    for name in ("train/a/1.png", "train/a/2.png", "train/b/1.png", "val/a/1.png"):
        save(tmp_path / name)
    return tmp_path


def describe(folder: Path, on_bad_image: str = "fail", workers: int = 1) -> DatasetDescription:
    return look(folder, on_bad_image, workers)[1]


def test_counts_classes_and_source(images: Path) -> None:
    description = describe(images)
    assert description.dataset == "mine"
    assert description.classes == ["a", "b"]
    assert description.splits["train"].images == 3
    assert description.splits["train"].per_class == {"a": 2, "b": 1}
    assert description.splits["val"].per_class == {"a": 1, "b": 0}
    assert description.source == {"kind": "imagefolder", "on_bad_image": "fail"}
    assert description.skipped == []


def test_no_path_of_this_machine_is_written_and_it_can_be_read_back(images: Path) -> None:
    description = describe(images)
    write_json(images / "dataset.json", description.model_dump())
    assert str(images) not in (images / "dataset.json").read_text()
    assert read_description(images / "dataset.json") == description


def test_a_long_report_is_cut_and_the_log_has_the_rest(images: Path, caplog) -> None:
    for i in range(25):
        (images / f"train/a/bad{i:02d}.png").touch()
    with (
        caplog.at_level(logging.INFO, logger="ssl_collapse"),
        pytest.raises(UserError) as failure,
    ):
        describe(images)
    assert str(failure.value).endswith("and 5 more, listed in the log")
    assert "bad19.png" in str(failure.value)
    assert "bad20.png" not in str(failure.value)
    for i in range(20, 25):
        assert f"bad{i}.png" in caplog.text


def test_skipping_may_not_empty_a_class(images: Path) -> None:
    (images / "train/b/1.png").write_bytes(b"")
    with pytest.raises(UserError, match="of class 'b' is left for train"):
        describe(images, "skip")


def test_a_file_that_may_not_be_read_is_reported(images: Path, monkeypatch) -> None:
    open_file = Path.open

    def refuse(path: Path, *mode: str):
        if path.name == "2.png":
            raise PermissionError(13, "Permission denied")
        return open_file(path, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    (skipped,) = describe(images, "skip").skipped
    assert (skipped.path, skipped.reason) == ("a/2.png", "cannot be read: Permission denied")


def test_in_one_tree_a_bad_file_is_named_by_its_place_in_the_tree(tmp_path: Path) -> None:
    for i in range(6):
        save(tmp_path / f"a/{i}.png")
    (tmp_path / "a/3.png").write_bytes(b"")
    listing = list_dataset({"root": tmp_path}, 0.5)
    source = {"kind": "imagefolder", "val_fraction": 0.5, "on_bad_image": "skip"}
    description = describe_dataset("mine", source, listing, inspect_images(listing))
    (skipped,) = description.skipped
    assert (skipped.folder, skipped.path) == ("root", "a/3.png")
    assert description.splits["train"].images + description.splits["val"].images == 5


def test_worker_processes_change_nothing(images: Path) -> None:
    for i in range(70):
        save(images / f"train/a/more{i}.png", i)
    (images / "train/a/empty.jpg").touch()
    assert describe(images, "skip", workers=2) == describe(images, "skip")


@pytest.mark.parametrize("content", ["", "{}", "[1]", json.dumps({"dataset": 1})])
def test_a_file_that_is_no_description(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=r"dataset\.json: not a dataset description"):
        read_description(tmp_path / "dataset.json")
    with pytest.raises(UserError, match="cannot be read"):
        read_description(tmp_path / "other.json")


def test_validation_images_that_are_trained_on_are_told_of(images: Path, caplog) -> None:
    save(images / "val/a/other.png", 9)
    save(images / "train/b/the same.png", 9)
    save(images / "val/a/1.png", 1)  # until now black, as those of train
    describe(images)
    (record,) = caplog.records[-1:]
    assert record.levelname == "WARNING"
    assert "1 of 2 different validation images are training images too" in record.getMessage()
    assert f"{images}/val/a/other.png and {images}/train/b/the same.png" in record.getMessage()
    (images / "val/a/other.png").unlink()
    caplog.clear()
    describe(images)
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []
