"""The training loop on twelve images: what it writes, what resumes, what speed settings change."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import pretrain_spec as spec

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import DIVERGED, checkpoint_after, load_checkpoint
from ssl_collapse.runtime import saved_state as state
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.health import OutputWatch
from ssl_collapse.training.learning_rate import epoch_lr
from ssl_collapse.training.loop import Runtime, Trainer

CPU = torch.device("cpu")


def trainer(images: PackedImages, state: Path, runtime: Runtime | None = None, **keys: Any):
    folder = SavedState(state)
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    ordering = np.arange(len(images))
    return Trainer(spec(**keys), images, ordering, runtime or Runtime(CPU), folder)


def checkpoints(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(state.glob("checkpoints/*.pt"))}


def test_rows_and_checkpoints_of_every_epoch(images: PackedImages, tmp_path: Path):
    rows = trainer(images, tmp_path).run()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert list(rows[0]) == ["epoch", "loss", "lr", "images_per_second", "seconds"]
    assert rows[0]["lr"] == 0.05 * 4 / 256
    assert all(-1 <= row["loss"] <= 1 for row in rows)
    assert list(checkpoints(tmp_path)) == ["epoch0001.pt", "epoch0002.pt", "epoch0003.pt"]
    content = load_checkpoint(tmp_path / "checkpoints/epoch0002.pt")
    assert content["epoch"] == 2
    assert PretrainSpec.model_validate_json(content["recipe"]) == spec()


def test_checkpoint_every_keeps_some_and_always_the_last(images: PackedImages, tmp_path: Path):
    trainer(images, tmp_path, checkpoint_every=2).run()
    assert list(checkpoints(tmp_path)) == ["epoch0002.pt", "epoch0003.pt"]


def test_the_same_recipe_gives_the_same_bytes_with_any_runtime(
    images: PackedImages, tmp_path: Path
):
    trainer(images, tmp_path / "a").run()
    trainer(images, tmp_path / "b", Runtime(CPU, workers=2, log_every=1)).run()
    trainer(images, tmp_path / "c", seed=1).run()
    assert checkpoints(tmp_path / "a") == checkpoints(tmp_path / "b")
    assert checkpoints(tmp_path / "a") != checkpoints(tmp_path / "c")


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5, 8])
def test_a_signal_saves_and_a_second_start_ends_with_the_same_bytes(
    images: PackedImages, tmp_path: Path, stop_after: int
):
    # three steps per epoch: stops in mid-epoch (1, 2, 4, 5, 8) and at an epoch's last step (3)
    whole = trainer(images, tmp_path / "whole").run()
    first = trainer(images, tmp_path / "cut")
    steps = 0
    original = first._step

    def interrupted(crops: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(crops)

    first._step = interrupted
    with pytest.raises(SystemExit) as stopped:
        first.run()
    assert stopped.value.code == INTERRUPTED
    second = trainer(images, tmp_path / "cut")
    second.resume()
    rows = second.run()
    assert [row["loss"] for row in rows] == [row["loss"] for row in whole]
    assert checkpoints(tmp_path / "cut") == checkpoints(tmp_path / "whole")


def test_a_hybrid_goes_on_from_weights_and_optimiser_of_another_run(
    images: PackedImages, tmp_path: Path
):
    # Same recipe: going on from epoch 1 must end exactly where the whole run ends.
    trainer(images, tmp_path / "whole").run()
    hybrid = trainer(images, tmp_path / "hybrid", start_epoch=1)
    hybrid.start_from(tmp_path / "whole/checkpoints/epoch0001.pt")
    assert [row["epoch"] for row in hybrid.run()] == [2, 3]
    whole, own = (
        load_checkpoint(tmp_path / name / "checkpoints/epoch0003.pt")["model"]
        for name in ("whole", "hybrid")
    )
    assert all(torch.equal(whole[name], own[name]) for name in whole)


def test_a_hybrid_refuses_the_wrong_epoch_and_another_backbone(
    images: PackedImages, tmp_path: Path
):
    trainer(images, tmp_path / "whole").run()
    path = tmp_path / "whole/checkpoints/epoch0002.pt"
    with pytest.raises(UserError, match="is after epoch 2, not 1"):
        trainer(images, tmp_path / "a", start_epoch=1).start_from(path)
    wider = {"arch": "small_resnet", "width": 8, "blocks": [1]}
    with pytest.raises(UserError, match="does not fit"):
        trainer(images, tmp_path / "b", start_epoch=2, backbone=wider).start_from(path)


def test_warm_up_steps_freeze_the_encoder_in_every_epoch_but_the_first(
    images: PackedImages, tmp_path: Path
):
    # all three steps of an epoch frozen: the encoder learns in epoch 1 only, the predictor always
    trainer(images, tmp_path, n_warmup_steps=3).run()
    first, last = (
        load_checkpoint(tmp_path / f"checkpoints/epoch000{e}.pt")["model"] for e in (1, 3)
    )
    assert torch.equal(first["backbone.conv1.weight"], last["backbone.conv1.weight"])
    assert torch.equal(first["projector.0.weight"], last["projector.0.weight"])
    assert not torch.equal(first["predictor.0.weight"], last["predictor.0.weight"])


def diverging_in(step: int, trainer: Trainer) -> Trainer:
    """The weights become NaN before this step (from 1) of the whole training."""
    original, steps = trainer._step, 0

    def broken(crops: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == step:
            with torch.no_grad():
                trainer.model.backbone.conv1.weight.fill_(float("nan"))
        return original(crops)

    trainer._step = broken
    return trainer


def test_a_loss_that_is_not_finite_ends_the_training_with_success(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    # three steps per epoch: the fifth is step 2 of epoch 2, so that only epoch 1 is finished
    runtime = Runtime(CPU, run="iid/seed0")
    rows = diverging_in(5, trainer(images, tmp_path, runtime, epochs=4)).run()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("iid/seed0: the loss is nan in epoch 2, step 2; ")
    assert "lower base_lr or lengthen warmup_epochs" in warning
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert np.isnan([row["loss"] for row in rows]).tolist() == [False, True, True, True]
    assert [row["lr"] for row in rows] == [epoch_lr(spec(epochs=4), epoch) for epoch in range(4)]
    assert [row["images_per_second"] for row in rows[1:]] == [0, 0, 0]
    assert list(checkpoints(tmp_path)) == [DIVERGED, "epoch0001.pt"]
    content = load_checkpoint(tmp_path / "checkpoints" / DIVERGED)
    assert (content["epoch"], content["failure"]) == (1, "the loss is nan in epoch 2, step 2")


def test_killed_on_the_way_a_diverging_run_ends_the_same(images: PackedImages, tmp_path: Path):
    rate = {"base_lr": 1e30}  # the weights overflow after a step or two
    whole = trainer(images, tmp_path / "whole", **rate).run()
    first = trainer(images, tmp_path / "cut", **rate)
    first._interruption.asked = True
    with pytest.raises(SystemExit):
        first.run()
    second = trainer(images, tmp_path / "cut", **rate)
    second.resume()
    assert repr(second.run()) == repr(whole)  # repr: NaN is not equal to itself
    assert list(checkpoints(tmp_path / "whole")) == [DIVERGED]
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


def test_watching_the_outputs_changes_no_byte(
    images: PackedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer(images, tmp_path / "watched").run()
    monkeypatch.setattr(OutputWatch, "__init__", lambda self, *_: setattr(self, "collapse", None))
    monkeypatch.setattr(OutputWatch, "check", lambda *_: None)
    trainer(images, tmp_path / "not").run()
    assert checkpoints(tmp_path / "watched") == checkpoints(tmp_path / "not")
    content = load_checkpoint(tmp_path / "not/checkpoints/epoch0003.pt")
    assert set(content) == {"model", "optimizer", "rng", "recipe", "epoch"}


def test_a_second_trainer_of_the_same_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(state, "PATIENCE", 0.1)
    first, second = (SavedState(tmp_path / "run").locked() for _ in range(2))
    with first, pytest.raises(UserError, match="another process is training"):
        second.__enter__()


def test_a_longer_training_is_another_recipe_and_says_so(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    trainer(images, tmp_path / "run/three", epochs=3).run()  # its state was not removed yet
    longer = trainer(images, tmp_path / "run/four", epochs=4)
    longer.resume()
    assert longer.progress.epoch == 0
    assert "run/three holds an unfinished training by another recipe" in caplog.text


def test_the_lock_of_a_dead_process_does_not_block(tmp_path: Path):
    child = os.fork()
    if child == 0:
        SavedState(tmp_path / "run").locked().__enter__()
        os._exit(9)  # dies without releasing
    os.waitpid(child, 0)
    with SavedState(tmp_path / "run").locked():
        pass
