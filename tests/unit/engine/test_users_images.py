"""What planning knows of a user's own images: of four in two classes, half are for training."""

import json
from pathlib import Path

import pytest
from PIL import Image
from toy import experiment

from engine.users_images import UsersImages
from scripts import dataset
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(file), 0, 0)).save(tmp_path / "images" / file)
    return tmp_path / "images"


def users_images(root: Path, name: str = "mine", batch_size: int = 2) -> UsersImages:
    source = {"kind": "imagefolder", "root": str(root), "val_fraction": 0.5}
    defaults = {"dataset": name, "batch_size": batch_size}
    config = experiment(datasets={name: {"source": source}}, defaults=defaults)
    return UsersImages(Plan(load_experiment(config)), str(root.parent / "results"), False)


@pytest.mark.parametrize(("name", "state"), [("mine", "same"), ("renamed", "unknown")])
def test_a_dataset_that_was_renamed_with_its_folder_is_described_again(
    root: Path, name: str, state: str
):
    # else `pack` looks for the images of a dataset that the config does not have
    output = root.parent / "results/data" / name / "dataset.json"
    output.parent.mkdir(parents=True)
    spec = '{"kind": "imagefolder", "val_fraction": 0.5}'
    folders = json.dumps({"mine": {"root": str(root)}})
    words = ["--name", "mine", "--spec", spec, "--folders", folders, "--output", str(output)]
    dataset.main(dataset.parser().parse_args(words))
    assert users_images(root, name).compare(name).state == state


def test_a_batch_larger_than_the_data_is_refused_before_any_job(root: Path):
    users_images(root).refuse_small()
    with pytest.raises(UserError, match=r"iid\.batch_size: schedule `iid` leaves 2 of 2 images"):
        users_images(root, batch_size=3).refuse_small()


def test_an_older_dataset_of_the_same_name_decides_nothing(root: Path):
    described = root.parent / "results/data/mine/dataset.json"
    described.parent.mkdir(parents=True)
    described.write_text("of other images, and nothing beside it says what they were")
    assert users_images(root).training_images("mine") == 2
