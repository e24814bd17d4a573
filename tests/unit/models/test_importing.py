"""From a checkpoint of another project to an encoder file that the other stages read."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from ssl_collapse.config.checkpoints import ImportEncoderSpec
from ssl_collapse.config.evaluation import RepresentSpec, ViewMeasuresSpec
from ssl_collapse.config.pretrain import Augmentation
from ssl_collapse.models.encoder_file import prepared, read_encoder
from ssl_collapse.models.foreign.importing import import_encoder
from ssl_collapse.runtime.errors import UserError

DATASET = {"resize": 32, "crop": 32, "mean": [0.5] * 3, "std": [0.5] * 3}


STANDARD = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    model = torchvision.models.resnet18()
    model.fc = nn.Identity()
    return model.eval()


def imported(path: Path, **spec: Any) -> tuple[nn.Module, dict[str, str]]:
    output = path.with_name("encoder.safetensors")
    spec = {"checkpoint": "0" * 64, "epoch": 7, **spec}
    import_encoder(path, ImportEncoderSpec.from_spec(json.dumps(spec)), output)
    return read_encoder(output)


def test_the_encoder_file_gives_the_same_features_and_says_where_it_is_from(
    resnet: nn.Module, tmp_path: Path
):
    path = tmp_path / "resnet18.pth"
    torch.save(resnet.state_dict(), path)
    encoder, about = imported(path, preprocessing={"crop": 200})
    images = torch.rand(2, 3, 40, 40)
    with torch.inference_mode():
        assert torch.equal(encoder(images), resnet(images))
    assert about["source"] == "torchvision file, flat, ResNet-18, 120 of 120 tensors"
    assert (about["arch"], about["epoch"], about["pooling"]) == ("resnet18", "7", "avgpool")
    spec = prepared(RepresentSpec(**DATASET), about)
    assert (spec.resize, spec.crop, spec.interpolation) == (256, 200, "bilinear")
    assert spec.mean == [0.485, 0.456, 0.406]
    assert prepared(RepresentSpec(**DATASET), {}) == RepresentSpec(**DATASET)
    sizes = {key: DATASET[key] for key in ("crop", "mean", "std")}
    views = ViewMeasuresSpec(**sizes, augmentation=Augmentation())
    assert (prepared(views, about).crop, prepared(views, about).mean) == (200, spec.mean)
    before = path.with_name("encoder.safetensors").read_bytes()
    imported(path, preprocessing={"crop": 200})
    assert path.with_name("encoder.safetensors").read_bytes() == before
    with pytest.raises(UserError, match="crop 300 is larger than resize 256"):
        prepared(RepresentSpec(**DATASET), imported(path, preprocessing={"crop": 300})[1])


def test_epoch_0_is_the_same_network_with_weights_of_the_seed(resnet: nn.Module, tmp_path: Path):
    path = tmp_path / "resnet18.pth"
    torch.save(resnet.state_dict(), path)
    drawn = [imported(path, epoch=0, seed=seed)[0].state_dict() for seed in (0, 0, 1)]
    first, again, other = (weights["conv1.weight"] for weights in drawn)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, resnet.state_dict()["conv1.weight"])
    assert drawn[0]["layer1.0.bn2.weight"].sum() == 0  # before training, as our own epoch 0


def test_what_normalises_the_images_is_asked_for_where_nothing_says_it(
    resnet: nn.Module, tmp_path: Path
):
    path = tmp_path / "last.ckpt"
    state = {f"backbone.{name}": tensor for name, tensor in resnet.state_dict().items()}
    torch.save({"state_dict": state}, path)
    with pytest.raises(UserError, match=r"how images are normalised; give `preprocessing"):
        imported(path)
    assert not path.with_name("encoder.safetensors").exists()
    spec = prepared(RepresentSpec(**DATASET), imported(path, preprocessing=STANDARD)[1])
    assert (spec.resize, spec.crop, spec.mean) == (32, 32, STANDARD["mean"])  # sizes: the dataset's


def test_weights_that_are_not_finite_are_a_failure_that_the_file_states(
    resnet: nn.Module, tmp_path: Path
):
    path = tmp_path / "resnet18.pth"
    nan = torch.full((64,), torch.nan)
    torch.save({**resnet.state_dict(), "bn1.bias": nan}, path)
    assert imported(path)[1]["failure"].endswith("NaN or infinity after epoch 7")
