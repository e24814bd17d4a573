"""The pretraining loop."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.runtime.interruption import Interruption, leave
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.health import (
    DivergedError,
    StepWatch,
    health,
    highest_rank,
    rows_without_training,
)
from ssl_collapse.training.learning_rate import epoch_lr
from ssl_collapse.training.optimizer import build_optimizer, set_rates
from ssl_collapse.training.ranks import Ranks
from ssl_collapse.training.saving import Progress, Rows, Saver
from ssl_collapse.views.augmentation import Augmenter
from ssl_collapse.views.batches import CroppedViews, load_views
from ssl_collapse.views.schedule import epoch_batches, steps_per_epoch

logger = logging.getLogger("ssl_collapse")
ALONE = Ranks()


@dataclass(frozen=True)
class Runtime:
    """What changes the speed and not the result."""

    device: torch.device
    workers: int = 0
    log_every: int = 100
    run: str = "this run"  # name and seed, for messages


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
        teacher: Path | None = None,
    ) -> None:
        self.spec, self.images, self.ordering = spec, images, ordering
        self.runtime, self.ranks = runtime, ranks
        self._part = ranks.part(spec.batch_size)
        # Whatever the machine: the order of floating-point sums depends on the number of threads.
        torch.set_num_threads(spec.cpu_threads)
        torch.set_float32_matmul_precision("high" if spec.precision == "tf32" else "highest")
        self._precision = torch.autocast(
            runtime.device.type, torch.bfloat16, enabled=spec.precision == "bf16"
        )
        torch.manual_seed(spec.seed)
        backbone, feature_dim = build_backbone(spec.backbone)
        inputs = {"teacher": teacher} if teacher else {}
        model = build_method(backbone, feature_dim, spec.method, **inputs)
        # channels last: the same sums in another memory layout, a third faster on the CPU
        model = model.to(runtime.device).to(memory_format=torch.channels_last).train()
        self.model = ranks.synchronized(model)
        self.optimizer = build_optimizer(self.model, spec)
        self._loss = ranks.parallel(self.model)
        self._steps = steps_per_epoch(spec, len(ordering))
        self.augmenter = Augmenter(spec.mean, spec.std, runtime.device)
        self.watch = StepWatch(self.model.backbone, runtime.run)
        self.saver = Saver(spec, self.model, self.optimizer, state)
        self.saver.failure = self.model.failure
        state.following.begin(spec.epochs, self._steps, spec.batch_size)
        self._start = (spec.start_epoch, 0)
        self.interruption = Interruption(state.budget.stop_at)
        self._stop = False  # all ranks agree to
        self._each_step = False  # a look at each step, before its update

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self.saver.progress

    def start_from(self, path: Path) -> None:
        """Take weights and optimiser state of another run's checkpoint (hybrid)."""
        self.saver.start_from(path)

    def resume(self) -> None:
        """Go on from the saved state, if there is one."""
        self.saver.resume()
        self.ranks.wait()  # till all have read what the first will write over

    def run(self) -> Rows:
        """Train to the last epoch; returns the rows of training.csv.

        A loss that is not finite ends the training, but not with an error: the failing state is
        saved as DIVERGED, and the rows of the epochs that are missing have the loss NaN.
        """
        if self.ranks.first and (self.progress.epoch, self.progress.step) == self._start:
            self.saver.save_epoch()  # the network before training
        with self.interruption:
            while self.saver.failure is None and self.progress.epoch < self.spec.epochs:
                try:
                    self._epoch()
                except DivergedError as diverged:
                    self._go_back(diverged)
        if self.saver.failure is not None:
            self._give_up(self.saver.failure)
        return self.progress.rows

    def _go_back(self, diverged: DivergedError) -> None:
        """After a loss that was not finite and the steps since: to the last state, more closely."""
        if self._each_step:
            self.saver.failure = str(diverged)
            return
        logger.info("%s: going back to the last saved state, to end with the step before", diverged)
        self._each_step = True
        self.watch.forget()
        self.resume()

    def _give_up(self, failure: str) -> None:
        logger.warning(
            "%s: %s; training ends here and the run is marked as diverged in tables and figures; "
            "lower base_lr or lengthen warmup_epochs",
            *(self.runtime.run, failure),
        )
        if self.ranks.first:
            self.saver.save_failing()
        self.progress.rows += rows_without_training(self.spec, self.progress.epoch)

    def _epoch(self) -> None:
        progress, spec, steps = self.progress, self.spec, self._steps
        batches = epoch_batches(spec, self.ordering, progress.epoch, spec.seed)
        dataset = CroppedViews(self.images, batches, spec, progress.epoch, self._part)
        clock = time.perf_counter()
        for views in load_views(dataset, progress.step, self.runtime.workers, self.augmenter):
            self.step(views)
            progress.step += 1
            ended, log = progress.step == steps, progress.step % self.runtime.log_every == 0
            due = self.ranks.first and self.saver.state.due()
            self._stop, save = self.ranks.any(self.interruption.asked, due)
            mean_loss = None
            if ended or log or self._stop or save:
                self._look()
                mean_loss = progress.loss_sum / progress.step
            if self.ranks.first:
                self.saver.state.following.step(progress.epoch, progress.step, mean_loss)
            now = time.perf_counter()
            progress.seconds, clock = progress.seconds + now - clock, now
            if self._stop and not ended:
                self._interrupt()
            if save and self.ranks.first:
                self.saver.save_state()
            if log:
                logger.info(
                    "epoch %d step %d loss %.5f", progress.epoch + 1, progress.step, mean_loss
                )
        self._finish_epoch()
        if self._stop and progress.epoch < spec.epochs:
            self._interrupt()

    def step(self, views: tuple[Tensor, ...]) -> None:
        """One step, without waiting for the device."""
        spec, progress, steps = self.spec, self.progress, self._steps
        set_rates(self.optimizer, spec, progress.epoch, progress.step, steps)
        self.model.before_step(progress.epoch * steps + progress.step, spec.epochs * steps)
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision:
            loss = self._loss(*views)
        self.watch.note(progress.step, loss)
        if self._each_step:
            self._look()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def _look(self) -> None:
        """Wait for the device, and judge the steps since the last look."""
        losses, collapse = self.watch.look(self.ranks, self.progress.epoch)
        for loss in losses:
            self.progress.loss_sum += loss
        if collapse and self.saver.collapse is None:
            self.saver.collapse = collapse
            self.watch.total_collapse(collapse)

    def _finish_epoch(self) -> None:
        progress, spec, steps = self.progress, self.spec, self._steps
        loss, lr = progress.loss_sum / steps, epoch_lr(spec, progress.epoch)
        assert self.watch.output is not None  # of the epoch's last step
        output = self.ranks.whole(self.watch.output)
        images_per_second = round(steps * spec.batch_size / max(progress.seconds, 1e-9), 1)
        seconds = round(progress.seconds, 3)
        progress.epoch += 1
        epoch = {"epoch": progress.epoch}
        progress.rows.append({**epoch, "loss": loss, "lr": lr, **health(output)})
        speed = {**epoch, "images_per_second": images_per_second, "seconds": seconds}
        progress.speed.append(speed)
        progress.step, progress.loss_sum, progress.seconds = 0, 0.0, 0.0
        logger.info("epoch %d/%d loss %.5f lr %.5f", progress.epoch, spec.epochs, loss, lr)
        if self.saver.collapse is None:
            self.watch.dimensional_collapse(progress.rows, highest_rank(output))
        if self.ranks.first:
            self.saver.state.following.epoch({**progress.rows[-1], **speed})
            self.saver.save_epoch()

    def _interrupt(self) -> None:
        if self.ranks.first:
            self.saver.save_state()
        self.ranks.wait()  # else the first to leave would have the others killed
        leave(self.progress.epoch, self.progress.step)
