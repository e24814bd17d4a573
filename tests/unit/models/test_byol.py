"""BYOL's loss and target network."""

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.byol import Config
from ssl_collapse.models.methods.byol import build, byol_loss

A, B = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])


@pytest.mark.parametrize(
    ("predictions", "targets", "loss"),
    [
        ([A, A], [A, A], 0),  # 2 - 2 * 1, twice
        ([A, A], [-A, -A], 8),  # 2 + 2, twice
        ([A, B], [B, B], 2),  # (2 - 2 cos(a, b)) + (2 - 2 cos(b, b)) = 2 + 0
        ([A, A, B], [A, A, B], 8 / 3),  # cosine 1 in 2 of 6 pairs: 2 (2 - 2/3)
    ],
)
def test_loss(predictions: list[torch.Tensor], targets: list[torch.Tensor], loss: float):
    assert byol_loss(predictions, targets).item() == pytest.approx(loss)


def test_the_target_follows_on_a_half_cosine_before_it_is_asked():
    model = build(nn.Linear(1, 1, bias=False), 1, Config(hidden_dim=2, projection_dim=2))
    online, target = model.backbone.weight, model.target.backbone.weight
    assert torch.equal(online, target)  # a copy at first
    with torch.no_grad():
        online.fill_(1.0)
        target.fill_(0.0)
    # tau = 1 - (1 - .99) (1 + cos(pi t/T)) / 2: .99 at first, .995 halfway, 1 at the end
    expected = 0.0
    for step, tau in ((0, 0.99), (5, 0.995), (10, 1.0)):
        model.before_step(step, 10)
        expected = tau * expected + (1 - tau) * 1.0
        assert target.item() == pytest.approx(expected, rel=1e-5)
    assert online.item() == 1


def test_a_momentum_that_is_not_raised_is_constant():
    keys = {"hidden_dim": 2, "projection_dim": 2, "ema_momentum": 0.5, "final_ema_momentum": 0.5}
    model = build(nn.Linear(1, 1, bias=False), 1, Config(**keys))
    with torch.no_grad():
        model.backbone.weight.fill_(1.0)
        model.target.backbone.weight.fill_(0.0)
    for step in (0, 9):
        model.before_step(step, 10)
    assert model.target.backbone.weight.item() == 0.75  # halfway to 1, twice
