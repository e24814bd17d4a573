"""From YAML to an experiment, and what a wrong config is told."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_collapse.config.experiment import Experiment
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError

BASE = """
datasets:
  textures: {source: {kind: textures, train_images: 1000, val_images: 100}}
defaults:
  {dataset: textures, seeds: [0, 1], batch_size: 64, epochs: 10, backbone: {arch: small_resnet}}
"""


def load(text: str) -> Experiment:
    config: dict[str, Any] = yaml.safe_load(BASE + text)
    return load_experiment(config)


def test_defaults_lie_under_every_run():
    runs = load("runs: {a: , b: {epochs: 5}}").runs
    assert (runs["a"].epochs, runs["b"].epochs) == (10, 5)
    assert runs["a"].seeds == [0, 1]


def test_a_list_of_single_values_is_a_sweep():
    experiment = load("runs: {shares: {share: [10, 50.5], epochs: 4}, plain: {}}")
    assert list(experiment.runs) == ["shares-share10", "shares-share50.5", "plain"]
    assert experiment.runs["shares-share50.5"].share == 50.5
    assert experiment.sweeps == {"shares": ["shares-share10", "shares-share50.5"]}


def test_two_lists_make_their_product_also_inside_mappings():
    runs = load("runs: {w: {backbone: {width: [8, 16]}, schedule: [current, accumulate]}}").runs
    assert [(r.backbone.width, r.schedule) for r in runs.values()] == [
        (8, "current"),
        (8, "accumulate"),
        (16, "current"),
        (16, "accumulate"),
    ]


def test_keys_that_are_lists_by_nature_are_no_sweeps():
    runs = load("runs: {a: {seeds: [3, 4], analyze: [5, last], backbone: {blocks: [1, 2]}}}").runs
    assert list(runs) == ["a"]
    assert runs["a"].analyzed_epochs() == [5, 10]


def test_another_arch_replaces_the_default_backbone_with_all_its_keys():
    runs = load("runs: {a: {backbone: {arch: resnet18, small_image_stem: true}}}").runs
    assert runs["a"].backbone.arch == "resnet18"


def test_share_means_last():
    assert load("runs: {a: {share: 20}}").runs["a"].schedule == "last"


def test_figures_name_sweeps_and_get_their_runs():
    experiment = load("runs: {s: {share: [10, 50]}}\nfigures: {f: {kind: shares, runs: [s]}}")
    assert [run.name for run in experiment.figures["f"].runs] == ["s-share10", "s-share50"]


def test_an_error_in_the_defaults_is_reported_there_once():
    text = BASE.replace("epochs: 10", "epochs: 1e1") + "runs: {a: {}, b: {}}"
    with pytest.raises(UserError) as error:
        load_experiment(yaml.safe_load(text))
    assert str(error.value).splitlines()[1:] == [
        "  defaults.epochs: '1e1' is text to YAML; write 10 (nested in `--config`, all is text)"
    ]


def test_two_seeds_differ_in_nothing_but_the_seed():
    plan = Plan(load("runs: {a: {}}"))
    first, second = plan.pretrain("a", 0), plan.pretrain("a", 1)
    assert first["seed"] != second["seed"]
    assert {**first, "seed": 1} == second


def test_whole_numbers_and_floats_of_the_same_value_are_the_same_spec():
    one = Plan(load("runs: {a: {base_lr: 1}}")).pretrain("a", 0)
    other = Plan(load("runs: {a: {base_lr: 1.0}}")).pretrain("a", 0)
    assert repr(one) == repr(other)


@pytest.mark.parametrize("key", ["ordering", "subset"])
def test_a_users_ordering_or_subset_is_known_by_its_content(key: str, tmp_path: Path):
    dataset = {"source": {"kind": "textures", "train_images": 1000, "val_images": 100}}
    config = {**yaml.safe_load(BASE), "runs": {"a": {}}}
    specs = []
    for name, content in (("one", b"1"), ("copy", b"1"), ("other", b"2")):
        (tmp_path / name).write_bytes(content)
        config["datasets"] = {"textures": {**dataset, key: str(tmp_path / name)}}
        plan = Plan(load_experiment(config))
        specs.append(
            plan.ordering("textures", 0) if key == "ordering" else plan.dataset("textures")
        )
    assert specs[0] == specs[1] != specs[2]
    config["datasets"]["textures"][key] = str(tmp_path / "none")
    with pytest.raises(UserError, match=rf"datasets\.textures\.{key}: .*none cannot be read"):
        Plan(load_experiment(config))


@pytest.mark.parametrize("key", ["ordering", "subset"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_an_ordering_or_subset_that_is_no_file_is_not_read(kind: str, key: str, tmp_path: Path):
    path = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)  # reading it would wait without end
    config = {**yaml.safe_load(BASE), "runs": {"a": {}}}
    config["datasets"]["textures"][key] = str(path)
    with pytest.raises(UserError) as error:
        Plan(load_experiment(config))
    assert str(error.value) == f"datasets.textures.{key}: {path} cannot be read: not a regular file"
