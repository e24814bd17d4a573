"""NNSiam's neighbours and queue."""

import torch
from torch import nn

from ssl_collapse.config.methods.nnsiam import Config
from ssl_collapse.models.methods.nnsiam import build, nearest

KEYS = {"projection_dim": 8, "predictor_hidden_dim": 4, "queue_size": 8}


def test_the_nearest_is_by_distance_and_not_by_direction():
    queue = torch.tensor([[10.0, 0.0], [0.0, 1.0], [0.9, 0.9]])
    # (1, 0) has the direction of the first, whose squared distance is 81; of the others 2 and .82
    # (0, 2): 104, 1 and 2.02
    z = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    found = nearest(z, queue)
    assert torch.equal(found, queue[[2, 1]])
    assert not found.requires_grad
    z, queue = torch.randn(16, 8), torch.randn(64, 8)
    assert torch.equal(nearest(z, queue), queue[torch.cdist(z, queue).argmin(dim=1)])


def test_the_queue_starts_as_random_unit_vectors_and_takes_in_the_first_view_in_turn():
    torch.manual_seed(0)
    model = build(nn.Flatten(), 12, Config(**KEYS))
    assert torch.allclose(model.queue.norm(dim=1), torch.ones(8))
    expected = model.queue.clone()
    for rows in (slice(0, 4), slice(4, 8), slice(0, 4)):  # the third batch goes round
        view1, view2 = torch.randn(2, 4, 3, 2, 2)
        expected[rows] = model.projector(view1.flatten(1)).detach()
        model(view1, view2)
        torch.testing.assert_close(model.queue, expected)
    assert model.oldest.item() == 4 and not model.queue.requires_grad
