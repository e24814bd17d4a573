"""The rows of all ranks, for losses over the whole batch; one process alone has them all.

Every rank holds B / size rows of a batch, in order. Gradients are averaged over the ranks
afterwards (DistributedDataParallel).
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_reduce


def ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first_row(rows: Tensor) -> int:
    """The place in the whole batch of the first of this rank's own rows."""
    return dist.get_rank() * len(rows) if ranks() > 1 else 0


def gather(rows: Tensor) -> Tensor:
    """The rows (B, ...) of the whole batch, from every rank's own rows; without gradient."""
    rows = rows.detach()
    if ranks() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(ranks())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def gather_with_gradient(rows: Tensor) -> Tensor:
    """The rows (B, ...) of the whole batch, through which gradients flow back to every rank.

    A loss that each rank computes from them alike, over the whole batch, then has the gradients
    that one process would have.
    """
    if ranks() == 1:
        return rows
    return cast(Tensor, _Gather.apply(rows))  # type: ignore[no-untyped-call]


def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of a value over all ranks; gradients flow back to every rank, as above."""
    if ranks() == 1:
        return value
    return cast(Tensor, all_reduce(value)) / ranks()  # type: ignore[no-untyped-call]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = slice(first_row(rows), first_row(rows) + len(rows))
        return gather(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        # Each rank has the gradient of its own loss for all rows. Their sum is `ranks()` times that
        # of one loss, which the average over the ranks divides again.
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.rows]
