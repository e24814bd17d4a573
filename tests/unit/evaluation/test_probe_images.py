"""The linear probe on images: the frozen backbone, resume, encoders that have failed."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from commands import run_script
from PIL import Image
from torch import Tensor, nn
from trainings import CPU

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.config.evaluation import FullProbeSpec
from ssl_collapse.evaluation.probe_images import ImageFeatures, probe_images
from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.images.packing import pack_split
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import save_encoder
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.saved_state import SavedState

# --- full mode


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
    listing = list_dataset({"train": folder / "train", "val": folder / "val"})
    description = describe_dataset(
        "shades", {"kind": "imagefolder"}, listing, inspect_images(listing)
    )
    for split in ("train", "val"):
        pack_split(
            split,
            listing.splits[split],
            description,
            PackSpec(shorter_side=12),
            folder / f"{split}.h5",
        )
    return folder


def backbone() -> tuple[nn.Module, int]:
    from ssl_collapse.config.pretrain import Recipe

    recipe = Recipe.model_validate(
        {"backbone": {"arch": "small_resnet", "width": 4, "blocks": [1]}}
    )
    torch.manual_seed(0)
    return build_backbone(recipe.backbone)


def image_source(packed: Path, encoder: nn.Module | None = None, **settings: Any) -> ImageFeatures:
    toy = {"batch_size": 8, "epochs": 3, "resize": 12, "crop": 8, **settings}
    workers = toy.pop("workers", 0)
    fresh, dim = backbone()
    train, val = PackedImages(packed / "train.h5"), PackedImages(packed / "val.h5")
    return ImageFeatures(encoder or fresh, dim, train, val, FullProbeSpec(**toy), CPU, workers)


def test_bright_and_dark_are_told_apart_by_a_random_backbone(packed: Path):
    result = probe_images(image_source(packed, base_lr=5.0, epochs=10))
    assert result["top1_last"] == 1.0
    assert result["num_classes"] == 2 and result["top5_last"] == 1.0
    assert result["backbone"]["sha256_before"] == result["backbone"]["sha256_after"]


def test_the_backbone_is_in_eval_mode_and_takes_no_gradient(packed: Path):
    source = image_source(packed, encoder=backbone()[0].train())
    assert not any(module.training for module in source.encoder.modules())
    assert not any(parameter.requires_grad for parameter in source.encoder.parameters())


class Drifting(ImageFeatures):
    """A source whose backbone is put into train mode: batch norm's running mean moves."""

    def features(self, pixels: Tensor) -> Tensor:
        self.encoder.train()
        return super().features(pixels)


def test_a_buffer_or_a_weight_that_moved_is_an_error(packed: Path):
    source = image_source(packed)
    source.__class__ = Drifting
    with pytest.raises(RuntimeError, match="the backbone has moved"):
        probe_images(source)
    source = image_source(packed)
    original = source.features

    def nudged(pixels: Tensor) -> Tensor:
        next(source.encoder.parameters()).data.view(-1)[0] += 1e-6
        return original(pixels)

    source.features = nudged  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="the backbone has moved"):
        probe_images(source)


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
    encoder, dim = backbone()
    with pytest.raises(UserError, match="of another dataset than"):
        ImageFeatures(
            *(encoder, dim, PackedImages(packed / "train.h5"), PackedImages(other)),
            *(FullProbeSpec(), CPU),
        )


# --- resume


@pytest.mark.parametrize("stop_after", [1, 3, 5, 8])
def test_a_signal_saves_and_a_second_start_ends_with_the_same_bytes(
    packed: Path, tmp_path: Path, stop_after: int
):
    # three steps per epoch: stops in mid-epoch (1, 5, 8) and at an epoch's last step (3)
    whole = probe_images(image_source(packed))
    state = SavedState(tmp_path / "run" / "state")
    source = image_source(packed)
    steps = 0
    original = source.features

    def interrupted(pixels: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(pixels)

    source.features = interrupted  # type: ignore[method-assign]
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


def probe_encoder(
    packed: Path, folder: Path, encoder: nn.Module, **metadata: str
) -> "subprocess.CompletedProcess[str]":
    from ssl_collapse.config.pretrain import Recipe

    keys = {"arch": "small_resnet", "width": 4, "blocks": [1]}
    config = json.dumps(Recipe.model_validate({"backbone": keys}).backbone.model_dump())
    about = {"arch": "small_resnet", "epoch": "1", "feature_dim": "4", "backbone": config}
    path = folder / "encoder.safetensors"
    save_encoder(path, encoder.state_dict(), {**about, **metadata})
    settings = json.dumps({"batch_size": 8, "epochs": 3, "resize": 12, "crop": 8})
    return run_script(
        *("probe", "--encoder", path),
        *("--images-train", packed / "train.h5", "--images-val", packed / "val.h5"),
        *("--spec", settings, "--json", folder / "probe.json", "--device", "cpu"),
        *("--state", folder / "state/run/seed0"),
        OMP_NUM_THREADS="1",
    )


def test_full_mode_from_files_and_nothing_left_of_its_state(packed: Path, tmp_path: Path):
    done = probe_encoder(packed, tmp_path, backbone()[0])
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
    done = probe_encoder(packed, tmp_path, encoder, **failure)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "probe.json").read_text())
    expected = failure.get("failure", "all representations are equal: total collapse")
    assert (result["diverged"], result["failure"]) == (True, expected)
    assert {name for name, value in result.items() if value is None} == NOTHING
