"""Torchvision's ResNets, and the variants of them that the paper studies."""

from typing import Any, cast

from torch import nn
from torchvision.models import resnet as tv

from ssl_collapse.config.backbones.torchvision_resnet import Config

# architecture -> (block, blocks per stage), as in torchvision
_RESNETS: dict[str, tuple[str, list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
_BLOCKS: dict[str, Any] = {"basic": tv.BasicBlock, "bottleneck": tv.Bottleneck}


def build(config: Config) -> tuple[nn.Module, int]:
    """Build a randomly initialised ResNet without its classifier.

    Returns:
        The module, (N, 3, H, W) -> (N, feature_dim), and feature_dim.
    """
    block, blocks = _RESNETS[config.arch]
    model = tv.ResNet(
        _BLOCKS[config.block or block],
        config.blocks or blocks,
        width_per_group=config.width_per_group,
        zero_init_residual=True,  # as the reference does for every method
    )
    if config.small_image_stem:
        model.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        model.maxpool = nn.Identity()
    feature_dim = cast(int, model.fc.in_features)
    model.fc = nn.Identity()
    return model, feature_dim
