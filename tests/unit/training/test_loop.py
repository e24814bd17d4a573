"""The training loop on twelve images: what it writes, what resumes, what speed settings change."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counting import Counting
from toy import pretrain_spec as spec

from ssl_collapse.config.experiment import RunConfig
from ssl_collapse.config.pretrain import PretrainSpec, Recipe
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.models.checkpoint_file import DIVERGED, checkpoint_after, load_checkpoint
from ssl_collapse.models.encoder_file import load_encoder
from ssl_collapse.runtime import following
from ssl_collapse.runtime import saved_state as state
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.following import read_progress
from ssl_collapse.runtime.interruption import Cadence
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.export import export_encoder
from ssl_collapse.training.health import StepWatch
from ssl_collapse.training.learning_rate import epoch_lr
from ssl_collapse.training.loop import Runtime, Trainer
from ssl_collapse.training.saving import is_kept

CPU = torch.device("cpu")
WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "item")
ROWS = torch.eye(4)  # an output without collapse


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
    assert list(rows[0]) == ["epoch", "loss", "lr", "std_per_dimension", "effective_rank"]
    assert rows[0]["lr"] == 0.05 * 4 / 256
    assert all(-1 <= row["loss"] <= 1 for row in rows)
    assert all(1 <= row["effective_rank"] <= 3 for row in rows)  # of four images
    assert list(checkpoints(tmp_path)) == [f"epoch000{epoch}.pt" for epoch in range(4)]
    content = load_checkpoint(tmp_path / "checkpoints/epoch0002.pt")
    assert content["epoch"] == 2
    assert PretrainSpec.model_validate_json(content["recipe"]) == spec()


def test_those_who_watch_are_told_each_step_and_epoch(
    images: PackedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following, "EVERY", 0.0)  # seconds between two writes
    folder = tmp_path / "training-0"
    trained = trainer(images, folder)
    rows = trained.run()
    told = read_progress(tmp_path, "training")
    steps = len(images) // 4
    # the last step is told before its epoch ends: of the health, that of the epoch before
    assert (told["epochs"], told["steps"], told["epoch"], told["step"]) == (3, steps, 2, steps)
    assert told["loss"] == rows[2]["loss"]
    assert told["effective_rank"] == rows[1]["effective_rank"]


def test_checkpoint_every_keeps_some_and_always_the_last(images: PackedImages, tmp_path: Path):
    trainer(images, tmp_path, checkpoint_every=2).run()
    assert list(checkpoints(tmp_path)) == ["epoch0000.pt", "epoch0002.pt", "epoch0003.pt"]


@pytest.mark.parametrize("every", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("start", [0, 1, 4])
def test_the_config_knows_which_checkpoints_are_kept(every: int, start: int):
    keys = {"epochs": 10, "checkpoint_every": every}
    recipe = spec(**keys).model_dump(include=set(Recipe.model_fields))
    run = RunConfig.model_validate(
        {**recipe, "dataset": "d", "start": {"run": "a", "epoch": start} if start else None}
    )
    trained = spec(**keys, start_epoch=start)
    assert [run.has_checkpoint(e) for e in range(12)] == [
        is_kept(trained, e) and e <= 10 for e in range(12)
    ]


def test_epoch_0_is_the_network_before_training(images: PackedImages, tmp_path: Path):
    trainer(images, tmp_path, seed=5).run()
    torch.manual_seed(5)
    fresh = build_method(*build_backbone(spec().backbone), spec().method).state_dict()
    content = load_checkpoint(tmp_path / "checkpoints/epoch0000.pt")
    assert content["epoch"] == 0
    assert content["model"].keys() == fresh.keys()
    assert all(torch.equal(content["model"][name], fresh[name]) for name in fresh)
    export_encoder(tmp_path / "checkpoints/epoch0000.pt", tmp_path / "encoder", 0)
    weights, metadata = load_encoder(tmp_path / "encoder")
    assert metadata["epoch"] == "0"
    assert torch.equal(weights["conv1.weight"], fresh["backbone.conv1.weight"])


def test_the_same_recipe_gives_the_same_bytes_with_any_runtime(
    images: PackedImages, tmp_path: Path
):
    trainer(images, tmp_path / "a").run()
    trainer(images, tmp_path / "b", Runtime(CPU, workers=2, log_every=1)).run()
    trainer(images, tmp_path / "c", seed=1).run()
    assert checkpoints(tmp_path / "a") == checkpoints(tmp_path / "b")
    assert checkpoints(tmp_path / "a") != checkpoints(tmp_path / "c")


def test_a_machine_that_is_lost_costs_minutes_and_no_byte(
    images: PackedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = trainer(images, tmp_path / "whole").run()
    monkeypatch.setattr(Cadence, "due", lambda cadence: True)
    lost = trainer(images, tmp_path / "cut")
    original = lost._step

    def power_cut(views: Any) -> None:
        if (lost.progress.epoch, lost.progress.step) == (1, 2):
            raise KeyboardInterrupt  # nothing is saved on the way out
        original(views)

    lost._step = power_cut
    with pytest.raises(KeyboardInterrupt):
        lost.run()
    second = trainer(images, tmp_path / "cut")
    second.resume()
    assert (second.progress.epoch, second.progress.step) == (1, 2)
    assert second.run() == whole
    assert checkpoints(tmp_path / "cut") == checkpoints(tmp_path / "whole")


def test_a_signal_in_the_last_step_comes_too_late_to_stop(images: PackedImages, tmp_path: Path):
    late = trainer(images, tmp_path)
    original = late._step

    def asked_in_the_last(views: Any) -> None:
        late._interruption.asked = (late.progress.epoch, late.progress.step) == (2, 2)
        original(views)

    late._step = asked_in_the_last
    assert [row["epoch"] for row in late.run()] == [1, 2, 3]


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5, 8])
def test_a_signal_saves_and_a_second_start_ends_with_the_same_bytes(
    images: PackedImages, tmp_path: Path, stop_after: int
):
    # three steps per epoch: stops in mid-epoch (1, 2, 4, 5, 8) and at an epoch's last step (3)
    whole = trainer(images, tmp_path / "whole").run()
    first = trainer(images, tmp_path / "cut")
    steps = 0
    original = first._step

    def interrupted(views: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        original(views)

    first._step = interrupted
    with pytest.raises(SystemExit) as stopped:
        first.run()
    assert stopped.value.code == INTERRUPTED
    second = trainer(images, tmp_path / "cut")
    second.resume()
    assert second.run() == whole
    assert [row["epoch"] for row in second.progress.speed] == [1, 2, 3]
    assert all(row["seconds"] > 0 for row in second.progress.speed)
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
    """The weights become NaN before this step (from 1) of the whole training, of 3 per epoch."""
    original = trainer._step

    def broken(views: Any) -> None:
        if (trainer.progress.epoch, trainer.progress.step) == divmod(step - 1, 3):
            with torch.no_grad():
                trainer.model.backbone.conv1.weight.fill_(float("nan"))
        original(views)

    trainer._step = broken
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
    first._interruption.asked = True
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


def test_watching_the_outputs_changes_no_byte(
    images: PackedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer(images, tmp_path / "watched").run()
    monkeypatch.setattr(StepWatch, "_keep", lambda self, *_: setattr(self, "output", ROWS))
    monkeypatch.setattr(StepWatch, "dimensional_collapse", lambda *_: None)
    trainer(images, tmp_path / "not").run()
    assert checkpoints(tmp_path / "watched") == checkpoints(tmp_path / "not")
    content = load_checkpoint(tmp_path / "not/checkpoints/epoch0003.pt")
    assert set(content) == {"model", "optimizer", "rng", "recipe", "epoch"}


@pytest.mark.parametrize("name", ["simsiam", "byol"])
def test_no_step_waits_for_the_device(images: PackedImages, tmp_path: Path, name: str):
    # Between two looks, which this training takes at the end of its epoch: what waits in an epoch
    # of twelve steps is what waits in one of two.
    waits = []
    for steps in (2, 12):
        method = {"name": name, "projection_dim": 8}
        length = {"share": 100, "steps_per_epoch": steps, "epochs": 1, "warmup_epochs": 0}
        keys = {**length, "method": method, "optimizer": "sgd"}
        one = trainer(images, tmp_path / str(steps), Runtime(CPU, workers=1), **keys)
        with Counting() as counting:
            one.run()
        waits.append({name: counting.asked[name] for name in WAITING})
    assert waits[0] == waits[1]
    assert waits[0]["_local_scalar_dense"] > 0  # it does count


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible")
def test_no_step_waits_for_the_gpu(images: PackedImages, tmp_path: Path):
    trained = trainer(images, tmp_path, Runtime(torch.device("cuda"), workers=1), epochs=1)
    original = trained._step

    def strict(views: Any) -> None:
        torch.cuda.set_sync_debug_mode("error" if trained.progress.step else "default")
        original(views)
        torch.cuda.set_sync_debug_mode("default")

    trained._step = strict
    assert np.isfinite(trained.run()[0]["loss"])


def test_threads_and_precision_are_of_the_recipe(images: PackedImages, tmp_path: Path):
    def trained(name: str, **keys: Any) -> tuple[list[float], dict[str, bytes]]:
        rows = trainer(images, tmp_path / name, Runtime(CPU, workers=len(name) - 1), **keys).run()
        return [row["loss"] for row in rows], checkpoints(tmp_path / name)

    plain, two = trained("a"), trained("b", cpu_threads=2)
    assert torch.get_num_threads() == 2
    assert two == trained("bb", cpu_threads=2)  # with a worker: the same bytes
    np.testing.assert_allclose(two[0], plain[0], atol=1e-4)
    half = trained("c", precision="bf16")
    np.testing.assert_allclose(half[0], plain[0], atol=0.02)  # 8 bits of mantissa
    assert half[0] != plain[0] == trained("d", precision="tf32")[0]  # the CPU has no TF32
    assert torch.get_num_threads() == 1


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
    trainer(
        images, tmp_path / "run/training-three", epochs=3
    ).run()  # its state was not removed yet
    longer = trainer(images, tmp_path / "run/training-four", epochs=4)
    longer.resume()
    assert longer.progress.epoch == 0
    assert (
        "run/training-three holds an unfinished training by another recipe, other code"
        in caplog.text
    )


def test_the_state_of_a_probe_is_no_other_training(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "run/probe-one").mkdir(parents=True)
    (tmp_path / "run/probe-one/state.pt").touch()
    trainer(images, tmp_path / "run/training-one").resume()
    assert not caplog.records


def lose(file: Path) -> None:
    file.unlink()


def damage(file: Path) -> None:
    file.write_bytes(b"\0" + file.read_bytes()[1:])


@pytest.mark.parametrize("how", [lose, damage])
@pytest.mark.parametrize(
    ("epoch", "source"), [(0, "nothing"), (1, "epoch 0"), (2, "epoch 1"), (3, "epoch 2")]
)
def test_a_lost_checkpoint_of_an_unfinished_training_is_made_again(
    images: PackedImages,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    how: Callable[[Path], None],
    epoch: int,
    source: str,
):
    first = trainer(images, tmp_path / "cut")
    whole = first.run()  # to the end, but not published yet
    written = checkpoints(tmp_path / "cut")
    how(tmp_path / f"cut/checkpoints/epoch000{epoch}.pt")
    second = trainer(images, tmp_path / "cut")
    second.resume()
    assert f"epoch000{epoch}.pt is missing or damaged: training goes on from {source}" in (
        caplog.text
    )
    assert second.progress.epoch == max(0, epoch - 1)
    assert second.run() == whole
    assert [row["epoch"] for row in second.progress.speed] == [1, 2, 3]
    assert checkpoints(tmp_path / "cut") == written
    second.saver.state.publish(tmp_path / "published")
    assert {p.name: p.read_bytes() for p in (tmp_path / "published").iterdir()} == written


def test_a_hybrid_whose_first_checkpoint_is_lost_goes_back_to_its_start(
    images: PackedImages, tmp_path: Path
):
    trainer(images, tmp_path / "whole").run()

    def hybrid() -> Trainer:
        started = trainer(images, tmp_path / "hybrid", start_epoch=1)
        started.start_from(tmp_path / "whole/checkpoints/epoch0001.pt")
        started.resume()
        return started

    rows = hybrid().run()
    written = checkpoints(tmp_path / "hybrid")
    lose(tmp_path / "hybrid/checkpoints/epoch0002.pt")
    assert hybrid().run() == rows
    assert checkpoints(tmp_path / "hybrid") == written


@pytest.mark.parametrize("how", [lose, damage])
def test_a_folder_without_one_of_its_checkpoints_is_not_published(
    images: PackedImages, tmp_path: Path, how: Callable[[Path], None]
):
    trained = trainer(images, tmp_path)
    trained.run()
    how(tmp_path / "checkpoints/epoch0002.pt")
    with pytest.raises(UserError, match=r"epoch0002\.pt: missing or damaged.*start again"):
        trained.saver.state.publish(tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_what_the_run_did_not_write_is_not_published(images: PackedImages, tmp_path: Path):
    # the failing state of an earlier attempt, which on a GPU need not fail again
    trained = trainer(images, tmp_path)
    (tmp_path / "checkpoints" / DIVERGED).touch()
    trained.run()
    trained.saver.state.publish(tmp_path / "published")
    assert not (tmp_path / "published" / DIVERGED).exists()


def test_the_lock_of_a_dead_process_does_not_block(tmp_path: Path):
    child = os.fork()
    if child == 0:
        SavedState(tmp_path / "run").locked().__enter__()
        os._exit(9)  # dies without releasing
    os.waitpid(child, 0)
    with SavedState(tmp_path / "run").locked():
        pass
