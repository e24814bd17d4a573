"""The processes of one training: one alone, or one per GPU under torchrun.

The recipe knows nothing of their number. Every rank draws the batch of the whole step and takes its
own part of it, gradients are averaged, and batch norm sees the whole batch (SyncBatchNorm). On the
CPU, where SyncBatchNorm does not exist, batch norm sees each rank's part alone.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ssl_collapse.models.method import MethodModule
from ssl_collapse.runtime.errors import UserError


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is; rank 0 alone writes."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes results, state and log."""
        return self.rank == 0

    def part(self, batch_size: int) -> slice:
        """This rank's part of every batch: `batch_size` / `size` images in a row."""
        if batch_size % self.size:
            raise UserError(
                f"batch_size {batch_size} cannot be divided among {self.size} GPUs; "
                "change runtime.gpus"
            )
        share = batch_size // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def synchronized(self, module: MethodModule) -> MethodModule:
        """The module with batch norm over all ranks, where it is on a GPU."""
        on_gpu = next(module.parameters()).is_cuda
        if self.size == 1 or not on_gpu:
            return module
        convert: Callable[[MethodModule], MethodModule] = nn.SyncBatchNorm.convert_sync_batchnorm
        return convert(module)

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module as it is called in training: its gradients are averaged over all ranks."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def mean(self, values: Tensor) -> list[float]:
        """The mean over all ranks of each value (n,), the same on every rank."""
        total = values.double()
        if self.size > 1:
            dist.all_reduce(total)
        return [value / self.size for value in total.tolist()]

    def any(self, *flags: bool) -> list[bool]:
        """Which flags are up on some rank, the same on every rank; waits for no GPU."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def wait(self) -> None:
        """Go on when all ranks have come here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the process group."""
        if self.size > 1:
            dist.destroy_process_group()


def under_torchrun() -> bool:
    """Whether this process is one that torchrun started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def join(device: torch.device) -> Ranks:
    """Join the other processes of this training, if there are any."""
    if not under_torchrun():
        return Ranks()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    return Ranks(dist.get_rank(), dist.get_world_size())
