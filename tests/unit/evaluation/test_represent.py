"""Encoders out of checkpoints, and representations of a whole split."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from ssl_collapse.config.represent import RepresentSpec
from ssl_collapse.config.training import PretrainSpec
from ssl_collapse.data.packed import PackedImages
from ssl_collapse.errors import UserError
from ssl_collapse.evaluation.export import export_encoder, read_encoder
from ssl_collapse.evaluation.represent import central_crop, represent
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.storage.checkpoint import load_encoder, save_checkpoint, save_encoder

CPU = torch.device("cpu")
SPEC = RepresentSpec(resize=10, crop=8, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3])


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """The encoder of an untrained run, exported from its checkpoint."""
    torch.manual_seed(0)
    spec = PretrainSpec.model_validate(
        {
            "backbone": {"arch": "small_resnet", "width": 4, "blocks": [1, 1]},
            "method": {"name": "simsiam", "projection_dim": 8, "predictor_hidden_dim": 4},
            "seed": 0,
            "crop": 8,
            "mean": [0.5] * 3,
            "std": [0.25] * 3,
        }
    )
    model = build_method(*build_backbone(spec.backbone), spec.method)
    recipe = spec.model_dump_json()
    save_checkpoint(tmp_path / "c.pt", {"model": model.state_dict(), "recipe": recipe, "epoch": 3})
    export_encoder(tmp_path / "c.pt", tmp_path / "encoder.safetensors", 3)
    return tmp_path / "encoder.safetensors"


def all_of(encoder: Path, images: PackedImages, **settings: int) -> np.ndarray:
    blocks = represent(read_encoder(encoder)[0], images, SPEC, CPU, **{"batch_size": 4, **settings})
    return np.concatenate(list(blocks))


def test_an_encoder_holds_the_backbone_alone_and_how_to_rebuild_it(encoder: Path):
    weights, metadata = load_encoder(encoder)
    assert "conv1.weight" in weights
    assert not [name for name in weights if "projector" in name or "predictor" in name]
    assert (metadata["arch"], metadata["feature_dim"], metadata["epoch"]) == (
        "small_resnet",
        "8",
        "3",
    )
    assert json.loads(metadata["backbone"])["blocks"] == [1, 1]


def test_preparation_is_torchvisions_resize_and_centre_crop():
    rng = np.random.default_rng(0)
    reference = transforms.Compose([transforms.Resize(10), transforms.CenterCrop(8)])
    for shape in ((12, 12, 3), (13, 21, 3), (40, 17, 3), (10, 15, 3)):
        image = rng.integers(0, 255, shape, dtype=np.uint8)
        expected = np.asarray(reference(Image.fromarray(image)))
        np.testing.assert_array_equal(central_crop(image, SPEC), expected)


def test_representations_are_the_backbones_pooled_features_in_eval_mode(
    encoder: Path, images: PackedImages
):
    to_tensor = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(SPEC.mean, SPEC.std)]
    )
    crops = [central_crop(images.image(i), SPEC) for i in range(len(images))]
    batch = torch.stack([to_tensor(crop.copy()) for crop in crops])
    with torch.inference_mode():
        expected = read_encoder(encoder)[0](batch).numpy()
    found = all_of(encoder, images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"batch_size": 5}, {"batch_size": 1}, {"workers": 2}, {"threads": 3}]
)
def test_settings_of_speed_change_no_bit(encoder: Path, images: PackedImages, settings: dict):
    assert all_of(encoder, images).tobytes() == all_of(encoder, images, **settings).tobytes()


def test_weights_that_do_not_fit_are_named(encoder: Path, tmp_path: Path):
    weights, metadata = load_encoder(encoder)
    del weights["conv1.weight"]
    save_encoder(tmp_path / "other", weights, metadata)
    with pytest.raises(UserError, match=r"other: weights do not fit arch small_resnet"):
        read_encoder(tmp_path / "other")
