"""Gradients of losses over a whole batch of four rows, of which each rank has a part.

python -m torch.distributed.run ... gathering_script.py OUTPUT
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ssl_collapse.config.methods.nnsiam import Config
from ssl_collapse.models.gathering import first_row, gather, gather_with_gradient, ranks
from ssl_collapse.models.methods.moco_v3 import contrastive_loss
from ssl_collapse.models.methods.nnsiam import build


def computed() -> dict[str, Tensor]:
    """What every rank, or one process alone, computes from the same four rows."""
    torch.manual_seed(0)
    layer, rows, others = nn.Linear(3, 2).double(), *torch.randn(2, 4, 3, dtype=torch.float64)
    own = len(rows) // ranks()
    start = first_row(rows[:own])
    part = slice(start, start + own)

    def whole_batch() -> Tensor:
        return (gather_with_gradient(layer(rows[part])).T.cov() ** 2).sum()

    def contrast() -> Tensor:
        return contrastive_loss(layer(rows[part]), others[part, :2], temperature=0.5)

    found = {"rows": gather(rows[part])}
    for name, loss in (("whole batch", whole_batch), ("contrast", contrast)):
        (gradient,) = torch.autograd.grad(loss(), [layer.weight])
        if ranks() > 1:  # as DistributedDataParallel does
            dist.all_reduce(gradient)
            gradient /= ranks()
        found[name] = gradient
    model = build(nn.Flatten(), 3, Config(projection_dim=3, predictor_hidden_dim=2, queue_size=8))
    model._take_in(gather(rows[part].float()))
    return {**found, "queue": model.queue}


if __name__ == "__main__":
    dist.init_process_group("gloo")
    torch.save(computed(), Path(sys.argv[1]) / f"rank{dist.get_rank()}.pt")
    dist.destroy_process_group()
