"""Losses, and their gradients, over a whole batch of four rows, of which each rank has a part.

python -m torch.distributed.run ... gathering_script.py OUTPUT
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ssl_collapse.config.methods.distillation import Config as Distillation
from ssl_collapse.config.methods.nnsiam import Config
from ssl_collapse.config.methods.vicreg import Config as Vicreg
from ssl_collapse.models.gathering import first_row, gather, gather_with_gradient, ranks
from ssl_collapse.models.methods.barlow_twins import barlow_loss, cross_correlation
from ssl_collapse.models.methods.distillation import DistillationModel
from ssl_collapse.models.methods.lejepa import random_directions, sigreg
from ssl_collapse.models.methods.moco_v3 import contrastive_loss
from ssl_collapse.models.methods.nnsiam import build
from ssl_collapse.models.methods.vicreg import build as build_vicreg


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

    def vicreg() -> Tensor:
        model = build_vicreg(nn.Identity(), 2, Vicreg(projection_dim=2))
        model.projector = layer
        return model(rows[part], others[part])

    def barlow() -> Tensor:
        return barlow_loss(cross_correlation(layer(rows[part]), layer(others[part])), 0.5)

    def regularity() -> Tensor:
        z = torch.stack([layer(rows[part]), layer(others[part])])
        return sigreg(z, random_directions(2, 3, [0]).double())

    def distillation() -> Tensor:
        model = DistillationModel(layer, 2, Distillation(), nn.Linear(3, 2).double(), 2).double()
        model.projector = nn.Identity()
        model(rows[part])
        return model(others[part])  # by the statistics of all rows

    found = {"rows": gather(rows[part])}
    for loss in (whole_batch, contrast, vicreg, barlow, regularity, distillation):
        torch.manual_seed(1)
        value = loss()
        (gradient,) = torch.autograd.grad(value, [layer.weight])
        pair = torch.cat([gradient.flatten(), value.detach()[None]])
        if ranks() > 1:  # as DistributedDataParallel does with gradients, and the log with losses
            dist.all_reduce(pair)
            pair /= ranks()
        found[loss.__name__] = pair
    model = build(nn.Flatten(), 3, Config(projection_dim=3, predictor_hidden_dim=2, queue_size=8))
    model._take_in(gather(rows[part].float()))
    return {**found, "queue": model.queue}


if __name__ == "__main__":
    dist.init_process_group("gloo")
    torch.save(computed(), Path(sys.argv[1]) / f"rank{dist.get_rank()}.pt")
    dist.destroy_process_group()
