"""The training loop on twelve images: what it writes, what resumes, what speed settings change."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counting import Counting
from toy import pretrain_spec as spec
from trainings import CPU, checkpoints, trainer

from ssl_collapse.config.experiment import RunConfig
from ssl_collapse.config.pretrain import PretrainSpec, Recipe
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.models.checkpoint_file import load_checkpoint
from ssl_collapse.models.encoder_file import load_encoder
from ssl_collapse.runtime import following
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.following import read_progress
from ssl_collapse.runtime.interruption import Cadence
from ssl_collapse.training.export import export_encoder
from ssl_collapse.training.health import StepWatch
from ssl_collapse.training.loop import Runtime
from ssl_collapse.training.saving import is_kept

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "item")


ROWS = torch.eye(4)  # an output without collapse


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
    original = lost.step

    def power_cut(views: Any) -> None:
        if (lost.progress.epoch, lost.progress.step) == (1, 2):
            raise KeyboardInterrupt  # nothing is saved on the way out
        original(views)

    lost.step = power_cut
    with pytest.raises(KeyboardInterrupt):
        lost.run()
    second = trainer(images, tmp_path / "cut")
    second.resume()
    assert (second.progress.epoch, second.progress.step) == (1, 2)
    assert second.run() == whole
    assert checkpoints(tmp_path / "cut") == checkpoints(tmp_path / "whole")


def test_a_signal_in_the_last_step_comes_too_late_to_stop(images: PackedImages, tmp_path: Path):
    late = trainer(images, tmp_path)
    original = late.step

    def asked_in_the_last(views: Any) -> None:
        late.interruption.asked = (late.progress.epoch, late.progress.step) == (2, 2)
        original(views)

    late.step = asked_in_the_last
    assert [row["epoch"] for row in late.run()] == [1, 2, 3]


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5, 8])
def test_a_signal_saves_and_a_second_start_ends_with_the_same_bytes(
    images: PackedImages, tmp_path: Path, stop_after: int
):
    # three steps per epoch: stops in mid-epoch (1, 2, 4, 5, 8) and at an epoch's last step (3)
    whole = trainer(images, tmp_path / "whole").run()
    first = trainer(images, tmp_path / "cut")
    steps = 0
    original = first.step

    def interrupted(views: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        original(views)

    first.step = interrupted
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
    original = trained.step

    def strict(views: Any) -> None:
        torch.cuda.set_sync_debug_mode("error" if trained.progress.step else "default")
        original(views)
        torch.cuda.set_sync_debug_mode("default")

    trained.step = strict
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
