"""NNSiam: SimSiam with nearest neighbours as targets, as the paper's authors train it.

The neighbours and their queue are NNCLR's: Dwibedi et al., "With a Little Help from My Friends",
ICCV 2021, arXiv 2104.14548.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.methods.nnsiam import Config
from ssl_collapse.models.gathering import gather
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.methods.simsiam import predictor, projector, simsiam_loss


class NnSiamModel(MethodModule):
    """SimSiam's network, and a queue of earlier embeddings of the first view."""

    projector: nn.Module
    predictor: nn.Module
    queue: Tensor
    oldest: Tensor

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        super().__init__(
            backbone,
            projector(feature_dim, config.projection_dim),
            predictor(config.projection_dim, config.predictor_hidden_dim),
        )
        rows = torch.randn(config.queue_size, config.projection_dim)
        self.register_buffer("queue", F.normalize(rows, dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: n >= 2 views (B, 3, H, W) -> scalar; the queue takes in the first's."""
        z = [self.projector(self.backbone(view)) for view in views]
        neighbours = [nearest(one, self.queue) for one in z]
        self._take_in(gather(z[0]))
        return simsiam_loss([self.predictor(one) for one in z], neighbours)

    @torch.no_grad()
    def _take_in(self, rows: Tensor) -> None:
        """The rows of a whole batch take the place of the oldest."""
        places = self.oldest + torch.arange(len(rows), device=rows.device)
        self.queue[places] = rows
        self.oldest.copy_((self.oldest + len(rows)) % len(self.queue))


build = NnSiamModel


@torch.no_grad()
def nearest(z: Tensor, queue: Tensor) -> Tensor:
    """For each row of z (B, D) the row of the queue (Q, D) at the least squared L2 distance.

    Neither is normalised: of two directions as near, the one of nearer length is taken.
    """
    # |z - q|^2 = |z|^2 - 2 z.q + |q|^2, of which the first is the same for all q
    return queue[(queue.square().sum(dim=1) - 2 * z @ queue.T).argmin(dim=1)]
