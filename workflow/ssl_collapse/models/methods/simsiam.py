"""SimSiam: Chen & He, "Exploring Simple Siamese Representation Learning", CVPR 2021."""

import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.methods.simsiam import Config


class SimSiamModel(nn.Module):
    """Backbone, projector and predictor; `forward` returns the loss of two views."""

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector(feature_dim, config.projection_dim)
        self.predictor = predictor(config.projection_dim, config.predictor_hidden_dim)

    def forward(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Loss of a batch (Algorithm 1): view1, view2 of shape (B, 3, H, W) -> scalar."""
        # Two separate forwards: batch norm sees one view at a time, as in the reference.
        z1 = self.projector(self.backbone(view1))  # (B, projection_dim)
        z2 = self.projector(self.backbone(view2))
        return simsiam_loss(self.predictor(z1), self.predictor(z2), z1, z2)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of backbone and projector: those that `n_warmup_steps` freezes."""
        return [*self.backbone.parameters(), *self.projector.parameters()]

    def predictor_parameters(self) -> list[nn.Parameter]:
        """Parameters that keep the initial learning rate under `fix_pred_lr`."""
        return list(self.predictor.parameters())


def build(backbone: nn.Module, feature_dim: int, config: Config) -> SimSiamModel:
    """Hang SimSiam's heads on a backbone."""
    return SimSiamModel(backbone, feature_dim, config)


def simsiam_loss(p1: Tensor, p2: Tensor, z1: Tensor, z2: Tensor) -> Tensor:
    """Symmetric negative cosine similarity with stop-gradient on z (eq. 1 and 2), in [-1, 1].

    Args:
        p1, p2: predictor outputs of the two views, (B, D).
        z1, z2: projector outputs of the two views, (B, D).
    """
    first = F.cosine_similarity(p1, z2.detach(), dim=1).mean()
    second = F.cosine_similarity(p2, z1.detach(), dim=1).mean()
    return -(first + second) / 2


def projector(feature_dim: int, projection_dim: int) -> nn.Sequential:
    """Three-layer projector, (N, feature_dim) -> (N, projection_dim); the last BN has no scale."""
    d = feature_dim
    last = nn.Linear(d, projection_dim)
    last.bias.requires_grad = False  # the batch norm that follows would cancel it
    return nn.Sequential(
        *(nn.Linear(d, d, bias=False), nn.BatchNorm1d(d), nn.ReLU(inplace=True)),
        *(nn.Linear(d, d, bias=False), nn.BatchNorm1d(d), nn.ReLU(inplace=True)),
        *(last, nn.BatchNorm1d(projection_dim, affine=False)),
    )


def predictor(projection_dim: int, hidden_dim: int) -> nn.Sequential:
    """Two-layer predictor with a bottleneck, (N, projection_dim) -> (N, projection_dim)."""
    return nn.Sequential(
        *(nn.Linear(projection_dim, hidden_dim, bias=False), nn.BatchNorm1d(hidden_dim)),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, projection_dim),
    )
