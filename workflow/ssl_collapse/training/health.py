"""Signs that a training has failed: a loss that is not finite, and outputs that are all equal."""

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.training.learning_rate import epoch_lr

logger = logging.getLogger("ssl_collapse")

ROUNDING = 4.0  # a few float32 eps: what features that are equal on paper may differ by


class DivergedError(Exception):
    """The loss is NaN or infinite; the message says in which epoch and step (both from 1)."""


def check_loss(value: float, epoch: int, step: int) -> None:
    """Raise DivergedError if the loss of a step is not finite; `epoch` and `step` count from 0."""
    if not math.isfinite(value):
        raise DivergedError(f"the loss is {value} in epoch {epoch + 1}, step {step + 1}")


def rows_without_training(spec: PretrainSpec, epoch: int) -> list[dict[str, float]]:
    """Rows of training.csv from epoch `epoch` (from 0) to the last, for a run that has diverged."""
    return [
        {
            "epoch": e + 1,
            "loss": math.nan,
            "lr": epoch_lr(spec, e),
            "images_per_second": 0.0,
            "seconds": 0.0,
        }
        for e in range(epoch, spec.epochs)
    ]


class OutputWatch:
    """Looks at the backbone's outputs (B, D) in training for total collapse.

    `collapse` says where it was first seen, or is None. A finding and no error: training goes on.
    """

    def __init__(self, backbone: nn.Module, run: str) -> None:
        self.run = run
        self.collapse: str | None = None
        self._output: Tensor | None = None
        backbone.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._output = output.detach() if self.collapse is None else None

    def check(self, epoch: int, step: int) -> None:
        """Look at the step's last output; warn the first time that its rows are all equal."""
        output, self._output = self._output, None
        if output is None or not all_equal(output):
            return
        self.collapse = f"total collapse in epoch {epoch + 1}, step {step + 1}"
        logger.warning(
            "%s: %s: every dimension of the backbone's normalised output has a standard deviation "
            "of zero to within rounding; training goes on",
            *(self.run, self.collapse),
        )


def all_equal(output: Tensor) -> bool:
    """Whether L2-normalised rows (B, D) have, in every dimension, no spread beyond float32's.

    Rows with NaN are not equal to anything.
    """
    # Two rows nearly always settle it, at next to no cost.
    return _equal(output[:2]) and _equal(output)


@torch.no_grad()
def _equal(rows: Tensor) -> bool:
    unit = F.normalize(rows.double(), dim=1)  # neither overflows nor adds to float32's rounding
    spread = (unit - unit[0]).abs().amax()
    floor = ROUNDING * torch.finfo(torch.float32).eps * unit.abs().amax()
    return bool(spread <= floor)
