"""Backbones: feature dimensions, torchvision's names, the paper's variants."""

import pytest
import torch
import torchvision

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_backbone


def build(**config: object):
    return build_backbone(Recipe.model_validate({"backbone": config}).backbone)


@pytest.mark.parametrize(
    ("arch", "dim"), [("resnet18", 512), ("resnet34", 512), ("resnet50", 2048)]
)
def test_resnets_carry_torchvisions_weights_names(arch: str, dim: int):
    backbone, feature_dim = build(arch=arch)
    assert feature_dim == dim
    reference = getattr(torchvision.models, arch)().state_dict()
    without_classifier = {k: v.shape for k, v in reference.items() if not k.startswith("fc.")}
    assert {k: v.shape for k, v in backbone.state_dict().items()} == without_classifier


def test_residual_branches_start_at_zero():
    backbone, _ = build(arch="resnet18")
    assert backbone.layer1[0].bn2.weight.abs().sum() == 0
    small, _ = build(arch="small_resnet")
    assert small.stages[0][0].bn2.weight.abs().sum() == 0


def test_the_small_image_stem_keeps_the_resolution():
    backbone, _ = build(arch="resnet18", small_image_stem=True)
    x = torch.zeros(1, 3, 32, 32)
    stem = backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(x))))
    assert stem.shape == (1, 64, 32, 32)


def test_the_papers_variants():
    # ResNet-18 of bottleneck blocks: 512 * 4 features; ResNet-50 of basic blocks: 512
    assert build(arch="resnet18", block="bottleneck", width_per_group=128)[1] == 2048
    assert build(arch="resnet50", block="basic", blocks=[5, 6, 9, 4])[1] == 512


def test_small_resnet_doubles_channels_per_stage():
    # width 8, three stages: 8, 16, 32 features
    backbone, feature_dim = build(arch="small_resnet", width=8, blocks=[1, 2, 1])
    assert feature_dim == 32
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 32)
