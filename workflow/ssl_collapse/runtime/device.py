"""Which device a job computes on."""

import os

import torch

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.gpus import claim_gpus


def choose_device(name: str, gpus: int = 1) -> torch.device:
    """The device that `runtime.device` names; `auto` takes a GPU when there is one.

    A job that takes GPUs holds `gpus` of them, alone, until it ends, and sees no others.
    """
    if name == "cpu":
        return torch.device("cpu")
    rank = os.environ.get("LOCAL_RANK")  # set by torchrun, whose caller holds the GPUs of all ranks
    # Before torch looks for CUDA, which it does only once; a torch for the CPU needs no GPU.
    claimed = claim_gpus(gpus) if torch.version.cuda and rank is None else 0
    if not torch.cuda.is_available():
        if name == "cuda" and not claimed:
            raise UserError("runtime.device is `cuda` but no GPU is visible; use `auto` or `cpu`")
        seen = 0
    else:
        seen = torch.cuda.device_count()
    if claimed and seen != claimed:
        raise UserError(
            f"this job holds {claimed} GPUs but CUDA sees {seen}; is CUDA_VISIBLE_DEVICES changed "
            "within the job, or a driver missing? (`runtime: {device: cpu}` does without)"
        )
    if not seen:
        return torch.device("cpu")
    return torch.device(f"cuda:{rank}" if rank else "cuda")
