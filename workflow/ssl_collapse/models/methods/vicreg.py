"""VICReg: Bardes, Ponce & LeCun, "Variance-Invariance-Covariance Regularization", ICLR 2022.

arXiv 2105.04906.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.methods.vicreg import Config
from ssl_collapse.models.gathering import gather_with_gradient
from ssl_collapse.models.heads import mlp
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.pairs import mean_over_views, off_diagonal

EPS = 1e-4  # added to a variance before its root


class VicRegModel(MethodModule):
    """Backbone and expander."""

    projector: nn.Module

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        # The authors' hidden layers have biases, which the batch norms that follow cancel.
        super().__init__(backbone, mlp([feature_dim, *[config.projection_dim] * 3], False))
        self.weights = config.invariance_weight, config.variance_weight, config.covariance_weight

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch (eq. 6): n >= 2 views (B, 3, H, W) -> scalar."""
        z = [gather_with_gradient(self.projector(self.backbone(view))) for view in views]
        invariance, variance, covariance = self.weights
        return (
            invariance * mean_over_views(F.mse_loss, z)
            + variance * torch.stack([variance_loss(one) for one in z]).mean()
            + covariance * 2 * torch.stack([covariance_loss(one) for one in z]).mean()
        )


build = VicRegModel


def variance_loss(z: Tensor) -> Tensor:
    """Mean over dimensions of max(0, 1 - sqrt(var + EPS)) of z (B, D), unbiased (eq. 1 and 2)."""
    return F.relu(1 - (z.var(dim=0) + EPS).sqrt()).mean()


def covariance_loss(z: Tensor) -> Tensor:
    """Sum of squares off the diagonal of the unbiased covariance of z (B, D), over D (eq. 4)."""
    z = z - z.mean(dim=0)
    return off_diagonal(z.T @ z / (len(z) - 1)).square().sum() / z.shape[1]
