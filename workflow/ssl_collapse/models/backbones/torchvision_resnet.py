"""Torchvision's ResNets, and the variants of them that the paper studies."""

from dataclasses import dataclass
from typing import Any, cast

from torch import nn
from torchvision.models import resnet as tv

from ssl_collapse.config.backbones.torchvision_resnet import Config


@dataclass(frozen=True)
class Shape:
    """What makes a ResNet: kind of block, blocks per stage, groups and width of a bottleneck."""

    block: str
    blocks: tuple[int, ...]
    groups: int = 1
    width_per_group: int = 64


# as in torchvision
RESNETS = {
    "resnet18": Shape("basic", (2, 2, 2, 2)),
    "resnet34": Shape("basic", (3, 4, 6, 3)),
    "resnet50": Shape("bottleneck", (3, 4, 6, 3)),
    "resnet101": Shape("bottleneck", (3, 4, 23, 3)),
    "resnet152": Shape("bottleneck", (3, 8, 36, 3)),
    "wide_resnet50_2": Shape("bottleneck", (3, 4, 6, 3), width_per_group=128),
    "wide_resnet101_2": Shape("bottleneck", (3, 4, 23, 3), width_per_group=128),
    "resnext50_32x4d": Shape("bottleneck", (3, 4, 6, 3), 32, 4),
    "resnext101_32x8d": Shape("bottleneck", (3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": Shape("bottleneck", (3, 4, 23, 3), 64, 4),
}
_BLOCKS: dict[str, Any] = {"basic": tv.BasicBlock, "bottleneck": tv.Bottleneck}


def build(config: Config) -> tuple[nn.Module, int]:
    """Build a randomly initialised ResNet without its classifier.

    Returns:
        The module, (N, 3, H, W) -> (N, feature_dim), and feature_dim.
    """
    shape = RESNETS[config.arch]
    own_width = shape.width_per_group != 64  # of wide ResNets and ResNeXt, which the config leaves
    model = tv.ResNet(
        _BLOCKS[config.block or shape.block],
        config.blocks or list(shape.blocks),
        groups=shape.groups,
        width_per_group=shape.width_per_group if own_width else config.width_per_group,
        zero_init_residual=True,  # as the reference does for every method
    )
    if config.small_image_stem:
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=config.stem_padding, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        model.maxpool = nn.Identity()
    if not config.stem_relu:
        model.relu = nn.Identity()  # that of the stem alone: blocks have their own
    feature_dim = cast(int, model.fc.in_features)
    model.fc = nn.Identity()
    return model, feature_dim
