"""Every method through the training loop: resumed, as a hybrid, on every data schedule, n views."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trainings
from toy import MODEL, save_teacher
from trainings import checkpoints

from ssl_collapse.config.families import Method
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import load_checkpoint
from ssl_collapse.models.encoder_file import load_encoder
from ssl_collapse.training.export import export_encoder
from ssl_collapse.training.loop import Trainer

HEADS = {"hidden_dim": 8, "projection_dim": 4}
RUN = {"warmup_epochs": 1, "base_lr": 64.0}  # LARS takes a thousandth of a rate
# Every method with what it takes to be small, and keys of its run.
METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "simsiam": (MODEL["method"], {}),
    "nnsiam": ({**MODEL["method"], "queue_size": 8}, {}),
    "byol": (HEADS, RUN),
    "moco_v3": (HEADS, {**RUN, "n_warmup_steps": 1}),
    "vicreg": ({"projection_dim": 4}, {**RUN, "base_lr_1d": 1.0}),
    "barlow_twins": ({"projection_dim": 4}, RUN),
    "lejepa": ({**HEADS, "directions": 3}, {"base_lr": 6.4}),
    "distillation": ({}, {}),
}


def trainer(images: PackedImages, folder: Path, name: str, **keys: Any) -> Trainer:
    method, run = METHODS[name]
    inputs = {"teacher": teacher(folder.parent / "teacher")} if name == "distillation" else {}
    given = {"method": {**method, "name": name}, **run, **keys}
    return trainings.trainer(images, folder, **inputs, **given)


def teacher(path: Path) -> Path:
    torch.manual_seed(1)
    return save_teacher(path, width=2)


def test_no_method_is_left_out():
    names = {config.model_fields["name"].default for config in Method.__args__[0].__args__}
    assert set(METHODS) == names


@pytest.mark.parametrize("name", METHODS)
def test_killed_in_the_middle_a_training_ends_with_the_same_bytes(
    images: PackedImages, tmp_path: Path, name: str
):
    whole = trainer(images, tmp_path / "whole", name).run()
    cut = trainer(images, tmp_path / "cut", name)
    original = cut.step

    def interrupted(crops: Any) -> Any:
        # three steps per epoch: saved after step 2 of epoch 2
        cut.interruption.asked = (cut.progress.epoch, cut.progress.step) == (1, 1)
        return original(crops)

    cut.step = interrupted
    with pytest.raises(SystemExit):
        cut.run()
    assert (cut.progress.epoch, cut.progress.step) == (1, 2)
    again = trainer(images, tmp_path / "cut", name)
    again.resume()
    assert again.run() == whole
    assert checkpoints(tmp_path / "cut") == checkpoints(tmp_path / "whole")


@pytest.mark.parametrize("name", METHODS)
def test_a_hybrid_goes_on_as_the_run_that_it_starts_from(
    images: PackedImages, tmp_path: Path, name: str
):
    trainer(images, tmp_path / "whole", name).run()
    hybrid = trainer(images, tmp_path / "hybrid", name, start_epoch=1)
    hybrid.start_from(tmp_path / "whole/checkpoints/epoch0001.pt")
    told: list[tuple[int, int]] = []
    before = hybrid.model.before_step
    hybrid.model.before_step = lambda *steps: (told.append(steps), before(*steps))[1]
    hybrid.run()
    assert told == [(step, 9) for step in range(3, 9)]  # of the whole training, three per epoch
    whole, own = (
        load_checkpoint(tmp_path / run / "checkpoints/epoch0003.pt")["model"]
        for run in ("whole", "hybrid")
    )
    assert whole.keys() == own.keys()
    assert all(torch.equal(whole[key], own[key]) for key in whole)


KEYS: dict[str, dict[str, Any]] = {
    "current": {"schedule": "current", "n_rounds": 3},
    "accumulate": {"schedule": "accumulate", "steps_per_epoch": 2},
    "last": {"share": 50, "repeat_batch": 2},
    "three views": {"augmentation": {"views": [{}, {}, {"blur_probability": 0.0}]}},
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_every_schedule_and_with_more_views(
    images: PackedImages, tmp_path: Path, name: str, keys: dict[str, Any]
):
    rows = trainer(images, tmp_path, name, **keys).run()
    assert len(rows) == 3
    assert np.isfinite([row["loss"] for row in rows]).all()
    first, last = (
        load_checkpoint(tmp_path / f"checkpoints/epoch000{epoch}.pt")["model"] for epoch in (0, 3)
    )
    assert not torch.equal(first["backbone.conv1.weight"], last["backbone.conv1.weight"])
    export_encoder(tmp_path / "checkpoints/epoch0003.pt", tmp_path / "encoder", 3)
    weights, _ = load_encoder(tmp_path / "encoder")
    # the backbone that is trained, and no one that follows it
    assert torch.equal(weights["conv1.weight"], last["backbone.conv1.weight"])
