"""What a training keeps, and how it goes on: a checkpoint per epoch, and the state in between."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.models.checkpoint_file import (
    DIVERGED,
    checkpoint_name,
    damaged_checkpoint,
    is_after,
    load_checkpoint,
    save_checkpoint,
)
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState

logger = logging.getLogger("ssl_collapse")
Rows = list[dict[str, float]]


@dataclass
class Progress:
    """How far the run is; everything that a resumed run needs besides weights and optimiser."""

    epoch: int
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    rows: Rows = field(default_factory=list)  # of training.csv
    speed: Rows = field(default_factory=list)  # of speed.csv

    def back_to(self, epoch: int) -> "Progress":
        """How far the run was after `epoch` epochs."""
        rows, speed = ([r for r in t if r["epoch"] <= epoch] for t in (self.rows, self.speed))
        return Progress(epoch, rows=rows, speed=speed)


def is_kept(spec: PretrainSpec, epoch: int) -> bool:
    """Whether the checkpoint after `epoch` epochs is kept.

    0, the network before training, is one of them unless the run starts from another's checkpoint.
    """
    if epoch <= spec.start_epoch:
        return epoch == spec.start_epoch == 0
    return epoch % spec.checkpoint_every == 0 or epoch == spec.epochs


class Saver:
    """Weights, optimiser and progress of a training, to and from files.

    failure: why the training has ended early; collapse: where total collapse was first seen.
    """

    def __init__(
        self,
        spec: PretrainSpec,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        state: SavedState,
    ) -> None:
        self.spec, self.module, self.optimizer, self.state = spec, module, optimizer, state
        self.progress = Progress(epoch=spec.start_epoch)
        self.failure: str | None = None
        self.collapse: str | None = None

    def start_from(self, path: Path) -> None:
        """Take weights and optimiser state of another run's checkpoint (hybrid).

        Of a run that has diverged, its failing state: then this run has diverged, too.
        """
        content = load_checkpoint(path)
        if not is_after(content, self.spec.start_epoch):
            raise UserError(
                f"{path}: is after epoch {content.get('epoch')}, not {self.spec.start_epoch}; "
                "delete its folder to train that run again"
            )
        if "failure" in content:
            self.failure = f"started from a run that has diverged: {content['failure']}"
        self._restore(path, content)

    def resume(self) -> None:
        """Go on from the saved state, if there is one.

        Where a checkpoint that the run has written is missing or no more what it was, go on from
        the last one before it, so that it is made again; the result is the same.
        """
        if not self.state.exists():
            return
        path, content = self.state.file, load_checkpoint(self.state.file)
        try:
            progress = Progress(**content["progress"])
            self.state.digests = dict(content["checkpoints"])
            epochs = [e for e in range(progress.epoch + 1) if is_kept(self.spec, e)]
        except (KeyError, TypeError, ValueError) as error:
            raise damaged_checkpoint(path, f"progress: {error}") from None
        whole = [self.state.is_whole(checkpoint_name(epoch)) for epoch in epochs]
        if not all(whole):
            before = epochs[: whole.index(False)]
            self._forget_after(before, epochs[len(before)])
            if not before:
                return
            path = self.state.checkpoints / checkpoint_name(before[-1])
            content, progress = load_checkpoint(path), progress.back_to(before[-1])
        self._restore(path, content)
        self.progress, self.collapse = progress, content.get("collapse")
        logger.info("resumed at epoch %d, step %d", progress.epoch, progress.step)

    def _forget_after(self, whole: list[int], lost: int) -> None:
        source = f"epoch {whole[-1]}" if whole else "nothing"
        path = self.state.checkpoints / checkpoint_name(lost)
        logger.warning("%s is missing or damaged: training goes on from %s", path, source)
        digests = self.state.digests
        self.state.digests = {name: digests[name] for name in map(checkpoint_name, whole)}

    def save_epoch(self) -> None:
        """Keep the checkpoint of the epoch that is finished, if it is to be kept, and the state."""
        epoch = self.progress.epoch
        if is_kept(self.spec, epoch):
            self._keep(checkpoint_name(epoch))
        self.save_state()

    def save_failing(self) -> None:
        """Keep what a training that ends early has come to."""
        self._keep(DIVERGED)

    def save_state(self) -> None:
        """Save all that going on takes."""
        progress = self.progress
        content = {"progress": vars(progress), "checkpoints": self.state.digests}
        with self.state.saving(progress.epoch, progress.step) as file:
            save_checkpoint(file, {**self._content(), **content})

    def _keep(self, name: str) -> None:
        save_checkpoint(self.state.checkpoints / name, self._content())
        self.state.record(name)

    def _content(self) -> dict[str, Any]:
        found = {"failure": self.failure, "collapse": self.collapse}
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "recipe": self.spec.to_spec_json(),
            "epoch": self.progress.epoch,
            **{name: text for name, text in found.items() if text is not None},
        }

    def _restore(self, path: Path, content: dict[str, Any]) -> None:
        try:
            self.module.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            torch.set_rng_state(content["rng"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = f"it does not fit this run's backbone, method and optimizer: {error}"
            raise damaged_checkpoint(path, reason) from None
