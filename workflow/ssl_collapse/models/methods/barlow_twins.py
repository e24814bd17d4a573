"""Barlow Twins: Zbontar et al., "Self-Supervised Learning via Redundancy Reduction", ICML 2021.

arXiv 2103.03230.
"""

from torch import Tensor, nn

from ssl_collapse.config.methods.barlow_twins import Config
from ssl_collapse.models.gathering import mean_over_ranks
from ssl_collapse.models.heads import mlp
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.pairs import mean_over_views, off_diagonal


class BarlowTwinsModel(MethodModule):
    """Backbone and projector, and the batch norm that standardises embeddings."""

    projector: nn.Module

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        width = config.projection_dim
        super().__init__(backbone, mlp([feature_dim, *[width] * 3], last_norm=False))
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.off_diagonal_weight = config.off_diagonal_weight

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: n >= 2 views (B, 3, H, W) -> scalar."""
        z = [self.norm(self.projector(self.backbone(view))) for view in views]
        return mean_over_views(self._loss, z)

    def _loss(self, one: Tensor, other: Tensor) -> Tensor:
        return barlow_loss(cross_correlation(one, other), self.off_diagonal_weight)


build = BarlowTwinsModel


def cross_correlation(one: Tensor, other: Tensor) -> Tensor:
    """C (D, D) of standardised embeddings (B, D), over the batch of all ranks (eq. 2)."""
    return mean_over_ranks(one.T @ other / len(one))


def barlow_loss(c: Tensor, off_diagonal_weight: float) -> Tensor:
    """sum_i (1 - C_ii)^2 + weight sum_(i != j) C_ij^2 (eq. 1)."""
    on_diagonal = (1 - c.diagonal()).square().sum()
    return on_diagonal + off_diagonal_weight * off_diagonal(c).square().sum()
