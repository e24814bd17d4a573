"""Runs of checkpoint files: their epochs, their specs, and what is written of their images."""

import re
from pathlib import Path
from typing import Any

import pytest
from toy import experiment

from engine.inputs import Inputs
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(name)
    return folder


def plan(folder: Path, dataset: dict[str, Any] | None = None, **run: Any) -> Plan:
    config = experiment(
        runs={"theirs": {"checkpoint": str(folder / "*.*"), **run}},
        figures={"spectra": {"kind": "spectra", "runs": ["theirs"]}},
    )
    config["datasets"]["textures"] |= dataset or {}
    return Plan(load_experiment(config))


def epochs(plan: Plan) -> list[int]:
    return [point.epoch for point in plan.points]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["epoch=9-step=300.ckpt", "epoch=12-step=400.ckpt"], [9, 12]),
        (["checkpoint_0010.pth.tar", "checkpoint_0200.pth.tar"], [10, 200]),
        (["epoch0100.pt", "epoch0020.pt"], [20, 100]),
        (["jepa-ep300.pth.tar", "jepa-ep50.pth.tar"], [50, 300]),
        (["resnet50_ckp-399.pth", "resnet50_ckp-3.pth"], [3, 399]),
        (["resnet50.pth"], [1]),  # a single file whose name says nothing
    ],
)
def test_names_say_epochs(names: list[str], expected: list[int], tmp_path: Path):
    planned = plan(files(tmp_path, *names))
    assert epochs(planned) == expected
    assert [p.epoch for p in planned.figure_points("spectra")] == [max(expected)]


def test_counted_from_0_the_first_epoch_is_after_one(tmp_path: Path):
    folder = files(tmp_path, "checkpoint_0000.pth", "checkpoint_0099.pth")
    with pytest.raises(UserError, match="count_from: 0"):
        plan(folder)
    assert epochs(plan(folder, count_from=0)) == [1, 100]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no file"),
        (["epoch=1.ckpt", "last.ckpt"], r"last\.ckpt says no epoch"),
        (["epoch=1.ckpt", "ep001.ckpt"], "both of epoch 1"),
        (["epoch=1-ep2.ckpt"], "says epochs 1 and 2"),
    ],
)
def test_names_that_do_not_say_one_epoch_each_are_refused(
    names: list[str], says: str, tmp_path: Path
):
    with pytest.raises(UserError, match=rf"runs\.theirs\.checkpoint: .*{says}"):
        plan(files(tmp_path, *names))


def test_some_epochs_and_the_network_before_training_may_be_asked_for(tmp_path: Path):
    folder = files(tmp_path, "epoch1.pt", "epoch2.pt", "epoch3.pt")
    planned = plan(folder, analyze=[0, 2, "last"])
    assert epochs(planned) == [0, 2, 3]
    assert [row["final"] for row in planned.summarize()] == [False, False, True]
    with pytest.raises(UserError, match=r"asks for epoch 4, and there are files of 1, 2, 3"):
        plan(folder, analyze=[4])
    # epoch 0 is that of the network in the last file
    before, last = (planned.import_encoder("theirs", epoch) for epoch in (0, 3))
    assert before == {**last, "epoch": 0}


def test_nothing_is_trained_and_everything_else_is_made(tmp_path: Path):
    results = Results(plan(files(tmp_path, "net.pth")))
    made = {path.rpartition("/")[2] for path in results.everything() if "/runs/" in path}
    split = {f"representations-{name}.h5" for name in ("train", "val")}
    measured = {"spectrum.csv", "collapse.json", "knn.csv", "knn.json"}
    assert made == {"encoder.safetensors"} | split | measured
    assert not any("training.csv" in path for path in Inputs(results).summarized())
    for run, imported in (("theirs", True), ("other", False)):
        assert bool(re.match(f"({results.names('checkpoint')})/", f"{run}/")) == imported
        assert bool(re.match(f"({results.not_named('checkpoint')})/", f"{run}/")) != imported
    (row,) = results.plan.summarize()
    assert (row["recipe"], row["dataset"], row["final"]) == (None, "textures", True)


def test_the_spec_is_the_files_bytes_wherever_they_lie(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    before = plan(files(first, "net.pth")).import_encoder("theirs", 1)
    assert before["checkpoint"] == file_sha256(first / "net.pth")
    assert plan(first.rename(second)).import_encoder("theirs", 1) == before
    (second / "net.pth").write_text("other weights")
    assert plan(second).import_encoder("theirs", 1) != before


def test_what_is_written_of_the_images_goes_over_what_the_file_says(tmp_path: Path):
    folder = files(tmp_path, "net.pth")
    photos = {"source": {"kind": "imagefolder", "train": "/a", "val": "/b"}}

    def written(**keys: Any) -> dict[str, Any]:
        return plan(folder, **keys).import_encoder("theirs", 1).get("preprocessing", {})

    assert written(dataset=photos) == {}  # all of it as the file says
    assert written() == {"resize": 16, "crop": 16}  # textures have a size of their own
    mean = {"mean": [0.5, 0.5, 0.5]}
    assert written(dataset={**photos, "resize": 64, "crop": 56, **mean}) == {
        "resize": 64, "crop": 56, **mean,
    }  # fmt: skip
    run = {"preprocessing": {"crop": 8, "mean": [0.1, 0.1, 0.1]}}
    assert written(dataset={**photos, "resize": 64, "crop": 56, **mean}, **run) == {
        "resize": 64, "crop": 8, "mean": [0.1, 0.1, 0.1],
    }  # fmt: skip


def test_every_backbone_may_be_in_a_file(tmp_path: Path):
    modules = plan(files(tmp_path, "net.pth")).backbone_modules("theirs")
    for family in ("small_resnet", "timm_model", "torchvision_resnet", "vit"):
        assert f"ssl_collapse.models.backbones.{family}" in modules
