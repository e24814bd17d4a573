"""Heads of several methods."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(widths: Sequence[int], last_norm: bool) -> nn.Sequential:
    """Linear layers without bias, (N, widths[0]) -> (N, widths[-1]); batch norm and ReLU between.

    last_norm: whether a batch norm without scale and shift ends it.
    """
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths), start=2):
        layers.append(nn.Linear(before, after, bias=False))
        if i < len(widths):
            layers += [nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        elif last_norm:
            layers.append(nn.BatchNorm1d(after, affine=False))
    return nn.Sequential(*layers)
