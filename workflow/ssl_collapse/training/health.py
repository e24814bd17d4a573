"""Signs that a training has failed: a loss that is not finite, and outputs that collapse."""

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.training.learning_rate import epoch_lr
from ssl_collapse.training.ranks import Ranks

logger = logging.getLogger("ssl_collapse")

ROUNDING = 4.0  # a few eps: what features that are equal on paper may differ by
MOST_ROWS = 1024  # of a batch: keeps `health` below half a second
# Of the highest effective rank: below it, training warns of dimensional collapse. On batches of 256
# that are drawn with the paper's six published spectra, between 0.38 and 0.87 of it are left.
FEW = 0.1


class DivergedError(Exception):
    """The loss is NaN or infinite; the message says in which epoch and step (both from 1)."""


def check_loss(value: float, epoch: int, step: int) -> None:
    """Raise DivergedError if the loss of a step is not finite; `epoch` and `step` count from 0."""
    if not math.isfinite(value):
        raise DivergedError(f"the loss is {value} in epoch {epoch + 1}, step {step + 1}")


def rows_without_training(spec: PretrainSpec, epoch: int) -> list[dict[str, float]]:
    """Rows of training.csv from epoch `epoch` (from 0) to the last, for a run that has diverged."""
    unknown = dict.fromkeys(("std_per_dimension", "effective_rank"), math.nan)
    return [
        {"epoch": e + 1, "loss": math.nan, "lr": epoch_lr(spec, e), **unknown}
        for e in range(epoch, spec.epochs)
    ]


class StepWatch:
    """Looks at losses and at the backbone's outputs in training.

    Both are judged on the device and read late: a look waits for the device. That all rows of an
    output are equal (total collapse) is no error: training goes on.
    """

    def __init__(self, backbone: nn.Module, run: str) -> None:
        self.run = run
        self.output: Tensor | None = None  # of the step's last view, (B, D)
        self._steps: list[tuple[int, Tensor, Tensor]] = []  # number, loss, whether all are equal
        backbone.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.output = output.detach()

    def note(self, step: int, loss: Tensor) -> None:
        """Keep what is to be known of a step (from 0), without waiting for it."""
        assert self.output is not None
        self._steps.append((step, loss.detach(), all_equal(self.output)))

    def forget(self) -> None:
        """Start anew, at another step."""
        self._steps = []

    def look(self, ranks: Ranks, epoch: int) -> tuple[list[float], str | None]:
        """The losses noted since the last look, and where they first were with total collapse.

        Raises DivergedError at the first loss that is not finite.
        """
        if not self._steps:
            return [], None
        steps, losses, equal = zip(*self._steps, strict=True)
        self.forget()
        values, collapsed = ranks.mean(torch.stack(losses)), torch.stack(equal).tolist()
        first = None
        for step, value, all_rows_equal in zip(steps, values, collapsed, strict=True):
            check_loss(value, epoch, step)
            if all_rows_equal and first is None:
                first = f"total collapse in epoch {epoch + 1}, step {step + 1}"
        return values, first

    def total_collapse(self, where: str) -> None:
        """Warn of it."""
        logger.warning(
            "%s: %s: every dimension of the backbone's normalised output has a standard deviation "
            "of zero to within rounding; training goes on",
            *(self.run, where),
        )

    def dimensional_collapse(self, rows: list[dict[str, float]], highest: int) -> None:
        """Warn at the first epoch whose effective rank is below FEW of the `highest` possible.

        rows: those of training.csv so far.
        """
        few = [row["effective_rank"] < FEW * highest for row in rows]
        if few[-1:] == [True] and not any(few[:-1]):
            logger.warning(
                "%s: dimensional collapse in epoch %d: the backbone's output on a batch has an "
                "effective rank of %.1f, below %d %% of the possible %d; training goes on",
                *(self.run, rows[-1]["epoch"], rows[-1]["effective_rank"], 100 * FEW, highest),
            )


def highest_rank(output: Tensor) -> int:
    """The largest effective rank that `health` can give for outputs (B, D)."""
    return min(len(output[:MOST_ROWS]) - 1, output.shape[1])


@torch.no_grad()
def health(output: Tensor) -> dict[str, float]:
    """Cheap health of a batch of outputs (B, D), of which at most the first MOST_ROWS count.

    std_per_dimension: mean_d std(u_d) of u = z / norm(z), with ddof = 0; ideal is 1/sqrt(D), and 0
    is total collapse (Chen & He 2021, sec. 4.1). effective_rank: exp(-sum p log p) of p = sigma /
    sum sigma, the singular values of the centred, not normalised outputs (Roy & Vetterli 2007):
    from 1 to min(B - 1, D), and 0 where all rows are equal. Both as in docs/SCIENCE.md,
    but on so few rows: an effective rank compares with that of batches of the same size alone.
    NaN for outputs that are not finite.
    """
    z = output[:MOST_ROWS].double().cpu()  # on a GPU, too: once per epoch, and always one order
    if not torch.isfinite(z).all():
        return {"std_per_dimension": math.nan, "effective_rank": math.nan}
    std = F.normalize(z, dim=1).std(dim=0, correction=0).mean().item()
    if all_equal(z):
        return {"std_per_dimension": std, "effective_rank": 0.0}
    x = z - z.mean(dim=0)
    x /= x.abs().max()  # no square may leave the range of float64
    # The eigenvalues of the smaller Gram matrix are the squares of the singular values.
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    sigma = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    p = sigma / sigma.sum()
    return {
        "std_per_dimension": std,
        "effective_rank": torch.special.entr(p).sum().exp().item(),
    }


@torch.no_grad()
def all_equal(output: Tensor) -> Tensor:
    """Whether L2-normalised rows (B, D) have, in every dimension, no spread beyond rounding.

    A truth value () on the rows' device; rows with NaN are not equal to anything. Float64 is taken
    for what was float32.
    """
    eps = max(torch.finfo(dtype).eps for dtype in (output.dtype, torch.float32))
    unit = F.normalize(output.double(), dim=1)  # neither overflows nor adds to the rounding
    spread = (unit - unit[0]).abs().amax()
    return spread <= ROUNDING * eps * unit.abs().amax()
