"""Losses between two views, of any number of views."""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_over_pairs(
    loss: Callable[[Tensor, Tensor], Tensor],
    predictions: Sequence[Tensor],
    targets: Sequence[Tensor],
) -> Tensor:
    """The mean of loss(p_i, t_j) over all ordered pairs of different views i and j.

    Of two views, half of loss(p_1, t_2) + loss(p_2, t_1). No gradient flows into targets.
    """
    pairs = list(permutations(range(len(targets)), 2))
    losses = [loss(predictions[i], targets[j].detach()) for i, j in pairs]
    return torch.stack(losses).sum() / len(pairs)


def mean_cosine(one: Tensor, other: Tensor) -> Tensor:
    """The mean cosine of rows (B, D) and (B, D)."""
    return F.cosine_similarity(one, other, dim=1).mean()


def mean_over_views(loss: Callable[[Tensor, Tensor], Tensor], z: Sequence[Tensor]) -> Tensor:
    """The mean of a symmetric loss(z_i, z_j) over all pairs of different views; of two, the loss.

    Gradients flow into both.
    """
    return torch.stack([loss(one, other) for one, other in combinations(z, 2)]).mean()


def off_diagonal(matrix: Tensor) -> Tensor:
    """A square matrix with zeros on its diagonal."""
    return matrix - matrix.diagonal().diag()
