"""LeJEPA: Balestriero & LeCun, "Provable and Scalable Self-Supervised Learning", 2025.

arXiv 2511.08544; with the quadrature of the authors' `lejepa/univariate/epps_pulley.py`.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ssl_collapse.config.methods.lejepa import Config
from ssl_collapse.models.gathering import mean_over_ranks, ranks
from ssl_collapse.models.heads import mlp
from ssl_collapse.models.method import MethodModule

KNOTS, LAST_KNOT = 17, 3.0
_DIRECTIONS = 3  # a stream of random numbers; 0 to 2 are those of batches and views


class LeJepaModel(MethodModule):
    """Backbone and projector; what it draws depends on the run's seed and the step alone."""

    projector: nn.Sequential

    def __init__(self, backbone: nn.Module, feature_dim: int, config: Config) -> None:
        hidden, out = config.hidden_dim, config.projection_dim
        projector = mlp([feature_dim, hidden, hidden, out], last_norm=False)
        projector[-1] = nn.Linear(hidden, out)  # SIGReg wants a mean of 0, which takes a bias
        super().__init__(backbone, projector)
        self.config = config
        self._seed = torch.initial_seed()  # the run's
        self._step = 0

    def before_step(self, step: int, steps: int) -> None:
        """Draw other directions in each step."""
        self._step = step

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: views (B, 3, H, W) -> scalar."""
        z = torch.stack([self.projector(self.backbone(view)) for view in views])  # (V, B, D)
        seed, count = [self._seed, _DIRECTIONS, 0, self._step], self.config.directions
        regularity = sigreg(z, random_directions(z.shape[-1], count, seed).to(z))
        centre = z[: self.config.global_views].mean(dim=0)
        weight = self.config.sigreg_weight
        return weight * regularity + (1 - weight) * (z - centre).square().mean()


build = LeJepaModel


def random_directions(dimensions: int, count: int, seed: list[int]) -> Tensor:
    """Unit vectors (dimensions, count), uniform over the sphere; equal seeds give equal ones."""
    normal = np.random.default_rng(seed).standard_normal((dimensions, count), dtype=np.float32)
    return torch.from_numpy(normal / np.linalg.norm(normal, axis=0))


def sigreg(z: Tensor, directions: Tensor) -> Tensor:
    """SIGReg: the mean Epps-Pulley statistic of embeddings along random directions.

    For N values x, T = N int |mean exp(i t x) - exp(-t^2/2)|^2 exp(-t^2/2) dt over |t| <= 3, by the
    trapezoidal rule with 17 knots on [0, 3], twice. 1.05 is expected of a standard normal sample,
    whatever its size; it grows as N where the distribution is another.

    Args:
        z: embeddings (V, B, D) of V views, of which each is tested by itself, over all ranks.
        directions: unit vectors (D, K).
    """
    exact = torch.promote_types(z.dtype, torch.float32)
    t = torch.linspace(0, LAST_KNOT, KNOTS, dtype=exact, device=z.device)
    normal = (-t.square() / 2).exp()  # both the characteristic function and the window
    weights = torch.full_like(t, 2 * LAST_KNOT / (KNOTS - 1))
    weights[[0, -1]] /= 2
    angles = (z @ directions)[..., None] * t  # (V, B, K, knots)
    real, imaginary = (mean_over_ranks(part.mean(dim=1)) for part in (angles.cos(), angles.sin()))
    distance = (real - normal).square() + imaginary.square()
    return z.shape[1] * ranks() * (distance @ (weights * normal)).mean()
