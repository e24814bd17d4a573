"""Trains a toy model and writes what each step's loss was: run alone, or by torchrun.

python ranks_script.py SPEC IMAGES OUTPUT NORM     NORM: "none" or "batch", of the toy model
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.method import MethodModule
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training import loop
from ssl_collapse.training.ranks import join


class Toy(MethodModule):
    """One linear layer, and SimSiam's loss without a predictor."""

    def __init__(self, norm: str) -> None:
        last = nn.BatchNorm1d(6) if norm == "batch" else nn.Identity()
        backbone = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 6), last)
        super().__init__(backbone, predictor=nn.Linear(6, 6))

    def forward(self, *views: Tensor) -> Tensor:
        z1, z2 = map(self.backbone, views)
        return -nn.functional.cosine_similarity(self.predictor(z1), z2.detach()).mean()


def main(spec: str, images: str, output: str, norm: str) -> None:
    device = torch.device("cpu")
    ranks = join(device)
    folder = Path(output) / f"rank{ranks.rank}"
    state = SavedState(folder / "state")
    state.checkpoints.mkdir(parents=True)
    packed = PackedImages(Path(images))
    ordering = np.arange(len(packed))
    stand_ins = {
        "build_backbone": lambda config: (nn.Identity(), 6),
        "build_method": lambda backbone, feature_dim, config: Toy(norm),
    }
    recipe = PretrainSpec.model_validate_json(spec)
    with mock.patch.multiple(loop, **stand_ins):
        trainer = loop.Trainer(recipe, packed, ordering, loop.Runtime(device), state, ranks)
    losses: list[float] = []
    look = trainer.watch.look

    def noted(*arguments: Any) -> Any:
        found = look(*arguments)
        losses.extend(found[0])
        return found

    trainer.watch.look = noted
    rows = trainer.run()
    (folder / "losses.json").write_text(json.dumps(losses))
    (folder / "rows.json").write_text(json.dumps(rows))
    ranks.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
