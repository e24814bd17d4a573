"""SimSiam's heads and loss."""

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.simsiam import Config
from ssl_collapse.models.methods.simsiam import build, predictor, projector, simsiam_loss


def test_loss_of_aligned_opposite_and_orthogonal_views():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    # cosine 1 in both directions -> -1; -1 in both -> 1; 1 and 0 -> -1/2
    assert simsiam_loss([a, a], [a, a]).item() == pytest.approx(-1)
    assert simsiam_loss([a, a], [-a, -a]).item() == pytest.approx(1)
    # cos(a, b) = 0 and cos(b, b) = 1
    assert simsiam_loss([a, b], [b, b]).item() == pytest.approx(-0.5)


def test_loss_of_three_views_is_the_mean_over_all_ordered_pairs():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    # of (1, 2) (1, 3) (2, 1) (2, 3) (3, 1) (3, 2) the views 1 and 2 alone agree: cosine 1, twice
    assert simsiam_loss([a, a, b], [a, a, b]).item() == pytest.approx(-2 / 6)


def test_loss_stops_the_gradient_at_the_target():
    p, z = (torch.randn(4, 8, requires_grad=True) for _ in range(2))
    simsiam_loss([p, p], [z, z]).backward()
    assert p.grad is not None
    assert z.grad is None


def layers(module: nn.Sequential) -> list[str]:
    return [type(m).__name__ for m in module]


def test_projector_shapes_and_layers():
    head = projector(64, 2048)
    assert layers(head) == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear", "BatchNorm1d"]
    shapes = [tuple(m.weight.shape) for m in head if isinstance(m, nn.Linear)]
    assert shapes == [(64, 64), (64, 64), (2048, 64)]
    assert head[0].bias is None and head[3].bias is None
    assert not head[6].bias.requires_grad  # frozen: the batch norm after it cancels it
    assert not head[7].affine
    assert head(torch.randn(4, 64)).shape == (4, 2048)


def test_predictor_shapes_and_layers():
    head = predictor(2048, 512)
    assert layers(head) == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert head[0].weight.shape == (512, 2048) and head[0].bias is None
    assert head[3].weight.shape == (2048, 512) and head[3].bias is not None
    assert head(torch.randn(4, 2048)).shape == (4, 2048)


def test_each_view_has_its_own_batch_statistics():
    # two forwards per step: the running statistics are updated twice, once per view
    backbone = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12))
    model = build(backbone, 12, Config(projection_dim=8, predictor_hidden_dim=4))
    model(torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2))
    assert backbone[1].num_batches_tracked.item() == 2
