"""What an experiment takes, counted by hand from given rates."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from commands import run_script
from toy import experiment

from ssl_collapse.plan.estimate import Network, Rates, counts, estimate, table, trainings_table
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan

NETWORK = Network(step_seconds=0.5, forward_per_second=100.0, parameters=1_000_000, dim=512)
RATES = Rates(decode=1000.0, float32=1e10, float64=2e10)


def plan_of(**defaults: object) -> Plan:
    datasets = {"cifar": {"source": {"kind": "cifar10", "root": "/nowhere"}}}
    keys = {"dataset": "cifar", "batch_size": 250, "epochs": 4, "checkpoint_every": 2, **defaults}
    return Plan(load_experiment(experiment(datasets=datasets, defaults=keys)))


def test_every_stage_by_hand():
    plan = plan_of(seeds=[0, 1], analyze=[0, "last"])
    images, metrics = counts(plan, {}), len(plan.experiment.evaluation.knn.metrics)
    assert images == {"cifar": (50_000, 10_000)}
    assert counts(plan, {"cifar": (500, 10)}) == {"cifar": (500, 10)}, "given ones come first"
    lines = {li.stage: li for li in estimate(plan, images, {"iid": NETWORK}, RATES)}
    packing = lines["dataset, pack"]
    assert packing.hours == pytest.approx(2 * 60_000 / 1000 / 3600)
    assert packing.disk == pytest.approx(60_000 * 32 * 32 * 3 / 1e9)
    training = lines["pretrain"]
    assert training.jobs == 2
    # two seeds of 4 epochs of 200 steps of half a second
    assert training.hours == pytest.approx(2 * 4 * 200 * 0.5 / 3600)
    # checkpoints 0, 2 and 4 of each: weights and momentum of 4 bytes
    assert training.disk == pytest.approx(2 * 3 * 2 * 4e6 / 1e9)
    represent = lines["represent"]
    assert represent.jobs == 2 * 2 * 2  # seeds, epochs, splits
    assert represent.hours == pytest.approx(2 * 2 * 60_000 / 100 / 3600)
    assert represent.disk == pytest.approx(2 * 2 * 60_000 * 512 * 4 / 1e9)
    # four points: two second moments of 2 operations, and as much again; every query with every row
    assert lines["collapse"].hours == pytest.approx(4 * 4 * 50_000 * 512**2 / 2e10 / 3600)
    assert lines["knn"].hours == pytest.approx(4 * metrics * 2 * 5e8 * 512 / 1e10 / 3600)
    one = trainings_table(plan, images, {"iid": NETWORK}).splitlines()[1].split()
    assert one == ["iid", "4", "500", "0.11"]  # 4 epochs of 200 steps of half a second
    assert "pretrain" in table(list(lines.values())) and "all" in table(list(lines.values()))


def test_room_for_packed_images_and_memory_of_a_step():
    # 1,331,167 images as pixels of 256 x 341 px, as JPEG files, as they are: about 147 GB
    source, lines = {"kind": "imagenet", "root": "/nowhere"}, {}
    for pack in ("resized", "jpeg", "original"):
        datasets = {"imagenet": {"source": source, "pack": pack}}
        keys = {"dataset": "imagenet", "optimizer": "sgd"}
        plan = Plan(load_experiment(experiment(datasets=datasets, defaults=keys)))
        network = replace(NETWORK, step_bytes=3e9)
        for line in estimate(plan, counts(plan, {}), {"iid": network}, RATES):
            lines[pack, line.stage] = line
    sizes = [lines[pack, "dataset, pack"].disk for pack in ("resized", "jpeg", "original")]
    assert sizes == pytest.approx([1.331167 * 262.144, 1.331167 * 262.144 / 12, 147], rel=0.01)
    # the process; weights, gradients and momentum of 4 bytes; what a step keeps
    assert lines["jpeg", "pretrain"].memory == pytest.approx(1.5 + 3 * 4e-3 + 3)


@pytest.mark.thorough
def test_the_command_measures_on_noise_and_asks_for_what_it_cannot_know(tmp_path: Path):
    config = experiment()
    config["datasets"]["mine"] = {"source": {"kind": "imagefolder", "train": "/a", "val": "/b"}}
    config["defaults"] |= {"dataset": "mine"}
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    asked = run_script("estimate", file, "--device", "cpu")
    assert asked.returncode == 2 and "--images mine=TRAIN:VAL" in asked.stderr
    done = run_script("estimate", file, "--device", "cpu", "--images", "mine=100:20")
    assert done.returncode == 0, done.stderr
    assert "pretrain" in done.stdout and "hours of one core" in done.stdout
