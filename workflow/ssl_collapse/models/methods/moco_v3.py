"""MoCo v3: Chen, Xie & He, "An Empirical Study of Training Self-Supervised ViTs", ICCV 2021."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.methods.moco_v3 import Config
from ssl_collapse.models.gathering import first_row, gather
from ssl_collapse.models.heads import mlp
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.momentum import MomentumEncoder, half_cosine
from ssl_collapse.models.pairs import mean_over_pairs


class MocoModel(MethodModule):
    """The network of the queries with its predictor, and that of the keys, which follows it."""

    projector: nn.Module
    predictor: nn.Module

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        hidden, out = config.hidden_dim, config.projection_dim
        project = [feature_dim, *[hidden] * (config.projector_layers - 1), out]
        predict = [out, *[hidden] * (config.predictor_layers - 1), out]
        super().__init__(
            backbone, mlp(project, last_norm=True), mlp(predict, last_norm=config.predictor_norm)
        )
        self.keys = MomentumEncoder(self.backbone, self.projector)
        self.momenta = config.ema_momentum, config.final_ema_momentum
        self.temperature = config.temperature

    def before_step(self, step: int, steps: int) -> None:
        """The network of the keys follows, before it is asked."""
        self.keys.follow(self.encoder_parameters(), half_cosine(*self.momenta, step / steps))

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch (Algorithm 1): n >= 2 views (B, 3, H, W) -> scalar."""
        queries = [self.predictor(self.projector(self.backbone(view))) for view in views]
        contrast = partial(contrastive_loss, temperature=self.temperature)
        # The sum of both directions; of more views, twice the mean over all ordered pairs.
        return 2 * mean_over_pairs(contrast, queries, [self.keys(view) for view in views])


build = MocoModel


def contrastive_loss(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """2 T times the cross entropy of finding each query's key in the batch of all ranks (eq. 1).

    Args:
        queries, keys: of the same images, (B, D); they are L2-normalised here.
        temperature: T of softmax(cosine / T).
    """
    queries, keys = F.normalize(queries, dim=1), gather(F.normalize(keys, dim=1))
    matching = torch.arange(len(queries), device=queries.device) + first_row(queries)
    return 2 * temperature * F.cross_entropy(queries @ keys.T / temperature, matching)
