"""Checkpoints of other projects, in miniatures with their own names of tensors.

The oracle is torchvision's or timm's own module with the same weights, whose features must be the
same bits.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from damaged import Payload
from miniatures import (
    CLIP,
    HEAD,
    LAYOUTS,
    MOCO_HEADS,
    NAMESPACE,
    RESNET,
    SMALL,
    VIT,
    R,
    Tensors,
    V,
    heads,
    hugging_face,
    open_clip,
    random_weights,
    same_features,
    spelled,
    under,
    vit,
    without_fc,
    written,
)
from safetensors.torch import save_file
from torch import nn
from toy import pretrain_spec

from ssl_collapse.config.families import backbone_of
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.foreign.architecture import architecture
from ssl_collapse.models.foreign.encoder import read_foreign
from ssl_collapse.models.foreign.layouts import Layout
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.export import export_encoder


@pytest.mark.parametrize("said", LAYOUTS)
def test_every_source_is_recognised_and_its_features_are_the_same_bits(said: str, tmp_path: Path):
    content, oracle, pooling = LAYOUTS[said]
    encoder = read_foreign(written(tmp_path, content))
    total = len(encoder.module.state_dict())
    assert encoder.said.startswith(said)
    assert encoder.said.endswith(f", {total} of {total} tensors")
    assert (encoder.pooling, encoder.module.training) == (pooling, False)
    assert same_features(encoder, oracle)


def test_moco_v3s_vit_is_known_by_its_fixed_positions(tmp_path: Path):
    """Its ViT-S has 12 heads at 12 blocks, which no tensor shows; here one block, so 6."""
    oracle = vit("vit_small_patch16_224", num_heads=6)
    # moco-v3/vits.py for 2 x 2 patches: sin and cos of the row, then of the column, 96 each
    frequency = 1 / 10000 ** (torch.arange(96) / 96)
    rows, columns = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.0, 1, 0, 1])
    angles = [torch.outer(axis, frequency) for axis in (rows, columns)]
    positions = torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], 1)
    oracle.pos_embed.data = torch.cat([torch.zeros(1, 384), positions])[None]
    state = {**under("module.base_encoder.", oracle.state_dict()), **heads(*MOCO_HEADS)}
    encoder = read_foreign(written(tmp_path, {"state_dict": state}))
    assert encoder.said == (
        "MoCo v3 file, base_encoder.*, ViT-S/16 of 1 blocks and 6 heads, 17 of 17 tensors"
    )
    assert same_features(encoder, oracle)


@pytest.mark.parametrize(("prefix", "tensors"), [("", open_clip()), ("visual.trunk.", V)])
def test_what_a_file_does_not_say_of_a_vit_is_asked_for_by_name(
    prefix: str, tensors: Tensors, tmp_path: Path
):
    path = written(tmp_path, {"state_dict": under(prefix, tensors)})
    with pytest.raises(UserError, match=r"give `backbone: \{arch: timm:vit_") as error:
        read_foreign(path)
    asked = "which GELU" if not prefix else "how many heads a ViT of width 192"
    assert asked in str(error.value)
    arch = "timm:vit_tiny_patch16_224" if prefix else "timm:vit_base_patch16_clip_224"
    assert f"{{arch: {arch}}}`" in str(error.value)  # as it is to be given
    given = backbone_of({"arch": arch, "options": {"num_heads": 3}})
    encoder = read_foreign(path, given)
    assert same_features(encoder, VIT if prefix else CLIP)
    assert encoder.preprocessing.mean == (0.48145466, 0.4578275, 0.40821073)


def test_a_small_stem_that_the_file_does_not_explain_is_asked_for(tmp_path: Path):
    path = written(tmp_path, SMALL.state_dict())
    with pytest.raises(UserError, match=r"3x3.*stem_padding: 2.*stem_relu: false"):
        read_foreign(path)
    keys = {"arch": "resnet18", "small_image_stem": True, "stem_padding": 2}
    assert same_features(read_foreign(path, backbone_of(keys)), SMALL)


@pytest.mark.parametrize(
    "arch", ["resnet34", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "resnet101"]
)
def test_a_resnet_is_known_by_its_shapes(arch: str, tmp_path: Path):
    with torch.device("meta"):
        names = without_fc(getattr(torchvision.models, arch)()).state_dict()
    # expanded zeros: torch.save writes one number for each tensor
    content = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in names.items()}
    encoder = read_foreign(written(tmp_path, content))
    dim = 512 if arch == "resnet34" else 2048
    assert (encoder.backbone.arch, encoder.feature_dim) == (arch, dim)


def test_the_papers_variants_are_known_by_their_shapes(tmp_path: Path):
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 2, 1, 1])
    path = written(tmp_path, random_weights(without_fc(model)).state_dict())
    encoder = read_foreign(path)
    assert encoder.backbone.blocks == [1, 2, 1, 1]
    assert same_features(encoder, model)


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path):
    old = {name: t for name, t in R.items() if not name.endswith("num_batches_tracked")}
    encoder = read_foreign(written(tmp_path, old))
    assert encoder.said.endswith("100 of 120 tensors")
    assert same_features(encoder, RESNET)


def test_dinov3s_convnext_is_read(tmp_path: Path):
    oracle = random_weights(timm.create_model("convnext_tiny", num_classes=0))
    tensors = spelled(
        oracle.state_dict(),
        ("stem.", "downsample_layers.0."),
        *((f"stages.{i}.downsample.", f"downsample_layers.{i}.") for i in (1, 2, 3)),
        *((".blocks.", "."), ("conv_dw", "dwconv"), ("mlp.fc", "pwconv"), ("head.norm", "norm")),
    )
    content = {**tensors, "norms.3.weight": tensors["norm.weight"], "norms.3.bias": HEAD}
    encoder = read_foreign(written(tmp_path, content))
    assert encoder.said == "DINOv3 hub file, flat, timm:convnext_tiny, 180 of 180 tensors"
    assert same_features(encoder, oracle)


def shapes_of(name: str, **options: Any) -> tuple[nn.Module, Tensors]:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0, **options)
    return model, {n: torch.zeros(()).expand(t.shape) for n, t in model.state_dict().items()}


IMAGES_ONLY = {"class_token": False, "global_pool": "avg", "fc_norm": False}  # I-JEPA's


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((f"vit_{size}_patch{p}_224", {}) for size in ("small", "base") for p in (8, 16)),
        *(("vit_large_patch16_224", {}), ("vit_huge_patch14_224", {})),
        *(("vit_huge_patch14_224", IMAGES_ONLY), ("vit_giant_patch16_gap_224", {})),
        *((f"vit_{size}_patch14_dinov2", {}) for size in ("small", "base", "large", "giant")),
        *((f"vit_{size}_patch14_reg4_dinov2", {}) for size in ("small", "giant")),
        *((f"vit_{size}_patch16_dinov3", {}) for size in ("small_plus", "base", "huge_plus")),
        ("vit_large_patch16_dinov3_qkvb", {}),
        *((f"convnext_{size}", {}) for size in ("tiny", "small", "base", "large")),
    ],
)
def test_published_sizes_are_known_by_their_shapes(name: str, options: dict[str, Any]):
    oracle, tensors = shapes_of(name, **options)
    keys = architecture(tensors, Layout("any of them"), {})
    with torch.device("meta"):
        built, _ = build_backbone(backbone_of(keys))
    ours, theirs = ({n: t.shape for n, t in s.items()} for s in (built.state_dict(), tensors))
    assert ours == theirs
    if hasattr(oracle, "blocks"):
        assert built.blocks[0].attn.num_heads == oracle.blocks[0].attn.num_heads
        assert keys["pooling"] == ("token" if "cls_token" in tensors else "patch_mean")


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
    changed["conv1.weight"] = (100 * R["conv1.weight"]).to(torch.int8)  # quantized
    with pytest.raises(UserError) as error:
        read_foreign(written(tmp_path, changed))
    lines = str(error.value).splitlines()
    assert lines[1:] == [
        "  missing: layer4.1.bn2.bias",
        "  not of it: layer9.weight",
        "  of another shape: bn1.weight (3,), not (64,)",
        "  not of floating-point numbers: conv1.weight torch.int8",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 3, "notes": {"a": "b"}}, "no encoder of a known layout"),
        ({"a.weight": HEAD, "b.weight": HEAD}, "are of no ResNet and no ViT"),
        ({"state_dict": under("student.net.", R) | under("teacher.net.", R)},
         r"several encoders lie in it, under student\.net\., teacher\.net\.; save"),
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


@pytest.mark.parametrize("zip_file", [True, False])
def test_a_hostile_file_never_runs(zip_file: bool, tmp_path: Path):
    mark, path = tmp_path / "ran", tmp_path / "file.pth"
    torch.save({"state_dict": R, "x": Payload(mark)}, path, _use_new_zipfile_serialization=zip_file)
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


@pytest.mark.parametrize(
    "name", ["missing.pth", "folder", "text.safetensors", "text.ckpt", "empty.pth", "cut.pth"]
)
def test_what_is_no_checkpoint_gets_one_message(name: str, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    for text in ("text.safetensors", "text.ckpt"):
        (tmp_path / text).write_text("no tensors")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "cut.pth").write_bytes(written(tmp_path, {"a": HEAD}).read_bytes()[:500])
    with pytest.raises(UserError, match=name) as error:
        read_foreign(tmp_path / name)
    assert "weights_only" not in str(error.value)  # no advice of torch's to read it unsafely
    assert name[-3:] not in ("pth", "kpt") or re.search(r"cannot be read|cut", str(error.value))
