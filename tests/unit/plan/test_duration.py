"""How long a plan takes: a first guess, and from what has been trained here."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.models.build import build_backbone
from ssl_collapse.plan.duration import START, duration, macs, network
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan

CONFIG = {
    "datasets": {"t": {"source": {"kind": "textures", "train_images": 640, "val_images": 10}}},
    "runs": {"a": {"dataset": "t", "backbone": {"arch": "small_resnet"}, "epochs": 10,
                   "batch_size": 64, "method": {"name": "simsiam"}}},
}  # fmt: skip


def plan(**dataset: object) -> Plan:
    source = {**CONFIG["datasets"]["t"]["source"], **dataset}
    return Plan(load_experiment({**CONFIG, "datasets": {"t": {"source": source}}}, []))


@pytest.mark.parametrize(
    ("backbone", "crop", "near"),
    [
        ({"arch": "small_resnet", "width": 8, "blocks": [1, 2]}, 32, 0.1),
        ({"arch": "small_resnet", "width": 16, "blocks": [1, 1, 1], "stem_stride": 1}, 24, 0.1),
        ({"arch": "resnet18"}, 224, 0.1),
        ({"arch": "resnet50"}, 112, 0.1),
        ({"arch": "resnet18", "small_image_stem": True}, 32, 0.5),
    ],
)
def test_multiply_adds_are_those_that_torch_counts(backbone: dict, crop: int, near: float):
    runs = {"a": {**CONFIG["runs"]["a"], "backbone": backbone}}
    made = Plan(load_experiment({**CONFIG, "runs": runs}, []))
    spec = PretrainSpec.from_spec(json.dumps(made.pretrain("a", 0)))
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build_backbone(spec.backbone)[0].eval()(torch.randn(1, 3, crop, crop))
    assert macs(spec.backbone, crop) == pytest.approx(counter.get_total_flops() / 2, rel=near)


def test_a_training_takes_what_an_earlier_one_took(tmp_path: Path):
    """10 epochs of 10 steps of 64 images at 100 images/s: 64 s; half as fast: 128 s."""
    folder = tmp_path / "runs/a/seed0"
    folder.mkdir(parents=True)
    jobs = {"pretrain": 1}
    guess = duration(plan(), jobs, tmp_path, 1, 0)
    assert guess is not None and not guess[1]
    for rate, seconds in ((100, 64), (50, 128)):
        (folder / "speed.csv").write_text(f"epoch,images_per_second,seconds\n1,{rate},6.4\n")
        assert duration(plan(), jobs, tmp_path, 1, 0) == (pytest.approx(seconds + START), True)


def test_jobs_side_by_side_and_jobs_that_are_done_take_less(tmp_path: Path):
    def seconds(jobs: dict[str, int], parallel: int) -> float:
        found = duration(plan(), jobs, tmp_path, parallel, 0)
        assert found is not None
        return found[0]

    assert seconds({"collapse": 4}, 2) == pytest.approx(seconds({"collapse": 4}, 1) / 2)
    assert seconds({"pretrain": 1}, 1) > seconds({"collapse": 1}, 1) > START


def test_images_that_nobody_has_counted_give_no_time(tmp_path: Path):
    config = {**CONFIG, "datasets": {"t": {"source": {
        "kind": "imagefolder", "train": "/images/train", "val": "/images/val"}}}}  # fmt: skip
    own = Plan(load_experiment(config, []))
    assert duration(own, {"pretrain": 1}, tmp_path, 1, 0) is None
    (tmp_path / "data/t").mkdir(parents=True)
    splits = {"train": {"images": 640}, "val": {"images": 10}}
    (tmp_path / "data/t/dataset.json").write_text(json.dumps({"splits": splits}))
    assert duration(own, {"pretrain": 1}, tmp_path, 1, 0) is not None


def test_runs_that_bring_files_take_no_time(tmp_path: Path):
    (tmp_path / "spectrum.csv").write_text("1\n")
    runs = {**CONFIG["runs"], "brought": {"spectrum": str(tmp_path / "spectrum.csv")}}
    brought = Plan(load_experiment({**CONFIG, "runs": runs}, []))
    jobs = {"pretrain": 1}
    assert duration(brought, jobs, tmp_path, 1, 0) == duration(plan(), jobs, tmp_path, 1, 0)


def test_a_step_is_two_views_forward_and_twice_that_backward():
    run = plan().experiment.runs["a"]
    forward = 2 * macs(run.backbone, plan().experiment.datasets["t"].sizes()[1])
    assert network(plan(), "a", 1e9).step_seconds == pytest.approx(64 * 2 * 3 * forward / 1e9)
