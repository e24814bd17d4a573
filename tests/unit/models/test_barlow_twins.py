"""Barlow Twins' loss."""

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.barlow_twins import Config
from ssl_collapse.models.methods.barlow_twins import barlow_loss, build, cross_correlation


def test_loss():
    c = torch.tensor([[1.0, 0.5], [-0.5, 0.0]])
    # (1 - 1)^2 + (1 - 0)^2, and .1 of (.5^2 + .5^2)
    assert barlow_loss(c, 0.1).item() == pytest.approx(1 + 0.1 * 0.5)


def test_cross_correlation():
    one = torch.tensor([[1.0, 1], [-1, 1], [1, -1], [-1, -1]])  # uncorrelated dimensions
    assert torch.equal(cross_correlation(one, one), torch.eye(2))
    # dimension 0 of the other is dimension 1 of the one, and its dimension 1 is minus that
    other = torch.stack([one[:, 1], -one[:, 1]], dim=1)
    assert torch.equal(cross_correlation(one, other), torch.tensor([[0.0, 0], [1, -1]]))


def test_embeddings_are_standardised_whatever_their_scale():
    torch.manual_seed(0)
    model = build(nn.Identity(), 4, Config(projection_dim=4))
    model.projector = nn.Identity()
    z = torch.randn(4, 64, 4)
    plain = model(z[0], z[1])
    assert model(3 * z[0] + 5, 7 * z[1]).item() == pytest.approx(plain.item(), rel=1e-3)
    pairs = [model(z[i], z[j]).item() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert model(*z[:3]).item() == pytest.approx(sum(pairs) / 3)
    assert model.norm.weight is None
