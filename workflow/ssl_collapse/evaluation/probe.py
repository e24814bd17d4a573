"""Linear probe: a linear classifier on frozen features, top-1 and top-5 after every epoch.

Where the features come from is a `FeatureSource`: images through a frozen encoder
(`probe_images`) or stored representations (`probe_cached`).
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from ssl_collapse.config.evaluation import ProbeSpec
from ssl_collapse.evaluation.larc import Larc
from ssl_collapse.evaluation.result_format import FORMAT_VERSION
from ssl_collapse.models.checkpoint_file import load_checkpoint, save_checkpoint
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.interruption import Interruption, leave
from ssl_collapse.runtime.saved_state import SavedState

logger = logging.getLogger("ssl_collapse")

TOP = 5
VAL_ROWS = 8192  # rows of val that are scored at a time
_ORDER = 0  # stream of random numbers

BEST_WARNING = (
    "this epoch was chosen on the labels that the accuracy is reported on: "
    "an upper bound, not an estimate; compare the last epoch"
)


class Sizes(Protocol):
    """What is probed, in numbers."""

    @property
    def dim(self) -> int:
        """Dimensions of the features."""

    @property
    def num_classes(self) -> int:
        """Classes of the dataset, whatever a split contains."""

    @property
    def n_train(self) -> int:
        """Rows to train on."""

    @property
    def n_val(self) -> int:
        """Rows to score."""


class FeatureSource(Sizes, Protocol):
    """Frozen features (rows, dim) with their targets, for training and for validation."""

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (B, dim) and targets (B,) of the epoch's batches from `first_step` on."""

    def validation(self) -> tuple[Tensor, Tensor]:
        """Features (n_val, dim) and targets (n_val,) of all of val."""


@dataclass
class Progress:
    """How far the probe is: what a resumed probe needs besides classifier and optimiser."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0  # over the images of the epoch so far
    hits: list[int] = field(default_factory=lambda: [0, 0])  # of them in the top 1 and top 5
    rows: list[dict[str, float]] = field(default_factory=list)


class Probe:
    """One linear classifier, its optimiser and progress, and the loop over epochs and steps."""

    def __init__(
        self,
        source: FeatureSource,
        spec: ProbeSpec,
        device: torch.device,
        state: SavedState | None = None,
    ) -> None:
        torch.set_num_threads(1)  # of one operation: the order of a sum depends on it
        self.source, self.spec, self.device, self.state = source, spec, device, state
        self.classifier = build_classifier(source.dim, source.num_classes, spec.seed).to(device)
        self.optimizer = _build_optimizer(self.classifier, spec, source.n_train)
        self.progress = Progress()
        self._interruption = Interruption(state.budget.stop_at if state else None)
        if state:
            rows = batch_rows(spec, source.n_train)
            state.following.begin(spec.epochs, math.ceil(source.n_train / rows), rows)

    def resume(self) -> None:
        """Go on from the saved state, if there is one."""
        if self.state and self.state.exists():
            saved = load_checkpoint(self.state.file)
            try:
                self.classifier.load_state_dict(saved["classifier"])
                self.optimizer.load_state_dict(saved["optimizer"])
                self.progress = Progress(**saved["progress"])
            except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise UserError(
                    f"{self.state.file}: not the state of this probe ({error}); delete its folder "
                    "to start the probe again"
                ) from None
            logger.info("resumed at epoch %d, step %d", self.progress.epoch, self.progress.step)

    def run(self) -> list[dict[str, float]]:
        """Train to the last epoch; one row per epoch: epoch, lr, loss, top1, top5.

        Loss is the mean over the epoch's training batches; top1 and top5 are fractions of val. With
        `train_accuracy` also train_top1 and train_top5, of the batches before their steps.
        """
        features, targets = (part.to(self.device) for part in self.source.validation())
        # Without a state there is nothing to save, and a signal ends the probe.
        with self._interruption if self.state else nullcontext():
            while self.progress.epoch < self.spec.epochs:
                self._epoch(features, targets)
        return self.progress.rows

    def _epoch(self, val: Tensor, val_targets: Tensor) -> None:
        progress, spec = self.progress, self.spec
        lr = epoch_lr(spec, self.source.n_train, progress.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        for features, targets in self.source.training(progress.epoch, progress.step):
            progress.loss_sum += self._step(features, targets)
            progress.step += 1
            if self.state:
                self.state.following.step(progress.epoch, progress.step)
            if self._interruption.asked:
                self._save()
                leave(progress.epoch, progress.step)
            if self.state and self.state.due():
                self._save()
        loss = progress.loss_sum / self.source.n_train
        top1, top5 = accuracy(self.classifier, val, val_targets)
        progress.epoch += 1
        row = {"epoch": progress.epoch, "lr": lr, "loss": loss, "top1": top1, "top5": top5}
        if spec.train_accuracy:
            train = [hits / self.source.n_train for hits in progress.hits]
            row |= {"train_top1": train[0], "train_top5": train[1]}
        progress.step, progress.loss_sum, progress.hits = 0, 0.0, [0, 0]
        progress.rows.append(row)
        if self.state:
            self.state.following.epoch(row)
        logger.info(
            "epoch %d/%d loss %.5f top-1 %.4f top-5 %.4f",
            *(progress.epoch, spec.epochs, loss, top1, top5),
        )
        if progress.epoch < spec.epochs:
            self._save()

    def _step(self, features: Tensor, targets: Tensor) -> float:
        """One step of the optimiser; returns the sum of the losses of the batch."""
        features, targets = features.to(self.device), targets.to(self.device)
        scores = self.classifier(features)
        loss = F.cross_entropy(scores, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise UserError(
                f"the probe's loss is {value} in epoch {self.progress.epoch + 1}, "
                f"step {self.progress.step + 1}; lower base_lr"
            )
        if self.spec.train_accuracy:
            ranks = target_ranks(scores, targets)
            hits = [int((ranks < top).sum()) for top in (1, TOP)]
            self.progress.hits = [a + b for a, b in zip(self.progress.hits, hits, strict=True)]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value * len(targets)

    def _save(self) -> None:
        if self.state is not None:
            with self.state.saving(self.progress.epoch, self.progress.step) as file:
                states = {n: getattr(self, n).state_dict() for n in ("classifier", "optimizer")}
                save_checkpoint(file, {**states, "progress": vars(self.progress)})


def write_classifier(path: Path, classifier: nn.Linear | None) -> None:
    """Write `weight` (C, D) and `bias` (C,) as safetensors; of a failed encoder there are none."""
    weights = {} if classifier is None else classifier.state_dict()
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({n: t.cpu().contiguous() for n, t in weights.items()}))


def build_classifier(dim: int, num_classes: int, seed: int) -> nn.Linear:
    """Linear(dim, num_classes), weights from N(0, 0.01^2) by `seed`, bias 0."""
    classifier = nn.Linear(dim, num_classes)
    nn.init.normal_(classifier.weight, std=0.01, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(classifier.bias)
    return classifier


def _build_optimizer(classifier: nn.Linear, spec: ProbeSpec, n_train: int) -> torch.optim.Optimizer:
    kind = Larc if spec.optimizer == "lars" else torch.optim.SGD
    return kind(
        classifier.parameters(),
        lr=epoch_lr(spec, n_train, 0),
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
    )


def batch_rows(spec: ProbeSpec, n_train: int) -> int:
    """Images per batch: `batch_size`, or all of a training set that is smaller."""
    return min(spec.batch_size, n_train)


def epoch_lr(spec: ProbeSpec, n_train: int, epoch: int) -> float:
    """Learning rate of epoch e (from 0) of E: base_lr batch / 256 (1 + cos(pi e / E)) / 2."""
    initial = spec.base_lr * batch_rows(spec, n_train) / 256
    return initial / 2 * (1 + math.cos(math.pi * epoch / spec.epochs))


def epoch_batches(spec: ProbeSpec, n_train: int, epoch: int) -> list[NDArray[np.int64]]:
    """Row numbers of the epoch's batches: a permutation of all rows; the last may be shorter.

    A pure function of the seed and the epoch.
    """
    order = np.random.default_rng([spec.seed, _ORDER, epoch]).permutation(n_train)
    batch = batch_rows(spec, n_train)
    return [order[start : start + batch] for start in range(0, n_train, batch)]


@torch.no_grad()
def accuracy(classifier: nn.Module, features: Tensor, targets: Tensor) -> tuple[float, float]:
    """Top-1 and top-5 accuracy, as fractions, of features (N, D) with targets (N,)."""
    hits = torch.zeros(2, dtype=torch.int64)
    for start in range(0, len(features), VAL_ROWS):
        scores = classifier(features[start : start + VAL_ROWS])
        if not torch.isfinite(scores).all():
            raise UserError(
                "the probe has diverged: its scores hold NaN or infinity; lower base_lr"
            )
        ranks = target_ranks(scores, targets[start : start + VAL_ROWS])
        hits += torch.stack([(ranks < 1).sum(), (ranks < TOP).sum()]).cpu()
    top1, top5 = (int(count) / len(features) for count in hits)
    return top1, top5


def target_ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """How many classes (N,) come before the target's in scores (N, C); 0 is a top-1 hit.

    Of equal scores the smaller class comes first. With C < 5 classes every rank is below 5, so
    that top-5 is 1.
    """
    own = scores.gather(1, targets[:, None])
    smaller = torch.arange(scores.shape[1], device=scores.device) < targets[:, None]
    return ((scores > own) | ((scores == own) & smaller)).sum(dim=1)


@dataclass(frozen=True)
class FailedSource:
    """The sizes of what a failed encoder leaves to probe: nothing."""

    dim: int
    num_classes: int
    n_train: int
    n_val: int


def describe_failed(source: Sizes, spec: ProbeSpec, failure: str) -> dict[str, Any]:
    """What probe.json holds where the encoder has failed: the protocol, and no accuracy."""
    content = describe(source, spec, [{"epoch": None, "top1": None, "top5": None}])
    return {"diverged": True, "failure": failure, **content, "epochs": [], "notes": []}


def describe(source: Sizes, spec: ProbeSpec, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What probe.json holds for both modes; the source adds what is its own."""
    last = rows[-1]
    best = max(rows, key=lambda row: row["top1"])  # the first of equals
    return {
        "format_version": FORMAT_VERSION,
        "num_classes": source.num_classes,
        "top1_last": last["top1"],
        "top5_last": last["top5"],
        "top1_best": best["top1"],
        "top5_best": best["top5"],
        "best_epoch": best["epoch"],
        "best_warning": BEST_WARNING,
        "protocol": {
            "mode": spec.mode,
            "optimizer": spec.optimizer,
            "initial_lr": epoch_lr(spec, source.n_train, 0),
            "lr": "half cosine to 0, set once per epoch",
            "momentum": spec.momentum,
            "weight_decay": spec.weight_decay,
            "epochs": spec.epochs,
            "batch_size": batch_rows(spec, source.n_train),
            "seed": spec.seed,
            "initial_weights": "normal, mean 0, standard deviation 0.01; bias 0",
            "n_train": source.n_train,
            "n_val": source.n_val,
            "dim": source.dim,
            "accuracy": "fraction of val whose class is the highest (top-1) or among the five "
            "highest scores (top-5; 1 if there are no more than five classes); of equal scores "
            "the smaller class number is the higher",
        },
        "epochs": list(rows),
    }
