"""A small ResNet family for toy scales: few channels, small-image stem."""

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import resnet as tv

from ssl_collapse.config.backbones.small_resnet import Config


def build(config: Config) -> tuple[nn.Module, int]:
    """Build a randomly initialised small ResNet.

    Returns:
        The module, (N, 3, H, W) -> (N, feature_dim), and feature_dim = width * 2**(stages - 1).
    """
    model = SmallResNet(config.width, list(config.blocks), config.stem_stride)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, tv.BasicBlock):
            nn.init.zeros_(cast(Tensor, module.bn2.weight))  # zero_init_residual
    return model, model.feature_dim


class SmallResNet(nn.Module):
    """3x3 stem, then stages that halve the resolution and double the channels."""

    def __init__(self, width: int, blocks: list[int], stem_stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        stages = []
        channels = width
        for i, n in enumerate(blocks):
            out = width * 2**i
            stages.append(_stage(channels, out, n, stride=1 if i == 0 else 2))
            channels = out
        self.stages = nn.Sequential(*stages)
        self.feature_dim = channels

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        return cast(Tensor, self.stages(x).mean(dim=(2, 3)))  # (N, feature_dim)


def _stage(channels: int, out: int, n_blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or channels != out:
        shortcut = nn.Sequential(tv.conv1x1(channels, out, stride), nn.BatchNorm2d(out))
    first = tv.BasicBlock(channels, out, stride, shortcut)
    return nn.Sequential(first, *(tv.BasicBlock(out, out) for _ in range(n_blocks - 1)))
