"""A source of images knows its folders, sizes and recipe: nothing else asks of which kind it is."""

from typing import Literal

import pytest
from toy import experiment

from ssl_collapse.config.dataset import ImageFolderSource, ImageSource, TexturesSource
from ssl_collapse.config.experiment import DatasetConfig, Experiment, RunConfig
from ssl_collapse.plan.checks import cross_check
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError

TEXTURES = TexturesSource(kind="textures", train_images=20, val_images=10, image_size=64)
PHOTOS = ImageFolderSource(kind="imagefolder", train="/t", val="/v")
TREE = ImageFolderSource(kind="imagefolder", root="/r", val_fraction=0.1)


@pytest.mark.parametrize(
    ("source", "given", "sizes"),
    [
        (TEXTURES, (None, None), (64, 64)),
        (TEXTURES, (48, None), (48, 48)),
        (TEXTURES, (48, 40), (48, 40)),
        (PHOTOS, (None, None), (256, 224)),
        (PHOTOS, (300, None), (300, 224)),
    ],
)
def test_sizes(source: ImageSource, given: tuple[int | None, int | None], sizes: tuple[int, int]):
    assert source.sizes(*given) == sizes


def test_folders_and_recipes():
    assert TEXTURES.folders("made") == {"train": "made/train", "val": "made/val"}
    assert PHOTOS.folders("made") == {"train": "/t", "val": "/v"}
    assert TREE.folders("made") == {"root": "/r"}
    # No path: a folder that has moved holds the same images.
    assert PHOTOS.recipe() == {"kind": "imagefolder", "on_bad_image": "fail"}
    assert TREE.recipe() == {
        "kind": "imagefolder", "val_fraction": 0.1, "split_seed": 0, "on_bad_image": "fail",
    }  # fmt: skip
    assert TEXTURES.recipe() == {
        "kind": "textures", "train_images": 20, "val_images": 10, "image_size": 64, "seed": 0,
    }  # fmt: skip


class StarsSource(ImageSource):
    """A source that nobody has heard of."""

    users_own = False

    kind: Literal["stars"] = "stars"

    def folders(self, generated: str) -> dict[str, str]:
        """One tree."""
        return {"root": f"{generated}/sky"}

    def recipe(self) -> dict[str, object]:
        """What it is made from."""
        return {"kind": "stars", "val_fraction": 0.5}

    def sizes(self, resize: int | None, crop: int | None) -> tuple[int, int]:
        """Of a telescope."""
        return resize or 100, crop or 90

    def known_train_images(self) -> int:
        """As many as are seen."""
        return 5


def test_a_new_source_is_one_class():
    dataset = DatasetConfig.model_construct(source=StarsSource())
    run = RunConfig(dataset="sky", backbone={"arch": "small_resnet"}, batch_size=6, epochs=1)
    experiment = Experiment.model_construct(datasets={"sky": dataset}, runs={"r": run})
    plan = Plan(experiment)
    assert plan.folders("sky", "made") == {"root": "made/sky"}
    assert plan.dataset("sky") == plan.textures("sky") == {"kind": "stars", "val_fraction": 0.5}
    assert plan.pack("sky") == {"shorter_side": 100}
    assert plan.represent("r")["crop"] == 90
    (problem,) = cross_check(experiment)  # 5 images for batches of 6
    assert problem.path == ("runs", "r", "batch_size")


def test_a_run_may_be_measured_on_other_images_than_it_was_trained_on():
    other = {"source": {"kind": "cifar10", "root": "/data"}, "crop": 28}
    config = experiment()
    config["datasets"] = {**config["datasets"], "cifar": other}
    name = next(iter(config["runs"]))
    config["runs"][name] = {**(config["runs"][name] or {}), "evaluate_on": "cifar"}
    before, plan = Plan(load_experiment(experiment())), Plan(load_experiment(config))
    run = next(r for r in plan.experiment.runs if r.startswith(name))
    seed = plan.run(run).seeds[0]
    assert plan.pretrain(run, seed) == before.pretrain(run, seed)
    assert (plan.represent(run)["resize"], plan.represent(run)["crop"]) == (32, 28)
    assert "cifar" in plan.used_datasets() and plan.made_by("unpack") == ["cifar"]
    assert plan.unpack("cifar") == {"kind": "cifar10"}, "where it lies decides nothing"
    rows = [row for row in plan.summarize() if row["run"] == run]
    assert all(row["evaluated_on"] == "cifar" for row in rows)


def test_images_without_labels_need_others_to_be_measured_on():
    config = experiment()
    source = {"kind": "stl10", "root": "/data", "part": "unlabelled"}
    config["datasets"] = {name: {"source": source} for name in config["datasets"]}
    with pytest.raises(UserError, match=r"evaluate_on: dataset `\w+` has no labels"):
        load_experiment(config)
