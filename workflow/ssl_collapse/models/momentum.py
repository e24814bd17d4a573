"""Momentum encoders: networks that follow another by an exponential moving average (EMA)."""

import math
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn


def half_cosine(first: float, last: float, done: float) -> float:
    """From `first` to `last` along half a cosine; `done`: the part of the way, 0 to 1."""
    return last - (last - first) * (1 + math.cos(math.pi * done)) / 2


class MomentumEncoder(nn.Module):
    """A copy of backbone and projector, (N, 3, H, W) -> (N, D), that gets no gradient."""

    def __init__(self, backbone: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.backbone, self.projector = deepcopy(backbone), deepcopy(projector)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, view: Tensor) -> Tensor:
        return cast(Tensor, self.projector(self.backbone(view)))

    @torch.no_grad()
    def follow(self, online: list[nn.Parameter], momentum: float) -> None:
        """Every parameter p becomes m p + (1 - m) q, with q its counterpart in `online`.

        Buffers are left alone: batch norm's statistics are those of its own forwards.
        """
        for mine, other in zip(self.parameters(), online, strict=True):
            mine.mul_(momentum).add_(other, alpha=1 - momentum)
