"""The linear probe on images: the frozen backbone, resume, encoders that have failed."""

import itertools
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import toy
from commands import Run, run_here
from PIL import Image
from torch import nn
from trainings import CPU, stop

from ssl_collapse.config.evaluation import FullProbeSpec
from ssl_collapse.evaluation.probe_images import ImageFeatures, probe_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import build_backbone
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.saved_state import SavedState

NOTHING = {"top1_last", "top5_last", "top1_best", "top5_best", "best_epoch"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.h5 and val.h5: 12 px images, dark ones and bright ones."""
    folder = tmp_path_factory.mktemp("probe")
    rng = np.random.default_rng(0)
    for split, n in (("train", 24), ("val", 12)):
        for i in range(n):
            file = folder / split / ("bright", "dark")[i % 2] / f"{i:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 40, (12, 12, 3)) + (200 if i % 2 == 0 else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    for split in ("train", "val"):
        toy.pack(folder, split=split)
    return folder


def backbone() -> tuple[nn.Module, int]:
    torch.manual_seed(0)
    return build_backbone(toy.pretrain_spec().backbone)


def image_source(packed: Path, encoder: nn.Module | None = None, **settings: Any) -> ImageFeatures:
    toy = {"batch_size": 8, "epochs": 3, "resize": 12, "crop": 8, **settings}
    workers = toy.pop("workers", 0)
    fresh, dim = backbone()
    train, val = PackedImages(packed / "train.h5"), PackedImages(packed / "val.h5")
    return ImageFeatures(encoder or fresh, dim, train, val, FullProbeSpec(**toy), CPU, workers)


def before_each_batch(source: ImageFeatures, action: Callable[[], object]) -> ImageFeatures:
    """Have something happen before features are computed."""
    original = source.features
    source.features = lambda pixels: (action(), original(pixels))[1]  # type: ignore[method-assign]
    return source


def test_bright_and_dark_are_told_apart_by_a_random_backbone(packed: Path):
    result = probe_images(image_source(packed, base_lr=5.0, epochs=10))
    assert result["top1_last"] == 1.0
    assert result["num_classes"] == 2 and result["top5_last"] == 1.0
    assert result["backbone"]["sha256_before"] == result["backbone"]["sha256_after"]


def test_the_backbone_is_in_eval_mode_and_takes_no_gradient(packed: Path):
    source = image_source(packed, encoder=backbone()[0].train())
    assert not any(module.training for module in source.encoder.modules())
    assert not any(parameter.requires_grad for parameter in source.encoder.parameters())


def nudge(encoder: nn.Module) -> None:
    next(encoder.parameters()).data.view(-1)[0] += 1e-6


@pytest.mark.parametrize("move", [nn.Module.train, nudge])
def test_a_buffer_or_a_weight_that_moved_is_an_error(packed: Path, move: Callable[..., object]):
    # in train mode batch norm's running mean moves
    source = image_source(packed)
    with pytest.raises(RuntimeError, match="the backbone has moved"):
        probe_images(before_each_batch(source, lambda: move(source.encoder)))


def test_workers_change_no_byte_and_the_seed_does(packed: Path):
    alone, helped, other = (
        json.dumps(probe_images(image_source(packed, **settings)))
        for settings in ({}, {"workers": 2}, {"seed": 1})
    )
    assert alone == helped != other


def test_crops_differ_from_epoch_to_epoch(packed: Path):
    source = image_source(packed)
    (first, _), (second, _) = (next(source.training(epoch, 0)) for epoch in (0, 1))
    (again, _) = next(source.training(0, 0))
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_splits_of_two_datasets_are_refused(packed: Path, tmp_path: Path):
    other = tmp_path / "val.h5"
    shutil.copy(packed / "val.h5", other)
    with h5py.File(other, "r+") as file:
        file.attrs["fingerprint"] = "another"
    splits = PackedImages(packed / "train.h5"), PackedImages(other)
    with pytest.raises(UserError, match="of another dataset than"):
        ImageFeatures(*backbone(), *splits, FullProbeSpec(), CPU)


@pytest.mark.parametrize("stop_after", [1, 3, 8])
def test_a_signal_saves_and_a_second_start_ends_with_the_same_bytes(
    packed: Path, tmp_path: Path, stop_after: int
):
    # three steps per epoch: stops in mid-epoch (1, 8) and at an epoch's last step (3)
    whole = probe_images(image_source(packed))
    state, steps = SavedState(tmp_path / "run" / "state"), itertools.count(1)
    source = before_each_batch(
        image_source(packed), lambda: stop() if next(steps) == stop_after else None
    )
    with state.locked(), pytest.raises(SystemExit) as stopped:
        probe_images(source, state)
    assert stopped.value.code == INTERRUPTED
    with state.locked():
        assert probe_images(image_source(packed), state) == whole


def test_signals_are_as_before_when_the_probe_is_over(packed: Path, tmp_path: Path):
    before = signal.getsignal(signal.SIGTERM)
    state = SavedState(tmp_path / "run" / "state")
    with state.locked():
        probe_images(image_source(packed, epochs=1), state)
    assert signal.getsignal(signal.SIGTERM) is before


def probe_encoder(packed: Path, folder: Path, encoder: Path) -> Run:
    settings = json.dumps({"batch_size": 8, "epochs": 3, "resize": 12, "crop": 8})
    return run_here(
        *("probe", "--encoder", encoder),
        *("--images-train", packed / "train.h5", "--images-val", packed / "val.h5"),
        *("--spec", settings, "--json", folder / "probe.json", "--device", "cpu"),
        *("--state", folder / "state/run/seed0"),
    )


def test_full_mode_from_files_and_nothing_left_of_its_state(packed: Path, tmp_path: Path):
    torch.manual_seed(0)
    done = probe_encoder(packed, tmp_path, toy.save_teacher(tmp_path / "encoder"))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "probe.json").read_text()) == probe_images(image_source(packed))
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("failure", [{"failure": "the loss is nan"}, {}])
def test_full_mode_knows_a_failed_encoder_by_its_metadata_or_by_its_outputs(
    packed: Path, tmp_path: Path, failure: dict[str, str]
):
    encoder, _ = backbone()
    with torch.no_grad():  # without scale and shift the last batch norm gives zeros
        for parameter in encoder.parameters():
            parameter.zero_()
    path = toy.save_teacher(tmp_path / "encoder", network=encoder, **failure)
    done = probe_encoder(packed, tmp_path, path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "probe.json").read_text())
    expected = failure.get("failure", "all representations are equal: total collapse")
    assert (result["diverged"], result["failure"]) == (True, expected)
    assert {name for name, value in result.items() if value is None} == NOTHING
