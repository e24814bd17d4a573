"""Trainings of the toy recipe in this process."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from toy import pretrain_spec

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.loop import Runtime, Trainer

CPU = torch.device("cpu")


def trainer(
    images: PackedImages,
    state: Path,
    runtime: Runtime | None = None,
    teacher: Path | None = None,
    **keys: Any,
) -> Trainer:
    """Of the toy recipe with keys replaced, its state in a folder."""
    folder = SavedState(state)
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    spec, ordering = pretrain_spec(**keys), np.arange(len(images))
    return Trainer(spec, images, ordering, runtime or Runtime(CPU), folder, teacher=teacher)


def checkpoints(state: Path) -> dict[str, bytes]:
    """What lies in its folder of checkpoints."""
    return {path.name: path.read_bytes() for path in sorted(state.glob("checkpoints/*.pt"))}
