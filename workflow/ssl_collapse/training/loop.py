"""The pretraining loop."""

import logging
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import SiameseModel, build_backbone, build_method
from ssl_collapse.models.checkpoint_file import (
    DIVERGED,
    damaged_checkpoint,
    is_after,
    load_checkpoint,
    save_checkpoint,
)
from ssl_collapse.runtime.errors import INTERRUPTED, UserError
from ssl_collapse.runtime.interruption import Interruption
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.health import (
    DivergedError,
    OutputWatch,
    check_loss,
    rows_without_training,
)
from ssl_collapse.training.optimizer import build_optimizer, set_epoch_lr
from ssl_collapse.training.ranks import Ranks
from ssl_collapse.views.augmentation import augment
from ssl_collapse.views.batches import CroppedViews, step_colours, view_loader
from ssl_collapse.views.schedule import epoch_batches

logger = logging.getLogger("ssl_collapse")
ALONE = Ranks()


@dataclass(frozen=True)
class Runtime:
    """What changes the speed and not the result."""

    device: torch.device
    workers: int = 0
    log_every: int = 100
    run: str = "this run"  # name and seed, for messages


@dataclass
class Progress:
    """How far the run is; everything that a resumed run needs besides weights and optimiser."""

    epoch: int
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One pretraining: model, optimiser and progress, and the loop over epochs and steps."""

    def __init__(
        self,
        spec: PretrainSpec,
        images: PackedImages,
        ordering: NDArray[np.int64],
        runtime: Runtime,
        state: SavedState,
        ranks: Ranks = ALONE,
    ) -> None:
        self.spec, self.images, self.ordering = spec, images, ordering
        self.runtime, self.state, self.ranks = runtime, state, ranks
        self._part = ranks.part(spec.batch_size)
        # One thread for each operation, whatever the machine: the order of floating-point sums
        # depends on the number of threads, and a result must not. Jobs run side by side instead.
        torch.set_num_threads(1)
        torch.manual_seed(spec.seed)
        backbone, feature_dim = build_backbone(spec.backbone)
        module = build_method(backbone, feature_dim, spec.method)
        # channels last: the same sums in another memory layout, a third faster on the CPU
        module = module.to(runtime.device).to(memory_format=torch.channels_last).train()
        self.module = ranks.synchronized(module)
        self.model = cast(SiameseModel, self.module)
        self.optimizer = build_optimizer(self.model, spec)
        self._loss = ranks.parallel(self.module)
        self.mean = torch.tensor(spec.mean, device=runtime.device)
        self.std = torch.tensor(spec.std, device=runtime.device)
        self.progress = Progress(epoch=spec.start_epoch)
        self.watch = OutputWatch(self.model.backbone, runtime.run)
        self.failure: str | None = None
        self._interruption = Interruption()
        self._stop = False  # all ranks agree to

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
        """Go on from the saved state, if there is one."""
        saved = load_checkpoint(self.state.file) if self.state.file.exists() else None
        if saved is None:
            for folder in self.state.of_other_recipes():
                logger.warning(
                    "%s holds an unfinished training by another recipe or other code: this one "
                    "starts from nothing; delete that folder if you do not go back to it",
                    folder,
                )
        else:
            self._restore(self.state.file, saved)
            try:
                self.progress = Progress(**saved["progress"])
            except (KeyError, TypeError) as error:
                raise damaged_checkpoint(self.state.file, f"progress: {error}") from None
            self.watch.collapse = saved.get("collapse")
            logger.info("resumed at epoch %d, step %d", self.progress.epoch, self.progress.step)

    def run(self) -> list[dict[str, float]]:
        """Train to the last epoch; returns the rows of training.csv.

        A loss that is not finite ends the training, but not with an error: the failing state is
        saved as DIVERGED, and the rows of the epochs that are missing have the loss NaN.
        """
        try:
            with self._interruption:
                while self.failure is None and self.progress.epoch < self.spec.epochs:
                    self._epoch()
        except DivergedError as diverged:
            self.failure = str(diverged)
        if self.failure is not None:
            self._give_up(self.failure)
        return self.progress.rows

    def _give_up(self, failure: str) -> None:
        logger.warning(
            "%s: %s; training ends here and the run is marked as diverged in tables and figures; "
            "lower base_lr or lengthen warmup_epochs",
            *(self.runtime.run, failure),
        )
        if self.ranks.first:
            save_checkpoint(self.state.checkpoints / DIVERGED, self._content())
        self.progress.rows += rows_without_training(self.spec, self.progress.epoch)

    def _epoch(self) -> None:
        progress, spec = self.progress, self.spec
        lr = set_epoch_lr(self.optimizer, spec, progress.epoch)
        batches = epoch_batches(spec, self.ordering, progress.epoch, spec.seed)
        views = CroppedViews(self.images, batches, spec, progress.epoch, self._part)
        loader = view_loader(views, progress.step, self.runtime.workers)
        bar = tqdm(
            loader,
            desc=f"epoch {progress.epoch + 1}/{spec.epochs}",
            initial=progress.step,
            total=len(views),
            disable=not (self.ranks.first and sys.stderr.isatty()),
            leave=False,
        )
        clock = time.perf_counter()
        for crops in bar:
            progress.loss_sum += self._step(crops)
            progress.step += 1
            now = time.perf_counter()
            progress.seconds, clock = progress.seconds + now - clock, now
            if self._stop:
                self._interrupt()
            if progress.step % self.runtime.log_every == 0:
                mean_loss = progress.loss_sum / progress.step
                logger.info(
                    "epoch %d step %d loss %.5f", progress.epoch + 1, progress.step, mean_loss
                )
        self._finish_epoch(lr, len(batches))

    def _step(self, crops: list[Tensor]) -> float:
        progress, device = self.progress, self.runtime.device
        colours = step_colours(self.spec, progress.epoch, progress.step, self._part)
        view1, view2 = (
            augment(
                view.to(device, non_blocking=True), colour.to(device), self.mean, self.std
            ).contiguous(memory_format=torch.channels_last)
            for view, colour in zip(crops, colours, strict=True)
        )
        frozen = progress.epoch > 0 and progress.step < self.spec.n_warmup_steps
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(view1, view2)
        value, asked = self.ranks.mean([loss.item(), float(self._interruption.asked)], device)
        self._stop = asked > 0
        check_loss(value, progress.epoch, progress.step)
        self.watch.check(progress.epoch, progress.step)
        loss.backward()  # type: ignore[no-untyped-call]
        if frozen:  # without gradients the optimiser passes the encoder over
            for parameter in self.model.encoder_parameters():
                parameter.grad = None
        self.optimizer.step()
        return value

    def _finish_epoch(self, lr: float, steps: int) -> None:
        progress, spec = self.progress, self.spec
        progress.epoch += 1
        loss = progress.loss_sum / steps
        speed = steps * spec.batch_size / max(progress.seconds, 1e-9)
        row = {
            "epoch": progress.epoch,
            "loss": loss,
            "lr": lr,
            "images_per_second": round(speed, 1),
            "seconds": round(progress.seconds, 3),
        }
        progress.rows.append(row)
        progress.step, progress.loss_sum, progress.seconds = 0, 0.0, 0.0
        logger.info("epoch %d/%d loss %.5f lr %.5f", progress.epoch, spec.epochs, loss, lr)
        if self.ranks.first:
            self._save_epoch()

    def _save_epoch(self) -> None:
        progress, spec = self.progress, self.spec
        if progress.epoch % spec.checkpoint_every == 0 or progress.epoch == spec.epochs:
            name = f"epoch{progress.epoch:04d}.pt"
            save_checkpoint(self.state.checkpoints / name, self._content())
        self._save_state()

    def _content(self) -> dict[str, Any]:
        found = {"failure": self.failure, "collapse": self.watch.collapse}
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

    def _interrupt(self) -> None:
        if self.ranks.first:
            self._save_state()
        self.ranks.wait()  # else the first to leave would have the others killed
        logger.warning(
            "interrupted; saved epoch %d, step %d", self.progress.epoch, self.progress.step
        )
        sys.exit(INTERRUPTED)

    def _save_state(self) -> None:
        save_checkpoint(self.state.file, {**self._content(), "progress": vars(self.progress)})
