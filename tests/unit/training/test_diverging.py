"""Trainings whose loss ends, or whose outputs collapse: what is said and what is left."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import pretrain_spec as spec
from trainings import CPU, checkpoints, trainer

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import DIVERGED, checkpoint_after, load_checkpoint
from ssl_collapse.training.learning_rate import epoch_lr
from ssl_collapse.training.loop import Runtime, Trainer


def diverging_in(step: int, trainer: Trainer) -> Trainer:
    """The weights become NaN before this step (from 1) of the whole training, of 3 per epoch."""
    original = trainer.step

    def broken(views: Any) -> None:
        if (trainer.progress.epoch, trainer.progress.step) == divmod(step - 1, 3):
            with torch.no_grad():
                trainer.model.backbone.conv1.weight.fill_(float("nan"))
        original(views)

    trainer.step = broken
    return trainer


@pytest.mark.parametrize("log_every", [1, 2, 100])
def test_a_loss_that_is_not_finite_ends_the_training_with_success(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture, log_every: int
):
    # three steps per epoch: the fifth is step 2 of epoch 2, so that only epoch 1 is finished
    runtime = Runtime(CPU, log_every=log_every, run="iid/seed0")
    rows = diverging_in(5, trainer(images, tmp_path, runtime, epochs=4)).run()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("iid/seed0: the loss is nan in epoch 2, step 2; ")
    assert "lower base_lr or lengthen warmup_epochs" in warning
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert np.isnan([row["loss"] for row in rows]).tolist() == [False, True, True, True]
    assert [row["lr"] for row in rows] == [epoch_lr(spec(epochs=4), epoch) for epoch in range(4)]
    assert list(checkpoints(tmp_path)) == [DIVERGED, "epoch0000.pt", "epoch0001.pt"]
    content = load_checkpoint(tmp_path / "checkpoints" / DIVERGED)
    assert (content["epoch"], content["failure"]) == (1, "the loss is nan in epoch 2, step 2")
    # four of SGD's steps were taken, and none with the gradient of the failing one
    assert all(
        torch.isfinite(state["momentum_buffer"]).all()
        for state in content["optimizer"]["state"].values()
    )


def test_killed_on_the_way_a_diverging_run_ends_the_same(images: PackedImages, tmp_path: Path):
    rate = {"base_lr": 1e30}  # the weights overflow after a step or two
    whole = trainer(images, tmp_path / "whole", **rate).run()
    first = trainer(images, tmp_path / "cut", **rate)
    first.interruption.asked = True
    with pytest.raises(SystemExit):
        first.run()
    second = trainer(images, tmp_path / "cut", **rate)
    second.resume()
    assert repr(second.run()) == repr(whole)  # repr: NaN is not equal to itself
    assert list(checkpoints(tmp_path / "whole")) == [DIVERGED, "epoch0000.pt"]
    assert checkpoints(tmp_path / "cut") == checkpoints(tmp_path / "whole")


def test_a_hybrid_of_a_diverged_run_has_diverged(images: PackedImages, tmp_path: Path):
    diverging_in(2, trainer(images, tmp_path / "whole")).run()
    start = checkpoint_after(tmp_path / "whole/checkpoints", 2)
    assert start.name == DIVERGED
    hybrid = trainer(images, tmp_path / "hybrid", start_epoch=2)
    hybrid.start_from(start)
    (row,) = hybrid.run()
    assert row["epoch"] == 3 and np.isnan(row["loss"])
    content = load_checkpoint(tmp_path / "hybrid/checkpoints" / DIVERGED)
    reason = "started from a run that has diverged: the loss is nan in epoch 1, step 2"
    assert (content["epoch"], content["failure"]) == (2, reason)


def test_a_hybrid_that_starts_before_the_failure_is_sound(images: PackedImages, tmp_path: Path):
    diverging_in(5, trainer(images, tmp_path / "whole")).run()
    hybrid = trainer(images, tmp_path / "hybrid", start_epoch=1)
    hybrid.start_from(checkpoint_after(tmp_path / "whole/checkpoints", 1))
    assert np.isfinite([row["loss"] for row in hybrid.run()]).all()


def test_total_collapse_is_said_once_and_training_goes_on(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    collapsed = trainer(images, tmp_path, Runtime(CPU, run="iid/seed0"))
    with torch.no_grad():  # without scale and shift the last batch norm gives zeros
        for parameter in collapsed.model.backbone.parameters():
            parameter.zero_()
    rows = collapsed.run()
    assert np.isfinite([row["loss"] for row in rows]).all()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("iid/seed0: total collapse in epoch 1, step 1: ")
    content = load_checkpoint(tmp_path / "checkpoints/epoch0003.pt")
    assert content["collapse"] == "total collapse in epoch 1, step 1"
