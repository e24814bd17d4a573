"""One training in several processes: two gloo ranks on the CPU against one process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import ranks_script
import torch
from commands import WORKFLOW
from toy import RECIPE, pretrain_spec
from trainings import options

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import load_checkpoint
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.ranks import Ranks
from ssl_collapse.views.augmentation import Augmenter
from ssl_collapse.views.batches import CroppedViews
from ssl_collapse.views.schedule import epoch_batches

SCRIPT = ranks_script.__file__
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def toy_losses(images: PackedImages, output: Path, norm: str, ranks: int) -> list[float]:
    spec = pretrain_spec(epochs=2, base_lr=1.0).model_dump_json()
    arguments = [spec, str(images.path), str(output), norm]
    if ranks == 1:
        ranks_script.main(*arguments)
    else:
        command = [sys.executable, *TORCHRUN, SCRIPT, *arguments]
        subprocess.run(command, check=True, capture_output=True)
    losses = [json.loads(p.read_text()) for p in sorted(output.glob("rank*/losses.json"))]
    assert len(losses) == ranks
    assert all(one == losses[0] for one in losses)  # each rank knows the loss of the whole batch
    written = [len(list(p.glob("state/checkpoints/*"))) for p in sorted(output.glob("rank*"))]
    assert written == [3, 0][:ranks]  # rank 0 alone writes, epoch 0 too
    return losses[0]


def test_the_parts_of_two_ranks_are_the_batch_of_one(images: PackedImages):
    spec = pretrain_spec()
    batches = epoch_batches(spec, np.arange(12), epoch=1, seed=0)
    assert sorted(batches.ravel()) == list(range(12))  # each image once per epoch
    parts = [Ranks(rank, 2).part(4) for rank in (0, 1)]
    assert parts == [slice(0, 2), slice(2, 4)]
    whole = CroppedViews(images, batches, spec, 1)
    halves = [CroppedViews(images, batches, spec, 1, part) for part in parts]
    augmenter = Augmenter(spec.mean, spec.std, torch.device("cpu"))
    for step in range(3):
        views = augmenter(whole[step])
        for view, *pieces in zip(views, *(augmenter(half[step]) for half in halves), strict=True):
            assert torch.equal(torch.cat(pieces), view)


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="batch_size 4 cannot be divided among 3 GPUs"):
        Ranks(0, 3).part(4)


def test_without_batch_norm_two_ranks_train_as_one(images: PackedImages, tmp_path: Path):
    one = toy_losses(images, tmp_path / "one", "none", 1)
    two = toy_losses(images, tmp_path / "two", "none", 2)
    assert len(one) == 6  # two epochs of three steps
    np.testing.assert_allclose(two, one, rtol=1e-5)
    assert max(one) - min(one) > 1e-3  # it did train
    names = ("one/rank0", "two/rank0", "two/rank1")
    first, second, third = (json.loads((tmp_path / n / "rows.json").read_text()) for n in names)
    assert second == third  # health, too, is of the whole batch on every rank
    for alone, both in zip(first, second, strict=True):
        assert both == pytest.approx(alone, rel=1e-4)
        assert 1 < alone["effective_rank"] <= 3
    last = "rank0/state/checkpoints/epoch0002.pt"
    alone, both = (load_checkpoint(tmp_path / name / last)["model"] for name in ("one", "two"))
    for name, tensor in alone.items():
        torch.testing.assert_close(both[name], tensor, rtol=1e-4, atol=1e-6)


def test_on_the_cpu_batch_norm_sees_each_part_alone(images: PackedImages, tmp_path: Path):
    one = toy_losses(images, tmp_path / "one", "batch", 1)
    two = toy_losses(images, tmp_path / "two", "batch", 2)
    # a batch of four normalised as a whole, or as two and two: not the same training
    assert abs(two[0] - one[0]) > 1e-3


def test_on_a_gpu_batch_norm_is_synchronised(monkeypatch: pytest.MonkeyPatch):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    assert Ranks(0, 2).synchronized(module) is module  # on the CPU: as it is
    on_gpu = SimpleNamespace(is_cuda=True)
    monkeypatch.setattr(module, "parameters", lambda: iter([on_gpu]))
    assert isinstance(Ranks(0, 2).synchronized(module)[1], torch.nn.SyncBatchNorm)
    assert list(module.state_dict()) == list(Ranks(0, 2).synchronized(module).state_dict())


def pretrain(
    images: PackedImages, folder: Path, spec: dict[str, object], device: str = "cpu"
) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    np.save(folder / "ordering.npy", np.arange(len(images)))
    files = {name: folder / name for name in ("state", "checkpoints", "log")}
    command = [sys.executable, str(WORKFLOW / "scripts/pretrain.py"), *options(
        spec=json.dumps(spec), images=images.path, ordering=folder / "ordering.npy",
        training=folder / "training.csv", **files, log_every=1, device=device, gpus=2,
    )]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_ranks_save_at_a_signal_and_end_with_the_same_bytes(
    images: PackedImages, tmp_path: Path
):
    spec = {**RECIPE, "share": 100, "steps_per_epoch": 100, "checkpoint_every": 3}
    whole = pretrain(images, tmp_path / "whole", spec)
    assert whole.wait() == 0, whole.communicate()[1]
    cut = pretrain(images, tmp_path / "cut", spec)
    log = tmp_path / "cut/log"
    while not (log.exists() and "epoch 1 step 5 " in log.read_text()):
        assert cut.poll() is None, cut.communicate()[1]
        time.sleep(0.05)
    cut.send_signal(signal.SIGTERM)
    assert cut.wait(timeout=30) == 75, cut.communicate()[1]
    assert "interrupted; saved epoch" in log.read_text()
    assert not (tmp_path / "cut/checkpoints").exists()
    again = pretrain(images, tmp_path / "cut", spec)
    assert again.wait() == 0, again.communicate()[1]
    assert "resumed at epoch 0, step" in log.read_text()
    name = "checkpoints/epoch0003.pt"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "cut/state").exists() or not list((tmp_path / "cut/state").iterdir())


def test_bad_input_ends_all_ranks_with_code_2(images: PackedImages, tmp_path: Path):
    run = pretrain(images, tmp_path / "run", {**RECIPE, "batch_size": 3})
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "batch_size 3 cannot be divided among 2 GPUs" in errors


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_auto_trains_in_one_process(images: PackedImages, tmp_path: Path):
    # two processes on the CPU would normalise half batches: another result
    run = pretrain(images, tmp_path / "run", RECIPE, device="auto")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert "one process on the CPU instead of 2" in errors
    assert "each process's part" not in errors
