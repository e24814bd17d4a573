"""Encoders out of checkpoints, and representations of a whole split."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run_here
from PIL import Image
from torchvision import transforms
from toy import pretrain_spec

from ssl_collapse.config.evaluation import CollapseSpec, RepresentSpec
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.models.checkpoint_file import load_checkpoint, save_checkpoint
from ssl_collapse.models.encoder_file import load_encoder, read_encoder, save_encoder
from ssl_collapse.representations.extraction import (
    FailedEncoderError,
    central_crop,
    represent,
    something_represented,
)
from ssl_collapse.representations.file import of_arrays, open_representations
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.export import export_encoder

CPU = torch.device("cpu")
SPEC = RepresentSpec(resize=10, crop=8, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3])


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """The encoder of an untrained run, exported from its checkpoint."""
    torch.manual_seed(0)
    spec = pretrain_spec(backbone={"arch": "small_resnet", "width": 4, "blocks": [1, 1]})
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
    known = {"arch": "small_resnet", "feature_dim": "8", "epoch": "3"}
    assert metadata.items() >= known.items()
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
    normalised = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(SPEC.mean, SPEC.std)]
    )
    crops = [central_crop(images.image(i), SPEC).copy() for i in range(len(images))]
    with torch.inference_mode():
        expected = read_encoder(encoder)[0](torch.stack(list(map(normalised, crops)))).numpy()
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


def test_an_encoder_of_a_diverged_run_says_so(encoder: Path, tmp_path: Path):
    content = load_checkpoint(tmp_path / "c.pt")
    save_checkpoint(tmp_path / "c.pt", {**content, "epoch": 1, "failure": "the loss is nan"})
    export_encoder(tmp_path / "c.pt", encoder, 3)  # failed in epoch 2
    metadata = load_encoder(encoder)[1]
    assert (metadata["epoch"], metadata["failure"]) == ("3", "the loss is nan")
    with pytest.raises(UserError, match="is after epoch 1, not 1"):
        export_encoder(tmp_path / "c.pt", encoder, 1)  # its own checkpoint should be there


def test_weights_that_are_not_finite_are_a_failure(encoder: Path, tmp_path: Path):
    assert "failure" not in load_encoder(encoder)[1]
    content = load_checkpoint(tmp_path / "c.pt")
    content["model"]["backbone.bn1.running_var"].fill_(float("inf"))
    save_checkpoint(tmp_path / "c.pt", content)
    export_encoder(tmp_path / "c.pt", encoder, 3)
    expected = "the encoder's weights hold NaN or infinity after epoch 3"
    assert load_encoder(encoder)[1]["failure"] == expected


def pieces(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Two rows at a time."""
    return something_represented(np.array_split(rows.astype(np.float32), -(-len(rows) // 2)))


VARIED = np.array([[1.0, 2.0], [1.0, 2.5], [1.0, 2.0]])


def test_representations_that_differ_pass_unchanged():
    for rows in (VARIED, 1e-30 * VARIED, 1e30 * VARIED, VARIED[:1]):  # one row: nothing to compare
        np.testing.assert_array_equal(np.concatenate(list(pieces(rows))), rows.astype(np.float32))


EQUAL, INFINITE = "all representations are equal", "NaN or infinity"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((5, 2)), EQUAL),
        (np.full((5, 2), 0.1), EQUAL),
        # the neighbour of 1 in float32: a spread that is rounding
        (np.where(np.arange(64)[:, None] == 7, np.nextafter(np.float32(1), np.float32(2)), 1.0),
         EQUAL),
        (np.vstack([VARIED, [np.nan, 2]]), INFINITE),
        (np.vstack([VARIED, [np.inf, 2]]), INFINITE),
    ],
)  # fmt: skip
def test_representations_that_are_a_failure(rows: np.ndarray, message: str):
    with pytest.raises(FailedEncoderError, match=message):
        list(pieces(rows))


def test_what_collapse_refuses_as_equal_is_a_failure_here():
    # rows round one point, spread from one to 1000 units of float32's rounding
    rng = np.random.default_rng(0)
    passed = 0
    for spread in np.geomspace(1e-8, 1e-4, 30):
        rows = (1 + spread * rng.standard_normal((100, 4))).astype(np.float32)
        try:
            list(pieces(rows))
        except FailedEncoderError:
            continue
        measure_collapse(of_arrays(rows), CollapseSpec())
        passed += 1
    assert 0 < passed < 30


@pytest.mark.parametrize("how", ["metadata", "outputs"])
def test_the_script_marks_the_file_of_a_failed_encoder(
    encoder: Path, images: PackedImages, tmp_path: Path, how: str
):
    weights, metadata = load_encoder(encoder)
    failure = "the loss is nan"
    if how == "metadata":
        metadata["failure"] = failure
    else:
        weights = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        failure = "all representations are equal: total collapse"
    save_encoder(encoder, weights, metadata)
    given = ["--spec", SPEC.model_dump_json(), "--run", "a/seed0", "--images", images.path]
    given += ["--encoder", encoder, "--device", "cpu", "--output", tmp_path / "r.h5"]
    done = run_here("represent", *given)
    assert done.returncode == 0, done.stderr
    assert f"a/seed0, epoch 3: {failure}" in done.stderr
    opened = open_representations(tmp_path / "r.h5")
    assert (opened.failure, opened.n, opened.dim) == (failure, 12, 8)
    np.testing.assert_array_equal(opened.labels(), images.targets)
