"""VICReg's losses."""

import math

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.vicreg import Config
from ssl_collapse.models.methods.vicreg import build, covariance_loss, variance_loss

# Dimension 0 has the values 0, 0, 1, 1 (unbiased variance 1/3), dimension 1 twice these (4/3), and
# their covariance is 2/3; dimension 2 is dead.
Z = torch.tensor([[0.0, 0, 5], [0, 0, 5], [1, 2, 5], [1, 2, 5]])


def test_losses():
    # hinges: 1 - sqrt(1/3 + .0001), 0 as sqrt(4/3) > 1, and 1 - sqrt(.0001) = .99
    expected = (1 - math.sqrt(1 / 3 + 1e-4) + 0 + 0.99) / 3
    assert variance_loss(Z).item() == pytest.approx(expected)
    assert covariance_loss(Z).item() == pytest.approx(2 * (2 / 3) ** 2 / 3)  # two entries, D = 3


class Given(nn.Module):
    """A backbone and projector whose embeddings are the views."""

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        return view


@pytest.mark.parametrize(
    ("views", "factors"),
    [
        (2, (1, 1, 2)),
        # of three, two equal: 2 of 3 pairs differ; the sums over two views are twice the means
        (3, (2 / 3, 1, 2)),
    ],
)
def test_the_loss_is_the_weighted_sum(views: int, factors: tuple[float, float, float]):
    model = build(Given(), 3, Config(projection_dim=3))
    model.projector = Given()
    shifted = Z + torch.tensor([1.0, 0, 0])  # a mean square difference of 1/3; the rest is the same
    loss = model(Z, shifted, *[Z] * (views - 2)).item()
    parts = (25 / 3, 25 * variance_loss(Z).item(), covariance_loss(Z).item())
    assert loss == pytest.approx(sum(f * part for f, part in zip(factors, parts, strict=True)))
