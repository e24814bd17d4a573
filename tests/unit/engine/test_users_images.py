"""What planning knows of a user's own images."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from engine.users_images import UsersImages
from scripts import dataset


@pytest.mark.parametrize(("name", "state"), [("mine", "same"), ("renamed", "unknown")])
def test_a_dataset_that_was_renamed_with_its_folder_is_described_again(
    tmp_path: Path, name: str, state: str
):
    # else `pack` looks for the images of a dataset that the config does not have
    for file in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(file), 0, 0)).save(tmp_path / "images" / file)
    folders = {"root": str(tmp_path / "images")}
    output = tmp_path / "results/data" / name / "dataset.json"
    output.parent.mkdir(parents=True)
    spec = '{"kind": "imagefolder", "val_fraction": 0.5}'
    words = ["--name", "mine", "--spec", spec, "--folders", json.dumps({"mine": folders})]
    dataset.main(dataset.parser().parse_args([*words, "--output", str(output)]))
    plan = SimpleNamespace(folders=lambda name, generated: folders)
    assert (
        UsersImages(plan, str(tmp_path / "results"), everything=False).compare(name).state == state
    )
