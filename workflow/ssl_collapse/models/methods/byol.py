"""BYOL: Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020, arXiv 2006.07733."""

from collections.abc import Sequence

from torch import Tensor, nn

from ssl_collapse.config.methods.byol import Config
from ssl_collapse.models.heads import mlp
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.momentum import MomentumEncoder, half_cosine
from ssl_collapse.models.pairs import mean_cosine, mean_over_pairs


class ByolModel(MethodModule):
    """The online network with its predictor, and the target network that follows it."""

    projector: nn.Module
    predictor: nn.Module

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        hidden, out = config.hidden_dim, config.projection_dim
        super().__init__(
            backbone,
            mlp([feature_dim, hidden, out], last_norm=False),
            mlp([out, hidden, out], last_norm=False),
        )
        self.target = MomentumEncoder(self.backbone, self.projector)
        self.momenta = config.ema_momentum, config.final_ema_momentum

    def before_step(self, step: int, steps: int) -> None:
        """The target follows, before it is asked: tau of the step as in the paper's section 3.3."""
        self.target.follow(self.encoder_parameters(), half_cosine(*self.momenta, step / steps))

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: n >= 2 views (B, 3, H, W) -> scalar."""
        predictions = [self.predictor(self.projector(self.backbone(view))) for view in views]
        return byol_loss(predictions, [self.target(view) for view in views])


build = ByolModel


def byol_loss(predictions: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """(2 - 2 cos(p1, t2)) + (2 - 2 cos(p2, t1)), eq. 2 in both directions; in [0, 8].

    Of more views, twice the mean over all ordered pairs.

    Args:
        predictions, targets: of each view, (B, D).
    """
    return 2 * (2 - 2 * mean_over_pairs(mean_cosine, predictions, targets))
