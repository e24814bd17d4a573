"""SimSiam: Chen & He, "Exploring Simple Siamese Representation Learning", CVPR 2021."""

from collections.abc import Sequence

from torch import Tensor, nn

from ssl_collapse.config.methods.simsiam import Config
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.pairs import mean_cosine, mean_over_pairs


class SimSiamModel(MethodModule):
    """Backbone, projector and predictor."""

    projector: nn.Module
    predictor: nn.Module

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        super().__init__(
            backbone,
            projector(feature_dim, config.projection_dim),
            predictor(config.projection_dim, config.predictor_hidden_dim),
        )

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch (Algorithm 1): n >= 2 views (B, 3, H, W) -> scalar."""
        # Separate forwards: batch norm sees one view at a time, as in the reference.
        z = [self.projector(self.backbone(view)) for view in views]  # each (B, projection_dim)
        return simsiam_loss([self.predictor(one) for one in z], z)


build = SimSiamModel


def simsiam_loss(p: Sequence[Tensor], z: Sequence[Tensor]) -> Tensor:
    """Symmetric negative cosine similarity with stop-gradient on z (eq. 1 and 2), in [-1, 1].

    The mean over all ordered pairs of views; of two views, (p1, z2) and (p2, z1).

    Args:
        p: predictor outputs of each view, (B, D).
        z: targets of each view, (B, D).
    """
    return -mean_over_pairs(mean_cosine, p, z)


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
