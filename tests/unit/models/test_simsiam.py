"""SimSiam's loss."""

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.simsiam import Config
from ssl_collapse.models.methods.simsiam import build, simsiam_loss

A, B = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])


@pytest.mark.parametrize(
    ("predictions", "targets", "loss"),
    [
        ([A, A], [A, A], -1),  # cosine 1 in both directions
        ([A, A], [-A, -A], 1),
        ([A, B], [B, B], -1 / 2),  # cos(a, b) = 0 and cos(b, b) = 1
        # of (1, 2) (1, 3) (2, 1) (2, 3) (3, 1) (3, 2) the views 1 and 2 alone agree: twice 1
        ([A, A, B], [A, A, B], -2 / 6),
    ],
)
def test_loss(predictions: list[torch.Tensor], targets: list[torch.Tensor], loss: float):
    assert simsiam_loss(predictions, targets).item() == pytest.approx(loss)


def test_each_view_has_its_own_batch_statistics():
    # two forwards per step: the running statistics are updated twice, once per view
    backbone = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12))
    model = build(backbone, 12, Config(projection_dim=8, predictor_hidden_dim=4))
    model(torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2))
    assert backbone[1].num_batches_tracked.item() == 2
