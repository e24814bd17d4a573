"""Backbones: feature dimensions, torchvision's names, the paper's variants."""

import math

import pytest
import timm
import torch
import torchvision

from ssl_collapse.config.backbones.timm_model import timm_names
from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.backbones.vit import sincos_positions
from ssl_collapse.models.build import build_backbone
from ssl_collapse.runtime.errors import UserError


def build(**config: object):
    return build_backbone(Recipe.model_validate({"backbone": config}).backbone)


@pytest.mark.parametrize(
    ("arch", "dim"),
    [
        *(("resnet18", 512), ("resnet34", 512), ("resnet50", 2048), ("resnet101", 2048)),
        *(("resnet152", 2048), ("wide_resnet50_2", 2048), ("wide_resnet101_2", 2048)),
        *(("resnext50_32x4d", 2048), ("resnext101_32x8d", 2048), ("resnext101_64x4d", 2048)),
    ],
)
def test_resnets_carry_torchvisions_weights_names(arch: str, dim: int):
    with torch.device("meta"):
        backbone, feature_dim = build(arch=arch)
        reference = getattr(torchvision.models, arch)().state_dict()
    assert feature_dim == dim
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


@pytest.mark.parametrize(
    ("keys", "blocks", "width", "dim"),
    [
        *(
            ({"arch": "resnet18", "block": "bottleneck", "width_per_group": w}, [2] * 4, w, 2048)
            for w in (64, 96, 128)
        ),
        ({"arch": "resnet50", "block": "basic", "blocks": [5, 6, 9, 4]}, [5, 6, 9, 4], 64, 512),
    ],
)
def test_the_papers_variants(keys: dict[str, object], blocks: list[int], width: int, dim: int):
    with torch.device("meta"):
        backbone, feature_dim = build(**keys)
    assert feature_dim == dim
    assert [len(getattr(backbone, f"layer{i}")) for i in (1, 2, 3, 4)] == blocks
    # the second convolution of a block, of a bottleneck its only 3x3
    assert backbone.layer1[0].conv2.weight.shape == (width, width, 3, 3)


@pytest.mark.parametrize(
    ("keys", "heads", "dim"),
    [
        ({"arch": "vit_small"}, 12, 384),
        ({"arch": "vit_small", "depth": 6}, 6, 384),
        ({"arch": "vit_small", "depth": 3}, 6, 384),
        ({"arch": "vit_base"}, 12, 768),
    ],
)
def test_vits_have_the_depths_and_heads_of_the_reference(
    keys: dict[str, object], heads: int, dim: int
):
    with torch.device("meta"):
        backbone, feature_dim = build(**keys)
    assert len(backbone.blocks) == keys.get("depth", 12)
    assert backbone.blocks[0].attn.num_heads == heads
    assert feature_dim == dim
    assert "pos_embed" not in backbone.state_dict()


def test_a_vits_positions_are_fixed_sines_and_cosines_of_row_and_column():
    # width 8 has 2 frequencies: 1 and 1 / 100. Two rows of three patches; patch 5: row 1, column 2.
    positions = sincos_positions(2, 3, 8)
    row = [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]
    column = [math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]
    assert positions.shape == (6, 8)
    assert positions[5].tolist() == pytest.approx(row + column)
    assert positions[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_vit_takes_every_crop_of_whole_patches_and_pools_as_it_is_told():
    token, _ = build(arch="vit_small", depth=1)
    mean, _ = build(arch="vit_small", depth=1, pooling="patch_mean")
    mean.load_state_dict(token.state_dict())
    images = torch.rand(2, 3, 32, 48)
    tokens = token.eval().forward_features(images)  # normalised; the first is the class
    assert tokens.shape == (2, 1 + 2 * 3, 384)
    assert torch.equal(token(images), tokens[:, 0])
    assert torch.equal(mean.eval()(images), tokens[:, 1:].mean(1))
    # at no position, patches could change places
    swapped = images.roll(16, dims=3)
    assert not torch.allclose(token(images), token(swapped), atol=1e-3)


@pytest.mark.parametrize("freeze", [True, False])
def test_a_frozen_patch_projection_is_drawn_and_takes_no_step(freeze: bool):
    backbone, _ = build(arch="vit_small", depth=1, freeze_patch_embed=freeze)
    backbone(torch.rand(2, 3, 16, 16)).sum().backward()
    projection = backbone.patch_embed.proj
    assert (projection.weight.grad is None) == freeze
    # Xavier uniform of 3 * 16 * 16 inputs and 384 outputs: within sqrt(6 / 1152)
    bound = math.sqrt(6 / (3 * 16 * 16 + 384))
    assert 0.95 * bound < projection.weight.abs().max() <= bound
    assert backbone.blocks[0].attn.qkv.weight.grad is not None


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("resnet18", {}),
        ("mobilenetv3_small_050", {}),  # whose features are more than its last map's channels
        ("convnext_atto", {"pooling": "avgpool"}),
        ("vit_tiny_patch16_224", {"options": {"depth": 1}}),
        ("vit_tiny_patch16_224", {"pooling": "patch_mean", "options": {"depth": 1}}),
    ],
)
def test_any_model_of_timm_by_name_tells_its_feature_dim(name: str, keys: dict[str, object]):
    backbone, feature_dim = build(arch=f"timm:{name}", **keys)
    assert backbone.eval()(torch.rand(2, 3, 32, 32)).shape == (2, feature_dim)
    classifier = backbone.pretrained_cfg["classifier"]
    assert not any(key.startswith(f"{classifier}.") for key in backbone.state_dict())


def test_a_model_of_timm_of_one_size_says_so():
    backbone, _ = build(arch="timm:mixer_s32_224")
    message = "built for 224 px, and the crop is 32; set `image_size: 32"
    with pytest.raises(UserError, match=message):
        backbone(torch.rand(2, 3, 32, 32))


def test_options_that_a_model_does_not_take_are_refused():
    with pytest.raises(UserError, match=r"timm:resnet18: timm cannot build it .*'heads'"):
        build(arch="timm:resnet18", options={"heads": 3})


def test_timms_names_are_read_without_importing_it():
    assert timm_names() == set(timm.list_models())


def test_small_resnet_doubles_channels_per_stage():
    # width 8, three stages: 8, 16, 32 features
    backbone, feature_dim = build(arch="small_resnet", width=8, blocks=[1, 2, 1])
    assert feature_dim == 32
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 32)
