"""Checkpoints of other projects, in miniatures with their own names of tensors.

Every row of LAYOUTS writes what the source saves; the oracle is torchvision's or timm's own module
with the same weights, whose features must be the same bits.
"""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from miniatures import (
    CLIP,
    DINO2,
    DINO3,
    HEAD,
    IJEPA,
    LIGHTLY,
    MOCO_HEADS,
    NAMESPACE,
    REGISTERS,
    RESNET,
    SMALL,
    VIT,
    R,
    Tensors,
    V,
    dinov2_with_registers,
    dinov3,
    heads,
    hugging_face,
    lightly_cifar,
    lightning,
    mmpretrain,
    open_clip,
    random_weights,
    same_features,
    sequential,
    spelled,
    under,
    vit,
    without_fc,
    written,
)
from torch import nn

from ssl_collapse.config.families import backbone_of
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.foreign.architecture import architecture
from ssl_collapse.models.foreign.encoder import read_foreign
from ssl_collapse.models.foreign.layouts import Layout
from ssl_collapse.runtime.errors import UserError

# source and place said; what the file holds; the same network of torchvision or timm; its pooling
LAYOUTS: dict[str, tuple[Any, nn.Module, str]] = {
    "torchvision file, flat": ({**R, **heads("fc.weight", "fc.bias")}, RESNET, "avgpool"),
    "MoCo v1/v2 file, encoder_q.*": (
        {"epoch": 200, "arch": "resnet18",
         "state_dict": {**under("module.encoder_q."), **under("module.encoder_k."),
                        **heads("module.encoder_q.fc.0.weight", "module.queue")}},
        RESNET, "avgpool",
    ),
    "MoCo v3 file, base_encoder.*": (
        {"state_dict": {**under("module.base_encoder."), **under("module.momentum_encoder."),
                        **heads("module.base_encoder.fc.0.weight", "module.predictor.0.weight")}},
        RESNET, "avgpool",
    ),
    "SimSiam (official or reference code) file, encoder.*": (
        {"state_dict": {**under("module.encoder."),
                        **heads("module.encoder.fc.0.weight", "module.predictor.0.weight")}},
        RESNET, "avgpool",
    ),
    "Barlow Twins or VICReg file, backbone.*": (
        {"epoch": 9, "model": {**under("module.backbone."), **heads("module.projector.0.weight")}},
        RESNET, "avgpool",
    ),
    "SwAV file, flat": (
        {**under("module."),
         **heads("module.projection_head.0.weight", "module.prototypes.weight")},
        RESNET, "avgpool",
    ),
    "SwAV file, state_dict": (
        {"state_dict": {**under("module."), **heads("module.prototypes.weight")}},
        RESNET, "avgpool",
    ),
    "DINO or iBOT hub file, flat": (V, VIT, "token"),
    "DINO or iBOT hub file, state_dict": ({"state_dict": V}, VIT, "token"),
    "DINO or iBOT training file, backbone.*": (
        {"teacher": {**under("backbone.", V),
                     **heads("head.mlp.0.weight", "backbone.masked_embed")},
         "student": under("module.backbone.", V), "args": NAMESPACE},
        VIT, "token",
    ),
    "DINOv2 hub file, flat": ({**DINO2.state_dict(), **heads("mask_token")}, DINO2, "token"),
    "DINOv2 or DINOv3 training file, backbone.*": (
        {"teacher": {**under("module.backbone.", dinov2_with_registers()),
                     **heads("module.dino_head.mlp.0.weight")}},
        REGISTERS, "token",
    ),
    "DINOv3 hub file, flat": (dinov3(), DINO3, "token"),
    "MAE file, model": (
        {"model": {**V, **heads("mask_token", "decoder_embed.weight", "decoder_pos_embed")},
         "args": NAMESPACE},
        VIT, "token",
    ),
    "I-JEPA or V-JEPA file, target_encoder": (
        {"encoder": under("module.", IJEPA.state_dict()), "predictor": heads("module.x"),
         "target_encoder": under("module.", IJEPA.state_dict())},
        IJEPA, "patch_mean",
    ),
    "VISSL file, _feature_blocks.*": (
        {"classy_state_dict": {"base_model": {"model": {
            "trunk": under("_feature_blocks."), "heads": heads("0.clf.0.weight")}}}},
        RESNET, "avgpool",
    ),
    "MMSelfSup or MMPretrain file, backbone.*": (
        {"meta": {"epoch": 3}, "state_dict": {**mmpretrain(), **heads("neck.fc0.weight")}},
        VIT, "token",
    ),
    "lightly Lightning file, backbone.*": (
        lightning(under("backbone.", sequential(R)), "projection_head.layers.0.weight"),
        RESNET, "avgpool",
    ),
    "lightly Lightning file, backbone.*, ResNet-18 with a 3x3 stem": (
        lightning(lightly_cifar()), LIGHTLY, "avgpool",
    ),
    "solo-learn Lightning file, backbone.*": (
        lightning(under("backbone.", SMALL.state_dict()), "classifier.weight", "projector.weight"),
        SMALL, "avgpool",
    ),
    "solo-learn Lightning file, encoder.*": (
        lightning(under("encoder."), "classifier.weight"), RESNET, "avgpool",
    ),
    "stable-pretraining Lightning file, backbone.teacher.*": (
        lightning({**under("backbone.student.", SMALL.state_dict()),
                   **under("backbone.teacher.")}, "projector.0.weight"),
        RESNET, "avgpool",
    ),
    "Lightning file, backbone.*": (
        lightning(under("_orig_mod.backbone."), "projector.weight"),
        RESNET, "avgpool",
    ),
    "Hugging Face DINOv2 file, flat": (hugging_face(), DINO2, "token"),
}  # fmt: skip


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
    assert (encoder.backbone.arch, encoder.feature_dim) == (
        arch,
        512 if arch == "resnet34" else 2048,
    )


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
    assert {n: t.shape for n, t in built.state_dict().items()} == {
        n: t.shape for n, t in tensors.items()
    }
    if hasattr(oracle, "blocks"):
        assert built.blocks[0].attn.num_heads == oracle.blocks[0].attn.num_heads
        assert keys["pooling"] == ("token" if "cls_token" in tensors else "patch_mean")
