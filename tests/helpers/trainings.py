"""Trainings of the toy recipe in this process."""

import signal
from collections.abc import Callable
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


def at_step(trainer: Trainer, number: int, action: Callable[[], object]) -> Trainer:
    """Have something happen before this step (from 0) of the whole training."""
    before = trainer.model.before_step

    def hooked(step: int, steps: int) -> None:
        if step == number:
            action()
        before(step, steps)

    trainer.model.before_step = hooked
    return trainer


def stop() -> None:
    """What a scheduler does."""
    signal.raise_signal(signal.SIGTERM)


def options(**values: object) -> list[str]:
    """The command line of `pretrain.py`: log_every=1 is `--log-every 1`."""
    return [str(w) for n, v in values.items() for w in (f"--{n.replace('_', '-')}", v)]


def checkpoints(state: Path) -> dict[str, bytes]:
    """What lies in its folder of checkpoints."""
    return {path.name: path.read_bytes() for path in sorted(state.glob("checkpoints/*.pt"))}
