"""What is worth a line, and no reason to stop."""

from pathlib import Path
from typing import Any

import yaml

from ssl_collapse.plan.cautions import cautions
from ssl_collapse.plan.load import load_experiment

BASE = """
datasets:
  textures: {source: {kind: textures, train_images: 1000, val_images: 100}}
defaults:
  {dataset: textures, batch_size: 64, epochs: 10, backbone: {arch: small_resnet}}
runs: {a: {}}
"""  # 1000 // 64 = 15 steps per epoch


def lines(sections: dict[str, Any], cores: int = 2, gpus: int = 0) -> list[str]:
    experiment = load_experiment({**yaml.safe_load(BASE), **sections})
    return list(map(str, cautions(experiment, cores, gpus)))


def test_an_ordinary_config_needs_none():
    assert lines({}) == []
    assert lines({"runtime": {"threads": 2, "gpus": 1}}) == []


def test_checkpoints_that_there_will_not_be():
    assert lines({"runs": {"a": {"checkpoint_every": 11}, "b": {"checkpoint_every": 10}}}) == [
        "runs.a.checkpoint_every: 11 exceeds epochs 10: the last epoch alone has one"
    ]


def test_an_encoder_that_is_frozen_all_along():
    runs = {"a": {"n_warmup_steps": 15}, "b": {"n_warmup_steps": 14}}
    assert lines({"runs": runs}) == [
        "runs.a.n_warmup_steps: 15 of 15 steps: the encoder learns in the first epoch only"
    ]
    runs = {"a": {"n_warmup_steps": 15, "share": 100, "steps_per_epoch": 16}}
    assert lines({"runs": runs}) == []


def test_more_than_this_machine_has():
    there = "right only where the jobs run elsewhere"
    assert lines({"runtime": {"threads": 1000, "workers": 3, "gpus": 32}}, cores=2, gpus=4) == [
        f"runtime.threads: 1000, and this machine has 2 cores; {there}",
        f"runtime.workers: 3, and this machine has 2 cores; {there}",
        f"runtime.gpus: 32, and this machine has 4 GPUs; {there}",
    ]


def test_folders_of_images_that_are_not_here(tmp_path: Path):
    (tmp_path / "train").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("train")
    source = {"kind": "imagefolder", "train": f"{tmp_path}/train"}
    datasets = {
        "textures": {"source": {**source, "val": f"{tmp_path}/file"}},
        "b": {"source": {**source, "val": f"{tmp_path}/none"}},
        "c": {"source": {**source, "val": f"{tmp_path}/link"}},
    }
    jobs = "on this machine; it must be one where the jobs run"
    assert lines({"datasets": datasets}) == [
        f"datasets.textures.source.val: {tmp_path}/file is no folder {jobs}",
        f"datasets.b.source.val: {tmp_path}/none does not exist {jobs}",
        f"datasets.c.source.val: {tmp_path}/link is the same folder as `train`: accuracies will "
        "mean nothing",
    ]
