"""ViT-S/16 and ViT-B/16 with fixed 2-D sin-cos positions: MoCo v3 (Chen et al. 2021)."""

import math
from typing import cast

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ssl_collapse.config.backbones.vit import PATCH, Config

WIDTHS = {"vit_small": 384, "vit_base": 768}


def build(config: Config) -> tuple[nn.Module, int]:
    """Build a randomly initialised ViT without a head.

    Returns:
        The module, (N, 3, H, W) -> (N, width) for H and W of whole patches, and width.
    """
    model = SinCosTransformer(
        patch_size=PATCH,
        embed_dim=WIDTHS[config.arch],
        depth=config.depth,
        num_heads=config.heads or default_heads(config.arch, config.depth),
        num_classes=0,
        global_pool="token" if config.pooling == "token" else "avg",
        fc_norm=False,  # the tokens are normalised before they are pooled
        pos_embed="none",
        dynamic_img_size=True,
        weight_init="moco",
    )
    # moco-v3/vits.py: the projection of a patch as one linear layer, Xavier uniform
    projection = model.patch_embed.proj
    bound = math.sqrt(6 / (3 * PATCH**2 + model.embed_dim))
    nn.init.uniform_(projection.weight, -bound, bound)
    nn.init.zeros_(projection.bias)
    if config.freeze_patch_embed:
        projection.requires_grad_(False)
    return model, model.num_features


def default_heads(arch: str, depth: int) -> int:
    """Heads of the reference: 12, and 6 for a small ViT of fewer blocks."""
    return 6 if arch == "vit_small" and depth < 12 else 12


class SinCosTransformer(VisionTransformer):  # type: ignore[misc]
    """timm's ViT; its positions are computed for the patches that an image has."""

    def _pos_embed(self, x: Tensor) -> Tensor:
        n, height, width, dim = x.shape
        positions = sincos_positions(height, width, dim).to(x)
        token = cast(Tensor, self.cls_token).expand(n, -1, -1)  # at no position
        return torch.cat([token, x.reshape(n, -1, dim) + positions], dim=1)


def sincos_positions(height: int, width: int, dim: int) -> Tensor:
    """Positions of height x width patches, (height * width, dim): four quarters of `dim`.

    sin and cos of row * w_j, then of column * w_j, w_j = 10000^(-j / (dim / 4)).
    """
    quarter = dim // 4
    frequency = 1.0 / (10000.0 ** (torch.arange(quarter, dtype=torch.float32) / quarter))
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32),
        torch.arange(width, dtype=torch.float32),
        indexing="ij",
    )
    angles = [torch.outer(axis.flatten(), frequency) for axis in (rows, columns)]
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1)
