"""MoCo v3's loss."""

import math

import pytest
import torch
from torch import nn

from ssl_collapse.config.methods.moco_v3 import Config
from ssl_collapse.models.methods.moco_v3 import build, contrastive_loss


@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_loss_of_two_images(temperature: float):
    a = torch.tensor([[2.0, 0.0], [0.0, 3.0]])  # the lengths do not count
    # the own key has cosine 1, the other 0: -log(e^(1/T) / (e^(1/T) + 1)), times 2 T
    told_apart = 2 * temperature * math.log(1 + math.exp(-1 / temperature))
    assert contrastive_loss(a, a, temperature).item() == pytest.approx(told_apart)
    # swapped, the other has cosine 1
    swapped = 2 * temperature * math.log(1 + math.exp(1 / temperature))
    assert contrastive_loss(a, a.flip(0), temperature).item() == pytest.approx(swapped)
    # in a total collapse a guess among B keys
    same = torch.ones(2, 4)
    guess = 2 * temperature * math.log(2)
    assert contrastive_loss(same, same, temperature).item() == pytest.approx(guess)


def test_the_loss_of_two_views_is_the_sum_of_both_directions():
    torch.manual_seed(0)
    keys = {"hidden_dim": 4, "projection_dim": 3, "temperature": 0.5}
    model = build(nn.Flatten(), 12, Config(**keys))
    one, two = torch.randn(2, 4, 3, 2, 2)
    query = [model.predictor(model.projector(view.flatten(1))) for view in (one, two)]
    key = [model.keys(view) for view in (one, two)]
    both = contrastive_loss(query[0], key[1], 0.5) + contrastive_loss(query[1], key[0], 0.5)
    assert model(one, two).item() == pytest.approx(both.item())
