"""Files of other projects: what lies beside them, what is refused, and that none of it runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from miniatures import (
    HEAD,
    NAMESPACE,
    RESNET,
    R,
    V,
    heads,
    hugging_face,
    random_weights,
    same_features,
    under,
    written,
)
from safetensors.torch import save_file
from toy import pretrain_spec

from ssl_collapse.models.foreign.encoder import read_foreign
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.export import export_encoder


def test_safetensors_with_a_name_beside_them_as_on_a_hub(tmp_path: Path):
    """timm's model.safetensors and config.json: any architecture, by name, with its classifier."""
    oracle = random_weights(timm.create_model("convnext_atto", num_classes=3))
    save_file(oracle.state_dict(), tmp_path / "model.safetensors")
    cfg = {"input_size": [3, 288, 288], "crop_pct": 0.9, "mean": [0.5] * 3, "std": [0.2] * 3,
           "interpolation": "bilinear"}  # fmt: skip
    hub = {"architecture": "convnext_atto", "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(hub))
    encoder = read_foreign(tmp_path / "model.safetensors")
    oracle.reset_classifier(0)
    assert same_features(encoder, oracle)
    assert encoder.said.startswith("timm file, flat, timm:convnext_atto, ")
    known = encoder.preprocessing
    assert (known.mean, known.resize, known.crop) == ((0.5,) * 3, 320, 288)
    assert known.interpolation == "bilinear"


def test_a_training_file_of_timm_says_its_architecture(tmp_path: Path):
    oracle = random_weights(timm.create_model("resnet18", num_classes=3))
    state = oracle.state_dict()
    content = {"epoch": 3, "arch": "resnet18", "version": 2, "state_dict": under("module.", state)}
    encoder = read_foreign(written(tmp_path, {**content, "args": NAMESPACE}))
    oracle.reset_classifier(0)
    assert same_features(encoder, oracle)
    assert encoder.preprocessing.interpolation == "bicubic"  # timm's default for this network


def test_a_processor_beside_the_weights_says_how_images_are_prepared(tmp_path: Path):
    save_file(hugging_face(), tmp_path / "model.safetensors")
    processor = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "resample": 2}
    processor |= {"size": {"shortest_edge": 300}, "crop_size": {"height": 280, "width": 280}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    known = read_foreign(tmp_path / "model.safetensors").preprocessing
    assert (known.mean, known.resize, known.crop) == ((0.1,) * 3, 300, 280)
    assert known.interpolation == "bilinear"


def test_our_own_checkpoints_and_encoder_files_are_read(tmp_path: Path):
    spec = pretrain_spec(backbone={"arch": "resnet18"})
    content = {"model": {**under("backbone."), **heads("projector.0.weight")}, "epoch": 2}
    path = written(tmp_path, {**content, "recipe": spec.to_spec_json()})
    encoder = read_foreign(path)
    assert encoder.said == "this project's file, backbone.*, ResNet-18, 120 of 120 tensors"
    assert encoder.preprocessing.known() == {
        "mean": tuple(spec.mean), "std": tuple(spec.std), "crop": spec.crop,
    }  # fmt: skip
    export_encoder(path, tmp_path / "encoder.safetensors", 2)
    exported = read_foreign(tmp_path / "encoder.safetensors")
    assert same_features(encoder, RESNET) and same_features(exported, RESNET)
    assert exported.epoch == 2


def test_what_does_not_fit_is_listed_and_refused(tmp_path: Path):
    changed = {k: v for k, v in R.items() if k != "layer4.1.bn2.bias"}
    changed |= {"bn1.weight": torch.zeros(3), "layer9.weight": HEAD}
    with pytest.raises(UserError) as error:
        read_foreign(written(tmp_path, changed))
    lines = str(error.value).splitlines()
    assert lines[1:] == [
        "  missing: layer4.1.bn2.bias",
        "  not of it: layer9.weight",
        "  of another shape: bn1.weight (3,), not (64,)",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 3, "notes": {"a": "b"}}, "no encoder of a known layout"),
        ({"a.weight": HEAD, "b.weight": HEAD}, "are of no ResNet and no ViT"),
        ({"visual.class_embedding": HEAD, "visual.proj": HEAD}, "are of no ResNet and no ViT"),
        ({"state_dict": under("module.encoder_q.", {n: t.reshape(-1) for n, t in R.items()})},
         "not fit|shapes of no encoder"),
        ({"model": {n: t.reshape(-1) for n, t in V.items()}}, "shapes of no encoder"),
        ({**V, "pos_embed": torch.zeros(2)}, "shapes of no encoder"),
        ({"encoder": under("module.backbone.", {**V, "patch_embed.proj.weight": torch.zeros(
            192, 3, 2, 16, 16)})}, "encoder of videos"),
    ],
)  # fmt: skip
def test_files_without_an_image_encoder_are_refused(content: Any, says: str, tmp_path: Path):
    with pytest.raises(UserError, match=says):
        read_foreign(written(tmp_path, content))


class Hostile:
    """Unpickling this would create a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("zip_file", [True, False])
def test_a_hostile_file_never_runs(zip_file: bool, tmp_path: Path):
    mark, path = tmp_path / "ran", tmp_path / "file.pth"
    torch.save({"state_dict": R, "x": Hostile(mark)}, path, _use_new_zipfile_serialization=zip_file)
    with pytest.raises(UserError, match=r"would call .*(Path|getattr)"):
        read_foreign(path)
    assert not mark.exists()


class HistoryBuffer:
    """Stands for a class of the source's."""


def test_a_file_that_needs_more_names_the_class_and_a_recipe_that_works(tmp_path: Path):
    content = {"state_dict": under("module.encoder_q."), "hub": HistoryBuffer(), "epoch": 7}
    path = written(tmp_path, content, "epoch_7.pth")
    with pytest.raises(UserError, match=r"would call .*HistoryBuffer") as error:
        read_foreign(path)
    load, save = (line.strip() for line in str(error.value).splitlines()[-2:])
    saved = tmp_path / "epoch_7-weights.pt"
    exec(load.replace("'epoch_7.pth'", repr(str(path))), scope := {"torch": torch})
    exec(save.replace("'epoch_7-weights.pt'", repr(str(saved))), scope)
    encoder = read_foreign(saved)
    assert encoder.said.startswith("MoCo v1/v2 file") and encoder.epoch == 7


@pytest.mark.parametrize("name", ["missing.pth", "folder", "text.safetensors", "text.ckpt"])
def test_what_is_no_checkpoint_gets_one_message(name: str, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    for text in ("text.safetensors", "text.ckpt"):
        (tmp_path / text).write_text("no tensors")
    with pytest.raises(UserError, match=name):
        read_foreign(tmp_path / name)
